#!/usr/bin/env python3
"""Runs the program and checks what users and scripts rely on: exit codes, where output goes, JSON.

cli_test.py ANYBIT MODEL_FOLDER     a folder with config, weights and tokenizer, or a missing one
"""
import json
import math
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest

PROGRAM = sys.argv[1] if len(sys.argv) > 1 else "anybit"
MODEL = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else "missing")
COMMANDS = ["formats", "inspect", "tokenize"]


def anybit(*arguments, stdin=b"", **options):
    return subprocess.run([PROGRAM, *map(str, arguments)], input=stdin, timeout=60,
                          capture_output=True, check=False, **options)


def needs_model(test):
    return unittest.skipUnless((MODEL / "config.json").exists(), f"no model at {MODEL}")(test)


class ExitCodes(unittest.TestCase):
    def test_help_and_version(self):
        for arguments in (["--help"], ["-h"], ["--version"]):
            result = anybit(*arguments)
            self.assertEqual((result.returncode, result.stderr), (0, b""), arguments)
            self.assertTrue(result.stdout)

    def test_every_listed_command_explains_itself_with_examples(self):
        listed = [line.split()[0].decode() for line in anybit("--help").stdout.splitlines()
                  if line.startswith(b"  ")]
        self.assertTrue(set(COMMANDS) <= set(listed), listed)
        for command in listed:
            self.assertEqual(anybit(command, "--help").returncode, 0, command)
            action = ["check"] if command == "vm" else []
            result = anybit(command, *action, "--help")
            self.assertEqual(result.returncode, 0, command)
            examples = result.stdout.partition(b"Examples:\n")[2]
            self.assertIn(b"anybit " + command.encode(), examples)
            self.assertIn(b"--json", result.stdout)
            self.assertIn(b"--threads", result.stdout)

    def test_misuse(self):
        cases = [[], ["nope"], ["formats", "--nope"], ["formats", "int4", "int8"], ["inspect"],
                 ["tokenize"], ["formats", "--threads", "many"]]
        for arguments in cases:
            result = anybit(*arguments)
            self.assertEqual(result.returncode, 2, arguments)
            self.assertEqual(result.stdout, b"", arguments)
            self.assertTrue(result.stderr, arguments)

    def test_options_that_no_model_can_satisfy_are_misuse(self):
        run = ["run", "no-such-model", "-p", "x"]
        quantize = ["quantize", "no-such-model", "-o", "out", "--scheme"]
        evaluate = ["eval", "no-such-model"]
        cases = [[*run, "--temperature", "-1"], [*run, "--top-p", "2"], [*run, "--kv", "int3"],
                 [*run, "-n", "-2"], [*quantize, "int99"], [*quantize, "int4", "--gguf", "x"],
                 [*quantize, "int4", "--method", "nope"], [*quantize, "int4", "--keep", "(=int8"],
                 [*quantize, "int4", "--rounding", "nope"],
                 ["quantize", "no-such-model", "--scheme", "int4"],
                 evaluate, [*evaluate, "--task", "piqa"], [*evaluate, "--task", "x", "--data", "y"],
                 [*evaluate, "--text", "x", "--task", "piqa", "--data", "y"],
                 [*evaluate, "--text", "x", "--limit", "3"],
                 [*evaluate, "--task", "piqa", "--data", "y", "--reference", "z"],
                 ["bench"], ["bench", "no-such-model", "--synthetic", "tiny"],
                 ["bench", "--synthetic", "tiny", "--scheme", "int99"],
                 ["bench", "--synthetic", "tiny", "--prompt", "0"],
                 ["bench", "matmul", "--scheme", "int99"]]
        for arguments in cases:
            result = anybit(*arguments)
            self.assertEqual((result.returncode, result.stdout), (2, b""), arguments)
            self.assertIn(b"anybit " + arguments[0].encode(), result.stderr)

    def test_failures_name_the_command_and_the_cause(self):
        with tempfile.TemporaryDirectory() as folder:
            empty = pathlib.Path(folder) / "empty.gguf"
            empty.touch()
            text = pathlib.Path(folder) / "notes.txt"
            text.write_text("x")
            cases = [("inspect", "no-such-file"), ("inspect", empty), ("inspect", text),
                     ("inspect", folder), ("tokenize", "no-such-file"), ("tokenize", empty),
                     ("tokenize", folder), ("formats", "int99"), ("formats", "int4_g0")]
            for command, subject in cases:
                for more in ([], ["--json"]):
                    result = anybit(command, subject, *more)
                    self.assertEqual(result.returncode, 1, (command, subject))
                    self.assertEqual(result.stdout, b"", (command, subject))
                    self.assertTrue(result.stderr.startswith(f"anybit {command}: ".encode()))
                    self.assertIn(pathlib.Path(subject).name.encode(), result.stderr)

    @unittest.skipUnless(os.path.exists("/dev/full"), "no /dev/full")
    def test_output_that_cannot_be_written_is_a_failure(self):
        with open("/dev/full", "wb") as full:
            result = subprocess.run([PROGRAM, "formats"], stdout=full, stderr=subprocess.PIPE,
                                    timeout=60, check=False)
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"anybit formats: ", result.stderr)


