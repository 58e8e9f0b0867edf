"""How a text is read from start to end, segment by segment, with something that is kept."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from rnnzoo.data.pydatasets import StreamDataset
from rnnzoo.data.sequences import is_documents
from rnnzoo.errors import InputError, check_positive
from rnnzoo.generation.compiled import compile_stateless
from rnnzoo.typing import Tensor

Ids = np.ndarray | Sequence[int] | Sequence[np.ndarray]


class Segment(NamedTuple):
    """A batch of a stream.

    Attributes:
        tokens: What is read, int32 `(batch, time)`.
        targets: The next tokens, int32 `(batch, time)`.
        weights: 1, and 0 at padding, float32 `(batch, time)`.
        reset: 1 where a row starts anew, int32 `(batch,)`.
    """

    tokens: Tensor
    targets: Tensor
    weights: Tensor
    reset: Tensor


def token_nats(
    model: keras.Model, ids: Ids, *, batch_size: int = 1, sequence_length: int = 64
) -> np.ndarray:
    """Computes how improbable a language model finds each token of a text, its state carried.

    Args:
        model: A `LanguageModel`.
        ids: One flat text of ids, whose first is given, or a list of documents, each of which is
            read from the initial state.
        batch_size: The rows that are read side by side. What of a text does not fill the rows is
            left out, at most `batch_size - 1` tokens of its end.
        sequence_length: The tokens that are read in one call.

    Returns:
        The negative log-probability of each predicted token in nats, float32 `(tokens,)`, in the
        order of the text. The perplexity is `exp(mean)`.

    Raises:
        InputError: If the model is no language model, the ids are not such, or a size is not
            positive.

    Example:
        >>> from rnnzoo import char_lstm
        >>> token_nats(char_lstm(65, units=8), [4, 8, 15, 16, 23, 42]).shape
        (5,)
    """
    sizes = {"batch_size": batch_size, "sequence_length": sequence_length}
    check_positive(**sizes)
    values, state = trained_weights(model), model.get_initial_state(batch_size)
    return read(model, ids, step=_plain_step, fixed=values, kept=state, **sizes)[0]


def _plain_step(model, values, state, segment):
    with weights_in_place(model, values):
        hidden, state = read_segment(model, state, segment)
        return nats_of(model.logits(hidden), segment.targets), state


def read(
    model: keras.Model,
    ids: Ids,
    *,
    step: Callable[..., tuple[Tensor, Any]],
    fixed: Any,
    kept: Any,
    batch_size: int,
    sequence_length: int,
) -> tuple[np.ndarray, Any]:
    """Reads a text, or documents, in the rows and segments of `rnnzoo.data.stream_batches`.

    Args:
        model: The language model.
        ids: One flat text of ids, or a list of documents.
        step: Takes the model, `fixed`, what is kept and a `Segment`; returns the nats of each
            target, `(batch, time)`, and what is kept for the next segment. It reads no variable
            that changes, and is compiled once for a model.
        fixed: A structure of tensors, the same for all segments.
        kept: A structure of tensors, for the first segment.
        batch_size: The rows that are read side by side; 1 reads a text in its own order.
        sequence_length: The tokens of a segment.

    Returns:
        The nats of each token that is predicted, in the order of the text, float32 `(tokens,)`;
        and what is kept at the end.
    """
    if not is_documents(ids):  # a text shorter than a segment is one
        sequence_length = max(1, min(sequence_length, (len(ids) - 1) // batch_size))
    segments = StreamDataset(ids, batch_size, sequence_length)
    # The same segments of places instead of tokens say where the nats of each target belong.
    places = np.arange(sum(map(len, ids)) if is_documents(ids) else len(ids))
    nats, predicted = np.zeros(len(places), "float32"), np.zeros(len(places), bool)
    if is_documents(ids):
        places = np.split(places, np.cumsum([len(document) for document in ids])[:-1])
    places = StreamDataset(places, batch_size, sequence_length)
    run = model._compiled(step, lambda: compile_stateless(partial(step, model)))
    for number in range(segments.num_batches):
        inputs, targets, weights = segments[number]
        arrays = (inputs["tokens"], targets, weights, inputs["reset"])
        found, kept = run(fixed, kept, Segment(*map(ops.convert_to_tensor, arrays)))
        real = weights > 0
        where = places[number][1][real]
        nats[where], predicted[where] = ops.convert_to_numpy(found)[real], True
    return nats[predicted], kept


def trained_weights(model: keras.Model) -> list[Tensor]:
    """Returns the values of a language model's trainable weights.

    Raises:
        InputError: If the model is no language model.
    """
    if hasattr(model, "translate") or not hasattr(model, "prefill"):
        raise InputError(
            f"What is done at test time is for language models, not for a {type(model).__name__}; "
            "give one of char_lstm or word_lm."
        )
    return [ops.convert_to_tensor(variable) for variable in model.trainable_variables]


def weights_in_place(model: keras.Model, values: Sequence[Tensor]) -> keras.StatelessScope:
    """Puts values in the place of the trainable weights, for as long as a block runs."""
    pairs = zip(model.trainable_variables, values, strict=True)
    return keras.StatelessScope(state_mapping=list(pairs))


def read_segment(
    model: keras.Model, state: list[Tensor], segment: Segment
) -> tuple[Tensor, list[Tensor]]:
    """Reads a segment; returns the hidden vectors `(batch, time, units)` and the new state."""
    initial = model.get_initial_state(segment.reset.shape[0])
    state = [
        # Not `expand_dims`: a state may have any number of axes.
        ops.where(
            ops.reshape(segment.reset, (-1, *[1] * (len(old.shape) - 1))) != 0,
            ops.cast(new, old.dtype),
            old,
        )
        for old, new in zip(state, initial, strict=True)
    ]
    return model.hidden(segment.tokens, state)


def nats_of(logits: Tensor, targets: Tensor) -> Tensor:
    """Computes the negative log-probability of each target, float32 `(batch, time)`."""
    log_probabilities = ops.log_softmax(logits)  # (B, T, V)
    found = ops.take_along_axis(log_probabilities, ops.expand_dims(targets, -1), axis=-1)
    return -ops.squeeze(found, -1)
