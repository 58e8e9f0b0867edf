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
# # 2. From RNN to LSTM and GRU
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/)
# (upload this notebook there)
#
# After this lesson you will be able to
#
# - say what "vanishing gradient" means, and measure it,
# - write the equations of an LSTM and of a GRU,
# - read a picture of gates.
#
# It runs in about a minute on two cores.

# %%
# %pip install -q rnnzoo

# %%
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

FAST = "RNNZOO_FAST_LESSONS" in os.environ
keras.utils.set_random_seed(0)

# %% [markdown]
# ## How far back does a network look?
#
# Give a layer 60 steps of random input. How much does the *last* output change when the input of an earlier step
# changes? The gradient tells.

# %%
STEPS, UNITS = 60, 32
inputs = tf.constant(np.random.default_rng(0).normal(size=(8, STEPS, 16)).astype("float32"))


def reach(layer):
    """The size of the gradient of the last output by each input, the nearest first."""
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        last = tf.reduce_sum(layer(inputs))
    gradient = tape.gradient(last, inputs)  # (8, STEPS, 16)
    return np.linalg.norm(gradient, axis=(0, 2))[::-1]


kinds = {
    "SimpleRNN": keras.layers.SimpleRNN(UNITS, recurrent_initializer="glorot_uniform"),
    "GRU": keras.layers.GRU(UNITS),
    "LSTM": keras.layers.LSTM(UNITS),
}
reaches = {name: reach(layer) for name, layer in kinds.items()}
for name, values in reaches.items():
    plt.semilogy(values / values[0], label=name)
plt.xlabel("steps back")
plt.ylabel("gradient, 1 = the nearest step")
plt.legend()
plt.title("Before training")
plt.show()

# %% [markdown]
# Each step back multiplies the gradient by about the same factor. Below 1 it soon is nothing: it *vanishes*. Above 1 it
# *explodes*. A network cannot learn from what it cannot feel.

# %%
for name, values in reaches.items():
    print(f"{name}: 20 steps back, {values[20] / values[0]:.1e} of the nearest")
assert reaches["SimpleRNN"][20] < 0.05 * reaches["SimpleRNN"][0]

# %% [markdown]
# ## The LSTM
#
# Hochreiter and Schmidhuber (1997) gave the network a second memory, the cell $c$, that is *added to* instead of
# multiplied through. Gates, numbers between 0 and 1, decide what is kept:
#
# $$i = \sigma(\cdot) \quad f = \sigma(\cdot) \quad o = \sigma(\cdot) \quad g = \tanh(\cdot)$$
# $$c_t = f \odot c_{t-1} + i \odot g \qquad h_t = o \odot \tanh(c_t)$$
#
# With $f = 1$ and $i = 0$ the cell stays as it is, for as long as you like.