class Vm(unittest.TestCase):
    """`anybit vm`: programs of the tile VM as text."""
    KERNEL = "// Waits.\nkernel wait(n:i32) grid [n]{sync()}\n"

    def with_file(self, text, *arguments):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "program.vm"
            path.write_text(text)
            return anybit("vm", arguments[0], path, *arguments[1:])

    def test_check_and_print(self):
        result = self.with_file(self.KERNEL, "check", "--json")
        self.assertEqual((result.returncode, result.stderr), (0, b""))
        kernel, = json.loads(result.stdout)["kernels"]
        self.assertEqual((kernel["name"], kernel["comment"], kernel["statements"]),
                         ("wait", "Waits.", 1))
        result = self.with_file(self.KERNEL, "print")
        printed = b"// Waits.\nkernel wait(n: i32) grid [n] warps 4 {\n  sync()\n}\n"
        self.assertEqual((result.returncode, result.stdout), (0, printed))

    def test_errors_say_where(self):
        for action in "check", "print":
            result = self.with_file("kernel wait(n i32)", action)
            self.assertEqual((result.returncode, result.stdout), (1, b""))
            self.assertTrue(result.stderr.startswith(f"anybit vm {action}: ".encode()))
            self.assertIn(b"program.vm: line 1, column 15: expected ':', found 'i32'",
                          result.stderr)
        for arguments in [], ["nope"], ["check"], ["check", "a", "b"], ["layout"]:
            result = anybit("vm", *arguments)
            self.assertEqual((result.returncode, result.stdout), (2, b""), arguments)
            self.assertTrue(result.stderr)

    def test_layout(self):
        result = anybit("vm", "layout", "spatial(2,2).local(1,2)", "--json")
        self.assertEqual(result.returncode, 0)
        self.assertEqual(json.loads(result.stdout),
                         {"layout": "spatial(2,2).local(1,2)", "shape": [2, 4], "threads": 4,
                          "elements_per_thread": 2, "copies": 1})
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "layout.svg"
            self.assertEqual(anybit("vm", "layout", "spatial(2,2)", "--svg", path).returncode, 0)
            self.assertTrue(path.read_text().startswith("<svg"))
        result = anybit("vm", "layout", "spatial(2,")
        self.assertEqual((result.returncode, result.stdout), (1, b""))

    def test_manual(self):
        result = anybit("vm", "manual")
        self.assertEqual(result.returncode, 0)
        self.assertIn(b"### load_global\n", result.stdout)


class Formats(unittest.TestCase):
    def json(self, *arguments):
        result = anybit("formats", *arguments, "--json")
        self.assertEqual((result.returncode, result.stderr), (0, b""))
        return json.loads(result.stdout)

    def test_list_and_every_example(self):
        listed = self.json()
        self.assertEqual(set(listed), {"families", "standards", "ggml_types"})
        for family in listed["families"]:
            self.assertEqual(self.json(family["example"])["name"], family["example"])
        for standard in listed["standards"]:
            self.assertEqual(self.json(standard["name"])["name"], standard["name"])

    def test_values(self):
        values = [0, 0.5, 1, 1.5, 2, 3, 4, 6]
        e2m1 = self.json("e2m1")
        self.assertEqual(e2m1["values"], values + [-value for value in values])
        self.assertEqual((e2m1["max"], e2m1["min_positive"], e2m1["bits"]), (6, 0.5, 4))
        self.assertEqual(self.json("e4m3")["values"][127], "nan")
        self.assertNotIn("values", self.json("bf16"))
        self.assertEqual(self.json("int4_g128")["bits_per_weight"], 4 + 16 / 128)
        self.assertEqual(self.json("q4_0")["bits_per_weight"], 4.5)

    def test_no_styles_where_no_terminal_is(self):
        result = anybit("formats", env={**os.environ, "TERM": "xterm"})
        self.assertNotIn(b"\x1b", result.stdout + result.stderr)


