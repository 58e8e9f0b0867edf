"""The kernels of cells with the state `h[t] = a[t] * h[t-1] + b[t]`, number by number.

No product of matrices stands between two steps, so all of them are done before, over whole
sequences, and only this remains. `rnnzoo.layers.cells.scan_loop.ScanLoop` is the layer around it.
"""

from typing import Any

from keras import ops

from rnnzoo.typing import Tensor

# Longer sequences, and those whose length is unknown when traced, run in a `tf.while_loop`.
UNROLL_STEPS = 128


class ScanKernel:
    """What both kernels share; see `rnnzoo.layers.kernels`."""

    exportable = False  # an export takes the generic loop, of Keras's operations alone

    def obstacles(self, layer, call):
        """Nothing hinders it."""
        return []

    def run(self, layer, sequences, initial_state, mask, training):
        """Runs the layer, whose cell computes `a` and `b` of all steps first."""
        return layer.scan_sequences(sequences, initial_state, mask=mask, scan=self.scan)


class ElementwiseLoop(ScanKernel):
    """A loop over time on TensorFlow and a CPU, with its gradient written by hand."""

    name, label = "elementwise_loop", "elementwise loop"

    def runs_on(self, backend, gpu):
        """Whether this device has it."""
        return backend == "tensorflow" and not gpu

    def reason(self, layer, call):
        """Why it is chosen."""
        return "no GPU is visible, and no product stands between two steps of this cell"

    def scan(self, decay: Tensor, inputs: Tensor, start: Tensor) -> Tensor:
        """Computes the states of all steps; see `ParallelScan.scan`."""
        import tensorflow as tf

        @tf.custom_gradient
        def run_once(decay, inputs, start):
            states = _states(decay, inputs, start)

            def gradient(d_states):
                # The gradient moves as the state does, from the last step to the first.
                after = tf.concat([decay[:, 1:], tf.zeros_like(decay[:, :1])], 1)
                d_inputs = _states(after, d_states, tf.zeros_like(start), reverse=True)
                before = tf.concat([start[:, None], states[:, :-1]], 1)
                return d_inputs * before, d_inputs, decay[:, 0] * d_inputs[:, 0]

            return states, gradient

        return run_once(decay, inputs, start)


class ParallelScan(ScanKernel):
    """A scan whose steps are computed in parallel, for devices with many cores."""

    name, label = "associative_scan", "associative scan"

    def runs_on(self, backend, gpu):
        """Every device has it."""
        return True

    def reason(self, layer, call):
        """Why it is chosen."""
        return "no product stands between two steps of this cell"

    def scan(self, decay: Tensor, inputs: Tensor, start: Tensor) -> Tensor:
        """Computes `h[t] = decay[t] * h[t-1] + inputs[t]` for all steps.

        Args:
            decay: Float32 `(batch, time, units)`.
            inputs: Float32 `(batch, time, units)`.
            start: The state before the first step, float32 `(batch, units)`.

        Returns:
            The states, float32 `(batch, time, units)`.
        """

        def two_steps(first, second):
            (a, b), (c, d) = first, second
            return a * c, b * c + d

        decay, moved = ops.associative_scan(two_steps, (decay, inputs), axis=1)
        return decay * ops.expand_dims(start, 1) + moved


def _states(decay: Any, inputs: Any, start: Any, reverse: bool = False) -> Any:
    """Runs the loop over time, or over time backwards."""
    import tensorflow as tf

    steps = inputs.shape[1]
    if steps is not None and steps <= UNROLL_STEPS:
        state, states = start, [None] * steps
        pairs = list(zip(tf.unstack(decay, axis=1), tf.unstack(inputs, axis=1), strict=True))
        for t in reversed(range(steps)) if reverse else range(steps):
            a, b = pairs[t]
            states[t] = state = a * state + b
        return tf.stack(states, 1)

    steps = tf.shape(inputs)[1]
    decay, moved = (
        tf.TensorArray(x.dtype, steps).unstack(tf.transpose(x, (1, 0, 2))) for x in (decay, inputs)
    )

    def step(n, state, states):
        t = steps - 1 - n if reverse else n
        state = decay.read(t) * state + moved.read(t)
        return n + 1, state, states.write(t, state)

    states = tf.TensorArray(start.dtype, steps, element_shape=start.shape)
    _, _, states = tf.while_loop(lambda n, *_: n < steps, step, (0, start, states))
    return tf.transpose(states.stack(), (1, 0, 2))


KERNELS = (ElementwiseLoop(), ParallelScan())


def one_step(decay: Tensor, inputs: Tensor, start: Tensor) -> Tensor:
    """Computes the state of a single step, `(batch, 1, units)`; see `ParallelScan.scan`."""
    return decay * ops.expand_dims(start, 1) + inputs
