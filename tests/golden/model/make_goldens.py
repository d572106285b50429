#!/usr/bin/env python3
"""Makes tiny random checkpoints of every model family, and the logits transformers gives them.

    python tests/golden/model/make_goldens.py tests/golden/model

Writes <family>.safetensors (bf16 weights) and <family>.json: cases, each a config.json as that
package writes it, the same in the older form that most published checkpoints have, token ids, and
the logits after every token. The weights are fixed by their seeds. Needs: torch, transformers.
Made with torch 2.15 and transformers 5.23.
"""
import json
import pathlib
import sys

import torch
import transformers

VOCAB = 48
SHARED = dict(vocab_size=VOCAB, hidden_size=32, intermediate_size=40, num_attention_heads=4,
              num_key_value_heads=2, bos_token_id=1, eos_token_id=2, pad_token_id=0)


def rope(theta=10000.0, **scaling):
    return {"rope_type": "default", "rope_theta": theta, **scaling}


FAMILIES = {
    "llama": (transformers.LlamaConfig, dict(num_hidden_layers=2, max_position_embeddings=64), {
        "plain": dict(rope_parameters=rope()),
        "linear": dict(rope_parameters=rope(rope_type="linear", factor=4.0)),
        "llama3": dict(rope_parameters=rope(
            500.0, rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
            original_max_position_embeddings=16)),
        "yarn": dict(rope_parameters=rope(
            rope_type="yarn", factor=4.0, original_max_position_embeddings=16, beta_fast=4.0)),
    }),
    "llama_biased": (transformers.LlamaConfig, dict(
        num_hidden_layers=1, attention_bias=True, mlp_bias=True, tie_word_embeddings=True,
        head_dim=12), {"plain": dict(rope_parameters=rope())}),
    "mistral": (transformers.MistralConfig, dict(num_hidden_layers=2), {
        "window": dict(sliding_window=5, rope_parameters=rope()),
        "no_window": dict(sliding_window=None, rope_parameters=rope()),
    }),
    "mixtral": (transformers.MixtralConfig, dict(
        num_hidden_layers=2, num_local_experts=4, num_experts_per_tok=2), {
            "plain": dict(sliding_window=None, rope_parameters=rope(1e6))}),
    "qwen2": (transformers.Qwen2Config, dict(num_hidden_layers=2), {
        "plain": dict(rope_parameters=rope(1e6)),
        "window": dict(rope_parameters=rope(1e6), use_sliding_window=True, sliding_window=6,
                       max_window_layers=1),
    }),
    "qwen3": (transformers.Qwen3Config, dict(
        num_hidden_layers=2, head_dim=16, tie_word_embeddings=True), {
            "plain": dict(rope_parameters=rope(1e6))}),
    "gemma3": (transformers.Gemma3TextConfig, dict(
        num_hidden_layers=4, head_dim=16, query_pre_attn_scalar=24, sliding_window=6,
        layer_types=["sliding_attention", "sliding_attention", "full_attention",
                     "sliding_attention"]), {
            "plain": dict(rope_parameters={"full_attention": rope(1e6),
                                           "sliding_attention": rope()}),
            "linear": dict(rope_parameters={
                "full_attention": rope(1e6, rope_type="linear", factor=8.0),
                "sliding_attention": rope()}),
        }),
}


def fill(model, seed):
    """Random weights whose layers all matter: products keep the size of their input."""
    generator = torch.Generator().manual_seed(seed)
    gemma = model.config.model_type == "gemma3_text"
    with torch.no_grad():
        for name, weight in sorted(model.named_parameters()):
            noise = torch.randn(weight.shape, generator=generator, dtype=torch.float64)
            if weight.dim() == 1:
                is_norm = "norm" in name
                value = 0.3 * noise + (1.0 if is_norm and not gemma else 0.0)
            else:
                value = noise * (1.5 / weight.shape[-1] ** 0.5)
            weight.copy_(value.to(torch.bfloat16).to(weight.dtype))


def older(config):
    """The same config as checkpoints published before transformers 5 have it."""
    config = dict(config)
    parameters = config.pop("rope_parameters")
    if "full_attention" in parameters:
        config["rope_local_base_freq"] = parameters["sliding_attention"]["rope_theta"]
        parameters = parameters["full_attention"]
    scaling = {key: value for key, value in parameters.items() if key != "rope_theta"}
    config["rope_theta"] = parameters["rope_theta"]
    config["rope_scaling"] = None if scaling.get("rope_type") == "default" else scaling
    if config["model_type"] == "qwen2":
        config.pop("layer_types", None)
    return config


def main(folder):
    for seed, (family, (config_class, common, cases)) in enumerate(FAMILIES.items()):
        written = []
        for case, options in cases.items():
            config = config_class(**{**SHARED, **common, **options})
            config._attn_implementation = "eager"
            config._experts_implementation = "eager"
            model = transformers.AutoModelForCausalLM.from_config(config).double().eval()
            fill(model, seed)
            tokens = torch.randint(3, VOCAB, (1, 28),
                                   generator=torch.Generator().manual_seed(seed + 100))
            with torch.no_grad():
                logits = model(tokens, use_cache=False).logits[0]
            if not written:
                scratch = folder / f"{family}.scratch"
                model.to(torch.bfloat16).save_pretrained(scratch)
                (scratch / "model.safetensors").rename(folder / f"{family}.safetensors")
                for leftover in scratch.iterdir():
                    leftover.unlink()
                scratch.rmdir()
            saved = config.to_dict()
            saved["architectures"] = [type(model).__name__]
            for key in ("transformers_version", "dtype", "_attn_implementation_autoset",
                        "_experts_implementation"):
                saved.pop(key, None)
            written.append({
                "name": case, "config": saved, "older_config": older(saved),
                "tokens": tokens[0].tolist(),
                "logits": [[float(f"{x:.7g}") for x in row] for row in logits.tolist()]})
        (folder / f"{family}.json").write_text(json.dumps({"cases": written}) + "\n")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
