"""What a text classifier does with the outputs of its recurrent layers, and with long texts."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from keras import ops

from rnnzoo.generation.compiled import compile_function
from rnnzoo.generation.loop import pad_rows
from rnnzoo.typing import Tensor

SEGMENT = 1024  # tokens of each text that are read at once: memory does not grow with the text
LENGTH_STEP = 32  # that the length of a segment is rounded up to
LOWEST = -1e9  # below any output


class Classified(NamedTuple):
    """What a classifier makes of a text.

    Attributes:
        label: The most probable label.
        probabilities: The probability of each label.
    """

    label: str
    probabilities: dict[str, float]

    def __str__(self) -> str:
        """The label with its probability, such as `positive (97.1 %)`."""
        return f"{self.label} ({100 * self.probabilities[self.label]:.1f} %)"


class Pool(NamedTuple):
    """The outputs of a recurrent layer, pooled over the steps that were read so far.

    Attributes:
        last: The output of each row's last real step, `(batch, units)`.
        largest: The largest of each unit.
        total: The sum of each unit.
        count: The real steps, `(batch, 1)`.
    """

    last: Tensor
    largest: Tensor
    total: Tensor
    count: Tensor

    def features(self) -> Tensor:
        """The last output, the largest and the mean of each unit, `(batch, 3 * units)`."""
        mean = self.total / ops.maximum(self.count, 1.0)
        return ops.concatenate([self.last, self.largest, mean], axis=-1)


def pooled(hidden: Tensor, mask: Tensor, before: Pool | None = None) -> Pool:
    """Pools the outputs of a recurrent layer over time, padding left out.

    Args:
        hidden: Outputs, float `(batch, time, units)`.
        mask: `True` at the real steps of right-padded rows, boolean `(batch, time)`.
        before: What was pooled of the steps before these, if any.

    Returns:
        The `Pool`.

    Example:
        >>> hidden = np.array([[[1.0], [5.0], [3.0], [9.0]]], "float32")
        >>> pool = pooled(hidden, np.array([[True, True, True, False]]))
        >>> ops.convert_to_numpy(pool.features())
        array([[3., 5., 3.]], dtype=float32)
    """
    hidden = ops.cast(hidden, "float32")  # bfloat16 counts and sums up to 256 alone
    real = ops.expand_dims(ops.cast(mask, "float32"), -1)  # (B, T, 1)
    count = ops.sum(real, axis=1)  # (B, 1)
    at = ops.reshape(ops.maximum(ops.cast(count, "int32") - 1, 0), (-1, 1, 1))
    last = ops.squeeze(ops.take_along_axis(hidden, at, axis=1), 1)  # (B, units)
    largest = ops.max(ops.where(real > 0, hidden, LOWEST), axis=1)
    total = ops.sum(hidden * real, axis=1)
    if before is None:
        return Pool(last=last, largest=largest, total=total, count=count)
    return Pool(
        last=ops.where(count > 0, last, before.last),  # a row may have ended before
        largest=ops.maximum(largest, before.largest),
        total=total + before.total,
        count=count + before.count,
    )


def class_probabilities(model: Any, rows: Sequence[np.ndarray]) -> np.ndarray:
    """Computes the probabilities of the labels of texts, read together, a segment at a time.

    Args:
        model: The classifier.
        rows: The ids of each text.

    Returns:
        Float32 `(rows, labels)`, the sum of each row being 1.
    """

    def read(tokens, last, largest, total, count, *state):
        mask = ops.not_equal(tokens, 0)  # (B, T)
        hidden, state = model.recurrent(
            model.embedding(tokens), initial_state=list(state), mask=mask
        )
        pool = pooled(
            hidden,
            mask,
            Pool(last=last, largest=largest, total=total, count=count),
        )
        logits = ops.cast(model.head(pool.features()), "float32")
        return ops.softmax(logits), *pool, *state

    function = model._compiled("classify", lambda: compile_function(model, read))
    shape = (len(rows), model.recurrent.output_size)
    zeros = np.zeros(shape, "float32")
    carried = [
        zeros,
        np.full(shape, LOWEST, "float32"),
        zeros.copy(),
        np.zeros((len(rows), 1), "float32"),
    ]
    carried += [
        np.array(ops.convert_to_numpy(part))
        for part in model.recurrent.get_initial_state(len(rows))
    ]
    probabilities = np.zeros((len(rows), model.output_size), "float32")
    for first in range(0, max(map(len, rows)), SEGMENT):
        # Rows that have ended stay out: cuDNN takes no row that is padding alone.
        open_rows = [index for index, row in enumerate(rows) if len(row) > first]
        tokens, _ = pad_rows([rows[at][first : first + SEGMENT] for at in open_rows], LENGTH_STEP)
        found, *new = function(tokens, *(part[open_rows] for part in carried))
        probabilities[open_rows] = ops.convert_to_numpy(found)
        for part, values in zip(carried, new, strict=True):
            part[open_rows] = ops.convert_to_numpy(values)
    return probabilities
