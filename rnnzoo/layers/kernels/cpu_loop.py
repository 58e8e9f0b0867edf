"""The fast recurrent loop for TensorFlow on a CPU, with its gradient written by hand.

What makes it faster than Keras's generic loop:

- The input projection of all steps is done before the loop, by large matrix products.
- The backward loop carries only the gradient of the state; the gradients of the weights are
  large matrix products over all steps after it.
- The gates stay separate tensors throughout: their products run side by side on the cores, and
  nothing is split or concatenated inside the loop.
- A short sequence of known length is unrolled into a plain graph, without control flow.

Under mixed_bfloat16 the matrix products are in bfloat16; the gates, the carried state and the sums
over time are in float32. (A step of generation is Keras's cell instead, all of it in bfloat16.)
Everything is made of stock operations, so a SavedModel with this loop loads without rnnzoo. The
equations of each cell stand in its file. This module needs TensorFlow: import it inside functions.

Shapes are written with T steps, B rows, I inputs, U units and G gates. Time is the first axis.
"""

from typing import Any

import keras
import tensorflow as tf
from tensorflow.python.saved_model import save_context

# Longer sequences, and those whose length is unknown when traced, run in a `tf.while_loop`: an
# unrolled step costs about 10 ms of tracing.
UNROLL_STEPS = 128

Tensors = list[tf.Tensor] | tuple[tf.Tensor, ...]


def run(
    equations: Any,
    layer: keras.layers.RNN,
    sequences: tf.Tensor,
    initial_state: Tensors,
    mask: tf.Tensor | None,
    training: bool,
    gradients: bool = True,
) -> tuple[tf.Tensor, tf.Tensor, list[tf.Tensor]]:
    """Runs a recurrent layer over its sequences: what `inner_loop` of a Keras layer returns.

    Args:
        equations: The equations of the cell; see `rnnzoo.layers.cells.lstm.LSTMEquations`.
        layer: The built Keras layer.
        sequences: (B, T, I); numbers of any dtype are cast to the layer's compute dtype, as Keras
            does.
        initial_state: List of (B, U), one for each state of the cell.
        mask: (B, T) booleans, true where a step counts; or None.
        training: Whether dropout applies to the inputs.
        gradients: Whether a gradient may be taken; it is faster without.

    Returns:
        `(last output (B, U), outputs (B, T, U) or (B, 1, U), states)`, as Keras's generic loop.
    """
    cell = layer.cell
    sequences = tf.cast(sequences, layer.compute_dtype)
    if training and layer.dropout:
        sequences *= cell.get_dropout_mask(sequences[:, 0, :])[:, None, :]

    x = tf.transpose(sequences, (1, 0, 2))  # (T, B, I)
    if keras.tree.is_nested(mask):
        mask = mask[0]
    if mask is not None:
        mask = tf.transpose(tf.cast(mask, "bool"))[:, :, None]  # (T, B, 1)
    if layer.go_backwards:
        x = tf.reverse(x, [0])
        mask = None if mask is None else tf.reverse(mask, [0])

    weights = (cell.kernel, cell.recurrent_kernel, cell.bias)
    kernel, recurrent_kernel, bias = (
        None if weight is None else tf.cast(tf.convert_to_tensor(weight), x.dtype)
        for weight in weights
    )
    outputs, states = (scan if gradients else forward_scan)(
        equations,
        x,
        initial_state,
        kernel=kernel,
        recurrent_kernel=recurrent_kernel,
        bias=bias,
        mask=mask,
        return_sequences=layer.return_sequences,
    )
    if outputs is None:
        outputs = tf.cast(states[0], x.dtype)[None]  # the last step alone
    if mask is not None:
        # The output of a masked step is that of the step before it, and zeros before the first
        # step that counts (where the state may come from outside); or zeros if the layer asks so.
        counts = mask if layer.zero_output_for_mask else tf.cumsum(tf.cast(mask, "int32")) > 0
        counts = counts if layer.return_sequences else counts[-1:]
        outputs = tf.where(counts, outputs, tf.zeros((), x.dtype))
    return outputs[-1], tf.transpose(outputs, (1, 0, 2)), states


