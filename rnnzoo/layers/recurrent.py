"""Recurrent layers: Keras's own, with the fastest kernel there is for the device at hand.

Arguments, weights, configuration, results and files are those of the Keras layer of the same name,
and either loads the other's weights; `weight_drop` alone is added. Only the loop over time is
replaced, where `kernels.choose_kernel` says so: under TensorFlow on a CPU it is `cpu_kernel.scan`;
on a GPU it is cuDNN, and elsewhere Keras's generic loop, which Keras brings itself.
"""

import contextlib
from typing import Any

import keras

from rnnzoo.errors import check_fraction
from rnnzoo.layers.kernels import CPU_LOOP, choose_kernel
from rnnzoo.typing import Tensor


class FastLoop:
    """Mixin over a Keras recurrent layer: its loop over time, and dropout on its recurrent matrix.

    Args:
        *args: What the Keras layer takes.
        weight_drop: Share of the recurrent matrix that is zero in a training batch, drawn anew for
            each batch and the same for all its steps (DropConnect, Merity et al., "Regularizing
            and Optimizing LSTM Language Models", arXiv:1708.02182). Unlike `recurrent_dropout` it
            keeps cuDNN and the CPU loop, which take the matrix as it is.
        **kwargs: What the Keras layer takes.
    """

    fast_loop = None  # name of the equations in `cpu_kernel`

    def __init__(self, *args: Any, weight_drop: float = 0.0, **kwargs: Any):
        super().__init__(*args, **kwargs)
        check_fraction(weight_drop=weight_drop)
        self.weight_drop = float(weight_drop)
        if weight_drop:
            self.weight_drop_seed = keras.random.SeedGenerator(kwargs.get("seed"))
        if choose_kernel(self).name == CPU_LOOP:
            self.supports_jit = False  # as for cuDNN: XLA is for the generic loop

    def inner_loop(
        self,
        sequences: Tensor,
        initial_state: list[Tensor],
        mask: Tensor | None,
        training: bool = False,
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Runs the loop over time; see `keras.layers.RNN`."""
        if not (training and self.weight_drop):
            return self._loop(sequences, initial_state, mask, training)
        with self._dropped_weights():
            return self._loop(sequences, initial_state, mask, training)

    @contextlib.contextmanager
    def _dropped_weights(self):
        """Puts the thinned recurrent matrix in the place of the cell's."""
        matrix = self.cell.recurrent_kernel
        thinned = keras.ops.cast(matrix, self.compute_dtype)  # JAX draws for no variable
        thinned = keras.random.dropout(thinned, self.weight_drop, seed=self.weight_drop_seed)
        # Not by plain assignment: the matrix stays the weight that Keras knows.
        object.__setattr__(self.cell, "recurrent_kernel", thinned)
        try:
            yield
        finally:
            object.__setattr__(self.cell, "recurrent_kernel", matrix)

    def _loop(self, sequences, initial_state, mask, training):
        if choose_kernel(self).name != CPU_LOOP:
            return super().inner_loop(sequences, initial_state, mask, training)
        from rnnzoo.layers import cpu_kernel

        if keras.tree.is_nested(mask):
            mask = mask[0]
        equations = getattr(cpu_kernel, self.fast_loop)
        return cpu_kernel.run(equations, self, sequences, initial_state, mask, training)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the Keras layer, and `weight_drop` where there is one."""
        own = {"weight_drop": self.weight_drop} if self.weight_drop else {}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable("rnnzoo")
class LSTM(FastLoop, keras.layers.LSTM):
    """Long short-term memory layer (Hochreiter and Schmidhuber 1997), fast on a CPU too.

    The arguments are those of `keras.layers.LSTM`, and `weight_drop`.

    Example:
        >>> outputs = LSTM(8, return_sequences=True)(keras.ops.ones((4, 5, 3)))  # (4, 5, 8)
    """

    fast_loop = "LSTMEquations"


@keras.saving.register_keras_serializable("rnnzoo")
class GRU(FastLoop, keras.layers.GRU):
    """Gated recurrent unit layer (Cho et al. 2014), fast on a CPU too.

    The arguments are those of `keras.layers.GRU`, and `weight_drop`.

    Example:
        >>> outputs = GRU(8, return_sequences=True)(keras.ops.ones((4, 5, 3)))  # (4, 5, 8)
    """

    fast_loop = "GRUEquations"


@keras.saving.register_keras_serializable("rnnzoo")
class SimpleRNN(FastLoop, keras.layers.SimpleRNN):
    """Elman network layer (Elman 1990), fast on a CPU too.

    The arguments are those of `keras.layers.SimpleRNN`, and `weight_drop`.

    Example:
        >>> outputs = SimpleRNN(8, return_sequences=True)(keras.ops.ones((4, 5, 3)))  # (4, 5, 8)
    """

    fast_loop = "SimpleRNNEquations"