@needs_model
class Model(unittest.TestCase):
    def test_inspect(self):
        result = anybit("inspect", MODEL, "--tensors", "--json")
        self.assertEqual((result.returncode, result.stderr), (0, b""))
        found = json.loads(result.stdout)
        config = json.loads((MODEL / "config.json").read_text())
        self.assertEqual(found["config"]["hidden_size"], config["hidden_size"])
        self.assertEqual(found["config"]["num_layers"], config["num_hidden_layers"])
        self.assertEqual(found["num_tensors"], len(found["tensors"]))
        self.assertEqual(found["size_bytes"], sum(row["size_bytes"] for row in found["tensors"]))
        self.assertEqual(found["format"], "folder")
        self.assertNotIn("tensors", json.loads(anybit("inspect", MODEL, "--json").stdout))
        table = anybit("inspect", MODEL, "--tensors").stdout.decode()
        for row in found["tensors"]:
            self.assertIn(row["name"], table)

    def test_inspect_of_the_weights_alone(self):
        for file in MODEL.glob("*.safetensors"):
            found = json.loads(anybit("inspect", file, "--json").stdout)
            self.assertEqual(found["format"], "safetensors")
            self.assertGreater(found["num_tensors"], 0)

    def test_tokenize_there_and_back(self):
        for text in ["", "Hello, world", "Grüße, 世界 👍\n", "  two  blanks\t"]:
            ids = anybit("tokenize", MODEL, stdin=text.encode())
            self.assertEqual((ids.returncode, ids.stderr), (0, b""))
            back = anybit("tokenize", MODEL, "--decode", stdin=ids.stdout)
            self.assertEqual(back.stdout.decode(), text)
            reply = json.loads(anybit("tokenize", MODEL, "--json", stdin=text.encode()).stdout)
            self.assertEqual(reply["ids"], [int(word) for word in ids.stdout.split()])
            self.assertEqual(reply["count"], len(reply["ids"]))
            listed = anybit("tokenize", MODEL, "--decode", "--json",
                            stdin=json.dumps(reply["ids"]).encode())
            self.assertEqual(json.loads(listed.stdout)["text"], text)

    def test_ids_that_are_none(self):
        for text in [b"1 x", b"99999999", b"-1", b"1.5", b"99999999999999999999"]:
            result = anybit("tokenize", MODEL, "--decode", stdin=text)
            self.assertEqual((result.returncode, result.stdout), (1, b""), text)
            self.assertTrue(result.stderr.startswith(b"anybit tokenize: "))


def write_wide_model(folder):
    """A Llama of one small layer whose embedding is 100 MB as floats; all weights are 0."""
    hidden, intermediate, vocab = 128, 256, 200_000
    shapes = {"embed_tokens": (vocab, hidden), "norm": (hidden,)}
    layer = {"self_attn.q_proj": (hidden, hidden), "self_attn.k_proj": (hidden, hidden),
             "self_attn.v_proj": (hidden, hidden), "self_attn.o_proj": (hidden, hidden),
             "mlp.gate_proj": (intermediate, hidden), "mlp.up_proj": (intermediate, hidden),
             "mlp.down_proj": (hidden, intermediate), "input_layernorm": (hidden,),
             "post_attention_layernorm": (hidden,)}
    shapes.update({f"layers.0.{name}": shape for name, shape in layer.items()})
    header, end = {}, 0
    for name, shape in shapes.items():
        size = 2 * math.prod(shape)
        header[f"model.{name}.weight"] = {"dtype": "BF16", "shape": shape,
                                          "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(folder / "model.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(file.tell() + end)
    config = {"model_type": "llama", "hidden_size": hidden, "intermediate_size": intermediate,
              "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": vocab,
              "rms_norm_eps": 1e-5, "tie_word_embeddings": True}
    (folder / "config.json").write_text(json.dumps(config))


class Memory(unittest.TestCase):
    PEAK_MB = 64  # The program, and a few slabs of 2 M elements.

    def test_quantizing_holds_no_whole_embedding(self):
        program = pathlib.Path(PROGRAM).read_bytes()
        if b"__asan_init" in program or b"__tsan_init" in program:
            self.skipTest("sanitizers need memory of their own")
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            write_wide_model(folder)
            for arguments in (["--scheme", "int8_g32", "-o", folder / "out"],
                              ["--scheme", "nvfp4", "--embedding-scheme", "nvfp4",
                               "-o", folder / "nvfp4"],
                              ["--scheme", "q8_0", "--gguf", folder / "out.gguf"]):
                process = subprocess.Popen([PROGRAM, "quantize", folder, *arguments],
                                           stdout=subprocess.DEVNULL)
                _, status, usage = os.wait4(process.pid, 0)
                process.returncode = os.waitstatus_to_exitcode(status)
                self.assertEqual(process.returncode, 0, arguments)
                self.assertLess(usage.ru_maxrss / 1024, self.PEAK_MB, arguments)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
