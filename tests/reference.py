"""The equations in plain NumPy, step by step: what the layers must compute.

Written from the papers with the gate orders of Keras's weights. They accept complex numbers, so
that `derivatives` can differentiate them to machine precision.
"""

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm(x, state, kernel, recurrent_kernel, bias):
    """Hochreiter and Schmidhuber 1997 with forget gates (Gers et al. 2000).

    Takes x (B, T, F), state [h, c] of (B, U) and returns outputs (B, T, U) and the final state.
    """
    h, c = state
    outputs = []
    for t in range(x.shape[1]):
        i, f, g, o = np.split(x[:, t] @ kernel + h @ recurrent_kernel + bias, 4, axis=-1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        outputs.append(h)
    return np.stack(outputs, 1), [h, c]


def gru(x, state, kernel, recurrent_kernel, bias):
    """Cho et al. 2014 in cuDNN's form: the reset gate acts after the recurrent product."""
    (h,) = state
    outputs = []
    for t in range(x.shape[1]):
        xz, xr, xn = np.split(x[:, t] @ kernel + bias[0], 3, axis=-1)
        hz, hr, hn = np.split(h @ recurrent_kernel + bias[1], 3, axis=-1)
        z, r = sigmoid(xz + hz), sigmoid(xr + hr)
        h = z * h + (1 - z) * np.tanh(xn + r * hn)
        outputs.append(h)
    return np.stack(outputs, 1), [h]


def simple_rnn(x, state, kernel, recurrent_kernel, bias):
    """Elman 1990."""
    (h,) = state
    outputs = []
    for t in range(x.shape[1]):
        h = np.tanh(x[:, t] @ kernel + h @ recurrent_kernel + bias)
        outputs.append(h)
    return np.stack(outputs, 1), [h]


CELLS = {"lstm": lstm, "gru": gru, "simple_rnn": simple_rnn}


def additive_attention(query, values, mask, query_kernel, key_kernel, score_vector):
    """Bahdanau et al. 2015, A.1.2, for one query a row: (B, Q), (B, S, V), (B, S).

    Returns the context (B, V) and the weights (B, S).
    """
    contexts, weights = [], []
    for q, v, real in zip(query, values, mask, strict=True):  # one row at a time
        scores = np.array([score_vector @ np.tanh(q @ query_kernel + x @ key_kernel) for x in v])
        exponentials = np.where(real, np.exp(scores - scores[real].real.max()), 0)
        weights.append(exponentials / exponentials.sum())
        contexts.append(weights[-1] @ v)
    return np.stack(contexts), np.stack(weights)


def derivatives(function, arrays, step=1e-20):
    """The gradient of a real function of arrays, by the complex step (Squire and Trapp 1998)."""
    arrays = [np.asarray(array, np.complex128) for array in arrays]
    gradients = []
    for array in arrays:
        gradient = np.zeros(array.shape)
        for index in np.ndindex(array.shape):
            array[index] += 1j * step
            gradient[index] = function(*arrays).imag / step
            array[index] -= 1j * step
        gradients.append(gradient)
    return gradients
