"""The kernel written by hand for TensorFlow on a CPU; `cpu_loop.py` has the loop itself."""

import contextvars
from collections.abc import Callable
from typing import Any

from rnnzoo.layers.kernels.cudnn import requested
from rnnzoo.layers.kernels.standard import STANDARD_LAYERS, standard_obstacles

_gradients = contextvars.ContextVar("gradients", default=True)


def without_gradients(function: Callable[..., Any]) -> Callable[..., Any]:
    """Returns a function in which the CPU loop keeps nothing for a gradient, which is faster.

    TensorFlow can still differentiate it, but not as fast as the gradient written by hand.
    """

    def run(*arguments, **options):
        token = _gradients.set(False)
        try:
            return function(*arguments, **options)
        finally:
            _gradients.reset(token)

    return run


class CpuLoop:
    """See `rnnzoo.layers.kernels`."""

    name, label = "cpu_loop", "CPU loop"
    exportable = False  # Keras's exporters fail on its gradient, which is written by hand

    def runs_on(self, backend, gpu):
        """Whether this device has it."""
        return backend == "tensorflow" and not gpu

    def obstacles(self, layer, call):
        """What keeps a layer from it, in words."""
        lost = []
        if isinstance(layer, STANDARD_LAYERS) or not hasattr(layer, "equations"):
            lost += standard_obstacles(layer)
        if not hasattr(layer, "equations") and isinstance(layer, STANDARD_LAYERS):
            name = type(layer).__name__
            lost.append(f"this is Keras's own layer; rnnzoo.layers.{name} takes the same weights")
        if requested(layer) is True:
            lost.append("use_cudnn=True asks for a GPU; set use_cudnn='auto'")
        if layer.compute_dtype not in ("float32", "bfloat16"):
            lost.append(f"it computes in float32 or bfloat16, not {layer.compute_dtype}")
        if getattr(layer.cell, "dropout", 0) and getattr(layer.cell, "implementation", 2) == 1:
            lost.append("set implementation=2, dropout has a mask per gate with 1")
        return lost

    def reason(self, layer, call):
        """Why it is chosen."""
        return "no GPU is visible"

    def run(self, layer, sequences, initial_state, mask, training):
        """Runs the loop."""
        from rnnzoo.layers.kernels import cpu_loop  # needs TensorFlow

        return cpu_loop.run(
            layer.equations,
            layer,
            sequences,
            initial_state=initial_state,
            mask=mask,
            training=training,
            gradients=_gradients.get(),
        )
