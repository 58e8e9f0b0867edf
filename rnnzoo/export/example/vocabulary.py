"""Text to token ids and back, by the rules in vocabulary.json; needs Python alone."""

import re
import unicodedata
from itertools import pairwise


class Vocabulary:
    """A vocabulary of characters, words or subwords; its fields are those of the file."""

    def __init__(self, fields: dict):
        self.__dict__.update(fields)
        silent = {self.pad, self.start, self.end}  # typed into a text they are ordinary text
        self.silent = silent - {None}
        self.ids = {token: i for i, token in enumerate(self.tokens) if i not in self.silent}

    def encode(self, text: str) -> list[int]:
        """Turns a text into ids."""
        ids = [self.ids.get(symbol, self.unknown) for symbol in self.split(text)]
        if None in ids:
            raise ValueError(f"The vocabulary lacks a character of {text!r}.")
        return ids

    def split(self, text: str) -> list[str]:
        """Cuts a text into characters, words or subwords."""
        text = self.prepare(text)
        if self.level == "character":
            return list(text)
        if self.level == "word":
            return re.findall(self.token, text)
        units = re.findall(self.token, rewrite(self.space + text, self.steps))
        size = self.longest
        parts = [unit[i : i + size] for unit in units for i in range(0, len(unit), size)]
        return [piece for part in parts if part != self.space for piece in self.cut(part)]

    def prepare(self, text: str) -> str:
        """Does to a text what comes before it is cut."""
        if self.keep_line_breaks:
            text = re.sub("\r\n?", "\n", text)
        if self.normalization:
            text = unicodedata.normalize(self.normalization, text)
        if self.lowercase:
            text = text.replace("\u0130", "i").replace("\u03a3", "\u03c3").lower()
        if self.normalization:
            text = unicodedata.normalize(self.normalization, text)
        return re.sub(self.deleted, "", text) if self.deleted else text

    def cut(self, unit: str) -> list[str]:
        """Byte-pair encoding: joins the pair whose token has the lowest id, again and again."""
        pieces = list(unit)
        while True:
            joins = [(self.ids.get(a + b), i) for i, (a, b) in enumerate(pairwise(pieces))]
            joins = [join for join in joins if join[0] is not None]
            if not joins:
                return pieces
            _, i = min(joins)
            pieces[i : i + 2] = [pieces[i] + pieces[i + 1]]

    def decode(self, ids: list[int]) -> str:
        """Turns ids into a text, without the special tokens."""
        ids = [i for i in ids if i not in self.silent]
        tokens = [self.tokens[i] for i in ids]
        if self.level == "character":
            return "".join(tokens)
        if self.level == "subword":
            text = "".join(tokens).replace(self.space, " ").strip(" ")
            return re.sub(self.line_break, "\n", text)
        if self.punctuation == "split":
            return self.spaced(ids, tokens)
        if self.punctuation == "split_1":
            return rewrite(f" {' '.join(tokens)} ", self.attachments).strip(" \t\n\v\f\r")
        return re.sub(self.line_break, "\n", " ".join(tokens))

    def spaced(self, ids: list[int], tokens: list[str]) -> str:
        """Puts words and marks together: the classes of neighbours say where a space goes."""
        rules = self.spacing
        classes = rewrite("".join(self.classes[i] for i in ids), self.passes)
        text = "".join(tokens[:1])  # of no token, none
        for (left, right), token in zip(pairwise(classes), tokens[1:], strict=True):
            near = left in rules["none_after"] or right in rules["none_before"]
            dots = left == right == rules["dots"]
            text += token if near and right not in rules["alone"] and not dots else f" {token}"
        return text


def rewrite(text: str, rules: list) -> str:
    """Applies patterns and their replacements, one after the other."""
    for pattern, replacement in rules:
        text = re.sub(pattern, replacement, text)
    return text