def scan(
    equations: Any,
    x: tf.Tensor,
    initial_state: Tensors,
    kernel: tf.Tensor,
    recurrent_kernel: tf.Tensor,
    bias: tf.Tensor | None = None,
    mask: tf.Tensor | None = None,
    return_sequences: bool = True,
) -> tuple[tf.Tensor | None, list[tf.Tensor]]:
    """Runs the equations of a cell over time, differentiable once.

    Gradients reach `x`, the initial state and the weights. The gradient of a gradient raises
    `LookupError` rather than be silently wrong: the stock Keras layers have it.

    Args:
        equations: The equations of the cell; see `rnnzoo.layers.cells.lstm.LSTMEquations`.
        x: (T, B, I), float32 or bfloat16.
        initial_state: One (B, U) for each state of the cell, h first.
        kernel: (I, G * U), in the dtype of `x` like all weights.
        recurrent_kernel: (U, G * U).
        bias: (G * U,), or (2, G * U) with the recurrent bias in the second row, or None.
        mask: (T, B, 1) booleans, or None. Where false the state stays as it is.
        return_sequences: Whether the hidden state of every step is wanted.

    Returns:
        The hidden states (T, B, U) in the dtype of `x`, or None if they are not wanted; and the
        list of the final states (B, U) in float32.
    """
    if bias is None:
        bias = tf.zeros((kernel.shape[1],), x.dtype)

    @tf.custom_gradient
    def run_once(*inputs):
        results, backward = _forward(equations, mask, return_sequences, *inputs)

        def gradient(*upstream):
            back = backward
            if save_context.in_save_context():
                # A SavedModel keeps the gradient as a function that may use plain tensors of the
                # forward pass, but no TensorArrays. Let that function run the pass again.
                _, back = _forward(equations, mask, return_sequences, *inputs)

            # `inputs` are arguments here to let an outer tape see that the result depends on
            # them: it would take what `_forward` saved for constants.
            @tf.custom_gradient
            def first_order(*tensors):
                return back(*tensors[len(inputs) :]), no_second_order

            return first_order(*inputs, *upstream)

        return results, gradient

    state = [tf.cast(s, "float32") for s in initial_state]
    results = run_once(x, kernel, recurrent_kernel, bias, *state)
    results = list(results) if isinstance(results, list | tuple) else [results]
    outputs = results.pop() if return_sequences else None
    return outputs, results


def forward_scan(
    equations: Any,
    x: tf.Tensor,
    initial_state: Tensors,
    kernel: tf.Tensor,
    recurrent_kernel: tf.Tensor,
    bias: tf.Tensor | None = None,
    mask: tf.Tensor | None = None,
    return_sequences: bool = True,
) -> tuple[tf.Tensor | None, list[tf.Tensor]]:
    """Computes what `scan` does, and keeps nothing for a gradient.

    No matrix is copied: to take one apart by gates costs as much as several steps of one row.
    """
    dtype, gates = x.dtype, equations.gates
    steps, batch = tf.shape(x)[0], tf.shape(x)[1]
    inner_bias, projected = None, tf.reshape(x, (steps * batch, x.shape[2])) @ kernel
    if bias is not None:
        input_biases, inner_bias = split_bias(equations, bias, recurrent_kernel.shape[0])
        projected = tf.nn.bias_add(projected, tf.concat(input_biases, 0))
    projected = tf.reshape(projected, (steps, batch, kernel.shape[1]))
    # Halves by rows are parts of the matrix as it lies in memory, and run side by side.
    halves = 2 - recurrent_kernel.shape[0] % 2
    recurrent_weights = tf.split(recurrent_kernel, halves)

    def forward_step(inputs, state):
        parts = tf.split(tf.cast(state[0], dtype), halves, axis=1)
        products = [h @ w for h, w in zip(parts, recurrent_weights, strict=True)]
        products = tf.add_n([tf.cast(each, "float32") for each in products])
        recurrent = tf.split(products, gates, axis=1)
        if inner_bias is not None:
            recurrent[-1] += inner_bias
        read = tf.split(tf.cast(inputs[0], "float32"), gates, axis=1)
        new, _ = equations.forward(read, recurrent, state)
        if mask is not None:
            new = [tf.where(inputs[1], n, s) for n, s in zip(new, state, strict=True)]
        return new, [tf.cast(new[0], dtype)] if return_sequences else []

    inputs = [unstack(each, False) for each in ([projected] if mask is None else [projected, mask])]
    state = [tf.cast(s, "float32") for s in initial_state]
    dtypes = [dtype] if return_sequences else []
    final, outputs = loop(forward_step, inputs, state, dtypes=dtypes, steps=steps)
    return (stack(outputs[0]) if return_sequences else None), final


