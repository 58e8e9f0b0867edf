"""Which kernel a recurrent layer runs, why, and the report of it for a model."""

import dataclasses
import importlib

import keras

CUDNN, CPU_LOOP, GENERIC, CELL = "cudnn", "cpu_loop", "generic", "cell"
STANDARD_LAYERS = keras.layers.LSTM | keras.layers.GRU | keras.layers.SimpleRNN
BARE_CELLS = keras.layers.LSTMCell | keras.layers.GRUCell | keras.layers.SimpleRNNCell
# Spellings that Keras too takes for the same function.
TANH = (keras.activations.tanh, keras.ops.tanh)
SIGMOID = (keras.activations.sigmoid, keras.ops.sigmoid)
# On JAX the generic loop, compiled by XLA, is faster than cuDNN up to a size. Training steps on one
# H100, tokens a second, cuDNN against generic: 430k to 555k (units 128, 50 rows), 500k to 554k
# (512, 64 rows), 950k to 885k (512, 128 rows), 147k to 97k (1150, 80 rows).
JAX_CUDNN_FROM = 128 * 512  # rows times units: the smallest that was faster in cuDNN
ASSUMED_ROWS = 64  # where the rows are not known, as in a report
CUDNN_DTYPES = {"jax": ("float32",), "torch": ("float16", "float32", "float64")}
MASKS = {
    "tensorflow": "a mask must be right-padded and leave no row empty",
    "jax": "a call with a mask runs the generic loop",
    "torch": "a call with a mask runs the generic loop",
}


