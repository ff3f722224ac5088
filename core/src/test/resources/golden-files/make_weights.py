#!/usr/bin/env python3
"""Writes tiny GPT-2 folders and what their parameters must read as."""

import json
import pathlib
import struct

import numpy
import torch

HERE = pathlib.Path(__file__).parent
V, T, C, L, H, M = 11, 6, 4, 2, 2, 12  # M, the MLP's width, is not 4 C
NAMES = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.uint8: "U8",
         torch.int64: "I64"}


def parameters(generator, tied, M):
    """Parameters by name; weights as GPT-2's Conv1D has them, (in, out)."""

    def random(*shape):
        return torch.tensor(generator.normal(0, 0.5, shape), dtype=torch.float32)

    out = {"wte.weight": random(V, C), "wpe.weight": random(T, C)}
    for layer in range(L):
        p = f"h.{layer}."
        out[p + "ln_1.weight"], out[p + "ln_1.bias"] = random(C), random(C)
        out[p + "attn.c_attn.weight"], out[p + "attn.c_attn.bias"] = random(C, 3 * C), random(3 * C)
        out[p + "attn.c_proj.weight"], out[p + "attn.c_proj.bias"] = random(C, C), random(C)
        out[p + "ln_2.weight"], out[p + "ln_2.bias"] = random(C), random(C)
        out[p + "mlp.c_fc.weight"], out[p + "mlp.c_fc.bias"] = random(C, M), random(M)
        out[p + "mlp.c_proj.weight"], out[p + "mlp.c_proj.bias"] = random(M, C), random(C)
    out["ln_f.weight"], out["ln_f.bias"] = random(C), random(C)
    if not tied:
        out["lm_head.weight"] = random(V, C)
    return out


def raw(tensor):
    return tensor.contiguous().view(-1).view(torch.int16).numpy().tobytes() \
        if tensor.element_size() == 2 else tensor.contiguous().numpy().tobytes()


def write(file, tensors, padding):
    """The format: 8 bytes of length, JSON, data."""
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, t in tensors.items():
        header[name] = {"dtype": NAMES[t.dtype], "shape": list(t.shape),
                        "data_offsets": [len(data), len(data) + len(raw(t))]}
        data += raw(t)
    text = json.dumps(header).encode()
    while len(text) % 8 != padding:
        text += b" "
    file.write_bytes(struct.pack("<Q", len(text)) + text + data)


GPT1 = {"wte.weight": "tokens_embed.weight", "wpe.weight": "positions_embed.weight"}


def folder(name, dtype, prefix, tied, seed, shards=1, extra=None, padding=0, gpt1=False):
    """With gpt1 in GPT-1's published layout: other names of embeddings, no final normalization."""
    path = HERE / name
    path.mkdir(exist_ok=True)
    (path / "config.json").write_text(json.dumps({
        "afn": "gelu", "architectures": ["OpenAIGPTLMHeadModel"], "attn_pdrop": 0.1, "embd_pdrop": 0.1,
        "initializer_range": 0.02, "layer_norm_epsilon": 1e-05, "model_type": "openai-gpt", "n_ctx": T,
        "n_embd": C, "n_head": H, "n_layer": L, "n_positions": T, "n_special": 0,
        "predict_special_tokens": True, "resid_pdrop": 0.1, "vocab_size": V,
    } if gpt1 else {
        "architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "vocab_size": V, "n_positions": T,
        "n_ctx": T, "n_embd": C, "n_layer": L, "n_head": H, "n_inner": M,
        "activation_function": "gelu_new", "layer_norm_epsilon": 1e-05, "resid_pdrop": 0.1,
        "embd_pdrop": 0.1, "attn_pdrop": 0.1, "tie_word_embeddings": tied,
        "summary_type": "cls_index", "task_specific_params": {"text-generation": {"max_length": 50}},
    }, indent=2) + "\n")
    hidden = 4 * C if gpt1 else M
    all_parameters = {k: v.to(dtype) for k, v in
                      parameters(numpy.random.default_rng(seed), tied, hidden).items()}
    if gpt1:
        all_parameters = {k: v for k, v in all_parameters.items() if not k.startswith("ln_f")}
    with open(path / "expected.txt", "w") as out:
        for key, value in all_parameters.items():
            numbers = value.to(torch.float32)
            if ".c_" in key and key.endswith(".weight"):
                numbers = numbers.t().contiguous()
            bits = numbers.view(-1).numpy().view(numpy.uint32)
            out.write(key + " " + " ".join(f"{b:08x}" for b in bits) + "\n")
    stored = {(prefix if not k.startswith("lm_head") else "") + (GPT1.get(k, k) if gpt1 else k): v
              for k, v in all_parameters.items()}
    stored |= extra or {}
    names = list(stored)
    if shards == 1:
        write(path / "model.safetensors", stored, padding)
        return
    index = {"metadata": {"total_size": sum(len(raw(t)) for t in stored.values())}, "weight_map": {}}
    for s in range(shards):
        file = f"model-{s + 1:05d}-of-{shards:05d}.safetensors"
        part = {n: stored[n] for n in names[s::shards]}
        write(path / file, part, padding)
        index["weight_map"] |= {n: file for n in part}
    (path / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")


# Old files hold causal masks, and a tied model's head: to be ignored, though it differs.
masks = {f"transformer.h.{i}.attn.{n}": t for i in range(L)
         for n, t in (("bias", torch.ones(1, 1, T, T, dtype=torch.uint8)),
                      ("masked_bias", torch.tensor(-1e4)))}
folder("f32-prefix-tied", torch.float32, "transformer.", True, 1,
       extra=masks | {"lm_head.weight": torch.zeros(V, C), "steps": torch.tensor(7)})
folder("f32-unaligned", torch.float32, "", True, 2, padding=3)
folder("f32-gpt1-tied", torch.float32, "", True, 6, gpt1=True,
       extra={f"h.{i}.attn.bias": torch.ones(1, 1, T, T) for i in range(L)})
folder("f16-bare-untied", torch.float16, "", False, 3, padding=5)
folder("bf16-prefix-tied", torch.bfloat16, "transformer.", True, 4)
folder("bf16-sharded-untied", torch.bfloat16, "transformer.", False, 5, shards=3)
