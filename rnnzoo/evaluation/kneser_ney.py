"""Interpolated modified Kneser-Ney: the n-gram model that a recurrent one should beat."""

import hashlib
import json
import math
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rnnzoo.errors import InputError, check_positive
from rnnzoo.files import atomic_path

# Part of the cache's key: raise it whenever a change here changes the figures.
CODE_VERSION = 1

# Where too few counts are there to estimate discounts from (KenLM falls back to the same).
FALLBACK_DISCOUNTS = (0.5, 1.0, 1.5)


@dataclass
class _Level:
    """The k-grams of one k >= 2, sorted by context and then by word.

    Attributes:
        keys: (G + 1,) int64, context * vocabulary_size + word, where the context is the number of
            the (k-1)-gram; the last is a sentinel above all keys.
        mass: (G + 1,) float64, discounted probability of each k-gram; 0 for the sentinel.
        backoff: (contexts + 1,) float64, the share that a context leaves to the lower order; the
            last, which index -1 finds, is 1: an unseen context leaves everything.
    """

    keys: np.ndarray
    mass: np.ndarray
    backoff: np.ndarray

    def find(self, keys: np.ndarray) -> np.ndarray:
        """Numbers of the k-grams with these keys, -1 where there is none."""
        places = np.searchsorted(self.keys, keys)
        return np.where(self.keys[places] == keys, places, -1)


