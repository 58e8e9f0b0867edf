"""What a corpus is: named splits of text, documents or pairs, and where they came from."""

import hashlib
import json
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from rnnzoo.errors import InputError, check_positive

CHUNK_SIZE = 1 << 20  # characters
CONTENTS = {  # what a corpus of each kind holds, in words
    "text": "one text",
    "documents": "documents",
    "pairs": "pairs",
    "labelled": "texts with labels",
}


class Splits(Mapping):
    """A mapping whose values are made on first use, so that an unused split costs nothing.

    Args:
        loaders: For each split name a function of no arguments that returns the split.

    Example:
        >>> splits = Splits({"train": lambda: ["a", "b"]})
        >>> splits["train"], list(splits)
        (['a', 'b'], ['train'])
    """

    def __init__(self, loaders: Mapping[str, Callable[[], Any]]):
        self._loaders = dict(loaders)
        self._loaded: dict[str, Any] = {}

    def __getitem__(self, split):
        if split not in self._loaded:
            self._loaded[split] = self._loaders[split]()
        return self._loaded[split]

    def __iter__(self):
        return iter(self._loaders)

    def __len__(self):
        return len(self._loaders)

    def __contains__(self, split):  # Mapping's own would load the split
        return split in self._loaders


@dataclass(frozen=True)
class About:
    """Where a named corpus comes from and what its terms allow; it ends in cards.

    Args:
        terms: Its licence or terms, as far as known.
        redistributable: Whether these let weights trained on it into a package under Apache-2.0.
        reason: Why, or why not; words that go on after a colon.
        origin: Where anyone finds it. (`Corpus.source` says where this machine found it.)
    """

    terms: str
    redistributable: bool
    reason: str
    origin: str | None = None


