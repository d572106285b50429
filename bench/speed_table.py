#!/usr/bin/env python3
"""Times schemes of a synthetic model one after another, each beside llama.cpp where it knows the
type, and prints a Markdown table. Measurements accumulate in a JSON-lines file, the last of a
(engine, scheme) counting, so that a long sweep can be run in short pieces:

    python bench/speed_table.py measure --out lines.jsonl --scheme q4_0 --rival-python PYTHON
    python bench/speed_table.py table --out lines.jsonl

A rival's file is written beside --out beforehand by `prepare`, which takes no part in the timing.
"""
import argparse
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
RIVAL = os.path.join(HERE, "rivals", "time_llama_cpp.py")
RIVAL_TYPES = {"q2_k", "q3_k", "q4_0", "q4_1", "q4_k", "q5_0", "q5_1", "q5_k", "q6_k", "q8_0",
               "mxfp4", "iq4_nl", "iq4_xs", "f16", "bf16"}


def gguf_path(arguments, scheme):
    folder = os.path.dirname(os.path.abspath(arguments.out))
    return os.path.join(folder, f"{arguments.synthetic}-{scheme}.gguf")


def run(command):
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def rival_command(arguments, scheme, extra=()):
    return [arguments.rival_python, RIVAL, "--synthetic", arguments.synthetic, "--type", scheme,
            "--keep", gguf_path(arguments, scheme), *extra]


def prepare(arguments):
    for scheme in arguments.scheme:
        if scheme in RIVAL_TYPES and not os.path.exists(gguf_path(arguments, scheme)):
            subprocess.run(rival_command(arguments, scheme, ["--write-only"]), check=True)


def measure(arguments):
    common = ["--threads", str(arguments.threads), "--prompt", str(arguments.prompt),
              "--generate", str(arguments.generate), "--repeats", str(arguments.repeats)]
    for scheme in arguments.scheme:
        results = []
        ours = run([arguments.anybit, "bench", "--synthetic", arguments.synthetic, "--scheme",
                    scheme, "--json", *common])
        results.append({"engine": "anybit", "scheme": scheme, **ours})
        if arguments.rival_python and scheme in RIVAL_TYPES:
            rival = run(rival_command(arguments, scheme, common))
            results.append({"scheme": scheme, **rival, "engine": "llama.cpp"})
        with open(arguments.out, "a", encoding="utf-8") as lines:
            for result in results:
                lines.write(json.dumps(result) + "\n")


def table(arguments):
    rows = {}
    with open(arguments.out, encoding="utf-8") as lines:
        for line in lines:
            result = json.loads(line)
            rows.setdefault(result["scheme"], {})[result["engine"]] = result
    peak = arguments.int8_peak
    print("| scheme | kernel | MB a token | decode t/s | of read "
          "| GB/s | llama.cpp | ratio | prefill t/s "
          "| of int8 peak | llama.cpp | ratio |")
    print("|---|---|---|---|---|---|---|---|---|---|---|---|")
    for scheme, by_engine in rows.items():
        ours, rival = by_engine["anybit"], by_engine.get("llama.cpp")
        cells = [scheme, ours["kernels"], f"{ours['bytes_per_token'] / 1e6:.0f}"]
        for phase in ("decode", "prefill"):
            speed = ours[f"{phase}_tokens_per_s"]
            cells.append(f"{speed:.1f}")
            if phase == "decode":
                cells.append(f"{100 * ours['fraction_of_bandwidth']:.0f} %")
                cells.append(f"{ours['read_bandwidth'] / 1e9:.1f}")
            else:
                fraction = speed * arguments.multiply_adds_per_token / peak
                cells.append(f"{100 * fraction:.0f} %")
            other = rival[f"{phase}_tokens_per_s"] if rival else None
            cells += [f"{other:.1f}", f"{speed / other:.2f}"] if other else ["", ""]
        print("| " + " | ".join(cells) + " |")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=("prepare", "measure", "table"))
    parser.add_argument("--out", required=True)
    parser.add_argument("--scheme", nargs="+", default=["q4_0"])
    parser.add_argument("--synthetic", default="llama-1b")
    parser.add_argument("--anybit", default=os.path.join(HERE, "..", "build/release/anybit"))
    parser.add_argument("--rival-python", help="a Python that has llama-cpp-python, gguf, numpy")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--prompt", type=int, default=256)
    parser.add_argument("--generate", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--int8-peak", type=float, default=1, help="multiply-adds a second")
    parser.add_argument("--multiply-adds-per-token", type=float, default=973.1e6,
                        help="of prefill, where the output matrix serves one token only")
    arguments = parser.parse_args()
    {"prepare": prepare, "measure": measure, "table": table}[arguments.action](arguments)


if __name__ == "__main__":
    sys.exit(main())
