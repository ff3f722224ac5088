#!/usr/bin/env python3
"""Writes small model files of other programs' formats, for the tests of Quern's readers and writers.

Written from the formats' descriptions and llm.c's own writer, and shares nothing with the Java code
but the names and shapes of parameters. See README.md beside this file.
"""

import hashlib
import json
import pathlib
import struct
import sys

import gguf
import numpy as np
import torch

import make

ORDER = ["ln_1", "attn.c_attn", "attn.c_proj", "ln_2", "mlp.c_fc", "mlp.c_proj"]


def weights(c, seed):
    return make.make_weights(c, np.random.default_rng(seed))


def numbers(tensor):
    return tensor.detach().numpy().astype("<f4")


def bf16(values):
    """The upper halves of binary32, rounded to nearest, ties to even, by PyTorch."""
    return torch.tensor(values).to(torch.bfloat16).view(torch.int16).numpy().astype("<i2")


def expected(folder, name, arrays):
    """A line a parameter: its name, and the SHA-256 of its numbers as binary32, (out, in)."""
    lines = [f"{k} {hashlib.sha256(np.ascontiguousarray(v, '<f4').tobytes()).hexdigest()}"
             for k, v in arrays.items()]
    (folder / f"{name}.expected").write_text("\n".join(lines) + "\n")


# llm.c ------------------------------------------------------------------------------------------