@dataclasses.dataclass(frozen=True)
class Kernel:
    """A kernel and the reason for it.

    Attributes:
        name: `"cudnn"`; `"cpu_loop"`, rnnzoo's own for TensorFlow on a CPU; `"generic"`, Keras's
            loop over the cell; or `"cell"`, the cell alone, one step at a time.
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
    backend = keras.backend.backend()
    obstacles = _obstacles(layer)
    if gpu_visible():
        lost = obstacles + _cudnn_obstacles(layer, backend, masked, jit_compile)
        if lost:
            return Kernel(GENERIC, f"no cuDNN: {'; '.join(lost)}")
        if backend == "jax" and cudnn_asked(layer) == "auto":
            return _faster_on_jax(layer, rows)
        return Kernel(CUDNN, f"a GPU is visible and the layer fits; {MASKS[backend]}")
    if backend != "tensorflow":
        return Kernel(GENERIC, f"the CPU loop needs the TensorFlow backend, this is {backend}")
    lost = obstacles + _cpu_loop_obstacles(layer)
    if lost:
        return Kernel(GENERIC, f"no CPU loop: {'; '.join(lost)}")
    return Kernel(CPU_LOOP, "no GPU is visible")


def cudnn_asked(layer: keras.layers.RNN) -> bool | str | None:
    """The `use_cudnn` that a layer was given: `"auto"`, `True`, `False`, or `None` without one."""
    return getattr(layer, "asked_cudnn", getattr(layer, "use_cudnn", None))


def _faster_on_jax(layer, rows):
    """Chooses cuDNN or the generic loop, whichever was faster for a layer that fits both."""
    units, known = layer.cell.units, rows or ASSUMED_ROWS
    batch = f"{known} rows" if rows else f"{known} rows (assumed: a report knows no batch)"
    if known * units >= JAX_CUDNN_FROM:
        figures = "950k to 885k tokens a second with 512 units and 128 rows"
        measured = f"was faster for large layers and batches on an H100 ({figures})"
        return Kernel(CUDNN, f"{units} units and {batch}: cuDNN {measured}; {MASKS['jax']}")
    figures = "554k to 500k tokens a second with 512 units and 64 rows"
    measured = f"the compiled generic loop was faster than cuDNN on an H100 ({figures})"
    remedy = "use_cudnn=True asks for cuDNN all the same"
    return Kernel(GENERIC, f"{units} units and {batch}: {measured}; {remedy}")


def _obstacles(layer):
    """What keeps a layer from cuDNN and from the CPU loop alike, as remedies."""
    cell = layer.cell
    if not isinstance(layer, STANDARD_LAYERS):
        return [f"{type(cell).__name__} has no other kernel; use an LSTM or a GRU layer"]
    lost = []
    if cell.activation not in TANH:
        lost.append("set activation='tanh'")
    if getattr(cell, "recurrent_activation", SIGMOID[0]) not in SIGMOID:
        lost.append("set recurrent_activation='sigmoid'")
    if cell.recurrent_dropout:
        lost.append("set recurrent_dropout=0")
    if not getattr(cell, "reset_after", True):
        lost.append("set reset_after=True (its weights differ)")
    if layer.unroll:
        lost.append("set unroll=False")
    return lost


def _cudnn_obstacles(layer, backend, masked, jit_compile):
    """What keeps a layer from cuDNN alone."""
    lost = []
    if isinstance(layer, keras.layers.SimpleRNN):
        lost.append("Keras has no cuDNN for SimpleRNN; use an LSTM or a GRU layer")
    elif isinstance(layer, keras.layers.GRU) and backend == "jax":
        lost.append("Keras on JAX has no cuDNN for GRU; use an LSTM, or TensorFlow or torch")
    dtypes = CUDNN_DTYPES.get(backend, (layer.compute_dtype,))
    if layer.compute_dtype not in dtypes:
        lost.append(
            f"cuDNN under {backend} computes in {' or '.join(dtypes)}, not {layer.compute_dtype}"
        )
    if masked and backend != "tensorflow":
        lost.append(f"a mask reaches it, and Keras on {backend} gives cuDNN none; TensorFlow does")
    if jit_compile and backend == "torch":
        lost.append("compile the model with jit_compile=False")
    if not getattr(layer.cell, "use_bias", True):
        lost.append("set use_bias=True")
    if cudnn_asked(layer) is False:
        lost.append("set layer.use_cudnn='auto'")
    return lost


def _cpu_loop_obstacles(layer):
    """What keeps a layer from the CPU loop alone."""
    lost = []
    name = type(layer).__name__
    if not hasattr(layer, "fast_loop") and isinstance(layer, STANDARD_LAYERS):
        lost.append(f"this is Keras's own layer; rnnzoo.layers.{name} takes the same weights")
    if cudnn_asked(layer) is True:
        lost.append("use_cudnn=True asks for a GPU; set use_cudnn='auto'")
    if layer.compute_dtype not in ("float32", "bfloat16"):
        lost.append(f"it computes in float32 or bfloat16, not {layer.compute_dtype}")
    if getattr(layer.cell, "dropout", 0) and getattr(layer.cell, "implementation", 2) == 1:
        lost.append("set implementation=2, dropout has a mask per gate with 1")
    return lost


@dataclasses.dataclass(frozen=True)
class LayerKernels:
    """The kernels of one recurrent layer.

    Attributes:
        layer: Its name, after the names of the layers that hold it.
        training: Kernel of the next training step.
        generation: Kernel of the next generation step.
        backend: `"tensorflow"`, `"jax"` or `"torch"`.
        device: `"gpu"` or `"cpu"`.
    """

    layer: str
    training: Kernel
    generation: Kernel
    backend: str
    device: str


class KernelReport(list[LayerKernels]):
    """A list of `LayerKernels` that prints as a table, with the reasons below it."""

    def __str__(self) -> str:
        if not self:
            return "This model has no recurrent layer."
        head = ("layer", "training", "generation", "backend", "device")
        rows = [
            (row.layer, row.training.name, row.generation.name, row.backend, row.device)
            for row in self
        ]
        widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in (head, *rows)
        ]
        reasons = {(k.name, k.reason): None for r in self for k in (r.training, r.generation)}
        return "\n".join([*lines, "", *(f"{name}: {reason}." for name, reason in reasons)])


def kernels(model: keras.layers.Layer) -> KernelReport:
    """Tells which kernel each recurrent layer of a model will run next, and why.

    A training step is what `fit` runs for a batch, a generation step what `generate` and
    `translate` run for a token. What is asked is asked now: the backend, its devices, the layers'
    settings, and on torch how the model is compiled.

    Args:
        model: Any Keras model or layer; layers inside layers are found.

    Returns:
        A list of `LayerKernels`, in the order of the model; its `str` is a table.

    Example:
        >>> from rnnzoo import char_lstm
        >>> [one.layer for one in kernels(char_lstm(65, units=128, num_layers=1))]
        ['recurrent/lstm_0']

        Printed, on TensorFlow and a CPU:
        ```
        layer             training  generation  backend     device
        recurrent/lstm_0  cpu_loop  cell        tensorflow  cpu

        cpu_loop: no GPU is visible.
        cell: one step at a time needs no loop over time.
        ```
    """
    device = "gpu" if gpu_visible() else "cpu"
    # `jit_compile` of a model that nobody compiled would be worked out now, and kept.
    jit_compile = bool(getattr(model, "compiled", False) and model.jit_compile)
    report = KernelReport()
    for layer, path, parent, masked in _cells_and_layers(model):
        if isinstance(layer, BARE_CELLS):
            training, generation = IN_LOOP, ONE_STEP
        else:
            training = choose_kernel(layer, masked=masked, jit_compile=jit_compile)
            generation = ONE_STEP if hasattr(parent, "step") else training
        report.append(
            LayerKernels("/".join(path), training, generation, keras.backend.backend(), device)
        )
    return report


ONE_STEP = Kernel(CELL, "one step at a time needs no loop over time")
IN_LOOP = Kernel(
    CELL,
    "the model loops over this cell itself, one step needs the one before it; a decoder with "
    "attention_position='after_cell' can run its layer over the whole sequence",
)


def _cells_and_layers(layer, path=(), parent=None, masked=False):
    """Yields the recurrent layers and bare cells of a layer: each with path, parent and mask."""
    from rnnzoo.layers.encoder import Encoder  # stands on this file

    if isinstance(layer, keras.layers.RNN | BARE_CELLS):
        yield layer, path or (layer.name,), parent, masked
        return
    masked = masked or isinstance(layer, Encoder)  # which gives its layers the padding's mask
    for child in layer._layers or []:
        yield from _cells_and_layers(child, (*path, child.name), layer, masked)
        makes_mask = isinstance(child, keras.layers.Masking) or getattr(child, "mask_zero", False)
        masked = masked or makes_mask  # it goes on to the layers that come after
