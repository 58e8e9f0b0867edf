"""Keras's own loop over the cell, which takes every cell on every backend."""

import keras

from rnnzoo.layers.kernels.cudnn import requested


class Generic:
    """See `rnnzoo.layers.kernels`."""

    name, label = "generic", "generic loop"
    exportable = True

    def runs_on(self, backend, gpu):
        """Every device has it."""
        return True

    def obstacles(self, layer, call):
        """Nothing hinders it."""
        return []

    def run(self, layer, sequences, initial_state, mask, training):
        """Runs the loop.

        Keras's LSTM on JAX would call cuDNN all the same, and is told not to. Its GRU on JAX never
        does, and on torch what cuDNN cannot compute goes to a loop of torch's own: both are faster
        than the loop over the cell that `use_cudnn=False` stands for.
        """
        use_cudnn = requested(layer)
        on_jax = keras.backend.backend() == "jax"
        if use_cudnn == "auto" and on_jax and isinstance(layer, keras.layers.LSTM):
            use_cudnn = False
        return layer.keras_loop(use_cudnn, sequences, initial_state, mask=mask, training=training)