def padded(table, multiple=128):
    rows = -(-table.shape[0] // multiple) * multiple
    return np.concatenate([table, np.zeros((rows - table.shape[0], table.shape[1]), table.dtype)])


def llmc_tensors(out, layers, w, pack):
    names = ["wte.weight", "wpe.weight"]
    for part in ORDER:
        for kind in "weight", "bias":
            names += [f"h.{l}.{part}.{kind}" for l in range(layers)]
    for name in names + ["ln_f.weight", "ln_f.bias"]:
        out.write(pack(padded(w[name]) if name == "wte.weight" else w[name]).tobytes())


def llmc_header(*words):
    return struct.pack("<256i", *words, *[0] * (256 - len(words)))


def llmc(folder):
    c = make.config(vocabulary=11, context=6, width=8, layers=2, heads=2)
    w = weights(c, 3000)
    arrays = {k: numbers(v) for k, v in w.items()}
    rows = padded(arrays["wte.weight"]).shape[0]
    for name, version, pack in ("f32", 3, lambda x: x), ("bf16", 5, bf16):
        with open(folder / f"model-{name}.bin", "wb") as out:
            out.write(llmc_header(20240326, version, c["context"], c["vocabulary"], c["layers"],
                                  c["heads"], c["width"], rows))
            llmc_tensors(out, c["layers"], arrays, pack)
    expected(folder, "model-f32", arrays)
    rounded = {k: torch.tensor(v).to(torch.bfloat16).float().numpy() for k, v in arrays.items()}
    expected(folder, "model-bf16", rounded)
    ids, targets = make.tokens(c, np.random.default_rng(3001), (2, 5))
    logits = make.forward(c, w, ids)
    loss = make.loss_of(logits, targets)
    loss.backward()
    with open(folder / "model-f32_debug_state.bin", "wb") as out:
        out.write(llmc_header(20240327, 2, *ids.shape))
        out.write(ids.numpy().astype("<i4").tobytes())
        out.write(targets.numpy().astype("<i4").tobytes())
        out.write(numbers(logits).tobytes())
        out.write(numbers(loss).tobytes())
        llmc_tensors(out, c["layers"], {k: numbers(v.grad) for k, v in w.items()}, lambda x: x)
    with open(folder / "gpt2_tokenizer.bin", "wb") as out:
        tokens = [b"a", b"b", b" ", b"\n", "é".encode(), b"\xff", b"the", b" of", b"x" * 200,
                  b"<|endoftext|>"]
        out.write(llmc_header(20240328, 2, len(tokens), len(tokens) - 1))
        for token in tokens:
            out.write(struct.pack("<B", len(token)) + token)


# GGUF -------------------------------------------------------------------------------------------

BLOCK = {"ln_1": "attn_norm", "attn.c_attn": "attn_qkv", "attn.c_proj": "attn_output",
         "ln_2": "ffn_norm", "mlp.c_fc": "ffn_up", "mlp.c_proj": "ffn_down"}
TOP = {"wte": "token_embd", "wpe": "position_embd", "ln_f": "output_norm"}


def gguf_name(name):
    stem, end = name.rsplit(".", 1)
    if stem.startswith("h."):
        _, layer, part = stem.split(".", 2)
        return f"blk.{layer}.{BLOCK[part]}.{end}"
    return f"{TOP[stem]}.{end}"


def gguf_file(folder, name, kind, c, arrays, vocabulary, output=False):
    """By ggml's own package; vectors and positions stay F32, as llama.cpp's converter has them."""
    types = dict(f32=gguf.GGMLQuantizationType.F32, f16=gguf.GGMLQuantizationType.F16,
                 q8_0=gguf.GGMLQuantizationType.Q8_0)
    out = gguf.GGUFWriter(folder / f"{name}.gguf", "gpt2")
    out.add_name("golden")
    out.add_context_length(c["context"])
    out.add_embedding_length(c["width"])
    out.add_feed_forward_length(4 * c["width"])
    out.add_block_count(c["layers"])
    out.add_head_count(c["heads"])
    out.add_layer_norm_eps(1e-5)
    out.add_file_type(dict(f32=0, f16=1, q8_0=7)[kind])
    if vocabulary:
        tokens, merges = vocabulary
        out.add_tokenizer_model("gpt2")
        out.add_tokenizer_pre("gpt-2")
        out.add_token_list(tokens + [f"[PAD{i}]" for i in range(len(tokens), c["vocabulary"])])
        out.add_token_types([3 if t == "<|endoftext|>" else 1 for t in tokens]
                            + [5] * (c["vocabulary"] - len(tokens)))
        out.add_token_merges(merges)
        out.add_eos_token_id(tokens.index("<|endoftext|>"))
    read = {}
    for parameter, values in arrays.items():
        narrow = values.ndim > 1 and parameter != "wpe.weight"
        own = types[kind] if narrow else types["f32"]
        data = gguf.quants.quantize(values, own)
        out.add_tensor(gguf_name(parameter), data, raw_dtype=own)
        if output and parameter == "wte.weight":
            out.add_tensor("output.weight", data, raw_dtype=own)
        read[parameter] = gguf.quants.dequantize(data, own)
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()
    expected(folder, name, read)


def ggufs(folder):
    vocabulary = json.loads((folder.parent / "bpe/vocab.json").read_text())
    tokens = sorted(vocabulary, key=vocabulary.get)
    merges = [line for line in (folder.parent / "bpe/merges.txt").read_text().splitlines()
              if not line.startswith("#version")]
    c = make.config(vocabulary=7, context=5, width=32, layers=1, heads=2)
    arrays = {k: numbers(v) for k, v in weights(c, 3100).items()}
    table = arrays["wte.weight"]
    table[0, :] = 0  # a block without a scale
    table[1, 0:3] = [127, 0.5, -1.5]  # ties, away from zero
    table[1, 3:] = np.float32(0.49999997)  # rounds to 0, though adding a half in binary32 gives 1
    table[2, :] *= np.float32(1e-4)  # a scale that is subnormal in F16
    table[3, :] *= np.float32(1e-6)  # one that is 0 in F16
    for kind in "f32", "f16", "q8_0":
        gguf_file(folder, kind, kind, c, arrays, None, output=kind == "f16")
    small = make.config(vocabulary=len(tokens) + 2, context=5, width=4, layers=1, heads=2)
    arrays = {k: numbers(v) for k, v in weights(small, 3101).items()}
    gguf_file(folder, "tokens", "f32", small, arrays, (tokens, merges))


# nanoGPT ----------------------------------------------------------------------------------------

def nanogpt(folder):
    """A state_dict as torch.compile names it, with a mask, as nanoGPT without flash attention has."""
    c = make.config(vocabulary=11, context=6, width=8, layers=2, heads=2, activation="GELU_ERF",
                    bias="NO")
    w = weights(c, 3200)
    arrays = {k: numbers(v) for k, v in w.items()}
    state = {"_orig_mod.transformer." + k: v for k, v in arrays.items()}
    state["_orig_mod.lm_head.weight"] = arrays["wte.weight"]
    mask = np.tril(np.ones((c["context"], c["context"]), "<f4"))[None, None]
    for l in range(c["layers"]):
        state[f"_orig_mod.transformer.h.{l}.attn.bias"] = mask
    header, data = {}, b""
    for name, values in state.items():
        header[name] = dict(dtype="F32", shape=list(values.shape),
                            data_offsets=[len(data), len(data) + values.nbytes])
        data += values.tobytes()
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)
    (folder / "config.json").write_text(json.dumps(dict(
        n_layer=c["layers"], n_head=c["heads"], n_embd=c["width"], block_size=c["context"],
        bias=False, vocab_size=c["vocabulary"], dropout=0.0), indent=2) + "\n")
    expected(folder.parent, "nanogpt/model", arrays)


# Seeds for the fuzzer ---------------------------------------------------------------------------

def text(value):
    raw = value.encode()
    return struct.pack("<Q", len(raw)) + raw


def key(name, kind, value):
    """A value by the number of its type: 4 is u32, 6 is f32, 8 a text, 9 a list."""
    pack = {4: lambda v: struct.pack("<I", v), 6: lambda v: struct.pack("<f", v), 8: text,
            9: lambda v: v}[kind]
    return text(name) + struct.pack("<I", kind) + pack(value)


