#!/usr/bin/env python3
"""Compares element formats with the packages ml_dtypes and gfloat, code by code and mode by mode.

usage: numeric_formats.py PATH/TO/dump_formats
"""
import re
import subprocess
import sys

import gfloat
import gfloat.formats
import ml_dtypes
import numpy as np
from gfloat import Domain, FormatInfo, RoundMode

# Ours -> the package's dtype. Where the package's conversion has no NaN to give, it saturates.
ML_DTYPES = {
    "bf16": ml_dtypes.bfloat16, "f16": np.float16, "e4m3": ml_dtypes.float8_e4m3fn,
    "e4m3ieee": ml_dtypes.float8_e4m3, "e5m2": ml_dtypes.float8_e5m2,
    "e3m4ieee": ml_dtypes.float8_e3m4, "e8m0": ml_dtypes.float8_e8m0fnu,
    "e3m2": ml_dtypes.float6_e3m2fn, "e2m3": ml_dtypes.float6_e2m3fn,
    "e2m1": ml_dtypes.float4_e2m1fn, "int1": ml_dtypes.int1, "int2": ml_dtypes.int2,
    "int4": ml_dtypes.int4, "uint1": ml_dtypes.uint1, "uint2": ml_dtypes.uint2,
    "uint4": ml_dtypes.uint4,
}
GFLOAT = {
    "bf16": gfloat.formats.format_info_bfloat16, "f16": gfloat.formats.format_info_binary16,
    "f32": gfloat.formats.format_info_binary32, "e4m3": gfloat.formats.format_info_ocp_e4m3,
    "e5m2": gfloat.formats.format_info_ocp_e5m2, "e3m2": gfloat.formats.format_info_ocp_e3m2,
    "e2m3": gfloat.formats.format_info_ocp_e2m3, "e2m1": gfloat.formats.format_info_ocp_e2m1,
    "e8m0": gfloat.formats.format_info_ocp_e8m0, "int8f6": gfloat.formats.format_info_ocp_int8,
}
MODES = {
    "nearest_even": RoundMode.TiesToEven, "nearest_away": RoundMode.TiesToAway,
    "toward_zero": RoundMode.TowardZero, "up": RoundMode.TowardPositive,
    "down": RoundMode.TowardNegative,
}
RANDOM_BITS = 20


class Tool:
    def __init__(self, path):
        self.path = path

    def _run(self, *arguments, data=b""):
        return subprocess.run([self.path, *arguments], input=data, check=True,
                              stdout=subprocess.PIPE).stdout

    def names(self):
        return self._run("names").decode().split()

    def decode(self, name):
        return np.frombuffer(self._run("decode", name), np.float64)

    def encode(self, name, values, mode="nearest_even", overflow="special", random=None):
        queries = np.zeros(len(values), dtype=[("value", "f8"), ("random", "u8")])
        queries["value"] = values
        if random is not None:
            queries["random"] = random
        codes = self._run("encode", name, mode, overflow, data=queries.tobytes())
        return np.frombuffer(codes, np.uint32)


def gfloat_info(name):
    """The package's description of e<x>m<y> with our suffixes, or None if it has none."""
    if name in GFLOAT:
        return GFLOAT[name]
    match = re.fullmatch(r"(u?)e(\d+)m(\d+)(fin|fn|ieee|)", name)
    # The package computes with a leading bit: formats without an exponent or a mantissa differ.
    if not match or int(match[2]) == 0 or int(match[3]) == 0:
        return None
    is_signed, exponent, mantissa = match[1] == "", int(match[2]), int(match[3])
    default = {"e4m3": "fn", "ue4m3": "fn", "e5m2": "ieee"}
    specials = match[4] or default.get(name, "fin")
    nans = {"fin": 0, "fn": 1, "ieee": 2**mantissa - 1}[specials]
    return FormatInfo(name, exponent + mantissa + is_signed, mantissa + 1,
                      bias=2**(exponent - 1) - 1, is_signed=is_signed,
                      domain=Domain.Extended if specials == "ieee" else Domain.Finite,
                      has_nz=is_signed, num_high_nans=nans, has_subnormals=True,
                      is_twos_complement=False)


