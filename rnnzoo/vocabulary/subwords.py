"""Subwords: text cut into pieces of words by byte-pair encoding, and put together again.

A text becomes units (a word or one mark, with the white space before it as the symbol U+2581), a
unit its characters, and these are joined again as long as a join is a token: always the join with
the lowest id, the leftmost first (Sennrich, Haddow and Birch, ACL 2016, arXiv:1508.07909, with the
id of the joined token as the rank of a merge). So the list of tokens alone says how a text is cut.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from rnnzoo.errors import InputError
from rnnzoo.vocabulary import text_rules

# Applied in this order, after a SPACE was put before the text; Python and RE2 read them alike.
SPACE = "\u2581"  # stands for white space, and for itself, as in SentencePiece
WHITE_SPACE = f"[{text_rules.SPACE}{SPACE}]+"
UNIT = f"{SPACE}?(?:{text_rules.WORD}|[{text_rules.MARKS}])"
LONGEST_UNIT = 64  # characters: a longer one is cut there first, so that cutting stays fast

_WHITE_SPACE, _UNIT = re.compile(WHITE_SPACE), re.compile(UNIT)


def units(text: str) -> list[str]:
    """Cuts a text into words and marks, each with the white space before it.

    Args:
        text: Any text.

    Returns:
        The units: joined they are the text, but for what kind of white space it was and for that
        at its end.

    Example:
        >>> units("No,  it's so!")
        ['▁No', ',', "▁it's", '▁so', '!']
    """
    found = _UNIT.findall(_WHITE_SPACE.sub(SPACE, SPACE + text))
    return [
        unit[start : start + LONGEST_UNIT]
        for unit in found
        if unit != SPACE  # what was at the end
        for start in range(0, len(unit), LONGEST_UNIT)
    ]


def cut(unit: str, ids: Mapping[str, int]) -> list[str]:
    """Cuts a unit into pieces.

    Args:
        unit: The unit.
        ids: The tokens and their ids.

    Returns:
        The pieces, joined the unit. Those longer than a character are tokens; a single character
        may be none.

    Example:
        >>> cut("lower", {"l": 0, "o": 1, "w": 2, "e": 3, "er": 4, "lo": 5, "low": 6})
        ['low', 'er']
    """
    pieces = list(unit)
    never = len(ids)
    while len(pieces) > 1:
        ranks = [ids.get(left + right, never) for left, right in pairwise(pieces)]
        best = min(ranks)
        if best == never:
            break
        place = ranks.index(best)
        pieces[place : place + 2] = [pieces[place] + pieces[place + 1]]
    return pieces


def join(pieces: Iterable[str]) -> str:
    """Puts pieces together to a text.

    Example:
        >>> join(["▁un", "known", ",", "▁so"])
        'unknown, so'
    """
    return "".join(pieces).replace(SPACE, " ").strip(text_rules.ASCII_SPACE)


def learn(
    texts: Iterable[str], size: int | None, special_tokens: Sequence[str], lowercase: bool
) -> list[str]:
    """Learns tokens by byte-pair encoding, with the library `tokenizers`.

    Args:
        texts: The texts.
        size: The number of tokens with the special ones; fewer come out when the texts have no
            more pairs to join.
        special_tokens: The tokens that come first.
        lowercase: Whether the texts are lower-cased first.

    Returns:
        The special tokens, all characters by code point, then the joins, in the order in which
        they were learned.

    Raises:
        InputError: If `size` is missing or has no room for the characters, or `tokenizers` is not
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
            "Learning subwords needs the package tokenizers: `pip install 'rnnzoo[translation]'`; "
            "a vocabulary that is there already does without."
        ) from error

    def spaced():
        for text in texts:
            text_rules.check_text(text)
            for block in text_rules.blocks(text):
                yield " ".join(units(text_rules.lower(block) if lowercase else block))

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
