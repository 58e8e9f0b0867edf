"""The kernel of NVIDIA's cuDNN, which Keras calls."""

import contextvars

import keras

from rnnzoo.layers.kernels.standard import standard_obstacles

# On JAX the generic loop, compiled by XLA, is faster than cuDNN up to a size. Training steps on one
# H100, tokens a second, cuDNN against generic: 430k to 555k (units 128, 50 rows), 500k to 554k
# (512, 64 rows), 950k to 885k (512, 128 rows), 147k to 97k (1150, 80 rows).
JAX_CUDNN_FROM = 128 * 512  # rows times units: the smallest that was faster in cuDNN
ASSUMED_ROWS = 64  # where the rows are not known, as in a report
DTYPES = {"jax": ("float32",), "torch": ("float16", "float32", "float64")}
MASKS = {
    "tensorflow": "a mask must be right-padded and leave no row empty",
    "jax": "a call with a mask runs the generic loop",
    "torch": "a call with a mask runs the generic loop",
}
# What Keras's loop is told for the layer that runs just now; None outside of a loop.
use_cudnn = contextvars.ContextVar("use_cudnn", default=None)


def requested(layer):
    """The `use_cudnn` that a layer was given: `"auto"`, `True`, `False`, or `None` without one."""
    return getattr(layer, "requested_cudnn", getattr(layer, "use_cudnn", None))


class Cudnn:
    """See `rnnzoo.layers.kernels`."""

    name, label = "cudnn", "cuDNN"
    exportable = True  # where `export(use_cudnn=True)` leaves `use_cudnn` on

    def runs_on(self, backend, gpu):
        """Whether this device has it."""
        return gpu

    def obstacles(self, layer, call):
        """What keeps a layer from it, in words."""
        lost = standard_obstacles(layer)
        if isinstance(layer, keras.layers.SimpleRNN):
            lost.append("Keras has no cuDNN for SimpleRNN; use an LSTM or a GRU layer")
        elif isinstance(layer, keras.layers.GRU) and call.backend == "jax":
            lost.append("Keras on JAX has no cuDNN for GRU; use an LSTM, or TensorFlow or torch")
        dtypes = DTYPES.get(call.backend, (layer.compute_dtype,))
        if layer.compute_dtype not in dtypes:
            lost.append(
                f"cuDNN under {call.backend} computes in {' or '.join(dtypes)}, "
                f"not {layer.compute_dtype}"
            )
        if call.masked and call.backend != "tensorflow":
            lost.append(
                f"a mask reaches it, and Keras on {call.backend} gives cuDNN none; TensorFlow does"
            )
        if call.jit_compile and call.backend == "torch":
            lost.append("compile the model with jit_compile=False")
        if not getattr(layer.cell, "use_bias", True):
            lost.append("set use_bias=True")
        if requested(layer) is False:
            lost.append("set layer.use_cudnn='auto'")
        if not lost and call.backend == "jax" and requested(layer) == "auto":
            lost += self._slower(layer, call.rows)
        return lost

    def _slower(self, layer, rows):
        units, known = layer.cell.units, rows or ASSUMED_ROWS
        if known * units >= JAX_CUDNN_FROM:
            return []
        return [
            f"with {size(units, rows)} the compiled generic loop was faster on an H100 (554k to "
            "500k tokens a second with 512 units and 64 rows); use_cudnn=True asks for cuDNN all "
            "the same"
        ]

    def reason(self, layer, call):
        """Why it is chosen."""
        if call.backend == "jax" and requested(layer) == "auto":
            return (
                f"with {size(layer.cell.units, call.rows)} cuDNN was faster than the generic loop "
                "on an H100 (950k to 885k tokens a second with 512 units and 128 rows); "
                f"{MASKS['jax']}"
            )
        return f"a GPU is visible and the layer fits; {MASKS[call.backend]}"

    def run(self, layer, sequences, initial_state, mask, training):
        """Lets Keras call cuDNN."""
        return layer.keras_loop(
            requested(layer), sequences, initial_state, mask=mask, training=training
        )


def size(units, rows):
    """A layer's units and a batch's rows, in words."""
    known = f"{rows} rows" if rows else f"{ASSUMED_ROWS} rows (assumed: a report knows no batch)"
    return f"{units} units and {known}"
