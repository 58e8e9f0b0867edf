"""The kernels of cells with the state `h[t] = a[t] * h[t-1] + b[t]`, number by number.

No product of matrices stands between two steps, so all of them are done before, over whole
sequences, and only this remains. `rnnzoo.layers.cells.scan_loop.ScanLoop` is the layer around it.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
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
            states = over_time(move, (decay, inputs), start)

            def gradient(d_states):
                d_inputs = move_back(decay, d_states)
                before = states_before(states, start)
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
        reason = "no product stands between two steps of this cell"
        if call.backend == "tensorflow":
            reason += "; where the length is unknown when traced, its steps run one by one"
        return reason

    def scan(self, decay: Tensor, inputs: Tensor, start: Tensor) -> Tensor:
        """Computes `h[t] = decay[t] * h[t-1] + inputs[t]` for all steps.

        Args:
            decay: Float32 `(batch, time, units)`.
            inputs: Float32 `(batch, time, units)`.
            start: The state before the first step, float32 `(batch, units)`.

        Returns:
            The states, float32 `(batch, time, units)`.
        """
        if keras.config.backend() == "tensorflow" and inputs.shape[1] is None:
            # Keras compares the two lengths in Python, which a traced one does not allow.
            return ElementwiseLoop().scan(decay, inputs, start)

        def two_steps(first, second):
            (a, b), (c, d) = first, second
            return a * c, b * c + d

        decay, moved = ops.associative_scan(two_steps, (decay, inputs), axis=1)
        return move(ops.expand_dims(start, 1), decay, moved)


def over_time(
    step: Callable[..., Any], sequences: Sequence[Any], start: Any, reverse: bool = False
) -> Any:
    """Runs `state = step(state, *inputs of the step)` over time, on TensorFlow.

    Args:
        step: The function of one step.
        sequences: What its inputs are taken from, `(batch, time, units)` each.
        start: The state before the first step, `(batch, units)`.
        reverse: Whether to go from the last step to the first.

    Returns:
        The states, `(batch, time, units)`, in the order of time.
    """
    import tensorflow as tf

    steps = sequences[0].shape[1]
    if steps is not None and steps <= UNROLL_STEPS:
        state, states = start, [None] * steps
        inputs = list(zip(*(tf.unstack(x, axis=1) for x in sequences), strict=True))
        for t in reversed(range(steps)) if reverse else range(steps):
            states[t] = state = step(state, *inputs[t])
        return tf.stack(states, 1)

    steps = tf.shape(sequences[0])[1]
    inputs = [tf.TensorArray(x.dtype, steps).unstack(tf.transpose(x, (1, 0, 2))) for x in sequences]

    def body(n, state, states):
        t = steps - 1 - n if reverse else n
        state = step(state, *(each.read(t) for each in inputs))
        return n + 1, state, states.write(t, state)

    states = tf.TensorArray(start.dtype, steps, element_shape=start.shape)
    _, _, states = tf.while_loop(lambda n, *_: n < steps, body, (0, start, states))
    return tf.transpose(states.stack(), (1, 0, 2))


def move(state: Tensor, decay: Tensor, inputs: Tensor) -> Tensor:
    """Takes one step: `decay * state + inputs`."""
    return decay * state + inputs


def move_back(decay: Tensor, d_states: Tensor) -> Tensor:
    """Computes the whole gradient of each state, on TensorFlow.

    It moves as the state does, from the last step to the first.

    Args:
        decay: The derivative of each state by the one before it, `(batch, time, units)`.
        d_states: What reaches each state otherwise than through the next one.

    Returns:
        The gradients, `(batch, time, units)`.
    """
    import tensorflow as tf

    after = tf.concat([decay[:, 1:], tf.zeros_like(decay[:, :1])], 1)
    return over_time(move, (after, d_states), tf.zeros_like(d_states[:, 0]), reverse=True)


def states_before(states: Tensor, start: Tensor) -> Tensor:
    """Returns the state before each step, `(batch, time, units)`."""
    return ops.concatenate([ops.expand_dims(start, 1), states[:, :-1]], axis=1)


KERNELS = (ElementwiseLoop(), ParallelScan())


def one_step(decay: Tensor, inputs: Tensor, start: Tensor) -> Tensor:
    """Computes the state of a single step, `(batch, 1, units)`; see `ParallelScan.scan`."""
    return move(ops.expand_dims(start, 1), decay, inputs)
