"""The report of which kernel each recurrent layer of a model runs, and why."""

import dataclasses

import keras

from rnnzoo import onednn
from rnnzoo.layers.kernels.choose import Kernel, choose_kernel, gpu_visible

CELL = "cell"


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
        notes = [f"{name}: {reason}." for name, reason in reasons]
        if any((row.backend, row.device) == ("tensorflow", "cpu") for row in self):
            notes.append(f"{onednn.choice()}.")
        return "\n".join([*lines, "", *notes])


def kernels(model: keras.layers.Layer) -> KernelReport:
    """Tells which kernel each recurrent layer of a model will run next, and why.

    A training step is what `fit` runs for a batch, a generation step what `generate` and
    `translate` run for a token. It is checked at the call: the backend, its devices, the layers'
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
        oneDNN: turned on by rnnzoo, for the processor has AVX2.
        ```
    """
    device = "gpu" if gpu_visible() else "cpu"
    # `jit_compile` of a model that nobody compiled would be worked out now, and kept.
    jit_compile = bool(getattr(model, "compiled", False) and model.jit_compile)
    report = KernelReport()
    for layer, path, parent, masked in cells_and_layers(model):
        if not isinstance(layer, keras.layers.RNN):
            loop_kernel = getattr(parent, "loop_kernel", None)
            training = loop_kernel() if loop_kernel else IN_LOOP
            generation = ONE_STEP
        else:
            training = choose_kernel(layer, masked=masked, jit_compile=jit_compile)
            generation = ONE_STEP if hasattr(parent, "step") else training
        report.append(
            LayerKernels(
                "/".join(path), training, generation, backend=keras.backend.backend(), device=device
            )
        )
    return report


ONE_STEP = Kernel(CELL, "one step at a time needs no loop over time")
IN_LOOP = Kernel(
    CELL,
    "the model loops over this cell itself, one step needs the one before it; a decoder with "
    "attention_position='after_cell' can run its layer over the whole sequence",
)


def cells_and_layers(layer, path=(), parent=None, masked=False):
    """Yields the recurrent layers and bare cells of a layer: each with path, parent and mask.

    The path has the names of the layers that hold it, and its own.
    """
    if hasattr(layer, "state_size"):
        yield layer, path or (layer.name,), parent, masked
        return
    masked = masked or getattr(layer, "gives_mask", False)
    for child in layer._layers or []:
        yield from cells_and_layers(child, (*path, child.name), layer, masked=masked)
        makes_mask = isinstance(child, keras.layers.Masking) or getattr(child, "mask_zero", False)
        masked = masked or makes_mask  # it goes on to the layers that come after
