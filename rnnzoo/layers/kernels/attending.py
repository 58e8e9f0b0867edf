"""The kernels of a decoder that attends before its cell, and which of them is chosen."""

import keras

from rnnzoo.layers.kernels.choose import Kernel, gpu_visible
from rnnzoo.layers.kernels.standard import cell_obstacles

REMEDY = "attention_position='after_cell' lets its layer run over the whole sequence at once"


class AttendingLoop:
    """The loop written by hand for TensorFlow on a CPU; `attending_loop.py` has it."""

    name = "attending_loop"
    exportable = False  # an export takes the generic loop, of Keras's operations alone

    def obstacles(self, cell, equations, exporting=False):
        """What keeps a cell from it, in words."""
        backend = keras.backend.backend()
        if equations is None:
            return [f"the cell {type(cell).__name__} has no equations written by hand"]
        lost = cell_obstacles(cell)
        if backend != "tensorflow":
            lost.append(f"it needs the TensorFlow backend, this is {backend}")
        elif gpu_visible():
            lost.append("a GPU is visible")
        if cell.compute_dtype not in ("float32", "bfloat16"):
            lost.append(f"it computes in float32 or bfloat16, not {cell.compute_dtype}")
        if cell.dropout:
            lost.append("set dropout=0 in the cell")
        if exporting:
            lost.append("this model is made for export")
        return lost

    def run(self, equations, cell, attention, **inputs):
        """Runs the loop: `(hidden, contexts)`; see `attending_loop.run`."""
        from rnnzoo.layers.kernels import attending_loop  # needs TensorFlow

        return attending_loop.run(equations, cell, attention, **inputs)


LOOP = AttendingLoop()


def choose_attending_kernel(
    cell: keras.layers.Layer, equations: type | None, exporting: bool = False
) -> Kernel:
    """Chooses the kernel of a decoder's loop over attention and cell.

    Args:
        cell: The cell that is given the context.
        equations: The cell's equations for the hand-written loop, or None.
        exporting: Whether the loop is traced for an export.

    Returns:
        The kernel, `"attending_loop"` or `"cell"`, and the reason.
    """
    lost = LOOP.obstacles(cell, equations, exporting)
    if not lost:
        return Kernel(LOOP.name, "no GPU is visible; each step needs the one before it", LOOP)
    return Kernel(
        "cell", f"the model loops over this cell itself, one step needs the one before it; no "
        f"attending loop: {'; '.join(lost)}; {REMEDY}",
    )  # fmt: skip
