"""Which kernel a recurrent layer runs, why, and the report of it for a model."""

import dataclasses
import importlib

import keras

CUDNN, CPU_LOOP, GENERIC = "cudnn", "cpu_loop", "generic"


@dataclasses.dataclass(frozen=True)
class Kernel:
    """A kernel and the reason for it.

    Attributes:
        name: `"cudnn"`; `"cpu_loop"`, rnnzoo's own for TensorFlow on a CPU; or `"generic"`,
            Keras's loop over the cell.
        reason: Why this one, in words; where it is not the fastest, what to change.
    """

    name: str
    reason: str


def gpu_visible() -> bool:
    """Whether the backend has a GPU at hand, asked the way Keras asks before it uses cuDNN."""
    if keras.backend.backend() == "tensorflow":
        # By its full name: the package has a function `rnn` too.
        return importlib.import_module("keras.src.backend.tensorflow.rnn")._is_gpu_available()
    if keras.backend.backend() == "jax":
        import jax

        return any(device.platform == "gpu" for device in jax.devices())
    if keras.backend.backend() == "torch":
        import torch

        return torch.cuda.is_available()
    return False


def choose_kernel(layer: keras.layers.RNN) -> Kernel:
    """Chooses the kernel of a recurrent layer's loop over time: the one place that does.

    cuDNN comes first, wherever Keras would use it. Then, under TensorFlow with no GPU, the CPU
    loop, which has beaten the generic loop at every size measured (`benchmarks/layer_kernels.py`).
    What neither computes is left to the generic loop.

    Args:
        layer: A `keras.layers.RNN`, rnnzoo's or Keras's own.

    Returns:
        The kernel and the reason.

    Example:
        >>> choose_kernel(LSTM(8, activation="relu")).name
        'generic'
    """
    backend = keras.backend.backend()
    obstacles = _obstacles(layer)
    if gpu_visible():
        lost = obstacles + _cudnn_obstacles(layer, backend)
        if not lost:
            needs = " (right-padded masks only, no empty row)" if backend == "tensorflow" else ""
            return Kernel(CUDNN, f"a GPU is visible and the layer meets cuDNN's conditions{needs}")
        return Kernel(GENERIC, f"no cuDNN: {'; '.join(lost)}")
    if backend != "tensorflow":
        return Kernel(GENERIC, f"the CPU loop needs the TensorFlow backend, this is {backend}")
    lost = obstacles + _cpu_loop_obstacles(layer)
    if lost:
        return Kernel(GENERIC, f"no CPU loop: {'; '.join(lost)}")
    return Kernel(CPU_LOOP, "no GPU is visible")


def _obstacles(layer):
    """What keeps a layer from cuDNN and from the CPU loop alike, as remedies."""
    cell = layer.cell
    if not isinstance(layer, keras.layers.LSTM | keras.layers.GRU | keras.layers.SimpleRNN):
        return [f"{type(cell).__name__} has no other kernel; use an LSTM or a GRU layer"]
    lost = []
    if cell.activation is not keras.activations.tanh:
        lost.append("set activation='tanh'")
    if getattr(cell, "recurrent_activation", keras.activations.sigmoid) is not (
        keras.activations.sigmoid
    ):
        lost.append("set recurrent_activation='sigmoid'")
    if cell.recurrent_dropout:
        lost.append("set recurrent_dropout=0")
    if not getattr(cell, "reset_after", True):
        lost.append("set reset_after=True (its weights differ)")
    if layer.unroll:
        lost.append("set unroll=False")
    return lost


def _cudnn_obstacles(layer, backend):
    """What keeps a layer from cuDNN alone."""
    lost = []
    if isinstance(layer, keras.layers.SimpleRNN):
        lost.append("Keras has no cuDNN for SimpleRNN; use an LSTM or a GRU layer")
    elif isinstance(layer, keras.layers.GRU) and backend == "jax":
        lost.append("Keras on JAX has no cuDNN for GRU; use an LSTM, or TensorFlow or torch")
    if not layer.cell.use_bias:
        lost.append("set use_bias=True")
    if not getattr(layer, "use_cudnn", True):
        lost.append("set layer.use_cudnn='auto'")
    return lost


def _cpu_loop_obstacles(layer):
    """What keeps a layer from the CPU loop alone."""
    lost = []
    if not hasattr(layer, "fast_loop"):
        name = type(layer).__name__
        lost.append(f"this is Keras's own layer; rnnzoo.layers.{name} takes the same weights")
    if getattr(layer, "use_cudnn", None) is True:
        lost.append("use_cudnn=True asks for a GPU; set use_cudnn='auto'")
    if layer.compute_dtype not in ("float32", "bfloat16"):
        lost.append(f"it computes in float32 or bfloat16, not {layer.compute_dtype}")
    if layer.cell.dropout and getattr(layer.cell, "implementation", 2) == 1:
        lost.append("set implementation=2, dropout has a mask per gate with 1")
    return lost
