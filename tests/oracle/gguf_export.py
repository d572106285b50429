#!/usr/bin/env python3
"""GGUF files that Anybit writes, read by llama.cpp: the same tokens, and perplexities that agree.

gguf_export.py ANYBIT MODEL_PERPLEXITY MODEL TEXT

Needs the PyPI package llama-cpp-python, which is built from source and so is not among the oracles
that `make test` installs. ANYBIT_LLAMA_PYTHON names the interpreter that has it (default: this
one). Without it the test is skipped (exit code 77).
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

ANYBIT, PERPLEXITY, MODEL, TEXT = sys.argv[1:5]
PYTHON = os.environ.get("ANYBIT_LLAMA_PYTHON", sys.executable)
RIVAL = pathlib.Path(__file__).resolve().parents[2] / "tools" / "rival_perplexity.py"
SKIPPED = 77
WINDOW, MAX_TOKENS, THREADS = 256, 2048, 2
# llama.cpp rounds activations to 8 bits and sums in another order; the bar.
TOLERANCE = 0.005
SCHEMES = ["f16", "q8_0", "q4_0", "q5_1", "q4_k", "q6_k", "q2_k", "iq4_nl"]


def output_of(*command, stdin=None):
    done = subprocess.run([*map(str, command)], input=stdin, capture_output=True, check=False)
    if done.returncode != 0:
        raise AssertionError(f"{command[0]} failed: {done.stderr.decode()[-2000:]}")
    return done.stdout


class GgufExport(unittest.TestCase):
    def test_llama_cpp_reads_each_type_as_anybit_does(self):
        for scheme in SCHEMES:
            with self.subTest(scheme=scheme), tempfile.TemporaryDirectory() as folder:
                file, ids = pathlib.Path(folder) / "model.gguf", pathlib.Path(folder) / "ids.txt"
                output_of(ANYBIT, "quantize", MODEL, "--gguf", file, "--scheme", scheme)
                rival = json.loads(output_of(PYTHON, RIVAL, file, TEXT, "--window", WINDOW,
                                             "--max-tokens", MAX_TOKENS, "--threads", THREADS,
                                             "--ids", ids))
                own = json.loads(output_of(PERPLEXITY, file, ids, WINDOW, THREADS, "f16"))
                self.assertEqual(own["tokens"], rival["tokens"])
                self.assertEqual(own["tokens"], MAX_TOKENS)
                print(f"{scheme}: perplexity {own['ppl']:.4f}, llama.cpp {rival['ppl']:.4f}",
                      flush=True)
                self.assertLess(abs(own["ppl"] / rival["ppl"] - 1), TOLERANCE)
                mine = output_of(ANYBIT, "tokenize", file, stdin=pathlib.Path(TEXT).read_bytes())
                theirs = ids.read_text().split()
                self.assertEqual([int(word) for word in mine.split()[:len(theirs)]],
                                 [int(word) for word in theirs])


if __name__ == "__main__":
    if subprocess.run([PYTHON, "-c", "import llama_cpp, numpy"], capture_output=True,
                      check=False).returncode != 0:
        print(f"skipped: {PYTHON} has no llama-cpp-python; ANYBIT_LLAMA_PYTHON names one that has")
        sys.exit(SKIPPED)
    unittest.main(argv=sys.argv[:1])
