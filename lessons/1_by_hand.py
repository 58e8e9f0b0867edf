# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 1. A recurrent network by hand
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/)
# (upload this notebook there)
#
# After this lesson you will be able to
#
# - write the forward pass of a recurrent network in NumPy,
# - compute its gradients, and check them,
# - train it, and let it write,
# - show that a Keras layer computes the same.
#
# It runs in less than a minute on two cores.

# %%
# %pip install -q rnnzoo

# %%
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
import numpy as np

FAST = "RNNZOO_FAST_LESSONS" in os.environ  # what our tests set

# %% [markdown]
# ## A text as numbers
#
# The network reads one character after the other. Each character is a number, its id.

# %%
text = "to be, or not to be, that is the question. " * 20
symbols = sorted(set(text))
id_of = {symbol: number for number, symbol in enumerate(symbols)}
ids = np.array([id_of[symbol] for symbol in text])
print(symbols)
print(ids[:10])

# %% [markdown]
# ## Forward
#
# The network has a *state* $h$: a list of numbers, its memory. At each step it reads a character $x_t$ and computes
#
# $$h_t = \tanh(U x_t + W h_{t-1} + b)$$
#
# and from the state a guess of the next character: one number for each symbol, the *logits*,
#
# $$y_t = V h_t + c$$
#
# The softmax makes probabilities of the logits. The loss is $-\log$ of the probability of the character that really
# came: 0 for a perfect guess.

# %%
rng = np.random.default_rng(0)
size, units = len(symbols), 32
weights = {
    "U": rng.normal(0, 0.1, (units, size)),
    "W": rng.normal(0, 0.1, (units, units)),
    "V": rng.normal(0, 0.1, (size, units)),
    "b": np.zeros(units),
    "c": np.zeros(size),
}


def softmax(logits):
    shifted = np.exp(logits - logits.max())  # without the shift, exp(1000) would be infinite
    return shifted / shifted.sum()


def forward(inputs, targets, state, w):
    """The loss of a chunk, and all states: states[t + 1] is the one after step t."""
    states, probabilities, loss = [state], [], 0.0
    for x, y in zip(inputs, targets):
        state = np.tanh(w["U"][:, x] + w["W"] @ state + w["b"])
        p = softmax(w["V"] @ state + w["c"])
        states.append(state)
        probabilities.append(p)
        loss -= np.log(p[y])
    return loss, states, probabilities


loss, _, _ = forward(ids[:25], ids[1:26], np.zeros(units), weights)
print(f"{loss / 25:.3f} nats a character; guessing at random has {np.log(size):.3f}")

# %% [markdown]
# **Question.** Why is `U @ x` written as `U[:, x]`?
#
# <details><summary>Answer</summary>
# A character as a vector has a single 1 and zeros elsewhere ("one-hot"). The product with a matrix is then just one of
# its columns. An embedding layer does the same.
# </details>

# %% [markdown]
# ## Backward
#
# How does the loss change when a weight changes a little? Go through the steps from the last to the first. What comes
# back from the later steps (`d_next`) is added to what comes from the guess of this step. This is *back-propagation
# through time*.


# %%
def backward(inputs, targets, states, probabilities, w):
    gradients = {name: np.zeros_like(value) for name, value in w.items()}
    d_next = np.zeros(units)
    for t in reversed(range(len(inputs))):
        d_logits = probabilities[t].copy()
        d_logits[targets[t]] -= 1  # the gradient of softmax and -log together
        gradients["V"] += np.outer(d_logits, states[t + 1])
        gradients["c"] += d_logits
        d_state = w["V"].T @ d_logits + d_next
        d_sum = (1 - states[t + 1] ** 2) * d_state  # through tanh
        gradients["U"][:, inputs[t]] += d_sum
        gradients["W"] += np.outer(d_sum, states[t])
        gradients["b"] += d_sum
        d_next = w["W"].T @ d_sum
    return gradients


# %% [markdown]
# Never trust a gradient that you have not checked. Change one weight by a very small number, and look at the loss:


# %%
def check(name, place, step=1e-5):
    values = []
    for sign in (1, -1):
        moved = {**weights, name: weights[name].copy()}
        moved[name][place] += sign * step
        values.append(forward(ids[:25], ids[1:26], np.zeros(units), moved)[0])
    return (values[0] - values[1]) / (2 * step)


