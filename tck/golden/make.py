#!/usr/bin/env python3
"""Writes the golden files: small GPTs computed by PyTorch in float64.

Written from the papers and PyTorch's documentation, and shares nothing with the Java code but the
names and shapes of parameters. See README.md beside this file.
"""

import base64
import math
import pathlib
import sys

import numpy as np
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
IGNORE = -1


def f32(x):
    """A scalar of the interface: those are float32 there, so the same number is used here."""
    return float(np.float32(x))


EPSILON = f32(1e-5)


def config(**changes):
    c = dict(vocabulary=23, context=8, width=16, layers=2, heads=2, activation="GELU_TANH",
             norm="PRE", positions="LEARNED", unembedding="TIED", bias="YES", window=0)
    return {**c, **changes}


CASES = {  # name: (configuration, batch, length)
    "gpt2": (config(), 2, 8),
    "separate": (config(vocabulary=19, context=9, width=12, heads=3, activation="GELU_ERF",
                        unembedding="SEPARATE", bias="NO"), 3, 7),
    "postnorm": (config(vocabulary=17, context=11, heads=4, activation="RELU", norm="POST",
                        positions="SINUSOIDAL"), 2, 11),
    "banded": (config(context=13, window=3), 1, 13),
    "wide": (config(vocabulary=29, context=33, width=48, layers=1, heads=3), 1, 33),
    "first": (config(vocabulary=21, norm="POST"), 2, 8),
    "oddwidth": (config(vocabulary=18, width=15, heads=3, positions="SINUSOIDAL"), 2, 7),
}
PADDED = (config(vocabulary=20, context=9, window=4), (3, 9, 1, 6))  # the length of each text


def make_weights(c, rng):
    """Numbers far larger than GPT-2's, so that attention is not uniform and errors show."""
    C, V = c["width"], c["vocabulary"]
    w = {}

    def normal(name, shape, mean=0.0, deviation=0.1):
        values = (mean + deviation * rng.standard_normal(shape)).astype(np.float32)
        w[name] = torch.tensor(values.astype(np.float64), requires_grad=True)

    def norm(name):
        normal(name + ".weight", (C,), 1.0)
        if c["bias"] == "YES":
            normal(name + ".bias", (C,))

    def linear(name, outputs, inputs):
        normal(name + ".weight", (outputs, inputs), 0.0, 1.0 / math.sqrt(inputs))
        if c["bias"] == "YES":
            normal(name + ".bias", (outputs,))

    normal("wte.weight", (V, C), 0.0, 0.5)
    if c["positions"] == "LEARNED":
        normal("wpe.weight", (c["context"], C), 0.0, 0.5)
    for l in range(c["layers"]):
        norm(f"h.{l}.ln_1")
        linear(f"h.{l}.attn.c_attn", 3 * C, C)
        linear(f"h.{l}.attn.c_proj", C, C)
        norm(f"h.{l}.ln_2")
        linear(f"h.{l}.mlp.c_fc", 4 * C, C)
        linear(f"h.{l}.mlp.c_proj", C, 4 * C)
    if c["norm"] == "PRE":
        norm("ln_f")
    if c["unembedding"] == "SEPARATE":
        normal("lm_head.weight", (V, C), 0.0, 0.5)
    return w


