"""The newer cells in plain NumPy, a step at a time, as their papers write them.

Each takes the inputs so far `(batch, time, features)`, of which the last is the step's, its own
state (None before the first step) and the weights by name; it returns the output, the state and the
gates by name.
"""

import math

import numpy as np

from tests.reference import sigmoid

erf = np.vectorize(math.erf)


def softplus(x):
    return np.log1p(np.exp(x))


def zeros(x, like):
    return np.zeros((len(x), like.shape[-1]))


def min_gru(x, h, w):
    """Feng et al. 2024, section 3.1."""
    (w_z, w_h), (b_z, b_h) = np.split(w["kernel"], 2, 1), np.split(w["bias"], 2)
    h = zeros(x, b_z) if h is None else h
    z = sigmoid(x[:, -1] @ w_z + b_z)
    candidate = x[:, -1] @ w_h + b_h
    h = (1 - z) * h + z * candidate
    return h, h, {"z": z, "candidate": candidate}


def min_lstm(x, h, w):
    """Feng et al. 2024, section 3.2."""
    weights = zip(np.split(w["kernel"], 3, 1), np.split(w["bias"], 3), strict=True)
    f, i, candidate = (x[:, -1] @ kernel + bias for kernel, bias in weights)
    f, i = sigmoid(f), sigmoid(i)
    h = zeros(x, f) if h is None else h
    h = f / (f + i) * h + i / (f + i) * candidate
    return h, h, {"f": f, "i": i, "candidate": candidate}


def rg_lru(x, h, w):
    """De et al. 2024, figure 2 and equations 1 to 4."""
    u = x @ w["kernel"] + w["bias"]
    h = zeros(x, u) if h is None else h
    v = w["convolution_bias"] + sum(
        w["convolution"][3 - k] * u[:, -1 - k] for k in range(min(4, u.shape[1]))
    )
    r, i = np.split(sigmoid(v @ w["gate_kernel"] + w["gate_bias"]), 2, 1)
    a = sigmoid(-w["decay"]) ** (8 * r)
    h = a * h + np.sqrt(np.maximum(1 - a**2, 1e-6)) * (i * v)
    g = x[:, -1] @ w["output_gate_kernel"] + w["output_gate_bias"]
    g = g * (1 + erf(g / np.sqrt(2))) / 2
    return (g * h) @ w["output_kernel"], h, {"r": r, "i": i, "output_gate": g}


def qrnn(x, c, w):
    """Bradbury et al. 2016, equations 1 and 4 (fo-pooling), with filters of width 2."""
    gates = x[:, -1] @ w["kernel"] + w["bias"]
    if x.shape[1] > 1:
        gates = gates + x[:, -2] @ w["past_kernel"]
    z, f, o = np.split(gates, 3, 1)
    c = zeros(x, z) if c is None else c
    z, f, o = np.tanh(z), sigmoid(f), sigmoid(o)
    c = f * c + (1 - f) * z
    return o * c, c, {"z": z, "f": f, "o": o}


def sru(x, c, w):
    """Lei et al. 2018, equations 1 to 4, with a projection for the highway."""
    w_f, w_r, w_c, w_x = np.split(w["kernel"], 4, 1)
    (v_f, v_r), (b_f, b_r) = np.split(w["gate_vector"], 2), np.split(w["bias"], 2)
    now = x[:, -1]
    c = zeros(x, v_f) if c is None else c
    f = sigmoid(now @ w_f + v_f * c + b_f)
    r = sigmoid(now @ w_r + v_r * c + b_r)
    candidate = now @ w_c
    c = f * c + (1 - f) * candidate
    return r * c + (1 - r) * np.sqrt(3) * (now @ w_x), c, {"f": f, "r": r, "candidate": candidate}


def _norm(x, gain, bias=0.0):
    x = x - x.mean(-1, keepdims=True)
    return gain * x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-5) + bias


def layer_norm_lstm(x, state, w):
    """Ba et al. 2016, equations 20 to 22."""
    h, c = state or (np.zeros((len(x), len(w["recurrent_kernel"]))),) * 2
    gates = _norm(x[:, -1] @ w["kernel"], w["input_norm/gamma"])
    gates = gates + _norm(h @ w["recurrent_kernel"], w["recurrent_norm/gamma"]) + w["bias"]
    i, f, g, o = np.split(gates, 4, 1)
    i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
    c = f * c + i * g
    h = o * np.tanh(_norm(c, w["state_norm/gamma"], w["state_norm/beta"]))
    return h, (h, c), {"i": i, "f": f, "g": g, "o": o}


def mogrifier_lstm(x, state, w):
    """Melis et al. 2020, equations 1 and 2, in five rounds."""
    h, c = state or (np.zeros((len(x), w["turn_0"].shape[0])),) * 2
    now = x[:, -1]
    for index in range(5):
        if index % 2 == 0:
            now = 2 * sigmoid(h @ w[f"turn_{index}"]) * now
        else:
            h = 2 * sigmoid(now @ w[f"turn_{index}"]) * h
    gates = now @ w["kernel"] + h @ w["recurrent_kernel"] + w["bias"]
    i, f, g, o = np.split(gates, 4, 1)
    i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
    c = f * c + i * g
    h = o * np.tanh(c)
    return h, (h, c), {"i": i, "f": f, "g": g, "o": o}


def slstm(x, state, w):
    """Beck et al. 2024, equations 8 to 17, without the stabilizer, and the sigmoid for f."""
    h, c, n = state or (zeros(x, np.split(w["bias"], 4)[0]),) * 3
    gates = x[:, -1] @ w["kernel"] + h @ w["recurrent_kernel"] + w["bias"]
    z, i, f, o = np.split(gates, 4, 1)
    z, i, f, o = np.tanh(z), np.exp(i), sigmoid(f), sigmoid(o)
    c = f * c + i * z
    n = f * n + i
    h = o * c / n
    return h, (h, c, n), {"z": z, "i": i, "f": f, "o": o}


CELLS = {
    "min_gru": min_gru,
    "min_lstm": min_lstm,
    "rg_lru": rg_lru,
    "qrnn": qrnn,
    "sru": sru,
    "layer_norm_lstm": layer_norm_lstm,
    "mogrifier_lstm": mogrifier_lstm,
    "slstm": slstm,
}
