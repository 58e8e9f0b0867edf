"""S2's reviews: the ids of `keras.datasets.imdb`, as rows that the network reads."""

from typing import NamedTuple

import keras
import numpy as np

from rnnzoo import Vocabulary
from rnnzoo.data import corpora

PAD, START, UNKNOWN = 0, 1, 2
SPECIAL = ("<PAD>", "<START>", "<UNK>", "<UNUSED>")  # as the document spells them


class Batchable(NamedTuple):
    """Reviews as the network reads them, `(reviews, sequence_length)` each."""

    tokens: np.ndarray  # int32
    targets: np.ndarray  # int32
    is_word: np.ndarray  # bool: the target is a word, neither padding nor the last `<START>`
    was_cut: np.ndarray  # (reviews,) bool


class Reviews(NamedTuple):
    """The corpus, its word index and its reviews."""

    corpus: corpora.Corpus
    vocabulary: Vocabulary  # of the whole index; the id 3, `<UNUSED>`, is our `<end>`
    word_index: str  # where it is from
    train: Batchable
    test: Batchable
    test_split: str


def load_reviews(data_dir, num_words, sequence_length, test_reviews):
    """Loads the reviews as ids.

    All 25,000 training reviews are for training, where the source has test reviews too. Else the
    validation split of `corpora.load("imdb_reviews")` takes the place of the test.

    Args:
        data_dir: A folder that has the corpus.
        num_words: As in Keras: ids from there on become `<UNK>`.
        sequence_length: Ids of a review.
        test_reviews: How many of the test reviews, which come in a random order, to read.

    Returns:
        `Reviews`.
    """
    corpus = corpora.load("imdb_reviews", data_dir=data_dir, clean=False)  # "br" is a word there
    train, test, test_split = corpus.documents, corpus.validation, "validation"
    if "test" in corpus.splits:
        train, test, test_split = [*train, *test], corpus.test, "test"
    word_index = corpora.keras_imdb_word_index(data_dir)
    if word_index is None:
        source = f"counted in the {len(train):,} training reviews"
        vocabulary = Vocabulary.from_text(train, "word", lowercase=True, punctuation="strip")
    else:
        source = "Keras's own (imdb_word_index.json)"
        vocabulary = Vocabulary.from_word_index(word_index)
    batchable = (
        pad([keras_ids(vocabulary, text, num_words) for text in texts], sequence_length)
        for texts in (train, test[:test_reviews])
    )
    return Reviews(corpus, vocabulary, source, *batchable, test_split=test_split)


def keras_ids(vocabulary, text, num_words):
    """The ids of a review as `keras.datasets.imdb` has them; words beyond its index are left out.

    Args:
        vocabulary: The `Vocabulary` of the whole index.
        text: The review.
        num_words: Ids from there on become `<UNK>`.

    Returns:
        int32 ids, `<START>` first.
    """
    ids = vocabulary.encode(text)
    ids = ids[ids != UNKNOWN]
    return np.concatenate([[START], np.where(ids < num_words, ids, UNKNOWN)]).astype("int32")


def pad(documents, length):
    """Makes the rows that the network reads: padded behind, cut in front, moved on by one.

    Args:
        documents: Lists of ids.
        length: Ids of a row.

    Returns:
        `Batchable`.

    Example:
        >>> rows = pad([[1, 7, 8], [1, 4, 5, 6, 7]], 4)
        >>> rows.tokens.tolist()
        [[1, 7, 8, 0], [4, 5, 6, 7]]
        >>> rows.targets.tolist()
        [[7, 8, 0, 1], [5, 6, 7, 1]]
    """
    tokens = keras.utils.pad_sequences(documents, maxlen=length, padding="post", value=PAD)
    targets = np.full_like(tokens, START)
    targets[:, :-1] = tokens[:, 1:]
    is_word = targets != PAD
    is_word[:, -1] = False
    return Batchable(
        tokens, targets, is_word, was_cut=np.array([len(ids) > length for ids in documents])
    )


def decode_review(vocabulary, ids):
    """Ids as text, special ones too; ids that no word has read `<UNUSED>`."""
    tokens = dict(enumerate((*SPECIAL, *vocabulary.tokens[len(SPECIAL) :])))
    return " ".join(tokens.get(int(index), SPECIAL[3]) for index in ids)
