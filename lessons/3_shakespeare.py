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
# # 3. Write like Shakespeare in five minutes
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/)
# (upload this notebook there)
#
# After this lesson you will be able to
#
# - train a character model on a text,
# - say why a stream is better than windows,
# - use temperature, and know a loop when you see one,
# - tell learning from learning by heart.
#
# It takes about 6 minutes on two cores.

# %%
# %pip install -q rnnzoo

# %%
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
from pathlib import Path

import keras
import numpy as np

from rnnzoo import SampleText, Vocabulary, char_lstm
from rnnzoo.data import corpora, stream_batches, window_batches

FAST = "RNNZOO_FAST_LESSONS" in os.environ
keras.utils.set_random_seed(0)

# %% [markdown]
# ## The text
#
# A part of tiny Shakespeare: 200,000 characters. The file lies beside this notebook; in Colab it is downloaded.

# %%
file = Path("texts/shakespeare.txt")
text = file.read_text(encoding="utf-8") if file.is_file() else corpora.load("tiny_shakespeare").text
text = text[: 30_000 if FAST else 200_000]
vocabulary = Vocabulary.from_text(text)
ids = vocabulary.encode(text)
print(text[:150])
print(len(vocabulary), "different characters")

# %% [markdown]
# ## Windows, or a stream?
#
# The classic tutorials cut the text into *windows*: 100 characters, and the one that follows as the target. The next
# window starts one character later. So each character is read a hundred times, for one target each time.
#
# A *stream* reads each character once, and has a target at every step. The text is cut into as many rows as a batch
# has; each row goes on in the next batch, and the network keeps its state.

# %%
windows = window_batches(ids, batch_size=64, length=100)
train, valid = stream_batches(ids, batch_size=32, sequence_length=64, validation_split=0.1)
print("windows: ", sum(1 for _ in windows.take(10)) and len(windows), "batches an epoch")
print("stream:  ", len(train), "batches an epoch")
assert len(windows) > 20 * len(train)

# %% [markdown]
# **Question.** What would go wrong if a stream were shuffled?
#
# <details><summary>Answer</summary>
# The state that a row carries would belong to another place of the text. The network would learn to ignore it.
# </details>

# %% [markdown]
# ## Train
#
# `char_lstm` is an ordinary Keras model. Dropout switches off some units at random while it trains, so that the network
# cannot rely on single ones.

# %%
model = char_lstm(vocabulary, units=32 if FAST else 192, num_layers=2, dropout=0.2)
model.compile(optimizer=keras.optimizers.Adam(0.01 if FAST else 0.004, clipnorm=1.0))
history = model.fit(
    train, validation_data=valid, epochs=2 if FAST else 12, verbose=0,
    callbacks=[SampleText("ROMEO:", max_new_tokens=80, every_epochs=1 if FAST else 4)],
)  # fmt: skip
for epoch, (loss, val) in enumerate(zip(history.history["loss"], history.history["val_loss"])):
    print(f"epoch {epoch + 1}: training {loss:.3f}, validation {val:.3f}")
assert history.history["val_loss"][-1] < (3.2 if FAST else 1.9)

# %% [markdown]
# The loss is in nats per character. Guessing at random has log(62) = 4.13. Counting letters alone gives about 3.3.
#
# ## Temperature
#
# Divide the logits by the temperature before the softmax. Below 1 likely characters become likelier; above 1 the network
# dares more.

# %%
for temperature in (0.2, 0.5, 0.8, 1.0, 1.5):
    print(f"--- {temperature}")
    print(model.generate("ROMEO:", 120, temperature=temperature, seed=1))

# %% [markdown]
# ## Loops
#
# Always take the likeliest character, and the text soon goes round in circles.

# %%
greedy = model.generate("ROMEO:", 300, sampler="greedy")
print(greedy)


def repeated(written, length=10):
    """What share of the pieces of 10 characters stood in the text before."""
    pieces = [written[at : at + length] for at in range(len(written) - length + 1)]
    return 1 - len(set(pieces)) / len(pieces)


drawn = model.generate("ROMEO:", 300, temperature=0.8, seed=2)
print(f"repeated, greedy: {repeated(greedy):.0%}; drawn: {repeated(drawn):.0%}")
assert repeated(greedy) > repeated(drawn)

# %% [markdown]
# ## What does the state do?
#
# Score the validation text twice: once as a stream, and once in pieces of 64 characters, each from a zero state.

# %%
held_out = text[-2_560:] if FAST else text[-9_600:]
whole = model.score([held_out])
pieces = model.score([held_out[at : at + 64] for at in range(0, len(held_out), 64)])


def nats(scores):
    return float(np.sum(scores["nats"]) / np.sum(scores["tokens"]))


print(f"one text: {nats(whole):.3f} nats a character; pieces: {nats(pieces):.3f}")

# %% [markdown]
# ## Exercises
#
# 1. Train without dropout for twice as many epochs. When is the validation loss lowest? What happens to the training
#    loss afterwards?
# 2. Write `entropy(model, prompt)`: how unsure is the network about the next character, in nats?

# %% [markdown]
# <details><summary>Solution of 1</summary>
# After a few epochs the validation loss rises again while the training loss falls: the network learns the text by
# heart. Keep the model with the lowest validation loss.
# </details>


# %%
def entropy(model, prompt):
    logits = np.array(model(model.vocabulary.encode(prompt)[None]))[0, -1]
    p = np.exp(logits - logits.max())
    p /= p.sum()
    return float(-(p * np.log(p + 1e-12)).sum())


for prompt in ("ROMEO", "ROMEO:\n", "th", "q"):
    print(repr(prompt), f"{entropy(model, prompt):.2f}")
assert 0 <= entropy(model, "th") <= np.log(len(vocabulary))

# %% [markdown]
# ## For the teacher
#
# - On two cores the training takes about 4 minutes.
# - What goes wrong: a text with fewer than 50,000 characters is learnt by heart in a few epochs; `units` above 256 make
#   it slow without making it better on so little text.
# - The founding documents are S0 (windows, Lasagne) and S4 (Alice, and its loops): `rnnzoo founding --list`.
