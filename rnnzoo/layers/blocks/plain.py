"""The recurrent layer as it is, with dropout on its outputs."""

from typing import Any

import keras

from rnnzoo.typing import Shape, Tensor


@keras.saving.register_keras_serializable("rnnzoo")
class PlainBlock(keras.layers.Dropout):
    """Dropout on a recurrent layer's outputs, and nothing else (Zaremba et al. 2014).

    Args:
        dropout: Rate of the dropout.
        locked_dropout: Whether it drops the same units at every step of a row.
        expansion: Of no use here.
        last: Of no use here.
        **kwargs: What every `keras.layers.Layer` takes.
    """

    def __init__(
        self,
        dropout: float,
        *,
        locked_dropout: bool = False,
        expansion: float | None = None,
        last: bool = False,
        **kwargs: Any,
    ):
        super().__init__(dropout, (None, 1, None) if locked_dropout else None, **kwargs)

    def build(self, input_shape: Shape, width: int) -> None:
        """Creates nothing: a dropout has no weights."""
        self.read_size = input_shape[-1]  # of what the recurrent layer reads
        self.built = True

    def enter(self, x: Tensor, training: bool = False) -> tuple[Tensor, Tensor]:
        """Returns the inputs, twice: the recurrent layer reads them as they are."""
        return x, x

    def leave(self, stream: Tensor, outputs: Tensor, training: bool = False) -> Tensor:
        """Returns the recurrent layer's outputs after dropout."""
        return self(outputs, training=training)
