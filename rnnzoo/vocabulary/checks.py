"""What a vocabulary may be made of: texts, rules and tokens that make sense."""

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

from rnnzoo.errors import InputError, check_positive, unknown_name
from rnnzoo.vocabulary import subwords, text_rules

SPECIAL_TOKENS = ("<pad>", "<start>", "<unk>", "<end>")
LEVELS = ("character", "word", "subword")
NORMALIZATIONS = ("NFC", None, "auto")
_LOOKS_LIKE_A_PATH = re.compile(
    r"[^\s]{1,4000}\.(txt|text|jsonl|json|csv|tsv|md|tokens)(\.gz)?", re.I
)
_READ = ", for example with `rnnzoo.data.corpora.load(path).text`."


def texts_of(text: str | Iterable[str]) -> Iterable[str]:
    """A text or texts as texts; a path, which is none, is refused."""
    if isinstance(text, os.PathLike):
        raise InputError(f"{text} is a path, not a text; read it first{_READ}")
    if isinstance(text, str):
        _check_no_path(text, _LOOKS_LIKE_A_PATH.fullmatch(text) is not None)
        return [text]
    if not text_rules.is_iterable(text):
        raise InputError(f"A text must be a str or an iterable of str, not {text!r:.80}.")
    return _without_paths(text)


def _without_paths(texts):
    for text in texts:
        if isinstance(text, os.PathLike):
            raise InputError(f"{text} is a path, not a text; read it first{_READ}")
        if isinstance(text, str) and _LOOKS_LIKE_A_PATH.fullmatch(text):
            _check_no_path(text, False)
        yield text


def _check_no_path(text, refused):
    """Refuses the name of a file in the place of its text."""
    try:
        refused = refused or (len(text) < 4096 and "\n" not in text and os.path.isfile(text))
    except ValueError:  # a NUL character
        pass
    if refused:
        raise InputError(f"{text!r} is the name of a file, not a text; read it first{_READ}")


def check_rule(
    level: str, *, punctuation: str | None, normalization: str | None, keep_line_breaks: bool
) -> None:
    """Refuses a rule that cuts no text, or not as it says."""
    if level not in LEVELS:
        raise unknown_name("level", level, LEVELS)
    if punctuation not in tuple(text_rules.WORD_RULES):
        raise unknown_name("punctuation rule", punctuation, text_rules.WORD_RULES)
    if normalization not in NORMALIZATIONS:
        raise InputError(
            f'`normalization` must be "NFC", None or "auto", not {normalization!r}; NFKC and the '
            "like would change what the text says."
        )
    if keep_line_breaks and punctuation == "split_1":
        raise InputError(
            'The rule "split_1" is that of old files and keeps no line breaks; use "split".'
        )


def is_composed(token: str) -> bool:
    """Whether a token is in NFC and stays so beside any other.

    Combining marks (categories M), and the vowels and end consonants of Hangul, join what is
    before them.
    """
    if token.isascii():
        return True
    joins = any(unicodedata.category(c)[0] == "M" or "\u1160" <= c <= "\u11ff" for c in token)
    return not joins and unicodedata.is_normalized("NFC", token)


def check_normalized(tokens: Iterable[str], form: str) -> None:
    """Refuses tokens that no normalized text has."""
    for token in tokens:
        if isinstance(token, str) and not unicodedata.is_normalized(form, token):
            raise InputError(
                f"The token {token!r} is not in {form}, so that no text would have it; normalize "
                "the tokens, or give `normalization=None`."
            )


def check_tokens(tokens: tuple[str, ...], level: str) -> None:
    """Refuses tokens that are no text, none of the level, or there twice."""
    for token in tokens:
        if not isinstance(token, str) or not token or re.search("[\ud800-\udfff]", token):
            raise InputError(f"A token must be a str of valid Unicode, not empty; not {token!r}.")
        if level == "character" and len(token) > 1 and token not in SPECIAL_TOKENS:
            raise InputError(
                f"Tokens of level 'character' are single characters or {', '.join(SPECIAL_TOKENS)},"
                f' not {token!r}; words need `level="word"`.'
            )
    if level == "subword" and subwords.SPACE not in tokens:
        raise InputError(
            f"The tokens of level 'subword' must have {subwords.SPACE!r} among them, which stands "
            "for white space; make them with `Vocabulary.from_text`."
        )
    if len(set(tokens)) < len(tokens):
        token, count = Counter(tokens).most_common(1)[0]
        raise InputError(f"The token {token!r} occurs {count} times; each may occur once.")


def count_of_symbols(size: int | None, special_tokens: Sequence[str]) -> int | None:
    """How many symbols a vocabulary of so many tokens has; `None` for any number."""
    check_positive(size=size)
    least = len(special_tokens) + 2
    if size is not None and size < least:
        raise InputError(
            f"`size` must be at least {least}, not {size}: {least - 2} special tokens, 2 symbols."
        )
    return None if size is None else size - len(special_tokens)
