"""A state before the first step that is learnt."""

from typing import Any

import keras
from keras import ops

from rnnzoo.typing import Tensor


@keras.saving.register_keras_serializable("rnnzoo")
class InitialState(keras.layers.Layer):
    """Holds the initial state of recurrent layers as weights, the same for every row.

    Args:
        **kwargs: What every `keras.layers.Layer` takes.

    Example:
        >>> start = InitialState()
        >>> start.build_from([ops.zeros((1, 3))])
        >>> tuple(start.get_initial_state(5)[0].shape)
        (5, 3)
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.state, self.state_dtypes = [], []

    def build_from(self, state: list[Tensor]) -> None:
        """Creates the weights, which begin at a state of one row."""
        for index, tensor in enumerate(state):
            weight = self.add_weight(tensor.shape, "zeros", name=f"state_{index}")
            weight.assign(tensor)
            self.state.append(weight)
            self.state_dtypes.append(keras.backend.standardize_dtype(tensor.dtype))
        self.built = True

    def get_initial_state(self, batch_size: int | Tensor) -> list[Tensor]:
        """Returns the state for that many rows, a list of tensors `(batch_size, *shape)`."""
        return [
            ops.broadcast_to(ops.cast(weight, dtype), (batch_size, *weight.shape[1:]))
            for weight, dtype in zip(self.state, self.state_dtypes, strict=True)
        ]