def same(a, b):
    """Equal, NaN with NaN, and -0 apart from +0."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return (np.isnan(a) & np.isnan(b)) | ((a == b) & (np.signbit(a) == np.signbit(b)))


def turning_points(values, rng):
    """Values, middles, their neighbouring doubles, beyond the range, and random values."""
    finite = np.unique(values[np.isfinite(values)])
    if len(finite) > 1024:
        finite = np.unique(np.concatenate([finite[:64], finite[-64:],
                                           rng.choice(finite, 1024)]))
    middles = finite[:-1] / 2 + finite[1:] / 2
    step = finite[-1] - finite[-2]
    ends = finite[-1] + step * np.array([0.25, 0.5, 0.75, 1, 1.5, 10])
    ends = np.concatenate([ends, finite[-1] * np.array([1.5, 2, 100])])
    scale = np.exp(rng.uniform(np.log(1e-3 * finite[finite > 0][0]), np.log(finite[-1]), 500))
    points = np.concatenate([finite, middles, ends, -ends, scale, -scale, [0.0, -0.0]])
    points = np.concatenate([points, np.nextafter(points, np.inf), np.nextafter(points, -np.inf)])
    return points if finite[0] < 0 else np.abs(points)


def report(failures, name, what, inputs, ours, theirs):
    bad = ~same(ours, theirs)
    if bad.any():
        first = np.flatnonzero(bad)[0]
        failures.append(f"{name} {what}: {bad.sum()} of {len(bad)} differ, first at "
                        f"{float(inputs[first])!r}: ours {ours[first]}, theirs {theirs[first]}")


def check_ml_dtypes(tool, failures, rng):
    for name, dtype in ML_DTYPES.items():
        values = tool.decode(name)
        codes = np.arange(len(values), dtype=np.uint16 if len(values) > 256 else np.uint8)
        theirs = codes.view(dtype).astype(np.float32 if len(values) > 256 else np.float64)
        report(failures, name, "decode (ml_dtypes)", codes, values, theirs)
        if "int" in name:
            continue  # Their conversions from float truncate.
        # float32 inputs: some of their conversions from float64 pass through float32.
        points = turning_points(values, rng).astype(np.float32).astype(np.float64)
        mode = "nearest_even"
        if name == "e8m0":
            # The package takes ties upward (gfloat and we: to the even code), and rounds float32's
            # own subnormals, below 2^-126, up.
            points, mode = points[points >= values[1]], "nearest_away"
        has_special = not np.isfinite(values).all()
        overflow = "special" if has_special else "saturate"
        ours = values[tool.encode(name, points, mode, overflow)]
        with np.errstate(over="ignore"):
            theirs = points.astype(np.float32).astype(dtype).astype(np.float64)
        report(failures, name, "encode (ml_dtypes)", points, ours, theirs)
    return len(ML_DTYPES)


def gfloat_points(name, values, rng):
    points = turning_points(values, rng)
    if name == "e8m0":
        points = points[points >= values[0]]  # Below the least value they give zero or NaN.
    return points


def check_gfloat(tool, failures, rng, name, info):
    """Returns whether rounding could be compared, not only decoding."""
    if name == "f32":
        points = rng.standard_normal(4000) * np.exp2(rng.integers(-155, 130, 4000))
        values = None
    else:
        values = tool.decode(name)
        codes = np.arange(len(values))
        theirs = gfloat.decode_ndarray(info, codes)
        report(failures, name, "decode (gfloat)", codes, values, theirs)
        if info.max != theirs[np.isfinite(theirs)].max():
            return False  # e1m<y>ieee: the package's own max is not among its own values.
        points = gfloat_points(name, values, rng)

    def ours(*arguments, **keywords):
        found = tool.encode(name, *arguments, **keywords)
        return found.view(np.float32).astype(np.float64) if values is None else values[found]

    has_special = info.num_nans > 0 or info.domain == Domain.Extended
    for overflow in ["saturate", "special"] if has_special else ["saturate"]:
        sat = overflow == "saturate"
        for mode, theirs_mode in MODES.items():
            theirs = gfloat.round_ndarray(info, points, theirs_mode, sat)
            report(failures, name, f"{mode} {overflow} (gfloat)", points,
                   ours(points, mode, overflow), theirs)
        # Values whose place between two neighbours is a multiple of 2^-RANDOM_BITS: there, "up if
        # random < share" is exactly their "up if share + (complement of random) >= 1".
        coarse = points.astype(np.float32).astype(np.float64)
        word = rng.integers(0, 2**RANDOM_BITS, len(coarse))
        exact = np.abs(coarse) >= (0 if values is None else 2.0**-4 * info.smallest)
        coarse, word = coarse[exact], word[exact]
        theirs = gfloat.round_ndarray(info, coarse, RoundMode.StochasticFastest, sat,
                                      2**RANDOM_BITS - 1 - word, RANDOM_BITS)
        found = ours(coarse, "stochastic", overflow,
                     random=word.astype(np.uint64) << np.uint64(64 - RANDOM_BITS))
        if info.precision >= 5:  # 24 - 5 bits are left below the last place.
            report(failures, name, f"stochastic {overflow} (gfloat)", coarse, found, theirs)
    return True


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    tool, failures, rng = Tool(sys.argv[1]), [], np.random.default_rng(1)
    with np.errstate(all="ignore"):
        num_ml_dtypes = check_ml_dtypes(tool, failures, rng)
        infos = {name: gfloat_info(name) for name in tool.names() + ["f32"]}
        known = {name: info for name, info in infos.items() if info is not None}
        num_rounded = sum(check_gfloat(tool, failures, rng, *item) for item in known.items())
    print("\n".join(failures))
    print(f"numeric_formats: {num_ml_dtypes} formats against ml_dtypes {ml_dtypes.__version__}, "
          f"{len(known)} against gfloat ({num_rounded} in every mode); "
          f"{len(failures)} disagreements")
    if num_rounded < 200 or num_ml_dtypes < 16:
        sys.exit("numeric_formats: fewer formats compared than the packages know")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
