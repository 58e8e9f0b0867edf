"""Texts and rules by which vocabularies are compared with those of an export."""

from rnnzoo import Vocabulary

TEXTS = [
    'He said, "No, it\'s 8/10..." -- and left (at 3.14 p.m.)!', "two\n lines\r\nand\tspaces  ",
    "ΣΊΣΥΦΟΣ İstanbul ÉCOLE e\u0301cole", "日本語、です。 «quoi?» „gut“ ¡No! 👍🏽 👩‍👩‍👧 🇩🇪x",
    "", " a",
    "well-known isn't the dogs' <unk> <pad> rock 'n' roll ▁x", "a" * 200 + " 1.000,50 10:30",
]  # fmt: skip
RULES = [
        ("character", "split", False), ("word", "split", False), ("word", "split", True),
        ("word", "strip", False), ("word", "whitespace", True), ("word", "delete", False),
        ("word", "split_1", False), ("subword", "split", True), ("subword", "whitespace", False),
        ("subword", "split_1", False), ("subword", "delete", False),
    ]  # fmt: skip


def vocabulary_of_texts(level, punctuation, lines, *, lowercase):
    """A vocabulary that has most of the TEXTS, but not all."""
    rules = {"punctuation": punctuation, "keep_line_breaks": lines, "lowercase": lowercase}
    empty = Vocabulary(["▁"] if level == "subword" else [], level, **rules)
    if level == "subword":
        units = [unit for text in TEXTS for unit in empty.units(text)]
        parts = [
            *sorted({c for unit in units for c in unit} - {"👍"}),
            "is",
            "▁a",
            "aa",
            "aaa",
            "▁t",
        ]
    else:
        parts = [symbol for text in TEXTS for symbol in empty.split(text)][::-1]
        parts = [part for part in parts if part not in ("İstanbul", "istanbul", "8")]
    tokens = list(dict.fromkeys(["<pad>", "<start>", "<unk>", "<end>", *parts, "▁"]))
    return Vocabulary(tokens, level, **rules)