class KneserNey:
    """Interpolated modified Kneser-Ney n-gram model (Chen and Goodman 1999, section 3).

    With c the context, c' the context less its first token, and a the count of a k-gram:

        p_k(w | c) = max(a(c w) - D(a(c w)), 0) / sum_v a(c v) + gamma(c) p_{k-1}(w | c')

    gamma(c) is the mass that the discounts took from context c, so every distribution sums to
    one. The unigram is interpolated with the uniform distribution over the words that can be
    predicted: all but the pad and start ids. Unknown words count as one ordinary word. The
    choices that the paper leaves open:

    - The highest order counts occurrences. A lower order counts the different tokens seen before
      a k-gram ("continuation counts"), but a k-gram that begins with the start id, before which
      nothing can stand, keeps its number of occurrences (as in SRILM and KenLM).
    - Each order has three discounts, for counts of 1, 2 and 3 or more, estimated from the numbers
      n1..n4 of k-grams that have counts of 1..4 in that order. Where one of n1..n4 is 0, or a
      discount D_j falls outside 0 < D_j <= j, as may happen in tiny or closed corpora, the order
      uses 0.5, 1.0 and 1.5. `discounts` and `discounts_estimated` tell.
    - Contexts stay inside their document. The start id stands once in front, is a context but is
      never predicted, and near it contexts are shorter: the first word is predicted from (start)
      alone, the second from (start, first word), whatever the order.

    Contexts are numbered order by order and n-grams counted by sorting, so that keys never
    overflow: on one x86-64 core 5.3 million tokens took 2 seconds as trigrams and 5 as 5-grams,
    and about 0.5 and 1 GB.

    Args:
        vocabulary_size: Number of ids, specials included.
        order: Longest n-gram: 2 for bigrams, 3 for trigrams. Defaults to 3.
        pad_id: Id that never occurs, or `None`. Defaults to 0.
        start_id: Id at the start of every document. Defaults to 1.
        end_id: Id at the end of every document. Defaults to 3.

    Attributes:
        discounts: After `fit`, for each order from 1 up, its (D1, D2, D3).
        discounts_estimated: For each order from 1 up, whether they come from the counts.

    Raises:
        InputError: If a size or an id is out of range, or the ids are not different.

    Example:
        >>> documents = [[1, 4, 5, 3], [1, 4, 4, 3]]
        >>> model = KneserNey(vocabulary_size=6, order=2).fit(documents)
        >>> round(model.perplexity([[1, 5, 3]]), 3)
        3.663
    """

    def __init__(
        self,
        vocabulary_size: int,
        order: int = 3,
        *,
        pad_id: int | None = 0,
        start_id: int = 1,
        end_id: int = 3,
    ):
        check_positive(vocabulary_size=vocabulary_size, order=order)
        specials = [i for i in (pad_id, start_id, end_id) if i is not None]
        in_range = all(0 <= i < vocabulary_size for i in specials)
        if not in_range or len(set(specials)) < len(specials):
            raise InputError(
                f"`pad_id`, `start_id` and `end_id` must be different ids below the vocabulary's "
                f"size of {vocabulary_size}, not {pad_id}, {start_id} and {end_id}."
            )
        self.vocabulary_size = int(vocabulary_size)
        self.order = int(order)
        self.pad_id, self.start_id, self.end_id = pad_id, start_id, end_id
        self._unigram: np.ndarray | None = None  # (V,) probabilities
        self._levels: list[_Level] = []  # orders 2, 3, ...

    def fit(self, documents: Sequence[np.ndarray]) -> "KneserNey":
        """Counts the n-grams of documents and estimates the discounts.

        Args:
            documents: Integer ids, a one-dimensional sequence for each document, each with the
                start id first and the end id last.

        Returns:
            The model itself.

        Raises:
            InputError: If there is no document, or one is not of that form.
        """
        tokens, positions = self._flatten(documents)
        keys_of, counts_of = [], []  # for each order: keys (but for unigrams), counts
        grams = tokens  # (N,) number of the k-gram that ends at each token; k = 1: the token
        counts = np.bincount(tokens, minlength=self.vocabulary_size)  # occurrences
        for k in range(2, self.order + 1):
            inside = np.flatnonzero(positions >= k - 1)  # ends of k-grams
            keys, numbers = np.unique(
                grams[inside - 1] * self.vocabulary_size + tokens[inside], return_inverse=True
            )
            suffixes = np.zeros(len(keys), np.int64)  # the (k-1)-gram that ends each k-gram
            suffixes[numbers] = grams[inside]
            continuations = np.bincount(suffixes, minlength=len(counts))
            # no continuation: nothing stands before it, so it begins with the start id
            counts_of.append(np.where(continuations > 0, continuations, counts))
            keys_of.append(keys)
            counts = np.bincount(numbers, minlength=len(keys))
            grams = np.zeros(len(tokens), np.int64)
            grams[inside] = numbers
        counts_of.append(counts)
        counts_of[0][self.start_id] = 0  # never predicted

        estimates = [_estimate_discounts(counts) for counts in counts_of]
        self.discounts = [estimate or FALLBACK_DISCOUNTS for estimate in estimates]
        self.discounts_estimated = [estimate is not None for estimate in estimates]

        taken = _taken(counts_of[0], self.discounts[0])
        total = counts_of[0].sum()
        uniform = np.ones(self.vocabulary_size)
        uniform[[i for i in (self.pad_id, self.start_id) if i is not None]] = 0
        uniform /= uniform.sum()
        self._unigram = (counts_of[0] - taken) / total + taken.sum() / total * uniform

        self._levels = []
        for k in range(2, self.order + 1):
            keys, counts = keys_of[k - 2], counts_of[k - 1]
            taken = _taken(counts, self.discounts[k - 1])
            contexts, size = keys // self.vocabulary_size, len(counts_of[k - 2])
            totals = np.bincount(contexts, weights=counts, minlength=size)
            backoff = np.ones(size + 1)
            np.divide(
                np.bincount(contexts, weights=taken, minlength=size),
                totals,
                out=backoff[:-1],
                where=totals > 0,
            )
            mass = np.append((counts - taken) / totals[contexts], 0.0)
            keys = np.append(keys, np.iinfo(np.int64).max)
            self._levels.append(_Level(keys, mass, backoff))
        return self

    def token_nats(self, documents: Sequence[np.ndarray]) -> np.ndarray:
        """Computes how improbable each token after the start of each document is, the end included.

        Args:
            documents: As for `fit`.

        Returns:
            The negative log-probability of each token in nats, float64 of shape (tokens,), one
            document after the other.

        Raises:
            InputError: If the model is not fitted, or a document is not of the form.
        """
        self._check_fitted()
        tokens, positions = self._flatten(documents)
        probabilities = self._unigram[tokens]
        grams = tokens  # number of the k-gram that ends at each token, -1 if unseen
        for k, level in enumerate(self._levels, start=2):
            inside = np.flatnonzero(positions >= k - 1)
            contexts = grams[inside - 1]
            # an unseen context's key is negative, and so never found
            found = level.find(contexts * self.vocabulary_size + tokens[inside])
            probabilities[inside] *= level.backoff[contexts]
            probabilities[inside] += level.mass[found]
            grams = np.full(len(tokens), -1)
            grams[inside] = found
        return -np.log(probabilities[positions > 0])

    def score(self, documents: Sequence[np.ndarray]) -> tuple[float, int]:
        """Scores every token after the start of each document, the end included.

        Args:
            documents: As for `fit`.

        Returns:
            Summed cross-entropy in nats, and the number of tokens predicted.

        Raises:
            InputError: If the model is not fitted, or a document is not of the form.
        """
        nats = self.token_nats(documents)
        return float(nats.sum()), len(nats)

    def perplexity(self, documents: Sequence[np.ndarray]) -> float:
        """Perplexity of documents: e to the mean cross-entropy in nats of what `score` counts.

        Args:
            documents: As for `fit`.

        Returns:
            The perplexity.

        Raises:
            InputError: If the model is not fitted, or a document is not of the form.
        """
        nats, count = self.score(documents)
        return math.exp(nats / count)

    def probabilities(self, context: Sequence[int]) -> np.ndarray:
        """Distribution of the next token.

        Args:
            context: Ids of the tokens before it, of which the last `order - 1` matter; at the
                start of a document the start id is the first.

        Returns:
            Probabilities, float64 of shape (vocabulary_size,); 0 for the pad and start ids.

        Raises:
            InputError: If the model is not fitted, or an id cannot stand where it does.
        """
        self._check_fitted()
        context = np.asarray(context, np.int64).reshape(-1)
        wrong = (context < 0) | (context >= self.vocabulary_size) | (context == self.pad_id)
        if wrong.any() or self.start_id in context[1:]:
            raise InputError(
                f"A context holds ids below {self.vocabulary_size}, no pad id, and the start id "
                f"in first place only, not {context.tolist()}."
            )
        probabilities = self._unigram.copy()
        for k, level in enumerate(self._levels[: len(context)], start=2):
            tokens = context[len(context) - k + 1 :]  # (k-1,)
            gram = tokens[:1]
            for word, lower in zip(tokens[1:], self._levels, strict=False):
                gram = lower.find(gram * self.vocabulary_size + word)
            first = gram[0] * self.vocabulary_size
            seen = slice(*np.searchsorted(level.keys, [first, first + self.vocabulary_size]))
            probabilities *= level.backoff[gram[0]]
            probabilities[level.keys[seen] - first] += level.mass[seen]
        return probabilities

    def _check_fitted(self) -> None:
        if self._unigram is None:
            raise InputError("This KneserNey has counted nothing yet: call `fit(documents)` first.")

    def _flatten(self, documents: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """All tokens in a row, and the position of each within its document: (N,), (N,) int64."""
        arrays = [np.asarray(document) for document in documents]
        if not arrays:
            raise InputError("There must be at least one document, not none.")
        for index, array in enumerate(arrays):
            integers = array.ndim == 1 and np.issubdtype(array.dtype, np.integer)
            if not integers or len(array) < 2:
                raise InputError(
                    f"Document {index} must be a one-dimensional sequence of at least 2 integer "
                    f"ids, not {array.dtype} of shape {array.shape}."
                )
        tokens = np.concatenate(arrays).astype(np.int64)
        lengths = np.array([len(array) for array in arrays])
        firsts = np.cumsum(lengths) - lengths
        positions = np.arange(len(tokens)) - np.repeat(firsts, lengths)
        last = np.repeat(lengths - 1, lengths) == positions
        wrong = (tokens < 0) | (tokens >= self.vocabulary_size) | (tokens == self.pad_id)
        wrong |= (tokens == self.start_id) != (positions == 0)
        wrong |= (tokens == self.end_id) != last
        if wrong.any():
            place = np.flatnonzero(wrong)[0]
            index = np.searchsorted(firsts, place, side="right") - 1
            raise InputError(
                f"Document {index} has id {tokens[place]} at place {positions[place]}, but a "
                f"document is the start id {self.start_id}, then ids below "
                f"{self.vocabulary_size} that are no special ones (pad {self.pad_id}), then the "
                f"end id {self.end_id}."
            )
        return tokens, positions


def _estimate_discounts(counts: np.ndarray) -> tuple[float, float, float] | None:
    """The discounts D1, D2 and D3 of one order, or None where its counts do not yield them."""
    n = [int(np.count_nonzero(counts == j)) for j in range(5)]
    if 0 in n[1:]:
        return None
    y = n[1] / (n[1] + 2 * n[2])
    discounts = tuple(j - (j + 1) * y * n[j + 1] / n[j] for j in (1, 2, 3))
    return discounts if all(0 < d <= j for j, d in enumerate(discounts, start=1)) else None


def _taken(counts: np.ndarray, discounts: Sequence[float]) -> np.ndarray:
    """What the discounts take from each count; nothing from a count of 0."""
    return np.array([0.0, *discounts])[np.minimum(counts, 3)]


def _figures(
    model: KneserNey,
    train_documents: Sequence[np.ndarray],
    validation_documents: Sequence[np.ndarray],
) -> dict:
    """Fits and scores a model; returns what `cached_perplexity` does."""
    began = time.perf_counter()
    nats, tokens = model.fit(train_documents).score(validation_documents)
    return {
        "order": model.order,
        "perplexity": math.exp(nats / tokens),
        "nats": nats,
        "tokens": tokens,
        "seconds": time.perf_counter() - began,
    }


def cached_perplexity(
    order: int,
    train_documents: Sequence[np.ndarray],
    validation_documents: Sequence[np.ndarray],
    vocabulary_size: int,
    cache_dir: str | os.PathLike | None,
    *,
    pad_id: int | None = 0,
    start_id: int = 1,
    end_id: int = 3,
) -> dict:
    """Fits and scores a `KneserNey`, or reads its figures from the cache.

    The figures lie in `cache_dir` under a SHA-256 of the documents, the order, the vocabulary's
    size, the special ids and the version of this code. A damaged file is made anew.

    Args:
        order: Longest n-gram.
        train_documents: Documents to count, as for `KneserNey.fit`.
        validation_documents: Documents to score.
        vocabulary_size: Number of ids, specials included.
        cache_dir: Folder of the cache, made if absent; `None` for no cache.
        pad_id: As for `KneserNey`.
        start_id: As for `KneserNey`.
        end_id: As for `KneserNey`.

    Returns:
        A dictionary: order, perplexity, nats, tokens (predicted in validation), seconds (that the
        count and the score took when they were made).

    Raises:
        InputError: If an argument or a document is wrong, or the cache cannot be written.
    """
    model = KneserNey(vocabulary_size, order, pad_id=pad_id, start_id=start_id, end_id=end_id)
    if cache_dir is None:
        return _figures(model, train_documents, validation_documents)
    settings = [CODE_VERSION, model.order, model.vocabulary_size, pad_id, start_id, end_id]
    digest = hashlib.sha256(json.dumps([int(s) if s is not None else s for s in settings]).encode())
    for documents in (train_documents, validation_documents):
        for array in model._flatten(documents):
            digest.update(np.int64(len(array)).tobytes() + array.tobytes())
    path = Path(cache_dir) / f"kneser_ney_{digest.hexdigest()}.json"
    try:
        figures = json.loads(path.read_text(encoding="utf-8"))
        if figures.keys() == {"order", "perplexity", "nats", "tokens", "seconds"}:
            return figures
    except (OSError, ValueError, AttributeError):
        pass  # absent or damaged: made below

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as temporary:
            temporary.touch()  # before the count: nobody waits for figures that cannot be kept
            figures = _figures(model, train_documents, validation_documents)
            temporary.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"The folder {str(cache_dir)!r} cannot be written ({error}): give another `cache_dir`."
        ) from error
    return figures
