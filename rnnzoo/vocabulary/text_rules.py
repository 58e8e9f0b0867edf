r"""How text becomes words and words become text, once for Python and for TensorFlow graphs.

Every rule is a regular expression that Python's `re` and RE2 (the engine of TensorFlow's string
operations) read alike: explicit character classes and groups, no `\w`, no `$`, no look-around.
Lower-casing maps single code points, so that a graph can do it with a table.
"""

import functools
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np

from rnnzoo.errors import InputError
from rnnzoo.vocabulary import marks, spacing

# What `str.isspace` calls white space.
SPACE = "\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
# What the rule "split_1" of old files takes for punctuation marks and symbols: ASCII, Latin-1,
# general punctuation, currency signs, arrows to dingbats, CJK, full width.
MARKS_1 = (
    "!-/:-@\\[-`{-~"
    "\xa1-\xa9\xab\xac\xae-\xb1\xb4\xb6-\xb8\xbb\xbf\xd7\xf7"
    "\u2010-\u2027\u2030-\u205e\u20a0-\u20cf\u2190-\u2bff"
    "\u3001-\u3003\u3008-\u3011\u3014-\u301f\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65"
)
_JOINERS = "'\u2019\\-\u2010\u2011"  # apostrophes and hyphens: inside a word they stay
_KERAS_FILTERS = "!-&(-/:-@\\[-`{-~\t\n"  # of keras.preprocessing.text.Tokenizer: all but '
_SUBWORD_SPACE = "\u2581"
_NUMBER = "[0-9]+(?:[.,:][0-9]+)*"  # also 10,000 or 3.14 or 2:30


def _word(stretch: str) -> str:
    """Stretches of letters and numbers, with single apostrophes and hyphens between them."""
    return f"{stretch}(?:[{_JOINERS}]{stretch})*"


_WORD_1 = _word(f"(?:[^{SPACE}{MARKS_1}0-9]+|{_NUMBER})+")
_WORD = _word(
    f"(?:[^{SPACE}{marks.MARKS}{_SUBWORD_SPACE}0-9\U00010000-\U0010ffff]+|{_NUMBER}"
    f"|[{marks.ASTRAL_LETTERS}]+)+"
)


class WordRule(NamedTuple):
    """How a text is cut into words.

    Attributes:
        space: A class of the characters that end a word and are dropped.
        token: Matches the next word or mark; what it leaves out is space.
        unit: Matches what subwords are cut from, but for the space before it.
    """

    space: str
    token: str
    unit: str


def _split_rule(word: str, mark: str) -> WordRule:
    token = f"<unk>|(?:[A-Za-z]\\.){{2,}}|{word}|\\.\\.+|--+|{mark}"
    return WordRule(SPACE, token, f"(?:{word}|{mark})")


# The rule of the Keras `Tokenizer`: every filter character is a space, words lie between.
_STRIP = WordRule(_KERAS_FILTERS, f"[^ {_KERAS_FILTERS}]+", f"(?:{_WORD}|{marks.MARK})")
WORD_RULES = {
    # Words and punctuation marks are tokens of their own; so are "...", "--", "p.m.", "<unk>".
    "split": _split_rule(_WORD, marks.MARK),
    "strip": _STRIP,
    "whitespace": WordRule(SPACE, f"[^{SPACE}]+", f"[^{SPACE}{_SUBWORD_SPACE}]+"),
    # That of `keras.layers.TextVectorization`: these characters are deleted first (`DELETED`).
    "delete": WordRule(SPACE, f"[^{SPACE}]+", f"[^{SPACE}{_SUBWORD_SPACE}]+"),
    "split_1": _split_rule(_WORD_1, f"[{MARKS_1}]"),  # of files of format 1
}

_CJK = "\u3001\u3002\u3008-\u3011\uff01\uff0c\uff1a\uff1b\uff1f"  # marks set without spaces

# Applied in this order to the tokens of the "split_1" rule joined by spaces, with a space before
# the first and after the last. A word never starts or ends with an apostrophe, so "' " and " '"
# always belong to an apostrophe that is a token of its own.
ATTACHMENTS = (
    ("' ([^ '][^ ]*(?: [^ '][^ ]*)*) '", r"'\1'"),  # a pair of quotes: inner spaces go
    ('" ([^"]*) "', r'"\1"'),
    ("\u201e ([^\u201e\u201c]*) \u201c", "\u201e\\1\u201c"),  # German: low quote ... high quote
    (" ' ", "' "),  # an apostrophe without its pair: dogs'
    (' " ', ' "'),  # a quote without its pair opens, its end is still to come
    (" \u201c ", " \u201c"),
    (f" ([,;:!?%)\\]}}\xb0\xbb\u2019\u201d\u2026\u203a{_CJK}]|\\.+)", r"\1"),
    (f"([(\\[{{#$\xa1\xa3\xab\xbf\u2018\u201a\u201e\u2039{_CJK}]) ", r"\1"),
    (" ([/\u2014]) ", r"\1"),  # 8/10, and the dash between two words
)
ASCII_SPACE = " \t\n\v\f\r"  # what tf.strings.strip strips