def texts(*values):
    return struct.pack("<IQ", 8, len(values)) + b"".join(map(text, values))


def seeds(folder):
    """The smallest files of each format, and such with a lie in them."""
    c = make.config(vocabulary=3, context=2, width=2, layers=1, heads=1)
    arrays = {k: numbers(v) for k, v in weights(c, 3300).items()}
    out = dict(gguf={}, llmcCheckpoint={}, llmcState={}, llmcTokenizer={})
    keys = [key("general.architecture", 8, "gpt2"), key("gpt2.context_length", 4, 2),
            key("gpt2.embedding_length", 4, 2), key("gpt2.block_count", 4, 1),
            key("gpt2.attention.head_count", 4, 1),
            key("gpt2.attention.layer_norm_epsilon", 6, 1e-5),
            key("tokenizer.ggml.model", 8, "gpt2"),
            key("tokenizer.ggml.tokens", 9, texts("a", "b", "ab")),
            key("tokenizer.ggml.merges", 9, texts("a b"))]
    infos, data = b"", b""
    for name, values in arrays.items():
        infos += text(gguf_name(name)) + struct.pack("<I", values.ndim)
        infos += b"".join(struct.pack("<Q", d) for d in reversed(values.shape))
        infos += struct.pack("<IQ", 0, len(data))
        data += values.tobytes() + bytes(-values.nbytes % 32)

    def gguf_bytes(keys, tensors=len(arrays), extra=0):
        head = b"GGUF" + struct.pack("<IQQ", 3, tensors, len(keys) + extra)
        head += b"".join(keys) + infos
        return head + bytes(-len(head) % 32) + data

    lies = [key("general.alignment", 4, 3), key("general.alignment", 4, 0),
            key("x", 9, struct.pack("<IQ", 8, 1 << 60)), key("x", 9, struct.pack("<IQ", 9, 1)),
            key("x", 9, struct.pack("<IQ", 10, 1 << 61)), key("gpt2.block_count", 4, 9)]
    out["gguf"]["valid"] = gguf_bytes(keys)
    out["gguf"]["characters"] = gguf_bytes(keys + [key("quern.tokenizer", 8, "characters")])
    out["gguf"]["decode"] = gguf_bytes(keys + [key("quern.tokenizer", 8, "decode_only")])
    for i, lie in enumerate(lies):
        out["gguf"][f"lie{i}"] = gguf_bytes(keys + [lie])
    out["gguf"]["manyTensors"] = gguf_bytes(keys, tensors=1 << 40)
    out["gguf"]["manyKeys"] = gguf_bytes(keys, extra=1 << 62)
    out["gguf"]["cut"] = gguf_bytes(keys)[:-70]

    class Collected(bytearray):
        write = bytearray.extend

    rows = padded(arrays["wte.weight"]).shape[0]
    for name, version, pack in ("valid", 3, lambda x: x), ("bf16", 5, bf16):
        file = Collected()
        file.write(llmc_header(20240326, version, 2, 3, 1, 1, 2, rows))
        llmc_tensors(file, 1, arrays, pack)
        out["llmcCheckpoint"][name] = bytes(file)
    out["llmcCheckpoint"]["giant"] = llmc_header(
        20240326, 3, 1 << 24, 1 << 24, 1 << 16, 1, 1 << 20, 1 << 25)
    out["llmcCheckpoint"]["negative"] = llmc_header(20240326, 3, -1, -1, -1, -1, -1, -1)
    state = Collected()
    state.write(llmc_header(20240327, 2, 1, 2) + struct.pack("<4i", 0, 1, 1, 2))
    state.write(bytes(4 * (2 * 3 + 1)))
    llmc_tensors(state, 1, arrays, lambda x: x)
    out["llmcState"]["valid"] = bytes(state)
    out["llmcState"]["giant"] = llmc_header(20240327, 2, 0x7FFFFFFF, 2)
    out["llmcTokenizer"]["valid"] = llmc_header(20240328, 2, 2, 1) + b"\1a\2\xff "
    out["llmcTokenizer"]["giant"] = llmc_header(20240328, 2, 0x7FFFFFFF, 1) + b"\1a"
    out["llmcTokenizer"]["empty"] = llmc_header(20240328, 1, 1) + b"\0\0"
    for target, files in out.items():
        (folder / target).mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / target / name).write_bytes(content)


def main():
    here = pathlib.Path(__file__).resolve().parent
    default = here.parents[1] / "core/src/test/resources"
    resources = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else default
    folder = resources / "golden-files"
    for name, write in dict(llmc=llmc, gguf=ggufs, nanogpt=nanogpt).items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        write(folder / name)
    seeds(resources / "org/quern/io/FilesFuzzTestInputs")



if __name__ == "__main__":
    main()
