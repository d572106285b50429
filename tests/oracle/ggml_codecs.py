#!/usr/bin/env python3
"""Compares our ggml codecs with the PyPI package gguf.

usage: ggml_codecs.py GGML_CODEC_DUMP GOLDEN [LIBGGML_BASE [MODEL.safetensors]]
       ggml_codecs.py GGML_CODEC_DUMP GOLDEN --write

Decoding: random bytes of every type must give the package's values, bit for bit (any NaN equals any
NaN). Encoding: our error must not exceed the package's where it can encode; where its rule is plain
rounding, the blocks must be the same bytes. GOLDEN, which the C++ tests read, must hold the hashes
that the package's results have; --write makes it.

With LIBGGML_BASE (libggml-base.so), all encoders are compared with ggml's own, with and without
importance, on random numbers and on the matrices of a model in bf16.
"""
import ctypes
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType as Type, quants

SIZES = {t.name: GGML_QUANT_SIZES[t] for t in Type if t in GGML_QUANT_SIZES}
SIZES.update(Q8_1=(32, 36), Q1_0=(128, 18), Q2_0=(64, 18))  # The package has an old Q8_1.
BLOCK_TYPES = [name for name, (elements, _) in SIZES.items() if elements > 1]
SAME_BYTES = ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "TQ1_0", "TQ2_0", "MXFP4"]
SEARCHED = ["Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL", "IQ4_XS"]
ENCODED = SAME_BYTES + SEARCHED + ["NVFP4", "Q1_0", "Q2_0"]
IDS = dict(Q8_1=9, Q1_0=41, Q2_0=42)
GOLDEN_BLOCKS = 512


def type_id(name):
    return IDS.get(name) or Type[name].value


def f16(blocks, offset):
    return blocks[:, offset:offset + 2].copy().view(np.float16).astype(np.float32)


def decode_by_hand(name, blocks):
    """The types that the package does not know, from their definition."""
    if name == "Q1_0":
        bits = np.unpackbits(blocks[:, 2:], axis=1, bitorder="little")
        return np.where(bits == 1, f16(blocks, 0), -f16(blocks, 0))
    if name == "Q2_0":
        codes = (blocks[:, 2:, None] >> np.array([0, 2, 4, 6], np.uint8)) & 3
        return f16(blocks, 0) * (codes.reshape(len(blocks), -1).astype(np.float32) - 1)
    if name == "Q8_1":
        return f16(blocks, 0) * blocks[:, 4:].view(np.int8).astype(np.float32)
    if name == "Q8_K":
        scale = blocks[:, :4].copy().view(np.float32)
        return scale * blocks[:, 4:260].view(np.int8).astype(np.float32)
    raise KeyError(name)


def decode(name, blocks):
    with np.errstate(all="ignore"):
        if name in Type.__members__ and Type[name] in quants._type_traits:
            return quants.dequantize(blocks, Type[name])
        return decode_by_hand(name, blocks)


class Codec:
    def __init__(self, dump, folder):
        self.dump, self.folder = dump, pathlib.Path(folder)

    def call(self, mode, name, data, result_type, *more):
        (self.folder / "in").write_bytes(np.ascontiguousarray(data).tobytes())
        command = [self.dump, mode, name, self.folder / "in", self.folder / "out", *more]
        done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{mode} {name}: {done.stderr}")
        self.seconds = float(done.stdout or 0)
        return np.frombuffer((self.folder / "out").read_bytes(), result_type)

    def decode(self, name, blocks, mode="dequantize"):
        return self.call(mode, name, blocks, np.float32).reshape(len(blocks), -1)

    def encode(self, name, values, importance=None):
        more = []
        if importance is not None:
            (self.folder / "importance").write_bytes(importance.tobytes())
            more = [self.folder / "importance"]
        blocks = self.call("quantize", name, values, np.uint8, values.shape[1], *more)
        return blocks.reshape(-1, SIZES[name][1])


