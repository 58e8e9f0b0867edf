"""A residual block: norms, a recurrent layer and a gated feed-forward layer beside a stream."""

from typing import Any

import keras
from keras import ops

from rnnzoo.errors import InputError, check_fraction
from rnnzoo.typing import Shape, Tensor

# Branches start small beside the stream, whose gradient then reaches every layer.
START_OF_OUTPUTS = 0.3


@keras.saving.register_keras_serializable("rnnzoo")
class ResidualBlock(keras.layers.Layer):
    """What stands around a recurrent layer in a residual block.

    With x the stream, `(..., width)`:

        norm(x) = x / sqrt(mean(x ** 2))
        x = x + recurrent(dropout(norm(x)))
        a, b = split(dropout(norm(x)) W_1)
        x = x + (silu(a) * b) W_2

    The last block ends in `dropout(norm(x))`. Inputs of another width are projected to the
    stream's. The norms have no gain: a matrix reads each of them, and has it. The stream and its
    norms are in float32 under mixed precision too.

    Dropout stands behind the norms and nowhere else. Before one, its noise would widen the stream
    in training, the norm would divide by more, and the probabilities of the trained model would be
    too sure of themselves.

    Args:
        dropout: Rate of the dropout behind each norm.
        locked_dropout: Whether it drops the same units at every step of a row.
        expansion: Inner width of the feed-forward layer, in widths of the stream.
        last: Whether this block ends the stack.
        **kwargs: What every `keras.layers.Layer` takes.

    Raises:
        InputError: If `dropout` is not a fraction, or `expansion` not above 0.

    Example:
        >>> block = ResidualBlock(0.1, expansion=2.0)
        >>> block.build((None, None, 8), width=8)
        >>> stream, read = block.enter(ops.ones((4, 5, 8)))
        >>> tuple(block.leave(stream, ops.tanh(read)).shape)
        (4, 5, 8)

    Reference:
        He et al., "Identity Mappings in Deep Residual Networks", arXiv:1603.05027; Zhang and
        Sennrich, "Root Mean Square Layer Normalization", arXiv:1910.07467; Shazeer, "GLU Variants
        Improve Transformer", arXiv:2002.05202.
    """

    def __init__(
        self,
        dropout: float,
        *,
        locked_dropout: bool = False,
        expansion: float = 1.5,
        last: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        check_fraction(dropout=dropout)
        if not expansion > 0:
            raise InputError(f"`expansion` must be above 0, such as 1.5, not {expansion!r}.")
        self.rate, self.locked_dropout = float(dropout), bool(locked_dropout)
        self.expansion, self.last = float(expansion), bool(last)
        self.wide = keras.backend.result_type(self.compute_dtype, "float32")
        shape = (None, 1, None) if locked_dropout else None  # of what is drawn for (B, T, width)
        self.dropout = keras.layers.Dropout(dropout, shape, dtype=self.dtype_policy, name="dropout")
        self.projection = None

    def build(self, input_shape: Shape, width: int) -> None:
        """Creates the weights for inputs, and for a recurrent layer with outputs of a width."""
        self.read_size = width  # of what the recurrent layer reads
        inner = max(1, round(self.expansion * width))
        options = {"use_bias": False, "dtype": self.dtype_policy}
        if input_shape[-1] != width:
            self.projection = keras.layers.Dense(width, name="projection", **options)
            self.projection.build(tuple(input_shape))
        shape = (*input_shape[:-1], width)
        self.gates = keras.layers.Dense(2 * inner, name="gates", **options)
        self.gates.build(shape)
        start = keras.initializers.VarianceScaling(
            START_OF_OUTPUTS**2, mode="fan_avg", distribution="uniform"
        )
        self.outputs = keras.layers.Dense(
            width, kernel_initializer=start, name="outputs", **options
        )
        self.outputs.build((*input_shape[:-1], inner))
        self.built = True

    def enter(self, x: Tensor, training: bool = False) -> tuple[Tensor, Tensor]:
        """Returns the stream and what the recurrent layer reads, `(..., width)` each."""
        x = x if self.projection is None else self.projection(x)
        x = ops.cast(x, self.wide)
        return x, self._read(x, training=training)

    def leave(self, stream: Tensor, outputs: Tensor, training: bool = False) -> Tensor:
        """Returns the stream after the recurrent layer's outputs and the feed-forward layer."""
        x = stream + ops.cast(outputs, self.wide)
        a, b = ops.split(self.gates(self._read(x, training=training)), 2, axis=-1)
        x = x + ops.cast(self.outputs(ops.silu(a) * b), self.wide)
        return self._read(x, training=training) if self.last else x

    def _read(self, x, training):
        normed = ops.cast(ops.rms_normalization(x), self.compute_dtype)
        return self.dropout(normed, training=training)

    def get_config(self) -> dict[str, Any]:
        """The arguments that remake the block."""
        own = {"dropout": self.rate, "locked_dropout": self.locked_dropout}
        return {**super().get_config(), **own, "expansion": self.expansion, "last": self.last}
