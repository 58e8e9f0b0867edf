"""Chooses the kernel of a recurrent layer."""

import dataclasses
import importlib
from typing import Any

import keras

from rnnzoo.layers.kernels.cpu import CpuLoop
from rnnzoo.layers.kernels.cudnn import Cudnn
from rnnzoo.layers.kernels.generic import Generic

GENERIC = Generic()
KERNELS = (Cudnn(), CpuLoop(), GENERIC)  # the first that nothing hinders is taken


@dataclasses.dataclass(frozen=True)
class Call:
    """What is known of a call, beside the layer.

    Attributes:
        backend: `"tensorflow"`, `"jax"` or `"torch"`.
        masked: Whether a mask is given.
        jit_compile: Whether the step is compiled.
        rows: The rows of the batch, or None where they are not known.
    """

    backend: str
    masked: bool = False
    jit_compile: bool = False
    rows: int | None = None


@dataclasses.dataclass(frozen=True)
class Kernel:
    """A kernel and the reason for it.

    Attributes:
        name: `"cudnn"`; `"cpu_loop"` and `"attending_loop"`, rnnzoo's own for TensorFlow on a
            CPU; `"elementwise_loop"` and `"associative_scan"`, of cells without a product between
            two steps; `"generic"`, Keras's loop over the cell; or `"cell"`, the cell alone, one
            step at a time.
        reason: Why this one, in words; where it is not the fastest, what to change.
        kernel: What runs it; None for `"cell"`.
    """

    name: str
    reason: str
    kernel: Any = dataclasses.field(default=None, repr=False, compare=False)


def gpu_visible() -> bool:
    """Whether the backend has a GPU at hand, checked the way Keras checks before it uses cuDNN."""
    if keras.backend.backend() == "tensorflow":
        # By its full name: the package has a function `rnn` too.
        return importlib.import_module("keras.src.backend.tensorflow.rnn")._is_gpu_available()
    if keras.backend.backend() == "jax":
        import jax

        return jax.default_backend() == "gpu"
    if keras.backend.backend() == "torch":
        import torch

        if not (torch.backends.cudnn.enabled and torch.backends.cudnn.is_available()):
            return False
        # Keras's device, not torch's: KERAS_TORCH_DEVICE and `keras.device` choose it.
        device = importlib.import_module("keras.src.backend.torch.core").get_device()
        return torch.cuda.is_available() and str(device).startswith("cuda")
    return False


def choose_kernel(
    layer: keras.layers.RNN,
    *,
    masked: bool = False,
    jit_compile: bool = False,
    rows: int | None = None,
) -> Kernel:
    """Chooses the kernel of a recurrent layer's loop over time: the one place that does.

    rnnzoo's layers run what it says. cuDNN comes first, wherever Keras can use it, but on JAX only
    where it was measured to be the faster, in large layers and batches. Then, under TensorFlow with
    no GPU, the CPU loop: it was the faster at every size that `benchmarks/layer_kernels.py`
    measures, from 1 row to 128 and 128 units to 512, for each cell and in both dtypes (1.08 to 5.3
    times, see RESULTS.md there), so sizes play no part. What neither computes is left
    to the generic loop.

    Args:
        layer: A `keras.layers.RNN`, rnnzoo's or Keras's own.
        masked: Whether the layer is called with a mask, which cuDNN takes on TensorFlow alone.
        jit_compile: Whether the step is compiled, which takes cuDNN away on torch.
        rows: The number of rows of the batch, where it is known; 64 are assumed otherwise.

    Returns:
        The kernel and the reason.

    Example:
        >>> from rnnzoo.layers import LSTM
        >>> choose_kernel(LSTM(8, activation="relu")).name
        'generic'
    """
    backend, gpu = keras.backend.backend(), gpu_visible()
    call = Call(backend, masked, jit_compile, rows=rows)
    hindered = []
    for kernel in (*getattr(layer, "kernels", ()), *KERNELS):
        if not kernel.runs_on(backend, gpu):
            continue
        lost = kernel.obstacles(layer, call)
        if getattr(layer, "exporting", False) and not kernel.exportable:
            lost = [*lost, "this model is made for export"]
        if lost:
            hindered.append(f"no {kernel.label}: {'; '.join(lost)}")
        elif kernel is GENERIC:
            break
        else:
            return Kernel(kernel.name, kernel.reason(layer, call), kernel)
    if not hindered:
        hindered = [f"the CPU loop needs the TensorFlow backend, this is {backend}"]
    return Kernel(GENERIC.name, "; ".join(hindered), GENERIC)
