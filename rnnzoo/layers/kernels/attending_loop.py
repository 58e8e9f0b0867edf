"""The fast loop of a decoder that attends before its cell, for TensorFlow on a CPU.

At each step the state before it asks, `score_s = v . tanh(h W_q + key_s)`, and the softmax of the
scores weighs the values into a context, which goes into the cell together with the token (Bahdanau
et al. 2015). What makes it faster than Keras's generic loop, with its gradient written by hand:

- All products that do not need the state are done before the loop: the tokens' part of the gates,
  and the values' part of the gates, of which a step takes the weighted sum instead of projecting
  its context. The contexts themselves are one product after the loop.
- The backward loop carries only the gradient of the state; the gradients of the weights, values
  and keys are large products over all steps after it.

Products are in the layer's compute dtype; scores, gates and the carried state are in float32. It
shares the equations of the cells with `cpu_loop.py`. This module needs TensorFlow: import it inside
functions.

Shapes are written with T steps, B rows, S source positions, E features of a token, V of a value, A
attention units, U units and G gates. Time is the first axis.
"""

from typing import Any

import tensorflow as tf

from rnnzoo.layers.kernels import cpu_loop

Tensors = list[tf.Tensor] | tuple[tf.Tensor, ...]


def run(
    equations: Any,
    cell: Any,
    attention: Any,
    *,
    tokens: tf.Tensor,
    state: Tensors,
    values: tf.Tensor,
    keys: tf.Tensor,
    mask: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Runs attention and cell over whole target sequences, differentiable once.

    Args:
        equations: The equations of the cell; see `rnnzoo.layers.cells.lstm.LSTMEquations`.
        cell: The built Keras cell.
        attention: The built `rnnzoo.layers.BahdanauAttention`.
        tokens: (B, T, E), the embedded tokens, in float32 or bfloat16.
        state: One (B, U) for each state of the cell, h first.
        values: (B, S, V).
        keys: (B, S, A), the projected values.
        mask: (B, S) booleans, true at real positions.

    Returns:
        The hidden states (B, T, U) and the contexts (B, T, V), in the dtype of `tokens`.
    """
    dtype = tokens.dtype
    weights = (
        cell.kernel, cell.recurrent_kernel, attention.query_projection.kernel,
        attention.score_vector,
    )  # fmt: skip
    weights = [tf.cast(tf.convert_to_tensor(weight), dtype) for weight in weights]
    bias = tf.zeros((cell.kernel.shape[1],), dtype)
    if cell.bias is not None:
        bias = tf.cast(tf.convert_to_tensor(cell.bias), dtype)
    values, keys = tf.cast(values, dtype), tf.cast(keys, dtype)
    state = [tf.cast(s, "float32") for s in state]

    @tf.custom_gradient
    def run_once(*inputs):
        results, backward = _forward(equations, mask, *inputs)

        def gradient(*upstream):
            # As in `cpu_loop.scan`: an outer tape must not take what was saved for constants.
            @tf.custom_gradient
            def first_order(*tensors):
                return backward(*tensors[len(inputs) :]), cpu_loop.no_second_order

            return first_order(*inputs, *upstream)

        return results, gradient

    x = tf.transpose(tokens, (1, 0, 2))
    hidden, context = run_once(x, values, keys, *weights, bias, *state)
    return tf.transpose(hidden, (1, 0, 2)), context


def _forward(equations, mask, x, values, keys, kernel, recurrent_kernel, query, v, bias, *state):
    """The forward pass: returns its results and the function of their gradient."""
    dtype, units, gates = x.dtype, recurrent_kernel.shape[0], equations.gates
    steps, batch, source = tf.shape(x)[0], tf.shape(x)[1], tf.shape(values)[1]
    if x.shape[0] is not None:
        steps = x.shape[0]
    unroll = x.shape[0] is not None and steps <= cpu_loop.UNROLL_STEPS
    features, dim, attention_units = x.shape[2], values.shape[2], keys.shape[2]

    token_kernel, value_kernel = kernel[:features], kernel[features:]
    token_weights = tf.split(token_kernel, gates, axis=1)  # G times (E, U)
    recurrent_weights = tf.split(recurrent_kernel, gates, axis=1)  # G times (U, U)
    input_biases, inner_bias = cpu_loop.split_bias(equations, bias, units)
    rows = tf.reshape(x, (-1, features))
    projected = [
        tf.reshape(tf.nn.bias_add(rows @ w, b), (steps, batch, units))
        for w, b in zip(token_weights, input_biases, strict=True)
    ]
    flat_values = tf.reshape(values, (-1, dim))
    given = tf.reshape(flat_values @ value_kernel, (batch, source, gates * units))
    given = tf.cast(given, "float32")  # a small product a row: in bfloat16 it is slow
    keys_32, v_32 = tf.cast(keys, "float32"), tf.cast(v, "float32")
    hidden_positions = tf.where(mask, 0.0, -1e9)  # (B, S), added to the scores

    def forward_step(inputs, state):
        h = tf.cast(state[0], dtype)
        projected_query = tf.cast(h @ query, "float32")  # (B, A)
        energies = tf.tanh(keys_32 + projected_query[:, None, :])  # (B, S, A)
        scores = tf.linalg.matvec(tf.reshape(energies, (-1, attention_units)), v_32)
        attended = tf.nn.softmax(tf.reshape(scores, (batch, source)) + hidden_positions)
        context = tf.matmul(attended[:, None, :], given)[:, 0]  # (B, G * U)
        parts = tf.split(context, gates, axis=1)
        recurrent = [tf.cast(h @ w, "float32") for w in recurrent_weights]
        if inner_bias is not None:
            recurrent[-1] += inner_bias
        summed = [tf.cast(i, "float32") + c for i, c in zip(inputs, parts, strict=True)]
        new, saved = equations.forward(summed, recurrent, state)
        return new, (h, tf.cast(new[0], dtype), attended, energies, *saved)

    unit_shape = state[0].shape
    shapes = [unit_shape, unit_shape, [None, None], [None, None, attention_units]]
    shapes += [unit_shape] * equations.saved
    dtypes = [dtype, dtype] + ["float32"] * (2 + equations.saved)
    inputs = [cpu_loop.unstack(p, unroll) for p in projected]
    _, (previous, hidden, attended, energies, *saved) = cpu_loop.loop(
        forward_step, inputs, state, dtypes=dtypes, steps=steps, shapes=shapes
    )
    attended_all = cpu_loop.stack(attended)  # (T, B, S)
    by_row = tf.cast(tf.transpose(attended_all, (1, 0, 2)), dtype)  # (B, T, S)
    contexts = tf.matmul(by_row, values)  # (B, T, V)

    def backward(d_hidden, d_contexts):
        transposed = [tf.transpose(w) for w in recurrent_weights]
        transposed_query = tf.transpose(query)
        d_values = tf.matmul(by_row, d_contexts, transpose_a=True)
        d_attended = tf.matmul(d_contexts, values, transpose_b=True)  # (B, T, S)
        d_attended = tf.cast(tf.transpose(d_attended, (1, 0, 2)), "float32")

        # The gradients of keys and v are summed in the loop: what they are made of is too large to
        # be kept, (T, B, S, A), and a step's part of it stays in the processor's cache.
        def backward_step(inputs, carry):
            *d_state, d_keys, d_v = carry
            d_h, d_direct, weights, energies, *saved = inputs
            d_state = [d_state[0] + tf.cast(d_h, "float32"), *d_state[1:]]
            d_parts, d_recurrent, direct = equations.backward(d_state, saved)
            d_recurrent = [tf.cast(d, dtype) for d in d_recurrent]
            d_inputs = [*d_recurrent[:-1], tf.cast(d_parts[-1], dtype)]
            d_context = tf.concat(d_parts, 1)[:, :, None]  # (B, G * U, 1)
            d_weights = tf.matmul(given, d_context)[:, :, 0] + d_direct  # (B, S)
            mean = tf.reduce_sum(weights * d_weights, 1, keepdims=True)
            d_scores = weights * (d_weights - mean)
            d_energies = d_scores[:, :, None] * v_32  # (B, S, A)
            d_energies = tf.raw_ops.TanhGrad(y=energies, dy=d_energies)
            d_projected_query = tf.cast(tf.reduce_sum(d_energies, 1), dtype)  # (B, A)
            d_keys += d_energies
            flat = tf.reshape(energies, (-1, attention_units))
            d_v += tf.matmul(tf.reshape(d_scores, (1, -1)), flat)
            products = [d @ w for d, w in zip(d_recurrent, transposed, strict=True)]
            products.append(d_projected_query @ transposed_query)
            terms = [[*(tf.cast(p, "float32") for p in products), direct[0]]]
            terms += [[d] for d in direct[1:]]
            d_state = [tf.add_n([t for t in term if t is not None]) for term in terms]
            stored = [*d_inputs, d_recurrent[-1]] if equations.acts_on_recurrent else d_inputs
            return [*d_state, d_keys, d_v], [d_projected_query, *stored]

        inputs = [tf.cast(d_hidden, dtype), d_attended, attended_all]
        inputs = [cpu_loop.unstack(i, unroll) for i in inputs]
        count = gates + equations.acts_on_recurrent
        start = [
            *(tf.zeros_like(s) for s in state),
            tf.zeros_like(keys_32),
            tf.zeros_like(v_32[None]),
        ]
        (*d_initial, d_keys, d_v), (d_projected_query, *d_gates) = cpu_loop.loop(
            backward_step,
            [*inputs, energies, *saved],
            start,
            dtypes=[dtype] * (1 + count),
            steps=steps,
            reverse=True,
            shapes=[[None, attention_units], *[unit_shape] * count],
        )

        stacked = [cpu_loop.stack(d) for d in d_gates]  # (T, B, U) each
        d_gates = [tf.reshape(d, (-1, units)) for d in stacked]
        d_inputs, d_recurrent = d_gates[:gates], [*d_gates[: gates - 1], d_gates[-1]]
        h = tf.reshape(cpu_loop.stack(previous), (-1, units))
        d_query = tf.matmul(
            h,
            tf.reshape(cpu_loop.stack(d_projected_query), (-1, attention_units)),
            transpose_a=True,
        )
        dx = tf.add_n([d @ tf.transpose(w) for d, w in zip(d_inputs, token_weights, strict=True)])
        d_token_kernel = tf.concat([tf.matmul(rows, d, transpose_a=True) for d in d_inputs], 1)
        d_recurrent_kernel = tf.concat([tf.matmul(h, d, transpose_a=True) for d in d_recurrent], 1)
        d_bias = cpu_loop.join_bias(d_inputs, d_recurrent, bias)

        by_gate = tf.transpose(tf.concat(stacked[:gates], 2), (1, 0, 2))  # (B, T, G * U)
        d_given = tf.reshape(tf.matmul(by_row, by_gate, transpose_a=True), (-1, gates * units))
        d_value_kernel = tf.matmul(flat_values, d_given, transpose_a=True)
        d_values += tf.reshape(d_given @ tf.transpose(value_kernel), tf.shape(values))
        d_kernel = tf.concat([d_token_kernel, d_value_kernel], 0)
        return (
            tf.reshape(dx, tf.shape(x)), d_values, tf.cast(d_keys, dtype), d_kernel,
            d_recurrent_kernel, d_query, tf.cast(d_v[0], dtype), d_bias, *d_initial,
        )  # fmt: skip

    return (cpu_loop.stack(hidden), contexts), backward