def sinusoids(c):
    half = np.arange((c["width"] + 1) // 2)
    angle = np.arange(c["context"])[:, None] / np.power(10000.0, 2 * half / c["width"])[None, :]
    table = np.stack([np.sin(angle), np.cos(angle)], axis=-1).reshape(c["context"], -1)
    table = table[:, :c["width"]]  # of an odd width the last is a sine
    return torch.tensor(table.astype(np.float32).astype(np.float64))


ACTIVATIONS = {
    "RELU": torch.relu,
    "GELU_ERF": lambda x: F.gelu(x),
    "GELU_TANH": lambda x: F.gelu(x, approximate="tanh"),
}


def forward(c, w, ids):
    """ids [B, S] -> logits [B, S, V]."""
    C, H = c["width"], c["heads"]
    D = C // H
    B, S = ids.shape

    def linear(x, name):
        return F.linear(x, w[name + ".weight"], w.get(name + ".bias"))

    def norm(x, name):
        return F.layer_norm(x, (C,), w[name + ".weight"], w.get(name + ".bias"), EPSILON)

    def attention(x, l):
        q, k, v = linear(x, f"h.{l}.attn.c_attn").split(C, dim=2)
        q, k, v = (t.reshape(B, S, H, D).transpose(1, 2) for t in (q, k, v))
        scores = torch.einsum("bhid,bhjd->bhij", q, k) * f32(1 / math.sqrt(D))
        distance = torch.arange(S)[:, None] - torch.arange(S)[None, :]
        hidden = distance < 0
        if c["window"] and l % 2 == 1:
            hidden = hidden | (distance >= c["window"])
        weights = torch.softmax(scores.masked_fill(hidden, -math.inf), dim=-1)
        y = torch.einsum("bhij,bhjd->bihd", weights, v).reshape(B, S, C)
        return linear(y, f"h.{l}.attn.c_proj")

    def mlp(x, l):
        return linear(ACTIVATIONS[c["activation"]](linear(x, f"h.{l}.mlp.c_fc")),
                      f"h.{l}.mlp.c_proj")

    places = w["wpe.weight"] if c["positions"] == "LEARNED" else sinusoids(c)
    x = F.embedding(ids, w["wte.weight"]) + places[:S]
    for l in range(c["layers"]):
        if c["norm"] == "PRE":
            x = x + attention(norm(x, f"h.{l}.ln_1"), l)
            x = x + mlp(norm(x, f"h.{l}.ln_2"), l)
        else:
            x = norm(x + attention(x, l), f"h.{l}.ln_1")
            x = norm(x + mlp(x, l), f"h.{l}.ln_2")
    if c["norm"] == "PRE":
        x = norm(x, "ln_f")
    return F.linear(x, w["wte.weight" if c["unembedding"] == "TIED" else "lm_head.weight"])


def loss_of(logits, targets):
    return F.cross_entropy(logits.reshape(-1, logits.shape[-1]), targets.reshape(-1),
                           ignore_index=IGNORE)


class Golden:
    """One entry a line: kind, name, shape, numbers."""

    def __init__(self, c):
        self.lines = ["config config - " + " ".join(f"{k}={v}" for k, v in c.items())]

    def reals(self, name, tensor, kind="f64"):
        values = tensor.detach().numpy()
        raw = values.astype("<f8" if kind == "f64" else "<f4").tobytes()
        shape = ",".join(map(str, values.shape)) or "1"
        self.lines.append(f"{kind} {name} {shape} {base64.b64encode(raw).decode()}")

    def ints(self, name, tensor):
        shape = ",".join(map(str, tensor.shape))
        self.lines.append(f"i32 {name} {shape} " + " ".join(map(str, tensor.reshape(-1).tolist())))

    def write(self, folder, name):
        (folder / f"{name}.golden").write_text("\n".join(self.lines) + "\n")


def tokens(c, rng, shape):
    ids = torch.tensor(rng.integers(0, c["vocabulary"], shape))
    targets = torch.tensor(rng.integers(0, c["vocabulary"], shape))
    return ids, targets


def write_case(folder, name, seed):
    c, B, S = CASES[name]
    rng = np.random.default_rng(seed)
    w = make_weights(c, rng)
    ids, targets = tokens(c, rng, (B, S))
    targets[0, 1] = IGNORE
    targets[B - 1, S - 1] = IGNORE
    logits = forward(c, w, ids)
    loss = loss_of(logits, targets)
    count = int((targets != IGNORE).sum())
    # The factor on the gradient is a scalar of the interface, hence f32.
    (loss * count * f32(1 / count)).backward()
    g = Golden(c)
    g.ints("ids", ids)
    g.ints("targets", targets)
    g.reals("logits", logits)
    g.reals("loss", loss)
    for k, v in w.items():
        g.reals("weight/" + k, v, "f32")
    for k, v in w.items():
        g.reals("gradient/" + k, v.grad)
    g.write(folder, name)


def write_padded(folder, seed):
    """Each text is computed by itself, without padding. The file has them padded to the context, with
    arbitrary tokens whose targets do not count; logits are of the texts' own tokens only."""
    c, lengths = PADDED
    rng = np.random.default_rng(seed)
    w = make_weights(c, rng)
    B, S = len(lengths), c["context"]
    ids, targets = tokens(c, rng, (B, S))
    count = sum(lengths)
    total, logits = 0.0, []
    for b, n in enumerate(lengths):
        targets[b, n:] = IGNORE
    for b, n in enumerate(lengths):
        logits.append(forward(c, w, ids[b:b + 1, :n])[0])
        total = total + F.cross_entropy(logits[-1], targets[b, :n], reduction="sum")
    (total * f32(1 / count)).backward()
    g = Golden(c)
    g.ints("ids", ids)
    g.ints("targets", targets)
    g.ints("lengths", torch.tensor(lengths))
    g.reals("logits", torch.cat(logits))
    g.reals("loss", total / count)
    for k, v in w.items():
        g.reals("weight/" + k, v, "f32")
    for k, v in w.items():
        g.reals("gradient/" + k, v.grad)
    g.write(folder, "padded")


def write_trajectory(folder, seed, steps=10, clip=f32(3.0)):
    c = config()
    rng = np.random.default_rng(seed)
    w = make_weights(c, rng)
    g = Golden(c)
    for k, v in w.items():
        g.reals("weight/" + k, v, "f32")
    matrices = [v for v in w.values() if v.ndim > 1]
    vectors = [v for v in w.values() if v.ndim == 1]
    betas, epsilon, decay = (f32(0.9), f32(0.95)), f32(1e-8), f32(0.1)
    optimizer = torch.optim.AdamW(
        [dict(params=matrices, weight_decay=decay), dict(params=vectors, weight_decay=0.0)],
        lr=0.0, betas=betas, eps=epsilon)
    rates, losses, norms = [], [], []
    for step in range(steps):
        ids, targets = tokens(c, rng, (2, c["context"]))
        rates.append(f32(0.02 * (step + 1) / steps))
        for group in optimizer.param_groups:
            group["lr"] = rates[-1]
        optimizer.zero_grad()
        loss = loss_of(forward(c, w, ids), targets)
        loss.backward()
        norms.append(float(torch.nn.utils.clip_grad_norm_(list(w.values()), clip)))
        optimizer.step()
        losses.append(loss.item())
        g.ints(f"ids/{step}", ids)
        g.ints(f"targets/{step}", targets)
    g.reals("rates", torch.tensor(rates))
    g.reals("losses", torch.tensor(losses))
    g.reals("norms", torch.tensor(norms))
    g.reals("clip", torch.tensor([clip]))
    g.reals("betas", torch.tensor(betas))
    g.reals("epsilon", torch.tensor([epsilon]))
    g.reals("decay", torch.tensor([decay]))
    for k, v in w.items():
        g.reals("final/" + k, v)
    g.write(folder, "trajectory")
    print("norms", [round(n, 3) for n in norms], "clip", clip)
    print("losses", [round(l, 4) for l in losses])


def main():
    here = pathlib.Path(__file__).resolve().parent
    default = here.parent / "src/main/resources/org/quern/tck/golden"
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else default
    folder.mkdir(parents=True, exist_ok=True)
    for i, name in enumerate(CASES):
        write_case(folder, name, 1000 + i)
    write_padded(folder, 1500)
    write_trajectory(folder, 2000)


if __name__ == "__main__":
    main()