def no_second_order(*_):
    """Raises: the gradient of the gradient would be silently wrong."""
    raise LookupError(
        "rnnzoo's CPU loop has no second-order gradient: use the layer of the same name of "
        "keras.layers, which takes the same weights."
    )


def _forward(equations, mask, return_sequences, x, kernel, recurrent_kernel, bias, *state):
    """The forward pass: returns its results and the function of their gradient."""
    dtype, units, gates = x.dtype, recurrent_kernel.shape[0], equations.gates
    steps, batch = (tf.shape(x)[k] if x.shape[k] is None else x.shape[k] for k in (0, 1))
    unroll = x.shape[0] is not None and steps <= UNROLL_STEPS

    input_weights = tf.split(kernel, gates, axis=1)  # G times (I, U)
    recurrent_weights = tf.split(recurrent_kernel, gates, axis=1)  # G times (U, U)
    input_biases, inner_bias = split_bias(equations, bias, units)

    rows = tf.reshape(x, (steps * batch, x.shape[2]))
    projected = [
        tf.reshape(tf.nn.bias_add(rows @ w, b), (steps, batch, units))
        for w, b in zip(input_weights, input_biases, strict=True)
    ]

    def forward_step(inputs, state):
        h = tf.cast(state[0], dtype)
        recurrent = [tf.cast(h @ w, "float32") for w in recurrent_weights]
        if inner_bias is not None:
            recurrent[-1] += inner_bias
        new, saved = equations.forward(
            [tf.cast(v, "float32") for v in inputs[:gates]], recurrent, state
        )
        if mask is not None:
            new = [tf.where(inputs[-1], n, s) for n, s in zip(new, state, strict=True)]
        return new, (h, tf.cast(new[0], dtype), *saved)

    masks = [] if mask is None else [unstack(mask, unroll)]
    dtypes = [dtype, dtype] + ["float32"] * equations.saved
    inputs = [unstack(p, unroll) for p in projected]
    final, (previous, outputs, *saved) = loop(
        forward_step, inputs + masks, state, dtypes=dtypes, steps=steps
    )

    def backward(*d_results):
        d_state, d_outputs = d_results[: len(state)], d_results[len(state) :]
        transposed = [tf.transpose(w) for w in recurrent_weights]

        def backward_step(inputs, d_state):
            if return_sequences:
                d_state = [d_state[0] + tf.cast(inputs[-1], "float32"), *d_state[1:]]
            passed = [None] * len(d_state)
            if mask is not None:  # a masked step hands the gradient on and takes none of it
                zero = tf.zeros(())
                counts = inputs[equations.saved]
                passed = [tf.where(counts, zero, d) for d in d_state]
                d_state = [tf.where(counts, d, zero) for d in d_state]
            d_inputs, d_recurrent, direct = equations.backward(d_state, inputs[: equations.saved])
            d_recurrent = [tf.cast(d, dtype) for d in d_recurrent]
            d_inputs = [*d_recurrent[:-1], tf.cast(d_inputs[-1], dtype)]
            products = [
                tf.cast(d @ w, "float32") for d, w in zip(d_recurrent, transposed, strict=True)
            ]
            terms = [[*products, direct[0], passed[0]], *zip(direct[1:], passed[1:], strict=True)]
            d_state = [tf.add_n([t for t in term if t is not None]) for term in terms]
            stored = [*d_inputs, d_recurrent[-1]] if equations.acts_on_recurrent else d_inputs
            return d_state, stored

        inputs = [*saved, *masks, *(unstack(d, unroll) for d in d_outputs)]
        dtypes = [dtype] * (gates + equations.acts_on_recurrent)
        d_initial, d_gates = loop(
            backward_step, inputs, d_state, dtypes=dtypes, steps=steps, reverse=True
        )

        d_gates = [tf.reshape(stack(d), (steps * batch, units)) for d in d_gates]
        d_inputs, d_recurrent = d_gates[:gates], [*d_gates[: gates - 1], d_gates[-1]]
        h = tf.reshape(stack(previous), (steps * batch, units))
        dx = tf.add_n([d @ tf.transpose(w) for d, w in zip(d_inputs, input_weights, strict=True)])
        d_kernel = tf.concat([tf.matmul(rows, d, transpose_a=True) for d in d_inputs], 1)
        d_recurrent_kernel = tf.concat([tf.matmul(h, d, transpose_a=True) for d in d_recurrent], 1)
        d_bias = join_bias(d_inputs, d_recurrent, bias)
        return (tf.reshape(dx, tf.shape(x)), d_kernel, d_recurrent_kernel, d_bias, *d_initial)

    return (*final, *([stack(outputs)] if return_sequences else [])), backward


