"""Rows that are decoded together get what each would get alone."""

import random
from dataclasses import replace
from unittest import mock

import keras
import numpy as np
import pytest
from keras import ops

import rnnzoo
from rnnzoo.errors import InputError
from rnnzoo.generation.rows import Request, Rows
from rnnzoo.generation.samplers import TopKSampler, get_sampler, with_penalties
from rnnzoo.inspection.one_unit import parse_unit, read_unit, unit_place
from tests import runners

PROMPTS = ["to be", "or not t", "b"]
OPTIONS = [
    {"sampler": "greedy"},
    {"temperature": 0.7},
    {"temperature": 0},
    {"sampler": "top_k", "k": 3},
    {"sampler": "top_p", "p": 0.8, "temperature": 1.2},
    {"sampler": "min_p", "p": 0.2},
    {"sampler": "typical", "p": 0.7},
    {"temperature": 0.5, "repetition_penalty": 1.5},
    {"sampler": "greedy", "no_repeat_ngram": 2},
    {"sampler": "top_k", "k": 4, "no_repeat_ngram": 3, "repetition_penalty": 1.2},
]


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    model = runners.language_model(num_layers=2)()
    model.set_weights([5 * weight for weight in model.get_weights()])  # sure of what it says
    return model


def sampler_of(sampler=None, temperature=None, k=None, p=None, **penalties):
    return with_penalties(get_sampler(sampler, temperature, k=k, p=p), **penalties)


def request(model, prompt, *, seed, **options):
    return Request(model.vocabulary.encode(prompt), sampler_of(**options), seed=seed)


def tie_before(model, prompt, one, other, **options):
    """How far the two tokens at which two texts part are from each other, in the draw."""
    vocabulary = model.vocabulary
    place = next(i for i, (a, b) in enumerate(zip(one, other, strict=True)) if a != b)
    logits = ops.convert_to_numpy(model(vocabulary.encode(prompt + one[:place])[None]))[0, -1]
    a, b = logits[vocabulary.encode(one[place] + other[place])]
    return abs(a - b)


@pytest.mark.slow  # tests/serve/test_server.py has one row of it
def test_rows_tell_the_activation_of_their_own_unit(model):
    """What `inspect` says of the same text, a token later; and nothing where no unit is named."""
    rows, units = Rows(model.decodable(), capacity=3), ["0:h:1", None, "1:h:4"]
    asked = [request(model, "to be", seed=seed, temperature=0.7) for seed in range(3)]
    places = [unit and unit_place(model, unit) for unit in units]
    asked = [replace(each, unit=place) for each, place in zip(asked, places, strict=True)]
    joined = rows.join(*asked)
    choices = [[*row.choices] for row in joined]
    for count in (4, 1):
        rows.step(count)
        for its, row in zip(choices, joined, strict=True):
            its += row.choices
    for unit, its in zip(units, choices, strict=True):
        if unit is None:
            assert {choice.activation for choice in its} == {None}
            continue
        text = "to be" + model.vocabulary.decode([choice.token for choice in its])
        layer, state, place = parse_unit(unit)
        expected = rnnzoo.inspect(model, text).layers[layer].states[state][4:-1, place]
        found = [choice.activation for choice in its]
        np.testing.assert_allclose(found, expected, atol=1e-5)
        np.testing.assert_allclose(read_unit(model, text, unit)[1][4:-1], expected, atol=1e-5)


def test_each_row_is_written_as_if_alone(model):
    """Rows of all samplers join and leave at random; a difference must be a tie of two logits."""
    rows, draw = Rows(model.decodable(), capacity=8, alternatives=2), random.Random(0)
    waiting = [(i, j) for i in range(len(OPTIONS)) for j in range(len(PROMPTS))]
    draw.shuffle(waiting)
    live, ids = {}, {}
    while waiting or live:
        count = min(draw.randrange(4), len(waiting), 8 - len(live))
        if count:
            keys = [waiting.pop() for _ in range(count)]
            joined = rows.join(
                *[request(model, PROMPTS[j], seed=9 * i + j, **OPTIONS[i]) for i, j in keys]
            )
            ids.update({key: [row.choice.token] for key, row in zip(keys, joined, strict=True)})
            live.update(zip(keys, joined, strict=True))
        else:
            rows.step()
            for key, row in live.items():
                ids[key].append(row.choice.token)
        for key in [key for key in live if len(ids[key]) == 5 + 9 * key[1]]:
            rows.free(live.pop(key))
    assert len(rows) == 0
    for (i, j), row in ids.items():
        alone = model.generate(PROMPTS[j], len(row), seed=9 * i + j, **OPTIONS[i])
        together = model.vocabulary.decode(row)
        if alone != together:
            assert OPTIONS[i] == {"sampler": "greedy"}
            assert tie_before(model, PROMPTS[j], alone, together) < 1e-4