@dataclass(frozen=True, eq=False)
class Corpus:
    """A text, or a list of documents, of pairs or of texts with labels, in named splits.

    Args:
        name: The name or path it was requested by.
        kind: `"text"` (a split is one string), `"documents"` (a list of strings), `"pairs"`
            (a list of `(source, target)`) or `"labelled"` (a list of `(text, label)`).
        source: One sentence that says where it was found.
        terms: Its licence or terms, as far as known.
        splits: Split name to split. `"train"` is always there; `"validation"`, `"test"` and
            `"unsupervised"` where the corpus has them. Splits are read when first used.
        notes: What else to know: duplicates found, rows left out, an unusual size. A split that
            is read later adds its own.
        reader: Text only: yields the text in strings of at most the given size.
        redistributable: Whether its terms let weights trained on it into the package.
    """

    name: str
    kind: str
    source: str
    terms: str
    splits: Mapping[str, Any] = field(repr=False)
    notes: list[str] = field(default_factory=list)
    reader: Callable[[int], Iterator[str]] | None = field(default=None, repr=False)
    redistributable: bool = False

    @classmethod
    def of_text(cls, reader: Callable[[int], Iterator[str]], **fields) -> "Corpus":
        """Makes a text corpus from a function that yields the text in chunks."""
        splits = Splits({"train": lambda: "".join(reader(CHUNK_SIZE))})
        return cls(kind="text", splits=splits, reader=reader, **fields)

    @classmethod
    def of_known_text(
        cls,
        reader: Callable[[int], Iterator[str]],
        *,
        name: str,
        where: str,
        about: About,
        sha256: str,
    ) -> "Corpus":
        """Makes a text corpus whose usual content is known; a note says if it is another."""
        corpus = cls.of_text(
            reader,
            name=name,
            source=f"The text from {where}.",
            terms=about.terms,
            redistributable=about.redistributable,
        )
        if corpus.sha256 != sha256:
            corpus.notes.append(
                f"not the usual text of this name (its sha256 starts {corpus.sha256[:12]})."
            )
        return corpus

    @property
    def contents(self) -> str:
        """What it holds, in words: one text, documents, pairs or texts with labels."""
        return CONTENTS[self.kind]

    @property
    def text(self) -> str:
        """The whole training text; `chunks` reads it without holding it all."""
        self._check_kind("text")
        return self.splits["train"]

    @property
    def documents(self) -> list[str]:
        """The training documents."""
        self._check_kind("documents")
        return self.splits["train"]

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The training pairs, `(source, target)`."""
        self._check_kind("pairs")
        return self.splits["train"]

    @property
    def labelled(self) -> list[tuple[str, str]]:
        """The training texts with their labels, `(text, label)`."""
        self._check_kind("labelled")
        return self.splits["train"]

    @property
    def validation(self) -> Any:
        """The validation split, or None."""
        return self.splits.get("validation")

    @property
    def test(self) -> Any:
        """The test split, or None."""
        return self.splits.get("test")

    def pieces(self, size: int = CHUNK_SIZE) -> Iterator[str]:
        """Yields what `chunks` does, of which it is the old name."""
        warnings.warn("`pieces` is called `chunks` now.", DeprecationWarning, stacklevel=2)
        return self.chunks(size)

    def chunks(self, size: int = CHUNK_SIZE) -> Iterator[str]:
        """Yields the training text in strings of about `size` characters that break no word.

        Args:
            size: The characters read at a time.

        Returns:
            An iterator over strings that, joined, are `text`. Each ends with a blank or a line
            end, but for the last (and but for a megabyte without a single blank).
        """
        check_positive(size=size)
        self._check_kind("text")
        return whole_words(self.reader(size))

    @cached_property
    def sha256(self) -> str:
        """The hash of the content, the same from whichever source it came.

        For a text: of its UTF-8 bytes (without a byte order mark, lines ended by one newline
        character). For documents and pairs: of `train`, then `validation` if there is one, each
        as its name on a line, then every item on a line as compact JSON with non-ASCII
        characters kept.
        """
        digest = hashlib.sha256()
        if self.kind == "text":
            for chunk in self.reader(CHUNK_SIZE):
                digest.update(chunk.encode())
            return digest.hexdigest()
        for split in ("train", "validation"):
            if split in self.splits:
                digest.update(_lines(split, self.splits[split]))
        return digest.hexdigest()

    def note(self, text: str) -> None:
        """Adds a note, and says it."""
        self.notes.append(text)
        echo(f"  note: {text}")

    def _check_kind(self, kind):
        if self.kind != kind:
            raise InputError(
                f"The corpus {self.name!r} holds {self.contents}; read `.{self.kind}`, not "
                f"`.{kind}`."
            )


def split_sha256(split: str, items: Iterable[Any]) -> str:
    """The hash of one split, such as the test split.

    `Corpus.sha256` leaves the test split out: a corpus that is found without it is the same to
    train on.

    Args:
        split: Its name.
        items: The documents or pairs, or the text, which counts as one document.

    Returns:
        The SHA-256, in hexadecimal.
    """
    return hashlib.sha256(_lines(split, items)).hexdigest()


def _lines(split, items):
    """The name of a split on a line, then every item on one, as compact JSON."""
    items = [items] if isinstance(items, str) else items
    lines = (json.dumps(item, ensure_ascii=False) for item in items)
    return "\n".join([split, *lines, ""]).encode()


def whole_words(chunks: Iterable[str]) -> Iterator[str]:
    """Cuts a text that comes in chunks anew, behind blanks and line ends only.

    Args:
        chunks: Strings that, joined, are the text. They may end anywhere.

    Returns:
        An iterator over strings that, joined, are the text too.

    Example:
        >>> list(whole_words(["to be o", "r n", "ot"]))
        ['to be ', 'or ', 'not']
    """
    rest = ""
    for chunk in chunks:
        text = rest + chunk
        cut = max(text.rfind(" "), text.rfind("\n")) + 1
        if not cut and len(text) >= CHUNK_SIZE:
            cut = len(text)  # no word is that long: do not gather the whole text here
        rest = text[cut:]
        if cut:
            yield text[:cut]
    if rest:
        yield rest


def echo(line: str) -> None:
    """Prints a line about the data to stderr, so that stdout stays free for results."""
    print(line, file=sys.stderr)
