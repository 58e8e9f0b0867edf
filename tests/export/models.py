"""Models and helpers that the tests of the exports share."""

import numpy as np
import tensorflow as tf

from rnnzoo.models import char_lstm, gru_seq2seq, word_lm
from rnnzoo.vocabulary import Vocabulary

SENTENCE = "to be, or not to be: that is the question."
MARKS = ("<pad>", "<start>", "<end>")
PROMPTS = ["to ", "question: to be", "n"]
SOURCES = ["one two", "two", "three three three"]
TARGETS = ["12", "2", "333"]


def shaken(model, seed=0):
    """Gives a model weights that are large enough to write more than one symbol."""
    random = np.random.default_rng(seed)
    model.set_weights([random.normal(0, 0.7, weight.shape) for weight in model.weights])
    return model


def characters(**kwargs):
    return shaken(char_lstm(Vocabulary.from_text(SENTENCE), units=12, num_layers=2, **kwargs))


def words(**kwargs):
    vocabulary = Vocabulary.from_text(SENTENCE, level="word", lowercase=True)
    return shaken(word_lm(vocabulary, units=12, embedding_dim=8, cell="gru", **kwargs))


def translator(**kwargs):
    """A translator with weights that translate each of the SOURCES differently."""
    source = Vocabulary.from_text("one two three", special_tokens=MARKS)
    target = Vocabulary.from_text("123", special_tokens=MARKS)
    model = gru_seq2seq(source, target, units=8, **kwargs)
    for seed in range(100):
        texts = shaken(model, seed).translate(SOURCES)
        if len(set(texts)) == len(SOURCES) and len(set("".join(texts))) > 1:
            return model
    raise AssertionError("no weights in 100 translate the sources differently")


def export(model, path, **kwargs):
    """Exports and loads; the module must be kept as long as its functions are used."""
    model.export(path, verbose=False, **kwargs)
    return tf.saved_model.load(str(path))


def decoded(strings):
    return [string.decode() for string in strings.numpy()]
