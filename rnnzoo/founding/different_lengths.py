"""S3, part 4: sequences of different lengths in one batch.

PyTorch packs them (`pack_padded_sequence`); Keras pads them on the right and gives the layers a
mask. What comes out is the same: outputs that are zero at the padding, and each row's true last
output. Keras's own outputs at the padding differ by kernel: cuDNN writes zeros, the loops repeat
the last output.
"""

import numpy as np
from keras import ops

from rnnzoo.errors import InputError


def pad(rows):
    """Packs sequences of different lengths into one array.

    Args:
        rows: Arrays of shape (time, features), at least one step each.

    Returns:
        The sequences (batch, longest, features), float32, padded on the right with zeros, and
        their lengths (batch,), int32.

    Raises:
        InputError: If a sequence has no step, there is none, or their shapes do not fit together.

    Example:
        >>> pad([[[1.0], [2.0]], [[3.0]]])[0][:, :, 0].tolist()
        [[1.0, 2.0], [3.0, 0.0]]
    """
    rows = [np.asarray(row, "float32") for row in rows]
    shapes = [row.shape for row in rows]
    if any(len(shape) != 2 or shape[1] != shapes[0][1] for shape in shapes):
        raise InputError(
            f"The sequences have shapes {shapes}; give each as (time, features), with equally many "
            "features."
        )
    lengths = np.array([len(row) for row in rows], "int32")
    if not rows or lengths.min() < 1:
        raise InputError(
            f"The sequences have lengths {lengths.tolist()}; give one or more sequences of at "
            "least one step each."
        )
    padded = np.zeros((len(rows), lengths.max(), rows[0].shape[-1]), "float32")
    for target, row in zip(padded, rows, strict=True):
        target[: len(row)] = row
    return padded, lengths


def run_padded(layer, sequences, lengths):
    """Runs a recurrent layer over right-padded rows: to each row as if it stood alone.

    Args:
        layer: A recurrent layer that reads forwards, with `return_sequences=True`.
        sequences: (batch, time, features), padded on the right.
        lengths: (batch,), the real steps of each row, at least 1.

    Returns:
        The outputs (batch, time, units), zero at the padding, and each row's output at its last
        real step (batch, units).

    Raises:
        InputError: If the layer gives only its last output or reads backwards.

    Example:
        >>> from rnnzoo.layers import LSTM
        >>> outputs, last = run_padded(LSTM(4, return_sequences=True), *pad([[[1.0]] * 3, [[2.0]]]))
        >>> outputs.shape, last.shape
        (TensorShape([2, 3, 4]), TensorShape([2, 4]))
    """
    if not layer.return_sequences or layer.go_backwards:
        raise InputError(
            f"The layer {layer.name!r} must have `return_sequences=True` and "
            "`go_backwards=False`; make it so."
        )
    lengths = ops.expand_dims(ops.cast(lengths, "int32"), -1)  # (B, 1)
    steps = ops.arange(sequences.shape[1], dtype="int32")  # (T,)
    real = steps < lengths  # (B, T)
    outputs = layer(sequences, mask=real)  # (B, T, U)
    outputs = ops.where(ops.expand_dims(real, -1), outputs, 0.0)
    at_end = ops.expand_dims(ops.equal(steps, lengths - 1), -1)  # (B, T, 1)
    return outputs, ops.sum(ops.where(at_end, outputs, 0.0), axis=1)
