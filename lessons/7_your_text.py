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
# # 7. Your own text, from a file to a web page
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/)
# (upload this notebook there)
#
# After this lesson you will be able to
#
# - train on a text of your own with one call,
# - read a model card, and say what is missing when there is none,
# - give the model away as one HTML page.
#
# It takes about 8 minutes on two cores.

# %%
# %pip install -q rnnzoo

# %%
import json
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
import tempfile
from pathlib import Path

import rnnzoo
from rnnzoo.data import corpora
from rnnzoo.publishing.train import train

FAST = "RNNZOO_FAST_LESSONS" in os.environ
folder = Path(tempfile.mkdtemp())

# %% [markdown]
# ## The file
#
# Take any text that you may use: your own, or one whose author died long ago. It should have at least 100,000
# characters, in UTF-8. Here it is *Alice's Adventures in Wonderland*.

# %%
alice = Path("texts/alice.txt")  # beside this notebook; in Colab it is downloaded
text = alice.read_text(encoding="utf-8") if alice.is_file() else corpora.load("alice").text
text = text[:6_000] if FAST else text
file = folder / "mine.txt"
file.write_text(text, encoding="utf-8")
print(f"{len(text):,} characters, {len(set(text))} different ones")

# %% [markdown]
# **Question.** Why look at how many different characters there are?
#
# <details><summary>Answer</summary>
# Each one needs a place in the vocabulary, and has to be learnt. A text from the web may have hundreds: emojis, accents,
# quotes of four kinds. Clean them before you train.
# </details>
#
# ## Train
#
# On the command line `rnnzoo train --text-file mine.txt` chooses a recipe by itself. In Python you name one.

# %%
out = train(
    "char_lstm_tiny" if FAST else "char_lstm_shakespeare_small",
    text_file=file, out=folder / "mine", **({"epochs": 1} if FAST else {"max_minutes": 5}),
)  # fmt: skip
print(sorted(path.name for path in out.iterdir()))

# %% [markdown]
# ## The card
#
# What was it trained on, for how long, by which command, and how good is it? A figure without these is worth little.

# %%
card = (out / "card.md").read_text(encoding="utf-8")
print(card[:800])
record = json.loads((out / "metrics.json").read_text(encoding="utf-8"))
print(record["figures"])
assert record["corpus"]["sha256"] in card

# %% [markdown]
# ## Use it

# %%
model = rnnzoo.load(out)
print(model.generate("Alice ", 150, temperature=0.7, seed=1))

# %% [markdown]
# ## Give it away
#
# One file. Open it by a double click: the network runs in the browser, without a server.

# %%
page = folder / "alice.html"
model.export(page, title="Alice", prompt="Alice ")
print(f"{page.stat().st_size / 1e6:.1f} MB: {page}")
html = page.read_text(encoding="utf-8")
assert "Alice" in html and "http://" not in html.split("<script")[0]

# %% [markdown]
# ## Exercises
#
# 1. Train on two texts, each a file in a folder (`text_file=folder`). Whose voice is it?
# 2. Does it copy? Write `longest_copy(written, text)`: the longest piece of the written text that stands in the book.

# %% [markdown]
# <details><summary>Solution of 1</summary>
# The voice of the prompt: the state remembers in which of the two it is.
# </details>


# %%
def longest_copy(written, text):
    longest = 0
    for start in range(len(written)):
        while written[start : start + longest + 1] in text and start + longest < len(written):
            longest += 1
    return longest


assert longest_copy("xabcdx", "abcd") == 4
print(longest_copy(model.generate("Alice ", 150, temperature=0.7, seed=1), text), "characters")

# %% [markdown]
# ## For the teacher
#
# - The training has a budget of 5 minutes; the rest takes one.
# - What goes wrong: files in Latin-1 (the error says so, and names the place), and texts under 20,000 characters, which
#   are learnt by heart.
# - Ask before students use texts of living authors, or chats of their friends: a network repeats what it has read.