def test_an_array_of_ids_is_read_once_for_several_rows(model):
    rows, ids = Rows(model.decodable()), model.vocabulary.encode("or not t")
    asked = [Request(ids, sampler_of(temperature=0.7), seed) for seed in range(3)]
    asked.insert(1, request(model, "to be", seed=3, temperature=0.7))
    with mock.patch.object(rows.model, "pack", wraps=rows.model.pack) as pack:
        joined = rows.join(*asked)
    assert [len(each) for each in pack.call_args.args[0]] == [8, 5]
    texts = [[row.choice.token] for row in joined]
    rows.step(4)
    for row, text in zip(joined, texts, strict=True):
        text += [choice.token for choice in row.choices]
    for text, each in zip(texts, asked, strict=True):
        prompt = model.vocabulary.decode(each.ids)
        alone = model.generate(prompt, 5, seed=each.seed, temperature=0.7)
        assert model.vocabulary.decode(text) == alone


def test_log_probabilities_are_the_models(model):
    vocabulary = model.vocabulary
    rows = Rows(model.decodable(), alternatives=99)
    (row,) = rows.join(request(model, "to be", seed=3, temperature=0.5, repetition_penalty=2.0))
    text = "to be"
    for _ in range(3):
        logits = ops.convert_to_numpy(model(vocabulary.encode(text)[None]))[0, -1]
        expected = logits - np.log(np.exp(logits).sum())
        token, log_probability, alternatives, _ = row.choice
        np.testing.assert_allclose(log_probability, expected[token], atol=1e-4)
        assert len(alternatives) == len(vocabulary)
        for index, value in alternatives:
            np.testing.assert_allclose(value, expected[index], atol=1e-4)
        values = [value for _, value in alternatives]
        assert values == sorted(values, reverse=True)
        text += vocabulary.tokens[token]
        rows.step()


def test_only_so_many_rows(model):
    rows = Rows(model.decodable(), capacity=2)
    one, _ = rows.join(*[request(model, "to", seed=seed) for seed in (0, 1)])
    with pytest.raises(InputError, match="2 rows of at most 2"):
        rows.join(request(model, "to", seed=2))
    rows.free(one)
    rows.join(request(model, "to", seed=2))
    assert len(rows) == 2


def test_a_sampler_of_ones_own_draws_all_rows(model):
    own = with_penalties(lambda logits, uniform: ops.argmin(logits, axis=-1))
    with pytest.raises(InputError, match="sampler of rnnzoo"):
        Rows(model.decodable()).join(Request(np.int32([1]), own, seed=0))
    rows = Rows(model.decodable(), sampler=own)
    (row,) = rows.join(Request(np.int32([1]), own, seed=0))
    logits = ops.convert_to_numpy(model(np.int32([[1]])))[0, -1]
    assert row.choice.token == logits.argmin()
    with pytest.raises(InputError, match="All rows are drawn by"):
        rows.join(Request(np.int32([1]), TopKSampler(), seed=0))


@pytest.mark.skipif(
    keras.config.backend() != "tensorflow", reason="JAX compiles for each number of rows"
)
def test_another_mixture_compiles_nothing(model):
    rows = Rows(model.decodable())
    rows.join(request(model, "to", seed=0))
    rows.step()
    rows.join(request(model, "to", seed=0))
    before = set(model._functions)
    with mock.patch.object(type(model), "step", side_effect=RuntimeError):  # called by tracing
        rows.join(*[request(model, "to be", seed=1, **options) for options in OPTIONS])
        rows.step()
    assert set(model._functions) == before and len(rows) == 2 + len(OPTIONS)


def test_rows_of_a_model_with_start_and_end():
    model = runners.language_model(rnnzoo.word_lm)()
    vocabulary = model.vocabulary
    rows = Rows(model.decodable())
    ids = vocabulary.encode_documents(["no", "it is"], end=False)
    joined = rows.join(*[Request(each, sampler_of(), seed=i) for i, each in enumerate(ids)])
    for _ in range(20):
        for row in joined:
            assert row.choice.token not in (
                vocabulary.pad_id, vocabulary.start_id, vocabulary.unknown_id
            )  # fmt: skip
        rows.step()