_, states, probabilities = forward(ids[:25], ids[1:26], np.zeros(units), weights)
gradients = backward(ids[:25], ids[1:26], states, probabilities, weights)
for name, place in [("U", (3, ids[0])), ("W", (1, 2)), ("V", (4, 5)), ("b", (7,)), ("c", (0,))]:
    print(name, f"{gradients[name][place]:.6f}", f"{check(name, place):.6f}")
    assert abs(gradients[name][place] - check(name, place)) < 1e-5

# %% [markdown]
# ## Train
#
# Read chunks of 25 characters, and move every weight a little against its gradient. Gradients can become very large
# ("explode"), so no number may be larger than 5: *clipping*.

# %%
rate, steps = 0.01, 300 if FAST else 1500
state, start, losses = np.zeros(units), 0, []
for step in range(steps):
    if start + 26 > len(ids):
        start, state = 0, np.zeros(units)
    inputs, targets = ids[start : start + 25], ids[start + 1 : start + 26]
    loss, states, probabilities = forward(inputs, targets, state, weights)
    gradients = backward(inputs, targets, states, probabilities, weights)
    for name in weights:
        weights[name] -= rate * np.clip(gradients[name], -5, 5)
    losses.append(loss / 25)
    state, start = states[-1], start + 25  # the next chunk goes on from this state
    if step % (steps // 5) == 0:
        print(f"step {step}: {losses[-1]:.3f}")
print(f"at the end: {np.mean(losses[-20:]):.3f}")
assert np.mean(losses[-20:]) < 1.5, "the loss should have fallen by half"

# %% [markdown]
# ## Write
#
# Draw a character from the probabilities, give it back to the network, and so on.


# %%
def write(start, length, w, seed=0):
    draws = np.random.default_rng(seed)
    state, x, written = np.zeros(units), id_of[start], [start]
    for _ in range(length):
        state = np.tanh(w["U"][:, x] + w["W"] @ state + w["b"])
        x = draws.choice(size, p=softmax(w["V"] @ state + w["c"]))
        written.append(symbols[x])
    return "".join(written)


print(write("t", 100, weights))

# %% [markdown]
# ## The same in Keras
#
# `keras.layers.SimpleRNN` computes the same equation. It multiplies from the other side, so the matrices are turned.

# %%
import keras

layer = keras.layers.SimpleRNN(units, return_sequences=True)
one_hot = np.eye(size, dtype="float32")[ids[:25]][None]  # (1, 25, size)
layer.build(one_hot.shape)
layer.set_weights([weights["U"].T, weights["W"].T, weights["b"]])
_, states, _ = forward(ids[:25], ids[1:26], np.zeros(units), weights)
difference = np.abs(np.array(layer(one_hot))[0] - np.array(states[1:])).max()
print(f"largest difference: {difference:.1e}")
assert difference < 1e-5

# %% [markdown]
# ## Exercises
#
# 1. Train without clipping and with a rate of 0.5. What happens to the loss?
# 2. Clip the *norm* of the whole gradient instead: if it is longer than 5, make it 5 long. Write the function
#    `clip_norm(gradients, limit)`.

# %% [markdown]
# <details><summary>Solution of 1</summary>
# The loss jumps about, and often becomes `nan`. A step was so long that tanh is at its limits, where its gradient
# is zero.
# </details>
#
# <details><summary>Solution of 2</summary>
# In the next cell.
# </details>


# %%
def clip_norm(gradients, limit):
    norm = np.sqrt(sum((value**2).sum() for value in gradients.values()))
    scale = min(1.0, limit / norm)
    return {name: scale * value for name, value in gradients.items()}


clipped = clip_norm({"a": np.array([30.0, 40.0])}, 5)
assert np.allclose(clipped["a"], [3, 4])  # the direction is kept
assert np.allclose(clip_norm({"a": np.array([0.3, 0.4])}, 5)["a"], [0.3, 0.4])

# %% [markdown]
# ## For the teacher
#
# - All cells take 12 s of processor time, the start of Keras among them
#   (2026-11-30, x86-64, TensorFlow 2.21, a busy machine).
# - What goes wrong: a rate above 0.05 makes the loss explode; students forget `d_next`, and the check of `W` then fails
#   while that of `V` passes. That is a good moment: the check finds where the fault is.
# - The founding document of this lesson is S3, a network from its equations; `rnnzoo founding s3_vanilla_rnn` runs it
#   on all of tiny Shakespeare. See also [Karpathy's article](https://karpathy.github.io/2015/05/21/rnn-effectiveness/).
