#!/usr/bin/env python3
"""Files written by the packages safetensors, numpy and gguf pass through our reader and writer;
the packages must read the same contents back.

usage: file_formats.py PROGRAM   (tests/oracle/file_formats.cc)
"""
import pathlib
import struct
import subprocess
import sys
import tempfile

import gguf
import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

NUMBERS = ["bool", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8"]
SHAPES = [(), (1,), (7,), (3, 5), (0, 4), (2, 3, 4), (1, 1, 2, 1)]


class Checker:
    def __init__(self, program, folder):
        self.program, self.folder, self.failures, self.checks = program, folder, [], 0

    def path(self, name):
        return str(self.folder / name)

    def run(self, kind, source, target):
        return subprocess.run([self.program, kind, source, target], capture_output=True, text=True)

    def copy(self, kind, source, target):
        result = self.run(kind, source, target)
        self.expect(result.returncode == 0, f"{kind} {source}: {result.stderr.strip()}")
        return result.returncode == 0

    def expect(self, holds, message):
        self.checks += 1
        if not holds:
            self.failures.append(message)

    def expect_equal(self, found, expected, where):
        same = (found.dtype == expected.dtype and found.shape == expected.shape
                and found.tobytes() == expected.tobytes())
        self.expect(same, f"{where}: {found.dtype}{found.shape} differs from "
                          f"{expected.dtype}{expected.shape}")


def random_array(rng, dtype, shape):
    count = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    raw = rng.integers(0, 2 if dtype == "bool" else 256, count, dtype=np.uint8)
    return np.frombuffer(raw.tobytes(), dtype=dtype).reshape(shape)


def check_safetensors(check, rng):
    source, target = check.path("a.safetensors"), check.path("b.safetensors")
    arrays = {f"{t} {s}": random_array(rng, t, s) for t in NUMBERS for s in SHAPES}
    save_file(arrays, source, metadata={"format": "np", "é": "\n"})
    if not check.copy("safetensors", source, target):
        return
    found = load_file(target)
    check.expect(set(found) == set(arrays), "safetensors: names differ")
    for name, array in arrays.items():
        check.expect_equal(found[name], array, f"safetensors {name}")
    with safe_open(target, framework="np") as file:
        check.expect(file.metadata() == {"format": "np", "é": "\n"}, "safetensors: metadata differ")


def check_small_floats_in_safetensors(check):
    """Types numpy lacks: the package must accept our header and return the bytes."""
    source, target = check.path("c.safetensors"), check.path("d.safetensors")
    names = {"BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1, "F8_E8M0": 1}
    header, data = "{", b""
    for name, size in names.items():
        part = bytes(range(6 * size))
        header += (f'{"," if data else ""}"{name}":{{"dtype":"{name}","shape":[2,3],'
                   f'"data_offsets":[{len(data)},{len(data) + len(part)}]}}')
        data += part
    text = (header + "}").encode()
    pathlib.Path(source).write_bytes(struct.pack("<Q", len(text)) + text + data)
    if not check.copy("safetensors", source, target):
        return
    with safe_open(target, framework="np") as file:
        for name, size in names.items():
            view = file.get_slice(name)
            check.expect(view.get_dtype() == name and view.get_shape() == [2, 3],
                         f"safetensors {name}: {view.get_dtype()} {view.get_shape()}")


def check_npy(check, rng):
    source, target = check.path("a.npy"), check.path("b.npy")
    for dtype in NUMBERS:
        for shape in SHAPES:
            array = random_array(rng, dtype, shape)
            for order in "CF":
                for version in [(1, 0), (2, 0), (3, 0)]:
                    ordered = np.asarray(array, order=order)
                    with open(source, "wb") as file:
                        np.lib.format.write_array(file, ordered, version=version)
                    if check.copy("npy", source, target):
                        check.expect_equal(np.load(target), array, f"npy {dtype} {shape} {order}")
    for refused in [np.zeros(2, ">f4"), np.zeros(2, "c8"), np.zeros(2, "U3"),
                    np.zeros(2, [("a", "i4")])]:
        np.save(source, refused)
        result = check.run("npy", source, target)
        check.expect(result.returncode == 1 and source in result.stderr,
                     f"npy: {refused.dtype} was not refused: {result.stderr}")


def add_values(writer):
    writer.add_uint8("u8", 255), writer.add_int8("i8", -128)
    writer.add_uint16("u16", 65535), writer.add_int16("i16", -32768)
    writer.add_uint32("u32", 2**32 - 1), writer.add_int32("i32", -2**31)
    writer.add_uint64("u64", 2**64 - 1), writer.add_int64("i64", -2**63)
    writer.add_float32("f32", 0.1), writer.add_float64("f64", 0.1)
    writer.add_bool("yes", True), writer.add_bool("no", False)
    writer.add_string("text", "é\n\0x")
    writer.add_array("strings", ["a", "", "日本"])
    writer.add_array("ints", [1, -2, 3]), writer.add_array("floats", [0.5, -1e30])
    writer.add_array("bools", [True, False])


def check_gguf(check, rng, alignment):
    source, target = check.path("a.gguf"), check.path("b.gguf")
    writer = gguf.GGUFWriter(source, "llama")
    if alignment:
        writer.add_custom_alignment(alignment)
    add_values(writer)
    for kind, (elements, size) in gguf.GGML_QUANT_SIZES.items():
        if elements == 1 or kind == gguf.GGMLQuantizationType.Q8_1:
            continue  # The package gives q8_1 40 bytes a block, ggml's own structure has 36.
        blocks = rng.integers(0, 256, (3, 2 * size), dtype=np.uint8)
        writer.add_tensor(f"blocks.{kind.name}", blocks, raw_dtype=kind)
    for dtype in ["f4", "f2", "f8", "i1", "i2", "i4", "i8"]:
        for shape in [(1,), (3, 5), (2, 3, 4), (2, 1, 3, 2)]:
            writer.add_tensor(f"{dtype} {shape}", random_array(rng, dtype, shape))
    writer.write_header_to_file(), writer.write_kv_data_to_file(), writer.write_tensors_to_file()
    writer.close()
    if not check.copy("gguf", source, target):
        return
    expected, found = gguf.GGUFReader(source), gguf.GGUFReader(target)
    check.expect(list(found.fields) == list(expected.fields), "gguf: keys differ")
    check.expect(found.alignment == expected.alignment, "gguf: alignments differ")
    for key, field in expected.fields.items():
        other = found.fields[key]
        same = other.types == field.types and len(other.parts) == len(field.parts) and all(
            a.tobytes() == b.tobytes() for a, b in zip(other.parts, field.parts))
        check.expect(same, f"gguf: {key} differs")
    check.expect([t.name for t in found.tensors] == [t.name for t in expected.tensors],
                 "gguf: tensors differ")
    for a, b in zip(found.tensors, expected.tensors):
        check.expect(a.tensor_type == b.tensor_type and list(a.shape) == list(b.shape),
                     f"gguf: shape or type of {b.name} differs")
        check.expect(a.data.tobytes() == b.data.tobytes(), f"gguf: {b.name} differs")
    check.expect(pathlib.Path(source).read_bytes() == pathlib.Path(target).read_bytes(),
                 "gguf: the files differ")


def main():
    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as folder:
        check = Checker(sys.argv[1], pathlib.Path(folder))
        check_safetensors(check, rng)
        check_small_floats_in_safetensors(check)
        check_npy(check, rng)
        for alignment in [None, 8, 64, 4096]:
            check_gguf(check, rng, alignment)
    for failure in check.failures[:20]:
        print("FAILED:", failure)
    print(f"file_formats: {check.checks} checks, {len(check.failures)} failures")
    return bool(check.failures)


if __name__ == "__main__":
    sys.exit(main())
