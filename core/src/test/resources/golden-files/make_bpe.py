#!/usr/bin/env python3
"""Trains a small byte-level BPE with Hugging Face's tokenizers, and encodes texts with it."""

import json
import pathlib
import random

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

HERE = pathlib.Path(__file__).parent / "bpe"
HERE.mkdir(exist_ok=True)
TEXT = """A hand mill grinds grain between two stones. The miller's hands don't stop: they'll turn the
upper stone, they've turned it all day, I'm told, and we'd say you're next. It's 1234 turns an hour,
56789 in a week.   Grain goes in, flour comes out;  stones wear down\tslowly.

Die Mühle mahlt, über Nacht und im Frühling. Le moulin à bras, déjà usé, tourne encore. Мельница
мелет зерно. 石臼で粉を挽く。石臼 🌾🌾 🏽 e\u0301te\u0301
""" * 3

tokenizer = Tokenizer(models.BPE())
tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
tokenizer.decoder = decoders.ByteLevel()
tokenizer.train_from_iterator([TEXT], trainers.BpeTrainer(
    vocab_size=420, min_frequency=2, special_tokens=["<|endoftext|>"], show_progress=False,
    initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
tokenizer.model.save(str(HERE))
tokenizer.save(str(HERE / "tokenizer.json"))

generator = random.Random(7)
alphabet = ["a", "e", "stone", " ", "  ", "\n", "\t", "\u00a0", "\u2003", "\u3000", "\u0085", "\u001c",
            "\u200b", "'s", "'", "'ll", "'LL", "12", "\u0663", "\u216b", "\u00bd", "é", "e\u0301", "ß", "石臼", "мел",
            "🌾", "🏽", "\u0000", "\u007f", "\ufeff", "\ufffd", "\U0010ffff", ".", "--", "ǅ", "ʰ", "\u0e01\u0e33"]
texts = ["", " ", "  ", "Not all heroes wear capes", "the miller's stones", "they'll've", "a  b   c ", "\n\n x\n"]
texts += ["".join(generator.choice(alphabet) for _ in range(generator.randrange(1, 24))) for _ in range(150)]
expected = [{"text": t, "ids": tokenizer.encode(t, add_special_tokens=False).ids} for t in texts]
(HERE / "expected.json").write_text("[\n" + ",\n".join(json.dumps(e) for e in expected) + "\n]\n")
