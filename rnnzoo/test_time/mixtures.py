"""Several models together: the weighted mean of their probabilities."""

from collections.abc import Sequence

import keras
import numpy as np

from rnnzoo.data.sequences import is_documents
from rnnzoo.errors import InputError
from rnnzoo.evaluation import KneserNey
from rnnzoo.test_time.reading import Ids, token_nats

ROUNDS = 100  # of expectation and maximisation


def mix(nats: Sequence[np.ndarray], weights: Sequence[float] | None = None) -> np.ndarray:
    """Computes the nats of each token by the weighted mean of several models' probabilities.

    Args:
        nats: What each model gives for the same tokens, arrays `(tokens,)`.
        weights: The models' weights, at least 0, which together are 1; equal when left out.

    Returns:
        Float64 `(tokens,)`.

    Raises:
        InputError: If the arrays are not of equal length, or the weights are not such.

    Example:
        >>> probabilities = np.array([0.5, 0.2]), np.array([0.1, 0.4])
        >>> np.exp(-mix([-np.log(each) for each in probabilities])).round(3).tolist()
        [0.3, 0.3]
    """
    lengths = [len(each) for each in nats]
    if not lengths or len(set(lengths)) > 1:
        raise InputError(
            f"The models must give nats of the same tokens, not of {lengths} of them; read the "
            "same text, with the same rows."
        )
    weights = np.full(len(nats), 1 / len(nats)) if weights is None else np.array(weights, float)
    fits = weights.shape == (len(nats),) and (weights >= 0).all()
    if not fits or abs(weights.sum() - 1) > 1e-6:
        raise InputError(
            f"`weights` must be {len(nats)} numbers of at least 0 which together are 1, not "
            f"{weights.tolist()}."
        )
    with np.errstate(divide="ignore"):  # a weight of 0
        shares = np.log(weights)[:, None] - np.stack(nats)  # (models, tokens)
    return -np.logaddexp.reduce(shares, axis=0)


def choose_weights(nats: Sequence[np.ndarray]) -> np.ndarray:
    """Chooses the weights of `mix` that serve a text best: one that is not measured afterwards.

    It must not be a training text either, on which an n-gram model is nearly certain.

    Args:
        nats: As for `mix`.

    Returns:
        The weights, float64 `(models,)`.

    Raises:
        InputError: If the arrays are not of equal length.

    Example:
        >>> choose_weights([np.array([0.1, 0.1]), np.array([3.0, 3.0])]).round(2).tolist()
        [1.0, 0.0]

    Reference:
        Jelinek and Mercer, "Interpolated estimation of Markov source parameters from sparse data",
        1980: by expectation and maximisation.
    """
    weights = np.full(len(nats), 1 / len(nats))
    for _ in range(ROUNDS):
        with np.errstate(divide="ignore"):
            shares = np.log(weights)[:, None] - np.stack(nats)
        weights = np.exp(shares + mix(nats, weights)).mean(axis=1)
        weights /= weights.sum()
    return weights


def ensemble_nats(
    models: Sequence[keras.Model],
    ids: Ids,
    weights: Sequence[float] | None = None,
    *,
    batch_size: int = 1,
    sequence_length: int = 64,
) -> np.ndarray:
    """Computes how improbable several language models together find each token of a text.

    Args:
        models: `LanguageModel`s of the same vocabulary.
        ids: One flat text of ids, or a list of documents; see `token_nats`.
        weights: As for `mix`.
        batch_size: The rows that are read side by side.
        sequence_length: The tokens that are read in one call.

    Returns:
        The negative log-probability of each predicted token in nats, float64 `(tokens,)`, in the
        order of the text.

    Raises:
        InputError: If the vocabularies differ, or one is no language model.

    Example:
        >>> from rnnzoo import char_lstm
        >>> ensemble_nats([char_lstm(65, units=8), char_lstm(65, units=5)], [4, 8, 15, 16]).shape
        (3,)
    """
    check_equal_vocabularies(models)
    sizes = {"batch_size": batch_size, "sequence_length": sequence_length}
    return mix([token_nats(model, ids, **sizes) for model in models], weights)


def check_equal_vocabularies(models: Sequence[keras.Model]) -> None:
    """Refuses models whose ids are not those of the same tokens.

    Raises:
        InputError: If two differ.
    """

    def tokens(model):
        return (getattr(model, "vocabulary_size", None), getattr(model, "vocabulary", None))

    if len({tokens(model) for model in models}) > 1:
        sizes = " and ".join(str(tokens(model)[0]) for model in models)
        raise InputError(
            f"Models are mixed only if they have the same vocabulary, and these differ (of {sizes} "
            "tokens); give models that were trained on the same tokens."
        )


def kneser_ney_nats(
    train: Ids,
    ids: Ids,
    *,
    vocabulary_size: int,
    order: int = 5,
    start_id: int | None = None,
    end_id: int | None = None,
) -> np.ndarray:
    """Computes how improbable a Kneser-Ney n-gram model finds each token of a text, to mix it in.

    Args:
        train: The training text, one flat text of ids, or a list of documents.
        ids: The text that is measured, likewise; see `token_nats`.
        vocabulary_size: The number of ids.
        order: The longest n-gram.
        start_id: The id that starts each document; a flat text needs none.
        end_id: The id that ends each document.

    Returns:
        The negative log-probability of each token but the first, of each document, in nats, float64
        `(tokens,)`: those of `token_nats`.

    Raises:
        InputError: As `rnnzoo.evaluation.KneserNey`.

    Example:
        >>> kneser_ney_nats([0, 1, 2, 0, 1, 2], [0, 1, 2], vocabulary_size=3).shape
        (2,)
    """
    if is_documents(ids):
        model = KneserNey(vocabulary_size, order, pad_id=None, start_id=start_id, end_id=end_id)
        return model.fit(train).token_nats(ids)
    start, end = vocabulary_size, vocabulary_size + 1  # no ids of the text
    model = KneserNey(vocabulary_size + 2, order, pad_id=None, start_id=start, end_id=end)
    train, ids = (np.concatenate([[start], each, [end]]).astype("int64") for each in (train, ids))
    return model.fit([train]).token_nats([ids])[1:-1]
