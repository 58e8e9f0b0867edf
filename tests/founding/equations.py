"""S3's networks in NumPy: loss and gradient of one chunk, the backward pass written by hand.

Gradients are those of the loss summed over the chunk, from a zero state. Weights are named and laid
out as in Keras: kernel (V, G * H) is U, recurrent (H, G * H) is W, `output` (H, V) is V; the gates
of the LSTM stand in the order i, f, candidate, o. x_t is one-hot, so its row of U is picked.
"""

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def stable_softmax(logits):
    """The largest logit becomes 0 first, so that no exponential overflows."""
    exponentials = np.exp(logits - logits.max())
    return exponentials / exponentials.sum()


def _head(hidden, target, output, output_bias):
    """Loss of one step, and the gradients of its logits."""
    p = stable_softmax(hidden @ output + output_bias)
    d_logits = p.copy()
    d_logits[target] -= 1
    return -np.log(p[target]), d_logits


def vanilla_rnn(inputs, targets, kernel, recurrent, bias, output, output_bias):
    """h_t = tanh(U x_t + W h_{t-1} + b_h); returns the loss and the gradients, in this order."""
    weights = (kernel, recurrent, bias, output, output_bias)
    d_kernel, d_recurrent, d_bias, d_output, d_output_bias = map(np.zeros_like, weights)
    h, loss, d_logits = [np.zeros(len(recurrent))], 0.0, []
    for x, target in zip(inputs, targets, strict=True):
        h.append(np.tanh(kernel[x] + h[-1] @ recurrent + bias))
        nats, d = _head(h[-1], target, output, output_bias)
        loss += nats
        d_logits.append(d)
    d_h = np.zeros_like(bias)
    for t in reversed(range(len(inputs))):
        d_output += np.outer(h[t + 1], d_logits[t])
        d_output_bias += d_logits[t]
        d_h = d_h + output @ d_logits[t]
        d_z = (1 - h[t + 1] ** 2) * d_h
        d_kernel[inputs[t]] += d_z
        d_recurrent += np.outer(h[t], d_z)
        d_bias += d_z
        d_h = recurrent @ d_z
    return loss, [d_kernel, d_recurrent, d_bias, d_output, d_output_bias]


def lstm(inputs, targets, kernel, recurrent, bias, output, output_bias):
    """c_t = f c_{t-1} + i g, h_t = o tanh(c_t); returns the loss and the gradients."""
    weights = (kernel, recurrent, bias, output, output_bias)
    d_kernel, d_recurrent, d_bias, d_output, d_output_bias = map(np.zeros_like, weights)
    zeros = np.zeros(len(recurrent))
    h, c, gates, loss, d_logits = [zeros], [zeros], [], 0.0, []
    for x, target in zip(inputs, targets, strict=True):
        i, f, g, o = np.split(kernel[x] + h[-1] @ recurrent + bias, 4)
        i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
        gates.append((i, f, g, o))
        c.append(f * c[-1] + i * g)
        h.append(o * np.tanh(c[-1]))
        nats, d = _head(h[-1], target, output, output_bias)
        loss += nats
        d_logits.append(d)
    d_h, d_c = zeros, zeros
    for t in reversed(range(len(inputs))):
        d_output += np.outer(h[t + 1], d_logits[t])
        d_output_bias += d_logits[t]
        d_h = d_h + output @ d_logits[t]
        i, f, g, o = gates[t]
        squashed = np.tanh(c[t + 1])
        d_c = d_c + d_h * o * (1 - squashed**2)
        d_z = np.concatenate(
            [
                d_c * g * i * (1 - i),
                d_c * c[t] * f * (1 - f),
                d_c * i * (1 - g**2),
                d_h * squashed * o * (1 - o),
            ]
        )
        d_kernel[inputs[t]] += d_z
        d_recurrent += np.outer(h[t], d_z)
        d_bias += d_z
        d_h, d_c = recurrent @ d_z, d_c * f
    return loss, [d_kernel, d_recurrent, d_bias, d_output, d_output_bias]


NETWORKS = {"SimpleRNN": vanilla_rnn, "LSTM": lstm}
