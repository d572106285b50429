#!/usr/bin/env python3
"""Compares our ggml codecs with the PyPI package gguf.

usage: ggml_codecs.py GGML_CODEC_DUMP [LIBGGML_BASE]

Decoding: random bytes of every type must give the package's values, bit for bit (any NaN equals any
NaN). Encoding: our error must not exceed the package's where it can encode; where its rule is plain
rounding, the blocks must be the same bytes. With LIBGGML_BASE (libggml-base.so), all other types are
compared with ggml's own encoders too, with and without importance.
"""
import ctypes
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType as Type, quants

SIZES = {t.name: GGML_QUANT_SIZES[t] for t in Type if t in GGML_QUANT_SIZES}
SIZES.update(Q8_1=(32, 36), Q1_0=(128, 18), Q2_0=(64, 18))  # The package has an old Q8_1.
BLOCK_TYPES = [name for name, (elements, _) in SIZES.items() if elements > 1]
SAME_BYTES = ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "TQ1_0", "TQ2_0"]
NOT_WORSE = SAME_BYTES + ["MXFP4"]
SEARCHED = ["Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL", "IQ4_XS"]
IDS = dict(Q1_0=41, Q2_0=42, NVFP4=40)


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
    mixed = random.standard_normal((64, 2048)) * np.exp(random.normal(size=(64, 2048)))
    mixed[0] = 0
    mixed[1, ::2] = 0
    mixed[2] = 1
    yield "heavy-tailed", mixed.astype(np.float32)


def error(name, blocks, values, importance=None):
    decoded = decode(name, blocks).reshape(values.shape).astype(np.float64)
    weight = 1 if importance is None else importance.astype(np.float64)
    return float(np.mean(weight * (decoded - values) ** 2))


def check_encoding(codec, failures):
    for kind, values in samples():
        for name in NOT_WORSE:
            ours = codec.encode(name, values)
            theirs = quants.quantize(values, Type[name]).reshape(ours.shape)
            if name in SAME_BYTES and not np.array_equal(ours, theirs):
                different = np.mean(np.any(ours != theirs, axis=1))
                failures.append(f"quantize {name}, {kind}: {different:.2%} of blocks differ")
            if error(name, ours, values) > error(name, theirs, values):
                failures.append(f"quantize {name}, {kind}: error above the package's")


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
    identity = Type[name].value if name in Type.__members__ else IDS[name]
    library.ggml_quantize_chunk(identity, values.ctypes.data, blocks.ctypes.data, 0, *values.shape,
                                importance.ctypes.data if importance is not None else None)
    return blocks


def compare_with_libggml(codec, path, failures):
    library = load_libggml(path)
    random = np.random.default_rng(3)
    for kind, values in samples():
        weights = np.exp(random.normal(size=values.shape[1])).astype(np.float32)
        for name in SEARCHED + NOT_WORSE + ["Q1_0", "Q2_0", "NVFP4"]:
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
        if len(sys.argv) > 2:
            compare_with_libggml(codec, sys.argv[2], failures)
    print("\n".join(failures) if failures else "ggml codecs agree with the package gguf")
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