_ATTACHMENTS = tuple((re.compile(pattern), rewrite) for pattern, rewrite in ATTACHMENTS)
_BREAK = re.compile("[ \t\n]")  # ends a word under every rule
LINE_BREAK = " ?\n ?"  # joined tokens: no space goes beside a line break
_LINE_BREAK = re.compile(LINE_BREAK)


DELETED = "[!-/:-@\\[-`{-~]"  # under "delete": the punctuation marks of ASCII
_DELETED = re.compile(DELETED)


def separator(punctuation: str, keep_line_breaks: bool) -> str:
    """Returns the pattern of one character that ends a word and is dropped."""
    space = WORD_RULES[punctuation].space
    if keep_line_breaks:
        space = space.replace("\t-\r", "\t\v-\r").replace("\n", "")
    return f"[{space}]"


def token(punctuation: str, keep_line_breaks: bool) -> str:
    """Returns the pattern of the next word, mark or line break."""
    return f"{chr(10)}|" * keep_line_breaks + WORD_RULES[punctuation].token


_ASTRAL = re.compile("[\U00010000-\U0010ffff]")


def compiled(pattern: str, text: str) -> re.Pattern:
    """Compiles a pattern for a text, with no more in it than the text needs."""
    return _compiled(pattern, not text.isascii() and _ASTRAL.search(text) is not None)


@functools.cache
def _compiled(pattern, astral):
    return re.compile(pattern if astral else marks.within_bmp(pattern))


def prepare(
    text: str,
    *,
    normalization: str | None,
    lowercase: bool,
    keep_line_breaks: bool,
    delete_punctuation: bool = False,
) -> str:
    r"""Does to a text what comes before it is cut.

    Args:
        text: Any text.
        normalization: `"NFC"` to compose letters and accents, or None.
        lowercase: Whether it is lower-cased.
        keep_line_breaks: Whether every kind of line break becomes a newline character.
        delete_punctuation: Whether the punctuation of ASCII are deleted.

    Returns:
        The text.

    Example:
        >>> prepare("E\u0301", normalization="NFC", lowercase=True, keep_line_breaks=False)
        '\xe9'
    """
    check_text(text)
    if keep_line_breaks and "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    compose = normalization is not None and not text.isascii()
    if compose:
        text = unicodedata.normalize(normalization, text)
    if lowercase:
        text = lower(text)
        if compose:  # some letters are composed in lower case alone
            text = unicodedata.normalize(normalization, text)
    return _DELETED.sub("", text) if delete_punctuation else text


def lower(text: str) -> str:
    """Lower-cases a text code point by code point.

    This is Unicode's simple case mapping: unlike `str.lower` it looks at no neighbour (a capital
    sigma is always \u03c3) and never changes the length (\u0130 becomes a plain i).

    Args:
        text: Any text.

    Returns:
        The text, of the same length, in lower case.

    Example:
        >>> lower("ROMEO and JULIET")
        'romeo and juliet'
    """
    return text.replace("\u0130", "i").replace("\u03a3", "\u03c3").lower()


@functools.cache
def lower_pairs() -> tuple[np.ndarray, np.ndarray]:
    """Returns the table behind `lower`: the code points it changes, and what they become.

    Returns:
        Two int32 arrays of equal length, the first ascending.

    Example:
        >>> upper, lowered = lower_pairs()
        >>> chr(upper[0]), chr(lowered[0])
        ('A', 'a')
    """
    points = np.arange(0x110000, dtype="<u4")
    lowered = code_points(lower(points.tobytes().decode("utf-32-le", "surrogatepass")))
    changed = np.flatnonzero(points != lowered)
    return changed.astype(np.int32), lowered[changed].astype(np.int32)


def code_points(text: str) -> np.ndarray:
    """Returns the code points of a text as an array of unsigned 32-bit integers.

    Args:
        text: Any text.

    Returns:
        Shape `(len(text),)`.

    Example:
        >>> code_points("abc").tolist()
        [97, 98, 99]
    """
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


def character_table(ids: dict[int, int], unknown: int, lowercase: bool) -> np.ndarray:
    """Makes the array that turns code points into ids.

    Args:
        ids: Code point -> id.
        unknown: The id of all others.
        lowercase: Whether a code point stands for its lower case.

    Returns:
        int32 ids by code point, as short as can be: the last entry is unknown and stands for every
        code point beyond.

    Example:
        >>> table = character_table({97: 5}, unknown=-1, lowercase=True)
        >>> table[[65, 97, 98]], len(table)
        (array([ 5,  5, -1], dtype=int32), 99)
    """
    table = np.full(0x110001, unknown, np.int32)
    table[list(ids)] = list(ids.values())
    if lowercase:
        upper, lowered = lower_pairs()
        table[upper] = table[lowered]
    known = np.flatnonzero(table != unknown)
    return table[: known[-1] + 2].copy() if known.size else table[-1:].copy()


