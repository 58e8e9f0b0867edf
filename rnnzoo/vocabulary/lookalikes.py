"""Characters that a vocabulary lacks, and those that look alike and that it has."""

import unicodedata
from collections.abc import Iterable

from rnnzoo.vocabulary.vocabulary import Vocabulary

# Characters, and what they may become; the first that a vocabulary has is taken.
_ALIKE = (
    ("\u2019\u2018\u201b\u02bc\u2032\xb4`'", ("'", "\u2019", "\u2018")),
    ('\u201d\u201c\u201e\u201f\u2033\xab\xbb"', ('"', "\u201d", "\u201c")),
    ("\u2010\u2011\u2012\u2212-", ("-", "\u2010")),
    ("\u2013", ("-", "\u2014")),
    ("\u2014\u2015", ("\u2014", "--", "\u2013")),
    ("\u2026", ("...",)),
    ("\xa0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u3000", (" ",)),
    ("\u2028\u2029\x0c", ("\n",)),
)


def lookalikes(characters: Iterable[str], vocabulary: Vocabulary) -> dict[str, str]:
    """Finds what a vocabulary has in the place of characters that it lacks.

    Quotation marks, dashes, ellipses and spaces of other kinds, ligatures and full-width forms
    have others that look alike; letters with other accents, or of other scripts, have none.

    Args:
        characters: Characters, such as those of a text.
        vocabulary: The vocabulary.

    Returns:
        What each should become, for those that are lacking and have a look-alike.

    Example:
        >>> lookalikes("“a–b… é”", Vocabulary.from_text('a-b "..."'))
        {'–': '-', '“': '"', '”': '"', '…': '...'}
    """
    known = set("".join(vocabulary.tokens))
    if vocabulary.level != "character":
        known.add(" ")  # cuts words
    if vocabulary.lowercase:
        known |= {character.upper() for character in known}
    found = {}
    for character in sorted(set(characters) - known):
        alike = [other for some, others in _ALIKE if character in some for other in others]
        alike.append(unicodedata.normalize("NFKC", character))
        for other in alike:
            if other != character and set(other) <= known:
                found[character] = other
                break
    return found


def fold_lookalikes(text: str, vocabulary: Vocabulary) -> str:
    """Replaces the characters that a vocabulary lacks by such that look alike and that it has.

    So a text with curly quotes suits a model that was trained on straight ones. What has no
    look-alike stays.

    Args:
        text: Any text.
        vocabulary: The vocabulary of the model to go on with.

    Returns:
        The text.

    Example:
        >>> fold_lookalikes("“It is me…”", Vocabulary.from_text('"It is me."'))
        '"It is me..."'
    """
    return text.translate(str.maketrans(lookalikes(text, vocabulary)))
