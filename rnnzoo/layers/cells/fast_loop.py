"""What rnnzoo adds to Keras's recurrent layers: the fastest kernel, and dropout of the weights.

Arguments, weights, configuration, results and files are those of the Keras layer of the same name,
and either loads the other's weights; `weight_drop` alone is added. Only the loop over time is
replaced, where `kernels.choose_kernel` says so.
"""

import contextlib
from typing import Any

import keras

from rnnzoo.errors import check_fraction
from rnnzoo.layers.kernels import choose_kernel, cudnn, gpu_visible
from rnnzoo.layers.quantization import dequantized, is_quantized
from rnnzoo.typing import Tensor

# What a `Bidirectional` reads instead of "auto" where it may not run both directions in one call.
APART = "auto, each direction apart"


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

    exporting = False  # set in a copy that is made for export

    def __init__(self, *args: Any, weight_drop: float = 0.0, **kwargs: Any):
        super().__init__(*args, **kwargs)
        check_fraction(weight_drop=weight_drop)
        self.weight_drop = float(weight_drop)
        if weight_drop:
            self.weight_drop_seed = keras.random.SeedGenerator(kwargs.get("seed"))
        if choose_kernel(self).name == "cpu_loop":
            self.supports_jit = False  # as for cuDNN: XLA is for the generic loop

    def inner_loop(
        self,
        sequences: Tensor,
        initial_state: list[Tensor],
        mask: Tensor | None,
        training: bool = False,
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Runs the loop over time; see `keras.layers.RNN`."""
        drops = training and self.weight_drop
        if is_quantized(self.cell):
            with dequantized(self.cell, thin=self._thinned if drops else None):
                return self._loop(sequences, initial_state, mask, training=training)
        if not drops:
            return self._loop(sequences, initial_state, mask, training=training)
        with self._dropped_weights():
            return self._loop(sequences, initial_state, mask, training=training)

    @contextlib.contextmanager
    def _dropped_weights(self):
        """Puts the thinned recurrent matrix in the place of the cell's."""
        matrix = self.cell.recurrent_kernel
        thinned = self._thinned(keras.ops.cast(matrix, self.compute_dtype))  # JAX drops no variable
        # Not by plain assignment: the matrix stays the weight that Keras knows.
        object.__setattr__(self.cell, "recurrent_kernel", thinned)
        try:
            yield
        finally:
            object.__setattr__(self.cell, "recurrent_kernel", matrix)

    def _thinned(self, matrix):
        return keras.random.dropout(matrix, self.weight_drop, seed=self.weight_drop_seed)

    def _loop(self, sequences, initial_state, mask, training):
        chosen = choose_kernel(self, masked=mask is not None, rows=sequences.shape[0])
        return chosen.kernel.run(self, sequences, initial_state, mask=mask, training=training)

    def keras_loop(
        self,
        use_cudnn: bool | str | None,
        sequences: Tensor,
        initial_state: list[Tensor],
        mask: Tensor | None,
        training: bool,
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Runs the loop that Keras brings, told whether it may call cuDNN."""
        token = cudnn.use_cudnn.set(use_cudnn)
        try:
            return super().inner_loop(sequences, initial_state, mask, training=training)
        finally:
            cudnn.use_cudnn.reset(token)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the Keras layer, and `weight_drop` where there is one."""
        own = {"weight_drop": self.weight_drop} if self.weight_drop else {}
        return {**super().get_config(), **own}


class CudnnLoop(FastLoop):
    """`FastLoop` for the layers that Keras may run in cuDNN."""

    @property
    def use_cudnn(self) -> bool | str:
        """What Keras reads before it calls cuDNN: `"auto"`, `True` or `False`, as it was set.

        There is one exception. On JAX and on torch with a GPU `keras.layers.Bidirectional` would
        run both directions in one call of cuDNN, which knows neither `weight_drop` nor what
        `choose_kernel` says. It reads another word than these three, and then calls the layers
        one after the other. Each may still choose cuDNN.
        """
        running = cudnn.use_cudnn.get()
        if running is not None:
            return running
        backend = keras.backend.backend()
        chooses = self.built and self.requested_cudnn == "auto" and gpu_visible()
        if chooses and (backend == "jax" or (backend == "torch" and self.weight_drop)):
            return APART
        return self.requested_cudnn

    @use_cudnn.setter
    def use_cudnn(self, value: bool | str) -> None:
        self.requested_cudnn = "auto" if value == APART else value  # a clone is given what was read
