"""The compiled loop with carried state writes what the network itself would."""

import keras
import numpy as np
import pytest

from rnnzoo import Vocabulary
from rnnzoo.errors import InputError
from rnnzoo.founding import s0_lasagne_char_lstm as s0
from rnnzoo.founding import s3_from_scratch as s3
from rnnzoo.founding import s4_alice as s4
from rnnzoo.founding.writing import Writer, write_by_sliding
from rnnzoo.layers import LSTM

VOCABULARY = Vocabulary.from_text("to be or not, that is the question")
PHRASE = "that is the "
MODELS = {
    "s0": lambda size: s0.network(size, s0.Constants(n_hidden=9, softmax_scale=3.0)),
    "s3_rnn": lambda size: s3.network(size, s3.Constants(hidden_units=9, weight_scale=1.0)),
    "s3_lstm": lambda size: s3.network(size, s3.Constants(hidden_units=9, weight_scale=1.0), LSTM),
    "s4": lambda size: s4.network(size, s4.Constants(units=(9, 6))),
}


@pytest.fixture(params=sorted(MODELS))
def model(request):
    keras.utils.set_random_seed(3)
    model = MODELS[request.param](len(VOCABULARY))
    for variable in model.trainable_variables:
        if "bias" not in variable.path:  # a bias would have its one favourite character
            noise = np.random.default_rng(0).normal(size=variable.shape)
            variable.assign(variable + 2 * noise)
    return model


def test_argmax_is_that_of_the_whole_text_so_far(model):
    # A window as long as the text is never left by any character.
    expected = write_by_sliding(model, VOCABULARY, PHRASE, 6, window=len(PHRASE) + 6)
    assert len(set(expected)) > 1
    assert Writer(model, VOCABULARY).write(PHRASE, 6, sampler="greedy") == expected


def test_a_window_forgets_what_has_left_it():
    keras.utils.set_random_seed(0)
    model = s4.network(len(VOCABULARY), s4.Constants(units=(9, 6)))
    seen = []

    def predict(windows):
        seen.append(VOCABULARY.decode(windows[0]))
        return model.predict(windows, verbose=0)

    written = write_by_sliding(model, VOCABULARY, PHRASE, 3, window=5, predict=predict)
    whole = PHRASE + written
    assert seen == [whole[at : at + 5] for at in range(len(PHRASE) - 5, len(PHRASE) - 2)]
    assert written == write_by_sliding(model, VOCABULARY, PHRASE[-5:], 3, window=5)


def test_a_seed_repeats_its_draws_and_the_next_one_does_not(model):
    writer = Writer(model, VOCABULARY)
    texts = [writer.write(PHRASE, 40, temperature=2.0, seed=seed) for seed in (1, 1, 2)]
    assert [len(text) for text in texts] == [40, 40, 40]
    assert texts[0] == texts[1] != texts[2]


def test_new_weights_are_used_at_once(model):
    writer = Writer(model, VOCABULARY)
    writer.write(PHRASE, 5, sampler="greedy")
    wanted = VOCABULARY.encode("q")[0]
    model.layers[-1].bias.assign(100.0 * np.eye(len(VOCABULARY))[wanted])
    assert writer.write(PHRASE, 5, sampler="greedy") == "qqqqq"


def test_a_short_or_strange_phrase_is_refused(model):
    writer = Writer(model, VOCABULARY, shortest=12)
    with pytest.raises(InputError, match="at least 12"):
        writer.write(PHRASE[:-1], 5)
    with pytest.raises(InputError, match="not in the vocabulary"):
        writer.write("THAT IS THE QUESTION", 5)
