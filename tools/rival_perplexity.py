#!/usr/bin/env python3
"""Perplexity of a GGUF file by llama.cpp (PyPI llama-cpp-python), in `anybit eval`'s windows:
window i predicts ids i*W+1 ... i*W+W from the W ids before each, each window from an empty context.
Prints one JSON object.

    python tools/rival_perplexity.py MODEL.gguf TEXT --window 1024 --max-tokens 20480 --ids ids.txt

--ids writes the ids, so that another program can measure the very same sequence.
Needs: llama-cpp-python, numpy.
"""
import argparse
import ctypes
import importlib.metadata
import json
import time

import llama_cpp
import numpy as np


def tokenize(vocab, text, bos):
    data = text.encode()
    ids = (llama_cpp.llama_token * (len(data) + 8))()
    count = llama_cpp.llama_tokenize(vocab, data, len(data), ids, len(ids), False, False)
    if count < 0:
        raise SystemExit("the text does not tokenize")
    return ([bos] if bos >= 0 else []) + list(ids[:count])


def window_nll(context, batch, ids, targets, chunk, vocab_size):
    """Sum of negative log-likelihoods of `targets` after `ids`."""
    llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(context), True)
    total = 0.0
    for first in range(0, len(ids), chunk):
        part = ids[first:first + chunk]
        batch.n_tokens = len(part)
        for i, token in enumerate(part):
            batch.token[i] = token
            batch.pos[i] = first + i
            batch.n_seq_id[i] = 1
            batch.seq_id[i][0] = 0
            batch.logits[i] = 1
        if llama_cpp.llama_decode(context, batch) != 0:
            raise SystemExit("llama_decode failed")
        address = llama_cpp.llama_get_logits(context)
        logits = np.ctypeslib.as_array(address, (len(part), vocab_size)).astype(np.float64)
        largest = logits.max(axis=1)
        normalizer = largest + np.log(np.exp(logits - largest[:, None]).sum(axis=1))
        total += float((normalizer - logits[np.arange(len(part)), targets[first:first + chunk]])
                       .sum())
    return total


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("text")
    parser.add_argument("--window", type=int, default=1024)
    parser.add_argument("--max-tokens", type=int, default=20480)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--chunk", type=int, default=128)
    parser.add_argument("--kv", choices=["f16", "f32"], default="f16")
    parser.add_argument("--ids", help="write the ids here, one a line")
    options = parser.parse_args()

    silent = llama_cpp.llama_log_callback(lambda level, text, data: None)
    llama_cpp.llama_log_set(silent, ctypes.c_void_p(0))
    llama_cpp.llama_backend_init()
    model = llama_cpp.llama_model_load_from_file(options.model.encode(),
                                                 llama_cpp.llama_model_default_params())
    if not model:
        raise SystemExit(f"{options.model}: llama.cpp cannot load it")
    parameters = llama_cpp.llama_context_default_params()
    parameters.n_ctx = options.window
    parameters.n_batch = parameters.n_ubatch = options.chunk
    parameters.n_threads = parameters.n_threads_batch = options.threads
    kv_type = llama_cpp.GGML_TYPE_F32 if options.kv == "f32" else llama_cpp.GGML_TYPE_F16
    parameters.type_k = parameters.type_v = kv_type
    context = llama_cpp.llama_init_from_model(model, parameters)
    vocab = llama_cpp.llama_model_get_vocab(model)
    vocab_size = llama_cpp.llama_vocab_n_tokens(vocab)
    bos = llama_cpp.llama_vocab_bos(vocab)
    with open(options.text, encoding="utf-8") as file:
        ids = tokenize(vocab, file.read(), bos)
    num_windows = (min(len(ids), options.max_tokens + 1) - 1) // options.window
    ids = ids[:num_windows * options.window + 1]
    if options.ids:
        with open(options.ids, "w", encoding="utf-8") as file:
            file.writelines(f"{token}\n" for token in ids)

    batch = llama_cpp.llama_batch_init(options.chunk, 0, 1)
    start = time.perf_counter()
    nll = 0.0
    for window in range(num_windows):
        first = window * options.window
        nll += window_nll(context, batch, ids[first:first + options.window],
                          ids[first + 1:first + options.window + 1], options.chunk, vocab_size)
    seconds = time.perf_counter() - start
    tokens = num_windows * options.window
    print(json.dumps({
        "engine": "llama-cpp-python " + importlib.metadata.version("llama-cpp-python"),
        "nll": nll / tokens, "ppl": float(np.exp(nll / tokens)), "tokens": tokens,
        "window": options.window, "first_id": ids[0], "kv": options.kv, "seconds": seconds}))


if __name__ == "__main__":
    main()
