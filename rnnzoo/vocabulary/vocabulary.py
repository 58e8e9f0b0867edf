"""Vocabulary: characters, words or subwords, and their ids."""

import functools
import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence

import keras
import numpy as np

from rnnzoo.errors import InputError, check_positive, unknown_name
from rnnzoo.vocabulary import files, subwords, text_rules
from rnnzoo.vocabulary.checks import (
    SPECIAL_TOKENS,
    check_normalized,
    check_rule,
    check_tokens,
    count_of_symbols,
    is_composed,
    texts_of,
)
from rnnzoo.vocabulary.from_keras import arguments_of

MOST_CUTS = 1 << 17  # units of subwords that are remembered


@keras.saving.register_keras_serializable("rnnzoo")
class Vocabulary:
    """The symbols a model knows, and the rule that cuts a text into them.

    The tokens `"<pad>"`, `"<start>"`, `"<unk>"` and `"<end>"` are special, known by their names.
    Typed into a text they are ordinary text: characters, or words and punctuation. The one
    exception is a literal `<unk>` under `punctuation="split"`: it is the unknown word, as in
    WikiText, so that a decoded text encodes back. A vocabulary never changes.

    Args:
        tokens: The tokens in the order of their ids, usually special ones first.
        level: What a token is: `"character"`, `"word"` or `"subword"`, a word or a piece of one
            (`rnnzoo.vocabulary.subwords` has the rule); a decoded text is then what was encoded,
            but for the kind and number of blanks.
        lowercase: Whether texts are lower-cased first, code point by code point (Unicode's simple
            mapping, which a TensorFlow graph can follow).
        punctuation: For words. `"split"`: punctuation marks and symbols, which Unicode's
            categories P and S tell, are tokens of their own; apostrophes and hyphens inside a
            word stay. `"strip"`: the rule of the Keras `Tokenizer`, whose filter characters all
            count as spaces. `"whitespace"`: text is cut at white space alone, for texts that are
            tokenized already (`@-@`, `<num>`, `NOTE_ON_60`). For subwords: what a piece never
            crosses, words and punctuation or white space alone. `"delete"`: the rule of
            `keras.layers.TextVectorization`, the punctuation of ASCII vanish, "it's" is "its".
            (`"split_1"`, with fewer marks, is the rule of vocabularies of file format 1.)
        normalization: `"NFC"`: letters and their accents are composed first, since "e" with an
            accent that follows it looks like "é" and is another string (Unicode Standard Annex
            15). `None`: texts are read as they are. `"auto"`: NFC, unless a token is itself
            decomposed or a combining mark.
        keep_line_breaks: Whether line breaks are tokens, for words and subwords (characters keep
            them anyway). Else they are white space like any other.

    Attributes:
        pad_id: The id of `"<pad>"` or None; likewise `start_id`, `unknown_id` and `end_id`.

    Raises:
        InputError: If tokens do not suit the level or repeat, or a name does not exist.

    Example:
        >>> vocabulary = Vocabulary.from_text("to be or not to be")
        >>> vocabulary.encode("be not").tolist()
        [1, 2, 0, 3, 4, 6]
    """

    def __init__(
        self,
        tokens: Sequence[str],
        level: str = "character",
        *,
        lowercase: bool = False,
        punctuation: str = "split",
        normalization: str | None = "auto",
        keep_line_breaks: bool = False,
    ):
        check_rule(
            level,
            punctuation=punctuation,
            normalization=normalization,
            keep_line_breaks=keep_line_breaks,
        )
        self.tokens = tuple(tokens)
        self.level = level
        self.lowercase = bool(lowercase)
        self.punctuation = punctuation
        self.keep_line_breaks = bool(keep_line_breaks)
        check_tokens(self.tokens, level)
        if normalization == "auto":
            normalization = "NFC" if all(map(is_composed, self.tokens)) else None
        elif normalization is not None:
            check_normalized(self.tokens, normalization)
        self.normalization = normalization
        self._ids = {token: i for i, token in enumerate(self.tokens)}
        self.pad_id = self._ids.get("<pad>")
        self.start_id = self._ids.get("<start>")
        self.unknown_id = self._ids.get("<unk>")
        self.end_id = self._ids.get("<end>")
        self._unknown = -1 if self.unknown_id is None else self.unknown_id
        silent = ("<pad>", "<start>", "<end>")  # typed into a text they are ordinary text
        self.ids_of_text = {token: i for token, i in self._ids.items() if token not in silent}
        self._cuts = {}

    @classmethod
    def from_text(
        cls,
        text: str | Iterable[str],
        level: str = "character",
        *,
        size: int | None = None,
        special_tokens: Sequence[str] | None = None,
        lowercase: bool = False,
        punctuation: str = "split",
        normalization: str | None = "NFC",
        keep_line_breaks: bool = False,
    ) -> "Vocabulary":
        """Makes the vocabulary of a text.

        Characters come by code point, words by falling count (ties: the one seen first), subwords
        in the order in which byte-pair encoding joined them, after all characters.

        Args:
            text: A text, or an iterable of texts, which are counted one by one: documents, or
                chunks of a text too long for memory (for words cut at white space).
            level: `"character"`, `"word"`, or `"subword"`, which needs the package tokenizers.
            size: The number of ids with the special tokens, like `num_words` in Keras: the most
                frequent symbols are kept. By default all; subwords need a number.
            special_tokens: By default none for characters, else `("<pad>", "<start>", "<unk>",
                "<end>")`, ids 0 to 3.
            lowercase: As in the class.
            punctuation: As in the class.
            normalization: As in the class.
            keep_line_breaks: As in the class.

        Raises:
            InputError: If the text, or `size`, has fewer than 2 symbols beside special tokens.

        Example:
            >>> Vocabulary.from_text(["No, no.", "No?"], level="word", lowercase=True).tokens
            ('<pad>', '<start>', '<unk>', '<end>', 'no', ',', '.', '?')
        """
        # With no tokens yet, it has the rules.
        rules = {
            "lowercase": lowercase,
            "punctuation": punctuation,
            "normalization": normalization,
            "keep_line_breaks": keep_line_breaks,
        }
        empty = cls([subwords.SPACE] if level == "subword" else [], level, **rules)
        if special_tokens is None:
            special_tokens = () if level == "character" else SPECIAL_TOKENS
        for token in special_tokens:
            if token not in SPECIAL_TOKENS:
                raise unknown_name("special token", token, SPECIAL_TOKENS)
        count = count_of_symbols(size, special_tokens)
        texts = texts_of(text)
        if level == "subword":
            learned = subwords.learn(
                texts, size=size, special_tokens=special_tokens, cut_units=empty.units
            )
            symbols = learned[len(special_tokens) :]
        else:
            if level == "character":
                counts = text_rules.count_characters(texts, empty.prepare)
            else:
                counts = text_rules.count_words(texts, empty.split)
            for token in SPECIAL_TOKENS if level == "word" else special_tokens:
                counts.pop(token, None)
            symbols = sorted(counts, key=counts.get, reverse=True)  # stable: ties keep their order
        if len(symbols) < 2:
            raise InputError(
                f"The text has {len(symbols)} different {level}s {symbols!s:.200}; a vocabulary "
                "needs at least 2, so give a longer text."
            )
        symbols = symbols[:count]
        if level == "character":
            symbols.sort()
        return cls((*special_tokens, *symbols), level, **rules)

    @classmethod
    def from_word_index(
        cls, word_index: Mapping[str, int], size: int | None = None
    ) -> "Vocabulary":
        """Makes the vocabulary whose ids are exactly those of `keras.datasets.imdb`.

        That is 0 pad, 1 start, 2 unknown, then each word's rank + 3; id 3, which Keras leaves
        unused, is `"<end>"`. Texts are lower-cased and stripped of punctuation. In Keras's own ids
        the line breaks `<br />` of the reviews count as the word `br`: leave them in to get those.

        Args:
            word_index: Words and their ranks from 1, as `keras.datasets.imdb.get_word_index` has
                them.
            size: The number of ids, Keras's `num_words`: words beyond become 2. By default all.

        Raises:
            InputError: If the ranks are not 1, 2, 3, ... or `size` is too small.

        Example:
            >>> v = Vocabulary.from_word_index({"the": 1, "film": 2, "great": 3})
            >>> v.encode("The film: great, great!").tolist()
            [4, 5, 6, 6]
        """
        count = count_of_symbols(size, SPECIAL_TOKENS)
        words = sorted(word_index, key=word_index.__getitem__)
        if [word_index[word] for word in words] != list(range(1, len(words) + 1)) or not words:
            raise InputError(
                f"The {len(words)} words of the index must have the ranks 1, 2, 3, ...; give one "
                "such as `keras.datasets.imdb.get_word_index()` returns."
            )
        tokens = (*SPECIAL_TOKENS, *words[:count])
        return cls(tokens, "word", lowercase=True, punctuation="strip")

    @classmethod
    def from_keras(
        cls,
        layer: keras.layers.Layer,
        *,
        level: str | None = None,
        lowercase: bool | None = None,
        punctuation: str | None = None,
    ) -> "Vocabulary":
        """Makes the vocabulary of a Keras `TextVectorization` or `StringLookup`, ids preserved.

        The padding (`""`) becomes `"<pad>"`, the unknown token (`"[UNK]"`) `"<unk>"`. What cuts the
        text is taken from `TextVectorization`; it lower-cases ASCII letters alone, rnnzoo all.

        Args:
            layer: The layer, adapted, with ids from a single unknown token.
            level: Of a `StringLookup`, `"character"` or `"word"`; by default characters when every
                token is one.
            lowercase: As in the class; must be given where the layer standardizes by a function of
                one's own.
            punctuation: Likewise.

        Returns:
            The vocabulary.

        Raises:
            InputError: If the layer has no ids for words that rnnzoo could follow.

        Example:
            >>> layer = keras.layers.StringLookup(vocabulary=["yes", "no"], mask_token="")
            >>> vocabulary = Vocabulary.from_keras(layer)
            >>> vocabulary.tokens, vocabulary.encode("no yes maybe").tolist()
            (('<pad>', '<unk>', 'yes', 'no'), [3, 2, 1])
        """
        return cls(**arguments_of(layer, level=level, lowercase=lowercase, punctuation=punctuation))

    def extended(self, text: str | Iterable[str], *, size: int | None = None) -> "Vocabulary":
        """Makes a vocabulary with further symbols, those of a text that this one lacks.

        The tokens that are there keep their ids, the new ones come after them: characters by code
        point, words by falling count. Of subwords only characters are added: they are not joined.
        `rnnzoo.models.grow` makes a trained model fit.

        Args:
            text: A text, or an iterable of texts.
            size: The most ids; the most frequent new symbols are kept. By default all.

        Returns:
            The new vocabulary; this one where the text has nothing new.

        Raises:
            InputError: If `size` is smaller than the vocabulary is.

        Example:
            >>> Vocabulary(["a", "b"]).extended("abacus").tokens
            ('a', 'b', 'c', 's', 'u')
        """
        check_positive(size=size)
        if size is not None and size < len(self):
            raise InputError(
                f"`size` must be at least {len(self)}, which the vocabulary has, not {size}."
            )
        counts = text_rules.count_words(texts_of(text), self._new_symbols)
        symbols = sorted(counts, key=counts.get, reverse=True)
        symbols = symbols[: None if size is None else size - len(self)]
        if self.level != "word":
            symbols.sort()
        config = self.get_config()
        tokens = config.pop("tokens")
        return type(self)([*tokens, *symbols], **config) if symbols else self

    def _new_symbols(self, text: str) -> list[str]:
        found = (symbol for symbol in self.split(text) if symbol not in self._ids)
        return [symbol for symbol in found if symbol not in SPECIAL_TOKENS]  # text makes none

    def split(self, text: str) -> list[str]:
        """Cuts a text into the strings that have ids: characters, words, or subwords.

        Example:
            >>> Vocabulary(["yes", "no"], "word").split("No, it isn't.")
            ['No', ',', 'it', "isn't", '.']
        """
        if self.level == "character":
            return list(self.prepare(text))
        if self.level == "subword":
            return [piece for unit in self.units(text) for piece in self._pieces(unit)]
        return text_rules.split_words(self.prepare(text), self.punctuation, self.keep_line_breaks)

    def prepare(self, text: str) -> str:
        """Does to a text what comes before it is cut: composes, lower-cases.

        Example:
            >>> Vocabulary(["a", "b"], lowercase=True).prepare("AB")
            'ab'
        """
        return text_rules.prepare(
            text,
            normalization=self.normalization,
            lowercase=self.lowercase,
            keep_line_breaks=self.keep_line_breaks,
            delete_punctuation=self.punctuation == "delete",
        )

    def units(self, text: str) -> list[str]:
        """Cuts a text into the units that subwords are parts of."""
        return subwords.units(self.prepare(text), self.punctuation, self.keep_line_breaks)

    def _pieces(self, unit: str) -> list[str]:
        """The subwords of a unit, remembered."""
        cut = self._cuts.get(unit)  # once: another thread may forget them all at any moment
        if cut is None:
            cut = subwords.cut(unit, self.ids_of_text)
            if len(self._cuts) >= MOST_CUTS:
                self._cuts.clear()  # a server may see words without end
            self._cuts[unit] = cut
        return cut

    @functools.cached_property
    def character_table(self) -> np.ndarray:
        """int32 ids by code point; the last entry stands for all beyond."""
        ids = {ord(token): i for token, i in self._ids.items() if len(token) == 1}
        return text_rules.character_table(ids, self._unknown, self.lowercase)

    def encode(self, text: str) -> np.ndarray:
        """Turns a text into ids. No start or end is added.

        Args:
            text: Any text.

        Returns:
            int32 ids, shape `(symbols,)`. Symbols that the vocabulary lacks get `unknown_id`.

        Raises:
            InputError: If symbols are unknown and the vocabulary has no `"<unk>"`.

        Example:
            >>> Vocabulary(["<unk>", "a", "b"]).encode("abc").tolist()
            [1, 2, 0]
        """
        text_rules.check_text(text)
        if self.level == "character":
            breaks = self.keep_line_breaks and "\r" in text
            if breaks or not text.isascii() or self.punctuation == "delete":
                text = self.prepare(text)  # the table lower-cases, too, and needs no copy
            ids = np.empty(len(text), np.int32)
            for start in range(0, len(text), 1 << 18):  # blocks that stay in the CPU's cache
                points = text_rules.code_points(text[start : start + (1 << 18)])
                out = ids[start : start + len(points)]
                np.take(self.character_table, points, mode="clip", out=out)
        else:
            get, unknown = self.ids_of_text.get, self._unknown
            parts = map(self.split, text_rules.blocks(text))
            ids = np.concatenate([np.array([get(w, unknown) for w in p], np.int32) for p in parts])
        if self.unknown_id is None and ids.size and ids.min() < 0:
            missing = self.unknown_symbols(text)
            raise InputError(
                f"{len(missing)} of the text's {self.level}s are not in the vocabulary, such as "
                f"{str(missing[:10])[1:-1]:.300}{self._first_line(text)}; take them out, or give "
                "the vocabulary a `<unk>`."
            )
        return ids

    def _first_line(self, text: str) -> str:
        """Where the first unknown symbol of a text of many lines is, in words."""
        lines = text.split("\n")
        if len(lines) == 1:
            return ""
        for number, line in enumerate(lines, start=1):
            if found := self.unknown_symbols(line):
                return f" ({found[0]!r} in line {number})"
        return " (the line break)"

    def encode_documents(
        self, texts: Iterable[str], *, start: bool = True, end: bool = True
    ) -> list[np.ndarray]:
        """Turns documents into ids, each between a start and an end.

        Args:
            texts: The documents.
            start: Whether `start_id` comes first.
            end: Whether `end_id` comes last.

        Returns:
            One int32 array a document.

        Raises:
            InputError: If the vocabulary has no `"<start>"` or `"<end>"` to add, or a document
                cannot be encoded; its number is told, the first is 1.

        Example:
            >>> v = Vocabulary.from_text("yes no", level="word")
            >>> [ids.tolist() for ids in v.encode_documents(["yes", "no no"])]
            [[1, 4, 3], [1, 5, 5, 3]]
        """
        if isinstance(texts, str):
            raise InputError("`texts` must be a list of texts, not one str; use `encode` for one.")
        if not text_rules.is_iterable(texts):
            raise InputError(f"`texts` must be a list of texts, not {texts!r:.80}.")
        for name in ["start"] * start + ["end"] * end:
            if f"<{name}>" not in self._ids:
                raise InputError(f"The vocabulary has no <{name}> to add; pass `{name}=False`.")
        before = np.array([self.start_id] * start, np.int32)
        after = np.array([self.end_id] * end, np.int32)
        rows = []
        for number, text in enumerate(texts, start=1):
            try:
                rows.append(np.concatenate([before, self.encode(text), after]))
            except InputError as error:
                if number == 1 and isinstance(texts, Sequence) and len(texts) == 1:
                    raise
                raise InputError(f"Text {number} of the list: {error}") from None
        return rows

    def decode(
        self,
        ids: Sequence[int] | np.ndarray,
        *,
        after: Sequence[int] | np.ndarray | None = None,
        unknown: Sequence[str] = (),
    ) -> str:
        """Turns ids into a readable text.

        Pad, start and end are left out; unknown reads `<unk>`. Words are joined by spaces, but
        under `punctuation="split"` marks are attached to their words; subwords know their spaces.

        With `after`, the text can be appended to that of the ids before it: it begins with a
        space exactly where one belongs. `decode(before) + decode(ids, after=before)` is
        `decode(before + ids)`, for streaming too, id by id. (Under `"split_1"` a mark can change
        the spaces before it; what is appended is right even then.) A prompt that someone typed
        may end in white space of its own: then leave out a space that the appended text begins
        with.

        Args:
            ids: One row of ids: a list, an array or a tensor.
            after: The ids before them, such as those of a prompt, which are not decoded again.
            unknown: What stands in the place of unknown tokens, in order; `<unk>` when left out.

        Returns:
            The text.

        Raises:
            InputError: If an id is not in the vocabulary, or `ids` is not one row of integers.

        Example:
            >>> vocabulary = Vocabulary(["Well", ",", "no", "."], level="word")
            >>> vocabulary.decode([0, 1, 2, 3])
            'Well, no.'
            >>> vocabulary.decode([1, 2, 3], after=[0]), vocabulary.decode([2, 3], after=[0, 1])
            (', no.', ' no.')
        """
        tokens = self._visible_tokens(ids)
        if unknown:
            words = iter(unknown)
            tokens = [next(words, token) if token == "<unk>" else token for token in tokens]
        before = [] if after is None else self._visible_tokens(after, "after")
        if self.level == "character":
            return "".join(tokens)
        whole = self._join(before + tokens)
        if self.level == "word" and self.punctuation == "split_1":  # it looks ahead
            count = sum(len(token) - token.count(" ") for token in before)
            return text_rules.after_characters(whole, count)
        return whole.removeprefix(self._join(before))

    def _join(self, tokens: Sequence[str]) -> str:
        """Puts words or subwords together to a text."""
        if self.level == "subword":
            return subwords.join(tokens)
        return text_rules.join_words(tokens, self.punctuation)

    def _visible_tokens(self, ids: Sequence[int] | np.ndarray, name: str = "ids") -> list[str]:
        """The tokens of ids, without pad, start and end."""
        ids = np.asarray(ids)
        if ids.ndim != 1 or (ids.size and ids.dtype.kind not in "iu"):
            raise InputError(f"`{name}` must be one row of integers, not {ids.dtype} {ids.shape}.")
        if ids.size and (ids.min() < 0 or ids.max() >= len(self)):
            raise InputError(
                f"The ids range from {ids.min()} to {ids.max()}, but the vocabulary has only 0 to "
                f"{len(self) - 1}; decode with the model's own vocabulary."
            )
        silent = [i for i in (self.pad_id, self.start_id, self.end_id) if i is not None]
        return [self.tokens[i] for i in ids[~np.isin(ids, silent)].tolist()]

    def unknown_symbols(self, text: str) -> list[str]:
        """Lists the characters or words that a text has and the vocabulary lacks, sorted.

        Example:
            >>> Vocabulary(["a", "b"]).unknown_symbols("abacus")
            ['c', 's', 'u']
        """
        text_rules.check_text(text)
        found = (set(self.split(block)) for block in text_rules.blocks(text))
        return sorted(set().union(*found).difference(self.ids_of_text))

    def get_config(self) -> dict:
        """Returns the arguments that make this vocabulary again, fit for JSON."""
        return {
            "level": self.level,
            "lowercase": self.lowercase,
            "punctuation": self.punctuation,
            "normalization": self.normalization,
            "keep_line_breaks": self.keep_line_breaks,
            "tokens": list(self.tokens),
        }

    @classmethod
    def from_config(cls, config: dict) -> "Vocabulary":
        """Makes the vocabulary of a `get_config`."""
        if "normalization" not in config:  # format 1
            config = {**config, "normalization": "auto"}
            if config.get("punctuation", "split") == "split" or config["level"] == "subword":
                config["punctuation"] = "split_1"
        return cls(**config)

    @functools.cached_property
    def _json(self) -> bytes:
        return files.to_json(self.get_config())

    @property
    def sha256(self) -> str:
        """The SHA-256 of the JSON, which is also that of the file that `save` writes."""
        return hashlib.sha256(self._json).hexdigest()

    def save(self, path: str | os.PathLike) -> None:
        """Writes the vocabulary to a JSON file, whole or not at all; replaces one that exists.

        Raises:
            InputError: If the file cannot be written.
        """
        files.write(self._json, path)

    @classmethod
    def load(cls, path: str | os.PathLike) -> "Vocabulary":
        """Reads a vocabulary that `save` wrote.

        Raises:
            InputError: If the file is missing, truncated, something else, or of a newer version.
        """
        return files.read(path, cls.from_config)

    def __len__(self) -> int:
        return len(self.tokens)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and self._meaning == other._meaning

    def __hash__(self) -> int:
        return hash(self._meaning)

    @functools.cached_property
    def _meaning(self) -> bytes:
        """The JSON of what decides the ids of a text and the text of ids."""
        config = self.get_config()
        if self.level == "character" and self.punctuation != "delete":
            config["punctuation"] = None  # characters are cut by no rule, nor by that of old files
        return files.to_json(config)

    def __repr__(self) -> str:
        return f"<Vocabulary of {len(self)} {self.level}s>"
