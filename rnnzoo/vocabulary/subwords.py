"""Subwords: text cut into parts of words by byte-pair encoding, and put together again.

A text becomes units (a word or one punctuation mark, with the white space before it as the symbol
U+2581), a unit its characters, and these are joined again as long as a join is a token: always the
join with the lowest id, the leftmost first (Sennrich, Haddow and Birch, ACL 2016, arXiv:1508.07909,
with the id of the joined token as the rank of a merge). So the list of tokens alone says how a text
is cut.
"""

import functools
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise

from rnnzoo.errors import InputError
from rnnzoo.vocabulary import text_rules

SPACE = "\u2581"  # stands for white space, and for itself, as in SentencePiece
LINE_START = "\n +"  # a line begins without a space
LONGEST_UNIT = 64  # characters: a longer one is cut there first, so that cutting stays fast

_LINE_START = re.compile(LINE_START)


def patterns(punctuation: str, keep_line_breaks: bool) -> tuple[tuple[tuple[str, str], ...], str]:
    """Returns how a text becomes units; Python and RE2 read the patterns alike.

    Args:
        punctuation: The name of a rule in `text_rules.WORD_RULES`: under "whitespace" a unit is
            all up to the next white space.
        keep_line_breaks: Whether a newline character is a unit.

    Returns:
        Patterns and their replacements, to be applied in this order after a SPACE was put before
        the text; and the pattern of a unit.
    """
    unit = f"{SPACE}?{text_rules.WORD_RULES[punctuation].unit}"
    if not keep_line_breaks:
        return ((f"[{text_rules.SPACE}{SPACE}]+", SPACE),), unit
    blank = f"[{text_rules.SPACE}{SPACE}]".replace("\t-\r", "\t\v-\r")
    # A line begins as a text does, so that its first word is the same token.
    return ((f"{blank}*\n{blank}*", f"\n{SPACE}"), (f"{blank}+", SPACE)), f"\n|{unit}"


@functools.cache
def _compiled(punctuation, keep_line_breaks):
    steps, unit = patterns(punctuation, keep_line_breaks)
    return [(re.compile(pattern), rewrite) for pattern, rewrite in steps], unit


def units(text: str, punctuation: str = "split", keep_line_breaks: bool = False) -> list[str]:
    """Cuts a text into words and punctuation marks, each with the white space before it.

    Args:
        text: Any text.
        punctuation: As in `patterns`.
        keep_line_breaks: As in `patterns`.

    Returns:
        The units: joined they are the text, but for what kind of white space it was and for that
        at its end.

    Example:
        >>> units("No,  it's so!")
        ['▁No', ',', "▁it's", '▁so', '!']
    """
    steps, unit = _compiled(punctuation, keep_line_breaks)
    text = SPACE + text
    for pattern, rewrite in steps:
        text = pattern.sub(rewrite, text)
    return [
        found[start : start + LONGEST_UNIT]
        for found in text_rules.compiled(unit, text).findall(text)
        if found != SPACE  # what was at the end
        for start in range(0, len(found), LONGEST_UNIT)
    ]


def cut(unit: str, ids: Mapping[str, int]) -> list[str]:
    """Cuts a unit into subwords.

    Args:
        unit: The unit.
        ids: The tokens and their ids.

    Returns:
        The subwords, which joined are the unit. Those longer than a character are tokens; a single
        character may be none.

    Example:
        >>> cut("lower", {"l": 0, "o": 1, "w": 2, "e": 3, "er": 4, "lo": 5, "low": 6})
        ['low', 'er']
    """
    subwords = list(unit)
    never = sys.maxsize
    while len(subwords) > 1:
        ranks = [ids.get(left + right, never) for left, right in pairwise(subwords)]
        best = min(ranks)
        if best == never:
            break
        place = ranks.index(best)
        subwords[place : place + 2] = [subwords[place] + subwords[place + 1]]
    return subwords


def join(subwords: Iterable[str]) -> str:
    """Joins subwords to a text.

    Example:
        >>> join(["▁un", "known", ",", "▁so"])
        'unknown, so'
    """
    text = "".join(subwords).replace(SPACE, " ").strip(" ")
    return _LINE_START.sub("\n", text) if "\n" in text else text


def learn(
    texts: Iterable[str],
    *,
    size: int | None,
    special_tokens: Sequence[str],
    cut_units: Callable[[str], list[str]],
) -> list[str]:
    """Learns tokens by byte-pair encoding, with the library `tokenizers`.

    Args:
        texts: The texts.
        size: The number of tokens with the special ones; fewer come out when the texts have no
            more pairs to join.
        special_tokens: The tokens that come first.
        cut_units: Cuts a text into units, such as `units`.

    Returns:
        The special tokens, all characters by code point, then the joins, in the order in which
        they were learned.

    Raises:
        InputError: If `size` is missing or is too small for the characters, or `tokenizers` is not
            installed.
    """
    if size is None:
        raise InputError(
            "Subwords need a `size`, the number of ids with the special tokens; 10,000 suits some "
            "ten thousand sentences."
        )
    try:
        import tokenizers
    except ImportError as error:
        raise InputError(
            "Learning subwords needs the package tokenizers: `pip install tokenizers`; "
            "a vocabulary that is there already does without."
        ) from error

    def spaced():
        for text in texts:
            text_rules.check_text(text)
            if half := re.search("[\ud800-\udfff]", text):
                raise InputError(
                    f"The text has {half[0]!r}, half of a pair that is no character, after "
                    f"{half.start():,} characters; take it out."
                )
            for block in text_rules.blocks(text):
                yield " ".join(cut_units(block))

    learner = tokenizers.Tokenizer(tokenizers.models.BPE())
    learner.pre_tokenizer = tokenizers.pre_tokenizers.Split(" ", "removed")
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=size, special_tokens=list(special_tokens), show_progress=False
    )
    learner.train_from_iterator(spaced(), trainer)
    ids = learner.get_vocab()
    if len(ids) > size:
        raise InputError(
            f"`size` must be at least {len(ids)}, not {size}: {len(special_tokens)} special tokens "
            f"and the text's {len(ids) - len(special_tokens)} different characters."
        )
    return sorted(ids, key=ids.get)
