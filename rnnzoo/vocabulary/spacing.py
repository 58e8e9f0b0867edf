r"""Where a space goes between two tokens: words and punctuation put together to a readable text.

Each token has a class, one letter. Regular expressions, which Python's `re` and RE2 read alike,
decide on the string of these letters which quotation marks open and which close; then the classes
of two neighbours alone say whether a space stands between them. Nothing looks ahead, so that a
text only grows while it is written token by token.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence

from rnnzoo.vocabulary import marks

_CJK = "\u3001\u3002\u3008-\u3011\uff01\uff0c\uff1a\uff1b\uff1f"  # marks set without spaces
_OPENING = re.compile("[(\\[{#$\xa1\xa3\xab\xbf\u2018\u201a\u2039]")
_CLOSING = re.compile(
    "[,;:!?%)\\]}\xb0\xbb\u2019\u201d\u2026\u203a\u060c\u061b\u061f\u06d4\u0964\u0965]"
)
_BOTH = re.compile(f"[/\u2014{_CJK}]")  # 8/10, and the dash between two words
_DOTS = re.compile("\\.+")
_CLINGING = re.compile(f"[{marks.MODIFIERS}{marks.JOINER}]")  # would be part of a mark before it
_QUOTES = {"'": "A", '"': "Q", "\u201e": "L", "\u201c": "H", "\n": "N"}

# Applied in this order to the string of classes. An apostrophe closes what one opened before it;
# else it stays with a word in s (the dogs' bone), or opens. The high quote \u201c closes a low one
# (German) or opens (English).
PASSES = (
    ("sA", "sP"),
    ("A([^AP]*)[AP]", r"O\1C"),
    ("A", "O"),
    ("P", "C"),
    ("Q([^Q]*)Q", r"O\1C"),
    ("L([^LH]*)H", r"O\1C"),
    ("[QLH]", "O"),
)
# No space stands after a class of the first or before one of the second, with two exceptions:
# before a class in ALONE, and between dots.
NONE_AFTER, NONE_BEFORE, ALONE, DOTS = "OBN", "CBDN", "M", "D"

_PAIRS = tuple((re.compile(PASSES[i][0]), PASSES[i][1]) for i in (0, 1, 4, 5))  # of both marks
_PASSES = tuple((re.compile(pattern), rewrite) for pattern, rewrite in PASSES)


def token_class(token: str) -> str:
    """Returns the class of a token.

    Args:
        token: A word or a mark.

    Returns:
        One letter: O opens (no space after it), C closes (none before it), B both, D dots, N a
        line break, A Q L H a quotation mark, s a word that ends in s, M what would join the mark
        before it, w any other.

    Example:
        >>> [token_class(token) for token in ["(", "Yes", ",", "...", '"']]
        ['O', 's', 'C', 'D', 'Q']
    """
    if token in _QUOTES:
        return _QUOTES[token]
    for pattern, letter in ((_OPENING, "O"), (_CLOSING, "C"), (_BOTH, "B"), (_DOTS, "D")):
        if pattern.fullmatch(token):
            return letter
    if _CLINGING.match(token) or unicodedata.category(token[0])[0] == "M":
        return "M"
    return "s" if token[-1] in "sS" else "w"


def join(tokens: Iterable[str]) -> str:
    """Puts words and punctuation together to a readable text.

    Args:
        tokens: As `text_rules.split_words` gives them.

    Returns:
        The text. It begins with the text of fewer of the tokens.

    Example:
        >>> join(["he", "said", ",", '"', "no", ".", '"'])
        'he said, "no."'
    """
    tokens: Sequence[str] = list(tokens)
    classes = "".join(map(token_class, tokens))
    for pattern, rewrite in _PASSES:
        classes = pattern.sub(rewrite, classes)
    parts = tokens[:1]
    for i in range(1, len(tokens)):
        left, right = classes[i - 1], classes[i]
        near = (left in NONE_AFTER or right in NONE_BEFORE) and right not in ALONE
        if not near or left == right == DOTS:
            parts.append(" ")
        parts.append(tokens[i])
    return "".join(parts)


def last_start(tokens: Sequence[str], most: int) -> int:
    """Returns the last place from which on tokens are joined as if nothing was before them.

    It stands where no quotation mark is open, and before a plain word.

    Args:
        tokens: The tokens.
        most: The place is at most this, and little before it.

    Returns:
        A place; 0 where there is no other.

    Example:
        >>> last_start(["say", "it", "'", "no", ".", "'", "twice"], 4)
        1
    """
    classes = "".join(map(token_class, tokens))
    for place in range(most, max(most - 256, 0), -1):
        if classes[place] == "w" and not _has_open_quote(classes[:place]):
            return place
    return 0


def _has_open_quote(classes: str) -> bool:
    """Whether a mark of so many tokens may pair with one that follows."""
    for pattern, rewrite in _PAIRS:
        classes = pattern.sub(rewrite, classes)
    return any(letter in "AQLH" for letter in classes)