def same_values(a, b):
    return bool(np.all((a.view(np.uint32) == b.view(np.uint32)) | (np.isnan(a) & np.isnan(b))))


def check_decoding(codec, failures):
    random = np.random.default_rng(1)
    for name in BLOCK_TYPES:
        blocks = random.integers(0, 256, (3000, SIZES[name][1]), np.uint8)
        expected = decode(name, blocks)
        for mode in ("dequantize", "groups"):
            if not same_values(codec.decode(name, blocks, mode), expected):
                failures.append(f"{mode} {name}: values differ from the package's")
    for name, dtype in (("F16", np.float16), ("BF16", None)):
        codes = np.arange(65536, dtype=np.uint16)
        with np.errstate(all="ignore"):
            expected = (codes.view(dtype).astype(np.float32) if dtype else
                        (codes.astype(np.uint32) << 16).view(np.float32))
        if not same_values(codec.decode(name, codes.reshape(-1, 1))[:, 0], expected):
            failures.append(f"dequantize {name}: values differ")


def samples():
    random = np.random.default_rng(2)
    yield "gaussian", random.standard_normal((256, 2048)).astype(np.float32) * np.float32(0.02)
    yield "laplacian", random.laplace(size=(256, 2048)).astype(np.float32)
    heavy = random.standard_t(5, size=(256, 2048))
    heavy[0] = 0
    heavy[1, ::2] = 0
    heavy[2] = 1
    yield "student-t", heavy.astype(np.float32)


def error(name, blocks, values, importance=None):
    decoded = decode(name, blocks).reshape(values.shape).astype(np.float64)
    weight = 1 if importance is None else importance.astype(np.float64)
    return float(np.mean(weight * (decoded - values) ** 2))


def check_encoding(codec, failures):
    for kind, values in samples():
        for name in SAME_BYTES:
            ours = codec.encode(name, values)
            theirs = quants.quantize(values, Type[name]).reshape(ours.shape)
            if not np.array_equal(ours, theirs):
                different = np.mean(np.any(ours != theirs, axis=1))
                failures.append(f"quantize {name}, {kind}: {different:.2%} of blocks differ")
            if error(name, ours, values) > error(name, theirs, values):
                failures.append(f"quantize {name}, {kind}: error above the package's")