def split_words(text: str, punctuation: str, keep_line_breaks: bool = False) -> list[str]:
    """Cuts a text into words.

    Args:
        text: Any text.
        punctuation: The name of a rule in `WORD_RULES`.
        keep_line_breaks: Whether newline characters are tokens too.

    Returns:
        The words, and under "split" the punctuation marks, in their order.

    Example:
        >>> split_words("It's a well-known film: 8/10...", "split")
        ["It's", 'a', 'well-known', 'film', ':', '8', '/', '10', '...']
        >>> split_words("It's a well-known film: 8/10...", "strip")
        ["It's", 'a', 'well', 'known', 'film', '8', '10']
        >>> split_words("NOTE_ON_60 C#4 <num> @-@", "whitespace")
        ['NOTE_ON_60', 'C#4', '<num>', '@-@']
    """
    return compiled(token(punctuation, keep_line_breaks), text).findall(text)


def join_words(words: Iterable[str], punctuation: str) -> str:
    """Puts words together to a readable text.

    Args:
        words: Words and punctuation as `split_words` gives them.
        punctuation: The rule they came from; under "split" marks are attached to their words.

    Returns:
        The text.

    Example:
        >>> join_words(["he", "said", ",", '"', "no", ".", '"'], "split")
        'he said, "no."'
    """
    if punctuation == "split":
        return spacing.join(words)
    text = " ".join(words)
    if punctuation != "split_1":
        return _LINE_BREAK.sub("\n", text) if "\n" in text else text
    text = f" {text} "
    for pattern, rewrite in _ATTACHMENTS:
        text = pattern.sub(rewrite, text)
    return text.strip(ASCII_SPACE)


def after_characters(text: str, count: int) -> str:
    """Returns what stands in a text after so many characters, spaces not counted.

    Example:
        >>> after_characters("he said, no", 6)
        ', no'
    """
    if not count:
        return text
    places = np.flatnonzero(code_points(text) != ord(" "))
    return text[places[count - 1] + 1 :]


def blocks(text: str, size: int = 1 << 20) -> Iterator[str]:
    """Cuts a long text into blocks that break no word, to work through it in little memory.

    Args:
        text: Any text.
        size: The characters after which a block ends at the next white space.

    Yields:
        The blocks, at least one; joined they are the text.

    Example:
        >>> list(blocks("to be or not", size=4))
        ['to be ', 'or not']
    """
    start = 0
    while start + size < len(text) and (found := _BREAK.search(text, start + size)):
        yield text[start : found.end()]
        start = found.end()
    yield text[start:]


def check_text(text: str) -> None:
    """Checks that a text is a `str`.

    Raises:
        InputError: If it is something else, such as `bytes`.
    """
    if not isinstance(text, str):
        raise InputError(f"A text must be a str, not {type(text).__name__}; decode or join it.")


def is_iterable(texts: object) -> bool:
    """Returns whether something can be iterated over; an array without dimensions can not."""
    try:
        iter(texts)
    except TypeError:
        return False
    return True


def count_characters(chunks: Iterable[str], prepared: Callable[[str], str]) -> dict[str, int]:
    """Counts the characters of texts.

    Args:
        chunks: The texts; one at a time is held.
        prepared: What is done to a text first.

    Returns:
        Character -> count, in the order of code points.

    Example:
        >>> count_characters(["To", "be"], lower)
        {'b': 1, 'e': 1, 'o': 1, 't': 1}
    """
    counts = np.zeros(0x110000, np.int64)
    for chunk in chunks:
        check_text(chunk)
        for block in blocks(chunk, 1 << 18):  # blocks that stay in the CPU's cache
            found = np.bincount(code_points(prepared(block)))
            counts[: len(found)] += found
    return {chr(point): int(counts[point]) for point in np.flatnonzero(counts)}


def count_words(chunks: Iterable[str], split: Callable[[str], list[str]]) -> dict[str, int]:
    """Counts the words of texts.

    Args:
        chunks: The texts; one at a time is held.
        split: Cuts a text into words.

    Returns:
        Word -> count, in the order of first sight.

    Example:
        >>> dict(count_words(["to be", "or not", "to be"], str.split))
        {'to': 2, 'be': 2, 'or': 1, 'not': 1}
    """
    counts = Counter()
    for chunk in chunks:
        check_text(chunk)
        for block in blocks(chunk):
            counts.update(split(block))
    return counts
