"""Dynamic evaluation: a language model goes on learning from the text that it is measured on."""

from collections.abc import Sequence
from itertools import product

import keras
import numpy as np
from keras import ops

from rnnzoo.errors import InputError, check_positive
from rnnzoo.gradients import gradients
from rnnzoo.test_time.reading import (
    Ids,
    nats_of,
    read,
    read_segment,
    trained_weights,
    weights_in_place,
)
from rnnzoo.typing import Tensor

# Chosen on training text: `python benchmarks/test_time.py dynamic`.
RATE, DECAY = 4e-4, 0.003
EPSILON = 1e-2  # of the mean root mean square: weights that hardly ever move get no large steps


def dynamic_evaluation(
    model: keras.Model,
    ids: Ids,
    mean_squares: Sequence[Tensor],
    *,
    rate: float = RATE,
    decay: float = DECAY,
    batch_size: int = 1,
    sequence_length: int = 64,
) -> np.ndarray:
    """Computes how improbable a model finds each token of a text, from which it learns on the way.

    Each segment is predicted first. Then one step of gradient descent is made on it, divided by
    the root mean square of each weight's gradients in training, and each weight moves back a
    little towards its trained value, weights with large gradients more. So no token is predicted
    with weights that have seen it. The weights of `model` are only read: what learns is a copy.

    Args:
        model: A `LanguageModel`.
        ids: One flat text of ids, or a list of documents; see `token_nats`.
        mean_squares: What `mean_squared_gradients` gives on training text.
        rate: The learning rate; 0 learns nothing.
        decay: How far a weight of average gradients moves back in a step, as a share of the
            distance, from 0 to 1.
        batch_size: The rows that are read side by side and learn together. With 1 a text is read
            in its own order, and the model learns from what stands before alone.
        sequence_length: The tokens of a segment, after which the weights change.

    Returns:
        The negative log-probability of each predicted token in nats, float32 `(tokens,)`, in the
        order of the text.

    Raises:
        InputError: If the model is no language model, a number cannot be, or Keras runs on another
            backend than TensorFlow, JAX and torch.

    Example:
        >>> from rnnzoo import char_lstm
        >>> model, text = char_lstm(65, units=8), np.arange(200) % 5
        >>> squares = mean_squared_gradients(model, text, sequence_length=10)
        >>> options = {"rate": 3e-4, "decay": 0.02, "sequence_length": 10}
        >>> nats = dynamic_evaluation(model, text, squares, **options)
        >>> bool(nats[-20:].mean() < nats[:20].mean())
        True

    Reference:
        Krause et al., "Dynamic Evaluation of Neural Sequence Models", ICML 2018
        (arXiv:1709.07432), with RMS gradients and decay.
    """
    sizes = {"batch_size": batch_size, "sequence_length": sequence_length}
    check_positive(**sizes)
    if not (np.isfinite(rate) and rate >= 0 and 0 <= decay <= 1):
        raise InputError(
            f"`rate` must be at least 0, and `decay` from 0 to 1, not {rate!r} and {decay!r}."
        )
    trained = trained_weights(model)
    roots = [np.sqrt(ops.convert_to_numpy(each)) for each in mean_squares]
    mean = sum(root.sum() for root in roots) / sum(root.size for root in roots)
    rates = [ops.convert_to_tensor(rate / (root + EPSILON * mean)) for root in roots]
    decays = [ops.convert_to_tensor(np.minimum(decay * root / mean, 1.0)) for root in roots]
    kept = (trained, model.get_initial_state(batch_size))
    fixed = (rates, decays, trained)
    return read(model, ids, step=_learning_step, fixed=fixed, kept=kept, **sizes)[0]


def _learning_step(model, fixed, kept, segment):
    values, state = kept
    found, nats, state = _segment_gradients(model, values, state, segment=segment)
    values = [
        value - rate * gradient + back * (old - value)
        for value, gradient, rate, back, old in zip(values, found, *fixed, strict=True)
    ]
    return nats, (values, state)


def mean_squared_gradients(
    model: keras.Model, ids: Ids, *, batch_size: int = 1, sequence_length: int = 64
) -> list[Tensor]:
    """Computes the mean of each weight's squared gradients over the segments of a training text.

    Args:
        model: A `LanguageModel`.
        ids: Ids that it was trained on; some ten thousand are enough.
        batch_size: As for the dynamic evaluation to come.
        sequence_length: As for the dynamic evaluation to come.

    Returns:
        A float32 tensor for each of `model.trainable_variables`, of its shape.

    Raises:
        InputError: As `dynamic_evaluation`.
    """
    sizes = {"batch_size": batch_size, "sequence_length": sequence_length}
    check_positive(**sizes)
    trained = trained_weights(model)
    sums = [ops.zeros_like(value) for value in trained]
    kept = (model.get_initial_state(batch_size), sums, ops.zeros(()))
    _, (_, sums, count) = read(model, ids, step=_summing_step, fixed=trained, kept=kept, **sizes)
    return [total / count for total in sums]


def _summing_step(model, values, kept, segment):
    state, sums, count = kept
    found, nats, state = _segment_gradients(model, values, state, segment=segment)
    sums = [total + ops.square(each) for total, each in zip(sums, found, strict=True)]
    return nats, (state, sums, count + 1.0)


def choose_rates(
    model: keras.Model,
    ids: Ids,
    mean_squares: Sequence[Tensor],
    *,
    rates: Sequence[float] = (RATE / 2, RATE, 2 * RATE),
    decays: Sequence[float] = (DECAY / 3, DECAY, 3 * DECAY),
    batch_size: int = 1,
    sequence_length: int = 64,
) -> dict[str, float]:
    """Chooses the rate and the decay that serve a text best: one that is not measured afterwards.

    Args:
        model: A `LanguageModel`.
        ids: The last part of its training text, some ten thousand tokens.
        mean_squares: What `mean_squared_gradients` gives on training text before that.
        rates: The rates to try.
        decays: The decays to try with each.
        batch_size: As for the dynamic evaluation to come.
        sequence_length: As for the dynamic evaluation to come.

    Returns:
        The `"rate"` and `"decay"` of the lowest mean nats, arguments of `dynamic_evaluation`.

    Raises:
        InputError: As `dynamic_evaluation`.
    """
    sizes = {"batch_size": batch_size, "sequence_length": sequence_length}

    def mean_nats(numbers):
        return dynamic_evaluation(model, ids, mean_squares, **numbers, **sizes).mean()

    tried = [{"rate": rate, "decay": decay} for rate, decay in product(rates, decays)]
    return min(tried, key=mean_nats)


def _segment_gradients(model, values, state, *, segment):
    """The gradients of a segment's mean nats by the weights, the nats and the new state."""

    def mean_nats(values):
        with weights_in_place(model, values):
            hidden, new = read_segment(model, state, segment)
            nats = nats_of(model.logits(hidden), segment.targets)  # (B, T)
        size = segment.targets.shape[0] * segment.targets.shape[1]  # a short segment teaches less
        return ops.sum(nats * segment.weights) / size, (nats, new)

    found, (nats, new) = gradients(mean_nats, values)
    return found, nats, new
