"""The texts of tokens, one by one."""

from collections.abc import Sequence

from rnnzoo.vocabulary import Vocabulary

CONTEXT = 8  # so many tokens before one are enough to know whether a space belongs between


def pieces(vocabulary: Vocabulary, ids: Sequence[int]) -> list[str]:
    """Returns the text that each token adds to those before it.

    Args:
        vocabulary: The vocabulary.
        ids: The tokens of a text.

    Returns:
        The texts; together they are the text. Those of padding, start and end are empty.

    Example:
        >>> vocabulary = Vocabulary.from_text("to be", level="word")
        >>> pieces(vocabulary, vocabulary.encode("to be"))
        ['to', ' be']
    """
    return [piece(vocabulary, token, ids[:at]) for at, token in enumerate(ids)]


def piece(vocabulary: Vocabulary, token: int, before: Sequence[int]) -> str:
    """Returns the text that one token adds to those before it."""
    return vocabulary.decode([token], after=before[-CONTEXT:])


def token_texts(vocabulary: Vocabulary | None, ids: Sequence[int]) -> list[str]:
    """Returns a text for each token that can be shown: special tokens by their names.

    Without a vocabulary it is the id.
    """
    if vocabulary is None:
        return [str(token) for token in ids]
    texts = pieces(vocabulary, ids)
    return [text or vocabulary.tokens[token] for text, token in zip(texts, ids, strict=True)]


def alternative_texts(
    vocabulary: Vocabulary | None, ids: Sequence[int], others: Sequence[Sequence[int]]
) -> list[list[str]]:
    """Returns the texts of other tokens in the place of each; none for ids below 0."""
    if vocabulary is None:
        return [[str(token) for token in row if token >= 0] for row in others]
    return [
        [
            piece(vocabulary, token, ids[:at]) or vocabulary.tokens[token]
            for token in row
            if token >= 0
        ]
        for at, row in enumerate(others)
    ]
