"""Naive Bayes: what counting words says of a text's label, to compare a classifier with."""

import itertools
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

WORD = re.compile(r"\w+")


def naive_bayes(train: Sequence[tuple[str, str]], test: Sequence[tuple[str, str]]) -> float:
    """Computes the accuracy of multinomial naive Bayes on words and pairs of neighbouring words.

    Texts are lower-cased; each word or pair counts once a text, and one is added to all counts.

    Args:
        train: Texts with their labels.
        test: The same, to measure on.

    Returns:
        The share of the texts of `test` whose most probable label is the right one.

    Example:
        >>> train = [("good fun", "yes"), ("good film", "yes"), ("bad film", "no")]
        >>> naive_bayes(train, [("a good one", "yes"), ("so bad", "no")])
        1.0

    Reference:
        Wang and Manning, "Baselines and Bigrams: Simple, Good Sentiment and Topic Classification",
        ACL 2012.
    """
    labels = sorted({label for _, label in train})
    counts = {label: Counter() for label in labels}
    for text, label in train:
        counts[label].update(_features(text))
    known = set().union(*counts.values())
    total = {label: sum(counts[label].values()) + len(known) for label in labels}
    of_label = Counter(label for _, label in train)
    right = 0
    for text, label in test:
        found = _features(text) & known
        scores = [
            np.log(of_label[each])
            + sum(np.log(counts[each][feature] + 1) for feature in found)
            - len(found) * np.log(max(total[each], 1))
            for each in labels
        ]
        right += labels[int(np.argmax(scores))] == label
    return right / len(test)


def _features(text):
    """The words of a text and the pairs of neighbours."""
    words = WORD.findall(text.lower())
    return {*words, *itertools.pairwise(words)}
