"""Recurrent layers: Keras's own, with the fastest kernel there is for the device at hand.

Arguments, weights, configuration, results and files are those of the Keras layer of the same name,
and either loads the other's weights. Only the loop over time is replaced, where
`kernels.choose_kernel` says so: under TensorFlow on a CPU it is `cpu_kernel.scan`; on a GPU it is
cuDNN, and elsewhere Keras's generic loop, which Keras brings itself.
"""

import keras

from rnnzoo.layers.kernels import CPU_LOOP, choose_kernel


class FastLoop:
    """Mixin over a Keras recurrent layer: overrides its loop over time, and nothing else."""

    fast_loop = None  # name of the equations in `cpu_kernel`

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if choose_kernel(self).name == CPU_LOOP:
            self.supports_jit = False  # as for cuDNN: XLA is for the generic loop

    def inner_loop(self, sequences, initial_state, mask, training=False):
        """Runs the loop over time; see `keras.layers.RNN`."""
        if choose_kernel(self).name != CPU_LOOP:
            return super().inner_loop(sequences, initial_state, mask, training)
        from rnnzoo.layers import cpu_kernel

        if keras.tree.is_nested(mask):
            mask = mask[0]
        equations = getattr(cpu_kernel, self.fast_loop)
        return cpu_kernel.run(equations, self, sequences, initial_state, mask, training)


@keras.saving.register_keras_serializable("rnnzoo")
class LSTM(FastLoop, keras.layers.LSTM):
    """Long short-term memory layer (Hochreiter and Schmidhuber 1997), fast on a CPU too.

    The arguments are those of `keras.layers.LSTM`.

    Example:
        >>> outputs = LSTM(8, return_sequences=True)(keras.ops.ones((4, 5, 3)))  # (4, 5, 8)
    """

    fast_loop = "LSTMEquations"


@keras.saving.register_keras_serializable("rnnzoo")
class GRU(FastLoop, keras.layers.GRU):
    """Gated recurrent unit layer (Cho et al. 2014), fast on a CPU too.

    The arguments are those of `keras.layers.GRU`.

    Example:
        >>> outputs = GRU(8, return_sequences=True)(keras.ops.ones((4, 5, 3)))  # (4, 5, 8)
    """

    fast_loop = "GRUEquations"


@keras.saving.register_keras_serializable("rnnzoo")
class SimpleRNN(FastLoop, keras.layers.SimpleRNN):
    """Elman network layer (Elman 1990), fast on a CPU too.

    The arguments are those of `keras.layers.SimpleRNN`.

    Example:
        >>> outputs = SimpleRNN(8, return_sequences=True)(keras.ops.ones((4, 5, 3)))  # (4, 5, 8)
    """

    fast_loop = "SimpleRNNEquations"
