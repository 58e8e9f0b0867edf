"""Averaged weights: a training goes on with its own, and is judged and kept by their mean."""

import contextlib
from collections.abc import Iterator

import keras
from keras import ops

from rnnzoo.models.resumed import averages


@contextlib.contextmanager
def averaged_weights(model: keras.Model) -> Iterator[None]:
    """Puts the averages that the optimizer keeps in the place of the model's weights, for a while.

    The averages are those of Keras's `use_ema`, an exponential moving average. The weights are set
    back as they were, to the bit, so that training goes on as if nothing had happened. Keras's own
    `SwapEMAWeights` exchanges the two by adding and subtracting, which rounds, and what is saved
    while they are exchanged holds one in the place of the other.

    Args:
        model: A compiled model. Where its optimizer keeps no averages, nothing is done.

    Reference:
        Polyak and Juditsky, "Acceleration of Stochastic Approximation by Averaging", 1992.
    """
    if not averages(model):
        yield
        return
    variables = model.trainable_variables
    own = [ops.convert_to_numpy(variable).copy() for variable in variables]
    model.optimizer.finalize_variable_values(variables)
    for variable in variables:  # on JAX these are the averages themselves, which `evaluate` donates
        variable.assign(ops.copy(variable))
    try:
        yield
    finally:
        for variable, value in zip(variables, own, strict=True):
            variable.assign(value)


class ValidateAverages(keras.callbacks.Callback):
    """Validates with `averaged_weights`. Put it before the callbacks that look at the weights."""

    def on_test_begin(self, logs: dict[str, float] | None = None) -> None:
        """Puts the averages in."""
        self._swapped = averaged_weights(self.model)
        self._swapped.__enter__()

    def on_test_end(self, logs: dict[str, float] | None = None) -> None:
        """Takes them out."""
        self._swapped.__exit__(None, None, None)