def philox_bytes(seed, stream, count):
    """The first `count` bytes of Philox4x32-10 as anybit/base/philox.h has it."""
    low = np.uint64(0xffffffff)
    counters = np.arange((count + 15) // 16, dtype=np.uint64)
    x = [counters, np.zeros_like(counters), np.full_like(counters, stream), np.zeros_like(counters)]
    key0, key1 = seed, 0
    for _ in range(10):
        product0, product1 = x[0] * np.uint64(0xD2511F53), x[2] * np.uint64(0xCD9E8D57)
        x = [product1 >> np.uint64(32) ^ x[1] ^ np.uint64(key0), product1 & low,
             product0 >> np.uint64(32) ^ x[3] ^ np.uint64(key1), product0 & low]
        key0, key1 = key0 + 0x9E3779B9 & 0xffffffff, key1 + 0xBB67AE85 & 0xffffffff
    return np.stack(x, axis=1).astype(np.uint32).reshape(-1).view(np.uint8)[:count]


def fnv_hash(words):
    state = 0xcbf29ce484222325
    for word in words.tolist():
        state = (state ^ word) * 0x100000001b3 & 0xffffffffffffffff
    return f"{state:016x}"


def golden_row(codec, name):
    elements, size = SIZES[name]
    blocks = philox_bytes(20, type_id(name), GOLDEN_BLOCKS * size).reshape(-1, size)
    decoded = decode(name, blocks).reshape(-1)
    decoded_hash = fnv_hash(np.where(np.isnan(decoded), 0x7fc00000, decoded.view(np.uint32)))
    if name not in ENCODED:
        return f"{name.lower()} {decoded_hash} -"
    bits = philox_bytes(21, type_id(name), 8 * GOLDEN_BLOCKS * elements).view(np.uint64)
    numbers = ((bits >> np.uint64(40)).astype(np.int64) - (1 << 23)).astype(np.float32) / (1 << 23)
    values = numbers.reshape(-1, elements)
    encoded = (quants.quantize(values, Type[name]) if name in SAME_BYTES else
               codec.encode(name, values))
    return f"{name.lower()} {decoded_hash} {fnv_hash(encoded.reshape(-1))}"


def check_golden(codec, path, failures, write):
    rows = "".join(golden_row(codec, name) + "\n" for name in BLOCK_TYPES)
    if write:
        path.write_text(rows)
    elif path.read_text() != rows:
        failures.append(f"{path}: not the hashes that the package's results have")


def model_matrices(path, num_rows=8192):
    """Rows of the matrices of a bf16 safetensors file that have the commonest width."""
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    by_width = {}
    for name, entry in sorted(json.loads(data[8:8 + size]).items()):
        if name != "__metadata__" and len(entry["shape"]) == 2 and entry["dtype"] == "BF16":
            begin, end = (8 + size + offset for offset in entry["data_offsets"])
            codes = np.frombuffer(data[begin:end], np.uint16).astype(np.uint32) << 16
            by_width.setdefault(entry["shape"][1], []).append(
                codes.view(np.float32).reshape(entry["shape"]))
    widths = [width for width in by_width if width % 256 == 0]
    chosen = max(widths, key=lambda width: sum(len(m) for m in by_width[width]))
    return np.ascontiguousarray(np.concatenate(by_width[chosen])[:num_rows])


def load_libggml(path):
    library = ctypes.CDLL(path)
    library.ggml_quantize_chunk.restype = ctypes.c_size_t
    library.ggml_quantize_chunk.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p,
                                            ctypes.c_int64, ctypes.c_int64, ctypes.c_int64,
                                            ctypes.c_void_p]
    return library


def encode_by_libggml(library, name, values, importance):
    elements, size = SIZES[name]
    blocks = np.zeros((values.size // elements, size), np.uint8)
    weights = importance.ctypes.data if importance is not None else None
    library.ggml_quantize_chunk(type_id(name), values.ctypes.data, blocks.ctypes.data, 0,
                                *values.shape, weights)
    return blocks


def compare_with_libggml(codec, path, model, failures):
    library = load_libggml(path)
    random = np.random.default_rng(3)
    everything = list(samples())
    if model:
        everything.append(("model", model_matrices(pathlib.Path(model))))
    for kind, values in everything:
        weights = np.exp(random.normal(size=values.shape[1])).astype(np.float32)
        for name in ENCODED:
            for importance in (None, weights):
                ours = codec.encode(name, values, importance)
                speed = values.size / codec.seconds / 1e6
                theirs = encode_by_libggml(library, name, values, importance)
                ratio = (error(name, ours, values, importance) /
                         error(name, theirs, values, importance))
                same = np.mean(np.all(ours == theirs, axis=1))
                how = "plain" if importance is None else "weighted"
                print(f"{name:7} {kind:12} {how:8} error ours/theirs {ratio:.5f}, "
                      f"{same:7.2%} of blocks equal, {speed:6.1f} M/s")
                if ratio > 1.001:
                    failures.append(f"quantize {name}, {kind}, {how}: error {ratio:.4f} of ggml's")


def main():
    failures = []
    with tempfile.TemporaryDirectory() as folder:
        codec = Codec(sys.argv[1], folder)
        check_decoding(codec, failures)
        check_encoding(codec, failures)
        check_golden(codec, pathlib.Path(sys.argv[2]), failures, sys.argv[3:] == ["--write"])
        if len(sys.argv) > 3 and sys.argv[3] != "--write":
            compare_with_libggml(codec, sys.argv[3], (sys.argv[4:] or [None])[0], failures)
    print("\n".join(failures) if failures else "ggml codecs agree with the package gguf")
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
