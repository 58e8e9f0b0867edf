"""The texts of tokens, one by one."""

from collections.abc import Iterator, Sequence

from rnnzoo.vocabulary import Vocabulary, spacing

CONTEXT = 8  # so many tokens before one, or more, say whether a space belongs between


def added_texts(vocabulary: Vocabulary, ids: Sequence[int]) -> list[str]:
    """Returns the text that each token adds to those before it.

    Args:
        vocabulary: The vocabulary.
        ids: The tokens of a text.

    Returns:
        The texts; together they are the text. Those of padding, start and end are empty.

    Example:
        >>> vocabulary = Vocabulary.from_text("to be", level="word")
        >>> added_texts(vocabulary, vocabulary.encode("to be"))
        ['to', ' be']
    """
    if vocabulary.level != "word":
        contexts = _contexts(vocabulary, ids)
        return [
            vocabulary.decode([token], after=before)
            for token, before in zip(ids, contexts, strict=True)
        ]
    silent = (vocabulary.pad_id, vocabulary.start_id, vocabulary.end_id)
    text, end, found = vocabulary.decode(ids), 0, []
    for token in ids:  # the text has them one after the other, and nothing but spaces between
        start, word = end, "" if token in silent else vocabulary.tokens[token]
        end = text.index(word, start) + len(word)
        found.append(text[start:end])
    return found


def _contexts(vocabulary: Vocabulary, ids: Sequence[int]) -> Iterator[Sequence[int]]:
    """Yields, for each token, as many of those before it as decide on the space between."""
    quotes = vocabulary.level == "word" and vocabulary.punctuation == "split"
    start, cut = 0, 2 * CONTEXT
    for at in range(len(ids)):
        if at == cut:
            last = at - start - CONTEXT
            if quotes:
                last = spacing.last_start([vocabulary.tokens[i] for i in ids[start:at]], last)
            start, cut = start + last, at + CONTEXT
        yield ids[start:at]


def token_texts(vocabulary: Vocabulary | None, ids: Sequence[int]) -> list[str]:
    """Returns a text for each token that can be shown: special tokens by their names.

    Without a vocabulary it is the id.
    """
    if vocabulary is None:
        return [str(token) for token in ids]
    texts = added_texts(vocabulary, ids)
    return [text or vocabulary.tokens[token] for text, token in zip(texts, ids, strict=True)]


def alternative_texts(
    vocabulary: Vocabulary | None, ids: Sequence[int], others: Sequence[Sequence[int]]
) -> list[list[str]]:
    """Returns the texts of other tokens in the place of each; none for ids below 0."""
    if vocabulary is None:
        return [[str(token) for token in row if token >= 0] for row in others]
    return [
        [
            vocabulary.decode([token], after=before) or vocabulary.tokens[token]
            for token in row
            if token >= 0
        ]
        for before, row in zip(_contexts(vocabulary, ids), others, strict=True)
    ]
