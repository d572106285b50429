#!/usr/bin/env python3
"""Quantizes a model to a ladder of schemes, measures each, prints one table, generates text from
three of them, and draws the size-quality curve. Everything is done by build/release/anybit; this
script only calls it."""
import argparse
import json
import os
import pathlib
import subprocess
import sys

ANYBIT = "build/release/anybit"

# From 8 bits down to 1: integers, floats, MX, NVFP4, posit, codebooks, ternary, binary.
SCHEMES = ["int8_g64", "mxfp8_e4m3", "posit6_1_g64", "int5_g64", "nvfp4", "mxfp4", "int4_g64",
           "nf4", "codebook3_g64", "int2_g32", "ternary_g64", "binary_g64"]
SPOKEN = ["int8_g64", "nvfp4", "int2_g32"]
TEXTS = {"wiki-6m": ("models/wiki-6m/sample.txt", "The history of mathematics"),
         "smollm2": ("models/wiki-6m/sample.txt", "The history of mathematics")}


def call(*arguments):
    """Runs anybit with --json and returns its object; progress bars go to the terminal."""
    done = subprocess.run([ANYBIT, *map(str, arguments), "--json"], stdout=subprocess.PIPE)
    if done.returncode != 0:
        sys.exit(f"demo: anybit {' '.join(map(str, arguments))} failed")
    return json.loads(done.stdout)


def folder_megabytes(path):
    path = pathlib.Path(path)
    files = path.glob("*.safetensors") if path.is_dir() else [path]
    return sum(f.stat().st_size for f in files) / 1e6


def measure(model, text, reference, arguments):
    evaluation = ["eval", model, "--text", text, "--window", arguments.window]
    if reference:
        evaluation += ["--reference", reference]
    if arguments.windows:
        evaluation += ["--max-windows", arguments.windows]
    quality = call(*evaluation)
    speed = call("bench", model, "--prompt", 128, "--generate", 64)
    return quality, speed


def print_row(scheme, bits, megabytes, quality, speed):
    kld = f"{quality['kld_mean']:9.4f}" if "kld_mean" in quality else f"{'-':>9}"
    top1 = f"{100 * quality['top1_agreement']:6.1f}%" if "kld_mean" in quality else f"{'-':>7}"
    print(f"{scheme:<15}{bits:>11.2f}{megabytes:>9.2f}{quality['ppl']:>12.3f}{kld}{top1}"
          f"{speed['decode_tokens_per_s']:>10.0f}", flush=True)


def draw(rows, reference_ppl, name, out):
    data = "\n".join(f"{bits:.4f} {ppl:.5f} {scheme}" for scheme, bits, _, ppl in rows)
    labels = f"""
$rows << EOD
{data}
EOD
set title "{name}: perplexity against bits per weight"
set xlabel "bits per weight (everything counted)"
set ylabel "perplexity"
set logscale y
set grid
set key top right
set offsets graph 0.05, graph 0.1, graph 0.1, graph 0.05
plot $rows using 1:2 with points pt 7 ps 0.6 lc rgb "#1f6feb" notitle, \\
     $rows using 1:2:3 with labels offset 0.6,0.6 left font ",9" noenhanced notitle, \\
     {reference_ppl} with lines dt 2 lc rgb "#666666" title "unquantized"
"""
    for terminal, suffix in (("svg size 900,600 background 'white'", "svg"),
                             ("pngcairo size 900,600", "png")):
        script = f"set terminal {terminal}\nset output '{out}/size_quality.{suffix}'\n{labels}"
        subprocess.run(["gnuplot"], input=script, text=True, check=True)
    print(f"\nSize-quality curve: {out}/size_quality.svg and .png")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--name", default="model")
    parser.add_argument("--out", default="build/demo")
    parser.add_argument("--method", default="mse")
    parser.add_argument("--window", type=int, default=512)
    parser.add_argument("--windows", type=int, default=0, help="evaluate so many windows; 0: all")
    arguments = parser.parse_args()
    text, prompt = TEXTS.get(arguments.name, TEXTS["wiki-6m"])
    out = pathlib.Path(arguments.out) / arguments.name
    os.makedirs(out, exist_ok=True)

    print(f"{'scheme':<15}{'bits/weight':>11}{'MB':>9}{'perplexity':>12}{'KL':>9}{'top-1':>7}"
          f"{'tokens/s':>10}")
    original = call("inspect", arguments.model)
    quality, speed = measure(arguments.model, text, None, arguments)
    reference_ppl = quality["ppl"]
    print_row("unquantized", original["bits_per_weight"], folder_megabytes(arguments.model),
              quality, speed)
    rows = []
    for scheme in SCHEMES:
        target = out / scheme
        report = call("quantize", arguments.model, "-o", target, "--scheme", scheme, "--method",
                      arguments.method, "--overwrite")
        quality, speed = measure(target, text, arguments.model, arguments)
        print_row(scheme, report["bits_per_weight"], folder_megabytes(target), quality, speed)
        rows.append((scheme, report["bits_per_weight"], folder_megabytes(target), quality["ppl"]))
    for scheme in SPOKEN:
        result = call("run", out / scheme, "-p", prompt, "-n", 48, "--temperature", 0)
        print(f"\n[{scheme}] {prompt}{result['text']}")
    draw(rows, reference_ppl, arguments.name, out)


if __name__ == "__main__":
    main()
