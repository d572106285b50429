#!/usr/bin/env python3
"""Counts the GPU instructions of casts per element and prints the table of docs/casts.md.

    tools/cast_sass.py build/release/tests/cast_text [--encode] [--arch 90a] [--include DIR]
                       [--formats A,B]

With --encode, of casts from f32, f16 and bf16, whose sources are promised not to be NaN.

Each cast becomes two kernels, of 64 and of 128 elements a thread; the difference of their lengths,
less one load or store for each word of the operands, over 64, is what one element costs: kernel
prologues, addresses and constants cancel out. Machine instructions are 16 bytes each, so the text
sections of nvcc's cubin say how many there are; no disassembler is needed. Padding (NOP, and the
branch to itself before it) is left out.
"""
import argparse
import pathlib
import struct
import subprocess
import sys
import tempfile

NOP, BRANCH, INSTRUCTION_BYTES = 0x918, 0x947, 16
FEW, MANY = 64, 128

FORMATS = ("binary ternary bipolar2 bipolar4 int1 int2 int3 int4 int5 int6 int7 int8 uint1 uint2 "
           "uint3 uint4 uint5 uint6 uint7 uint8 e1m0 e1m1 e2m0 e1m2 e2m1 e3m0 e1m3 e2m2 e3m1 e4m0 "
           "e1m4 e2m3 e3m2 e4m1 e5m0 e2m4 e3m3 e4m2 e5m1 e2m5 e3m4 e4m3 e5m2 ue2m2 ue3m2 ue4m3 "
           "ue4m4 e8m0 codebook1 codebook2 codebook3 codebook4 codebook5 codebook8 posit4_1 "
           "posit6_1 posit8_1 lns4_1 lns8_3").split()
TARGETS = ("f16", "bf16")
SOURCES = ("f32", "f16", "bf16")
ENCODED = ("int2 int3 int4 int5 int6 int7 int8 uint1 uint2 uint4 uint8 e1m2 e2m1 e2m2 e2m3 e3m2 "
           "e3m3 e3m4 e4m2 e4m3 e5m2 ue4m3 ue4m4 e8m0 e3m0 ternary bipolar4 posit8_1").split()
SUFFIXES = {"e4m3": 8, "e5m2": 8, "ue4m3": 7}  # Those of FORMATS that have NaN or infinity.


def bits_of(name):
    digits = "".join(c if c.isdigit() else " " for c in name).split()
    if name in ("binary", "ternary"):
        return {"binary": 1, "ternary": 2}[name]
    if name[0] == "e" or name.startswith("ue"):
        return sum(map(int, digits)) + (name[0] == "e" and name != "e8m0")
    return int(digits[0])


def instruction_counts(cubin):
    """Kernel name -> number of instructions, from the ELF's sections .text.NAME."""
    data = cubin.read_bytes()
    offset, = struct.unpack_from("<Q", data, 0x28)
    entry_size, entries, names_index = struct.unpack_from("<HHH", data, 0x3A)
    sections = [struct.unpack_from("<IIQQQQ", data, offset + i * entry_size)
                for i in range(entries)]
    names_at = sections[names_index][4]
    counts = {}
    for name_offset, _, _, _, at, size in sections:
        begin = names_at + name_offset
        name = data[begin:data.index(b"\0", begin)].decode()
        if not name.startswith(".text."):
            continue
        opcodes = [struct.unpack_from("<H", data, i)[0] & 0xFFF
                   for i in range(at, at + size, INSTRUCTION_BYTES)]
        counts[name.removeprefix(".text.")] = sum(o not in (NOP, BRANCH) for o in opcodes)
    return counts


def measure(tool, rows, arch, include):
    """(from, to, order, finite) -> (instructions an element, method)."""
    lines = [(*row, count) for row in rows for count in (FEW, MANY)]
    text = subprocess.run([tool], input="\n".join(" ".join(map(str, l)) for l in lines), text=True,
                          check=True, capture_output=True).stdout
    methods = dict(l.split()[2:] for l in text.splitlines() if l.startswith("// method"))
    with tempfile.TemporaryDirectory() as folder:
        source, cubin = pathlib.Path(folder, "casts.cu"), pathlib.Path(folder, "casts.cubin")
        source.write_text('#include "anybit/vm/backend/cuda/device/device.h"\n' + text)
        subprocess.run(["nvcc", "-std=c++17", "-cubin", "-I", include, "-o", cubin, source,
                        f"-gencode=arch=compute_{arch},code=sm_{arch}"], check=True)
        counts = instruction_counts(cubin)
    results = {}
    for i, row in enumerate(rows):
        moved = (MANY - FEW) * (bits_of(row[0]) + bits_of(row[1])) // 32
        more = counts[f"cast{2 * i + 1}"] - counts[f"cast{2 * i}"] - moved
        results[row] = more / (MANY - FEW), methods[f"cast{2 * i}"]
    return results


def print_table(results, formats):
    print("| format | f16 | bf16 | f16, interleaved | bf16, interleaved | method (f16, bf16) |")
    print("|---|---|---|---|---|---|")
    for name in formats:
        for finite in (0, 1) if name in SUFFIXES else (0,):
            cells, methods = [], []
            for order in ("canonical", "interleaved"):
                for to in TARGETS:
                    found = results.get((name, to, order, finite))
                    cells.append(f"{found[0]:.2f}" if found else "")
                    if found and order == "canonical":
                        methods.append(found[1])
            label = name + (", finite" if finite else "")
            print(f"| {label} | {' | '.join(cells)} | {', '.join(methods)} |")


def print_encode_table(results, formats):
    print("| format | f32 | f16 | bf16 | method (f32, f16, bf16) |")
    print("|---|---|---|---|---|")
    for name in formats:
        found = [results[(source, name, "canonical", 1)] for source in SOURCES]
        print(f"| {name} | {' | '.join(f'{count:.2f}' for count, _ in found)} | "
              f"{', '.join(method for _, method in found)} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tool", help="the program cast_text")
    parser.add_argument("--arch", default="90a")
    parser.add_argument("--include", default=".", help="the folder that holds anybit/")
    parser.add_argument("--encode", action="store_true", help="casts into the formats")
    parser.add_argument("--formats", help="only these, separated by commas",
                        type=lambda text: text.split(","))
    arguments = parser.parse_args()
    arguments.formats = arguments.formats or (ENCODED if arguments.encode else FORMATS)
    if arguments.encode:
        rows = [(source, name, "canonical", 1) for name in arguments.formats for source in SOURCES]
        print_encode_table(measure(arguments.tool, rows, arguments.arch, arguments.include),
                           arguments.formats)
        return 0
    rows = []
    for name in arguments.formats:
        for to in TARGETS:
            for order in ("canonical", "interleaved"):
                if order == "interleaved" and (32 % bits_of(name) or name.startswith("codebook")):
                    continue
                rows += [(name, to, order, finite)
                         for finite in ((0, 1) if name in SUFFIXES else (0,))]
    print_table(measure(arguments.tool, rows, arguments.arch, arguments.include),
                arguments.formats)
    return 0


if __name__ == "__main__":
    sys.exit(main())
