#!/usr/bin/env python3
"""Times llama.cpp (PyPI llama-cpp-python) where `anybit bench` is timed: a random Llama of the same
shape in a GGUF type, or any GGUF file. Prints one JSON object.

    python bench/rivals/time_llama_cpp.py --synthetic llama-1b --type q4_0 --threads 2
    python bench/rivals/time_llama_cpp.py --model FILE.gguf --threads 2

Needs: llama-cpp-python, gguf, numpy.
"""
import argparse
import importlib.metadata
import json
import os
import statistics
import tempfile
import time

import gguf
import llama_cpp
import numpy as np

SHAPES = {  # hidden, intermediate, layers, query heads, key-value heads, vocabulary
    "llama-1b": (2048, 8192, 16, 32, 8, 32000),
    "tiny": (256, 768, 4, 4, 2, 4096),
}


def random_blocks(rng, quantization, rows, cols):
    """Random codes of a [rows, cols] tensor; scales small enough to keep activations finite."""
    block_size, type_size = gguf.GGML_QUANT_SIZES[quantization]
    if quantization in (gguf.GGMLQuantizationType.F16, gguf.GGMLQuantizationType.F32):
        dtype = np.float16 if quantization == gguf.GGMLQuantizationType.F16 else np.float32
        return (rng.standard_normal((rows, cols)) * 0.02).astype(dtype)
    num_blocks = rows * cols // block_size
    sample = rng.integers(0, 256, (min(num_blocks, 65536), type_size), dtype=np.uint8)
    half = np.frombuffer(np.float16(0.0004).tobytes(), np.uint8)
    name = quantization.name
    offsets = {"Q2_K": (80, 82), "Q3_K": (108,), "Q4_K": (0, 2), "Q5_K": (0, 2), "Q6_K": (208,),
               "Q4_1": (0, 2), "Q5_1": (0, 2)}.get(name, (0,))
    for offset in offsets:
        sample[:, offset:offset + 2] = half
    repeats = -(-num_blocks // len(sample))
    blocks = np.tile(sample, (repeats, 1))[:num_blocks]
    return blocks.reshape(rows, cols // block_size * type_size)


def write_synthetic(path, shape, quantization):
    hidden, intermediate, layers, heads, kv_heads, vocab = SHAPES[shape]
    rng = np.random.default_rng(1)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(4096)
    writer.add_embedding_length(hidden)
    writer.add_feed_forward_length(intermediate)
    writer.add_block_count(layers)
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_rope_dimension_count(hidden // heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(vocab)
    writer.add_tokenizer_model("llama")
    writer.add_token_list([b"<unk>", b"<s>", b"</s>"] + [b"t%d" % i for i in range(3, vocab)])
    writer.add_token_scores([-float(i) for i in range(vocab)])
    writer.add_token_types([2, 3, 3] + [1] * (vocab - 3))

    def add(name, rows, cols):
        writer.add_tensor(name, random_blocks(rng, quantization, rows, cols),
                          raw_dtype=quantization)

    kv = hidden // heads * kv_heads
    add("token_embd.weight", vocab, hidden)
    add("output.weight", vocab, hidden)
    writer.add_tensor("output_norm.weight", np.ones(hidden, np.float32))
    for i in range(layers):
        for norm in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"blk.{i}.{norm}.weight", np.ones(hidden, np.float32))
        for name, rows, cols in (("attn_q", hidden, hidden), ("attn_k", kv, hidden),
                                 ("attn_v", kv, hidden), ("attn_output", hidden, hidden),
                                 ("ffn_gate", intermediate, hidden),
                                 ("ffn_up", intermediate, hidden),
                                 ("ffn_down", hidden, intermediate)):
            add(f"blk.{i}.{name}.weight", rows, cols)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def measure(path, threads, prompt, generate, repeats):
    model = llama_cpp.Llama(model_path=path, n_ctx=prompt + generate + 8, n_batch=512,
                            n_threads=threads, n_threads_batch=threads, verbose=False,
                            flash_attn=True)
    tokens = [int(t) for t in np.random.default_rng(2).integers(3, 3000, prompt)]
    prefill, decode = [], []
    for _ in range(repeats + 1):
        model.reset()
        start = time.perf_counter()
        model.eval(tokens)
        prefill.append(prompt / (time.perf_counter() - start))
        start = time.perf_counter()
        for i in range(generate):
            model.eval([tokens[i % prompt]])
        decode.append(generate / (time.perf_counter() - start))
    return {"prefill_tokens_per_s": statistics.median(prefill[1:]),
            "decode_tokens_per_s": statistics.median(decode[1:])}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model")
    parser.add_argument("--synthetic", choices=SHAPES)
    parser.add_argument("--type", default="q4_0")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--prompt", type=int, default=256)
    parser.add_argument("--generate", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--keep", help="write the synthetic file here and keep it")
    parser.add_argument("--write-only", action="store_true", help="with --keep: time nothing")
    arguments = parser.parse_args()
    version = importlib.metadata.version("llama-cpp-python")
    result = {"engine": f"llama-cpp-python {version}", "type": arguments.type}
    with tempfile.TemporaryDirectory() as folder:
        path = arguments.model or arguments.keep or os.path.join(folder, "synthetic.gguf")
        if arguments.synthetic and not (arguments.keep and os.path.exists(path)):
            write_synthetic(path, arguments.synthetic,
                            gguf.GGMLQuantizationType[arguments.type.upper()])
        if arguments.write_only:
            return
        result["file_bytes"] = os.path.getsize(path)
        result |= measure(path, arguments.threads, arguments.prompt, arguments.generate,
                          arguments.repeats)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