# %%
def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm_step(x, h, c, kernel, recurrent, bias):
    """One step of Keras's LSTM; the gates stand in the order i, f, g, o."""
    i, f, g, o = np.split(x @ kernel + h @ recurrent + bias, 4, axis=-1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


layer = kinds["LSTM"]
h = c = np.zeros((8, UNITS))
for t in range(STEPS):
    h, c = lstm_step(inputs[:, t].numpy(), h, c, *layer.get_weights())
difference = np.abs(h - layer(inputs).numpy()).max()
print(f"largest difference from Keras: {difference:.1e}")
assert difference < 1e-5

# %% [markdown]
# **Question.** Keras starts the bias of the forget gate at 1. Why?
#
# <details><summary>Answer</summary>
# The sigmoid of 1 is 0.73, of 0 it is 0.5. With 0.5 half of the cell would be lost at every step, before the network
# has learnt anything. Jozefowicz et al. (2015) found that this one number matters more than most inventions.
# </details>

# %% [markdown]
# ## The GRU
#
# Cho et al. (2014): two gates and one memory.
#
# $$z = \sigma(\cdot) \quad r = \sigma(\cdot) \quad \tilde h = \tanh(\ldots r \ldots) \qquad
# h_t = z \odot h_{t-1} + (1 - z) \odot \tilde h$$
#
# ## A task that needs memory
#
# The first number of a sequence is 0 or 1. Then comes noise. At the end the network must say what the first number was.


# %%
def task(count, steps, seed):
    draws = np.random.default_rng(seed)
    x = draws.normal(size=(count, steps, 1)).astype("float32")
    answer = draws.integers(0, 2, count)
    x[:, 0, 0] = 4 * answer - 2
    return x, answer


def learn(layer, steps, epochs):
    model = keras.Sequential([layer, keras.layers.Dense(1)])
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    accuracy = keras.metrics.BinaryAccuracy(threshold=0)
    optimizer = keras.optimizers.Adam(0.01, clipnorm=1.0)
    model.compile(optimizer, loss, metrics=[accuracy])
    model.fit(*task(1000, steps, 0), batch_size=50, epochs=epochs, verbose=0)
    return model.evaluate(*task(500, steps, 1), verbose=0)[1]


length, epochs = (20, 2) if FAST else (40, 8)
right = {}
for name in ("SimpleRNN", "LSTM", "GRU"):
    keras.utils.set_random_seed(1)
    right[name] = learn(getattr(keras.layers, name)(16), length, epochs)
    print(f"{name}: {100 * right[name]:.0f} % right")
assert max(right["LSTM"], right["GRU"]) > (0.4 if FAST else 0.9)

# %% [markdown]
# ## Gates while a network reads
#
# The published small model of Shakespeare has two layers of 256. How open is its forget gate, for 40 of its units?

# %%
import rnnzoo

model = rnnzoo.load("char_lstm_shakespeare_small")
sentence = "ROMEO:\nWhat light through yonder window breaks?"
record = rnnzoo.inspect(model, sentence)  # all states and gates, step by step
first = record.layers[0]
print({name: gate.shape for name, gate in first.gates.items()})
forget = first.gates["f"][:, :40]  # (steps, units)
plt.figure(figsize=(10, 4))
plt.imshow(forget.T, aspect="auto", vmin=0, vmax=1, cmap="viridis")
plt.xticks(range(len(sentence)), sentence.replace("\n", "⏎"))
plt.ylabel("unit")
plt.title("Forget gate: bright keeps, dark forgets")
plt.show()
by_character = forget.mean(axis=1)
print(f"mean after letters and signs: {by_character.mean():.2f}")
assert 0.2 < by_character.mean() < 0.99

# %% [markdown]
# ## Exercises
#
# 1. Write `gru_step(x, h, kernel, recurrent, bias)` for Keras's GRU. Gates stand in the order z, r, h; the bias has two
#    rows, one for the input and one for the state.
# 2. Make the task longer: 100 steps. Which layer still learns it?

# %% [markdown]
# <details><summary>Solution of 2</summary>
# LSTM and GRU, with some luck and more epochs. SimpleRNN stays at 50 %: the first number is too far away.
# </details>


# %%
def gru_step(x, h, kernel, recurrent, bias):
    xz, xr, xh = np.split(x @ kernel + bias[0], 3, axis=-1)
    hz, hr, hh = np.split(h @ recurrent + bias[1], 3, axis=-1)
    z, r = sigmoid(xz + hz), sigmoid(xr + hr)
    return z * h + (1 - z) * np.tanh(xh + r * hh)


h = np.zeros((8, UNITS))
for t in range(STEPS):
    h = gru_step(inputs[:, t].numpy(), h, *kinds["GRU"].get_weights())
assert np.abs(h - kinds["GRU"](inputs).numpy()).max() < 1e-5

# %% [markdown]
# ## For the teacher
#
# - All cells take 27 s of processor time after the start of TensorFlow
#   (2026-11-30, x86-64, TensorFlow 2.21, a busy machine); the three trainings most of it.
# - What goes wrong: with Keras's own `orthogonal` start a SimpleRNN keeps its gradient surprisingly long before training.
#   That is why this start is used, and why the lesson takes another one to show the effect.
# - The first picture is a small version of "Visualizing memorization in RNNs" (Madsen, distill.pub, 2019).