def split_bias(equations, bias, units):
    """Splits a bias into those of the inputs, G times (U,), and that of the last recurrent part.

    The recurrent bias joins the input bias, except where a gate multiplies the recurrent part.
    """
    rows = tf.reshape(bias, (-1, equations.gates, units))
    input_biases, inner_bias = tf.unstack(tf.reduce_sum(rows, 0)), None
    if equations.acts_on_recurrent and len(bias.shape) == 2:
        input_biases[-1], inner_bias = rows[0, -1], tf.cast(rows[1, -1], "float32")
    return input_biases, inner_bias


def join_bias(d_inputs, d_recurrent, bias):
    """The gradient of a bias, from those of the inputs and the recurrent parts, (N, U) each."""
    d_bias = [tf.concat([_sum(d) for d in part], 0) for part in (d_inputs, d_recurrent)]
    return tf.stack(d_bias) if len(bias.shape) == 2 else d_bias[0]


def _sum(x):
    """Sums a (N, U) tensor over its rows; in float32, which the matrix product does."""
    return tf.reshape(tf.matmul(tf.ones((1, tf.shape(x)[0]), x.dtype), x), (-1,))


# The steps of a tensor are a list where the loop is unrolled, else a `tf.TensorArray`.


def unstack(x, unroll):
    """Takes a tensor apart into its steps."""
    if unroll:
        return tf.unstack(x)
    return tf.TensorArray(x.dtype, tf.shape(x)[0], clear_after_read=False).unstack(x)


def stack(steps):
    """Puts steps together into a tensor."""
    return tf.stack(steps) if isinstance(steps, list) else steps.stack()


def loop(body, inputs, state, dtypes, steps, reverse=False, shapes=None):
    """Runs `body(inputs of the step, state) -> (state, results)` over time.

    Args:
        body: The function of one step.
        inputs: The inputs, each as its steps.
        state: The tensors carried from step to step.
        dtypes: The dtypes of the results.
        steps: The number of steps.
        reverse: Whether to go from the last step to the first.
        shapes: The shapes of the results; that of the first state when left out.

    Returns:
        The last state, and the results as their steps, in the order of time.
    """
    state = list(state)
    if isinstance(inputs[0], list):
        results = [[None] * steps for _ in dtypes]
        for t in reversed(range(steps)) if reverse else range(steps):
            state, stored = body([i[t] for i in inputs], state)
            for result, value in zip(results, stored, strict=True):
                result[t] = value
        return state, results

    shapes = shapes or [state[0].shape] * len(dtypes)

    def step(n, state, results):
        t = steps - 1 - n if reverse else n
        new, stored = body([i.read(t) for i in inputs], state)
        for before, after in zip(state, new, strict=True):
            after.set_shape(before.shape)
        return n + 1, list(new), [r.write(t, v) for r, v in zip(results, stored, strict=True)]

    results = [
        tf.TensorArray(dtype, steps, element_shape=shape, clear_after_read=False)
        for dtype, shape in zip(dtypes, shapes, strict=True)
    ]
    _, state, results = tf.while_loop(lambda n, *_: n < steps, step, (0, state, results))
    return state, results
