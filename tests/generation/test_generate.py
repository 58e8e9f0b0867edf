"""Text from language models."""

import dataclasses
import itertools

import keras
import numpy as np
import pytest
from keras import ops

import rnnzoo
from rnnzoo.errors import InputError
from rnnzoo.generation.samplers import Sampler, TemperatureSampler, TopKSampler
from tests import runners

NAMES = list(runners.LANGUAGE_MODELS)


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    model = runners.language_model(num_layers=2)()
    model.set_weights([5 * weight for weight in model.get_weights()])  # sure of what it says
    return model


@pytest.fixture(scope="module")
def word_model():
    keras.utils.set_random_seed(0)
    words = rnnzoo.Vocabulary.from_text("one two three four five", level="word")
    return rnnzoo.word_lm(words, units=5, embedding_dim=4)


def in_numpy(tensors):
    return keras.tree.map_structure(ops.convert_to_numpy, tensors)


def set_bias(model, **values):
    """Sets the output's bias for special tokens, and so what it writes."""
    bias = np.zeros(model.vocabulary_size, "float32")
    for name, value in values.items():
        bias[getattr(model.vocabulary, f"{name}_id")] = value
    model.head.bias.assign(bias)


@pytest.mark.parametrize("name", NAMES)
def test_prefill_is_the_call_without_the_padding(name):
    model = runners.LANGUAGE_MODELS[name]()
    tokens = np.random.default_rng(0).integers(0, model.vocabulary_size, (3, 7)).astype("int32")
    logits, state = in_numpy(model.prefill(tokens, np.array([7, 4, 1])))
    for row, length in enumerate((7, 4, 1)):
        alone, final = in_numpy(model(tokens[row : row + 1, :length], return_state=True))
        np.testing.assert_allclose(logits[row], alone[0, -1], atol=1e-5)
        for mine, its in zip(state, final, strict=True):
            np.testing.assert_allclose(mine[row], its[0], atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_steps_are_the_call(name):
    model = runners.LANGUAGE_MODELS[name]()
    tokens = np.random.default_rng(0).integers(0, model.vocabulary_size, (2, 5)).astype("int32")
    logits = ops.convert_to_numpy(model(tokens))
    state = model.get_initial_state(2)
    for time in range(5):
        step, state = model.step(tokens[:, time], state)
        np.testing.assert_allclose(ops.convert_to_numpy(step), logits[:, time], atol=1e-5)


@pytest.mark.parametrize("name", ["char_lstm", "word_lm-gru"])
def test_greedy_text_is_the_likeliest_token_each_time(name):
    model = runners.LANGUAGE_MODELS[name]()
    vocabulary = model.vocabulary
    prompt = vocabulary.tokens[-1]
    ids = [] if vocabulary.start_id is None else [vocabulary.start_id]
    ids += vocabulary.encode(prompt).tolist()
    suppressed = [vocabulary.pad_id, vocabulary.start_id, vocabulary.unknown_id]
    length = len(ids)
    while len(ids) < length + 8 and vocabulary.end_id not in ids:
        logits = ops.convert_to_numpy(model(np.array([ids], "int32")))[0, -1].copy()
        logits[[each for each in suppressed if each is not None]] = -np.inf
        ids.append(int(logits.argmax()))
    expected = vocabulary.decode(ids[length:], after=ids[:length])
    assert model.generate(prompt, 8, sampler="greedy") == expected


def test_batch_of_unequal_prompts_is_one_by_one(model):
    prompts = ["to be or not to be to be", "t", "or not " * 6]
    together = model.generate(prompts, 12, sampler="greedy")
    assert together == [model.generate(prompt, 12, sampler="greedy") for prompt in prompts]
    assert len(set(together)) > 1 and all(len(text) == 12 for text in together)


def test_seeds(model):
    text = model.generate("to ", 40, seed=3)
    assert text == model.generate("to ", 40, seed=3)
    assert text != model.generate("to ", 40, seed=4)
    assert model.generate("to ", 40) != model.generate("to ", 40)
    two = model.generate(["to ", "to "], 40, seed=3)
    assert two[0] != two[1]


def test_longer_text_begins_with_the_shorter(model):
    prompts = ["to ", "or not"]
    long = model.generate(prompts, 70, seed=3)
    for length in (1, 31, 32, 33):
        short = model.generate(prompts, length, seed=3)
        assert [len(text) for text in short] == [length, length]
        assert all(whole.startswith(text) for whole, text in zip(long, short, strict=True))


def test_temperature_and_samplers(model):
    greedy = model.generate("to ", 20, sampler="greedy")
    assert model.generate("to ", 20, temperature=1e-4, seed=1) == greedy
    assert model.generate("to ", 20, sampler=TopKSampler(1), seed=1) == greedy
    assert model.generate("to ", 20, sampler="top_k", seed=1) != greedy
    hot = model.generate("to ", 20, temperature=1.5, seed=1)
    assert model.generate("to ", 20, sampler=TemperatureSampler(1.5), seed=1) == hot
    assert model.generate("to ", 20, seed=1) == model.generate("to ", 20, temperature=1.0, seed=1)


def test_samplers_of_ones_own(model):
    def fixed(token):
        return lambda logits, uniform: ops.full((logits.shape[0] or 1,), token, "int32")

    for token in (1, 2):  # two functions of the same name
        sampler = fixed(token)
        assert model.generate("to ", 3, sampler=sampler) == model.vocabulary.tokens[token] * 3

    class Fixed(Sampler):
        def __init__(self, token):
            self.token = token

        def __call__(self, logits, uniform):
            return fixed(self.token)(logits, uniform)

        def get_config(self):
            return {"token": self.token}

    class Bare(Fixed):  # whose configuration does not tell what it was given
        def __init__(self, token, other):
            super().__init__(0)
            self.token = other

    @dataclasses.dataclass  # has no hash
    class Plain:
        token: int

        def __call__(self, logits, uniform):
            return fixed(self.token)(logits, uniform)

    made = [lambda token: Bare(0, token), Plain]
    for make, token in itertools.product(made, (1, 2)):
        text = model.generate("to ", 3, sampler=make(token))
        assert text == model.vocabulary.tokens[token] * 3

    for token in (3, 4):  # two configurations of one class
        text = model.generate("to ", 3, sampler=Fixed(token))
        assert text == model.vocabulary.tokens[token] * 3


def test_end_token_stops(word_model):
    set_bias(word_model, end=50.0)
    assert word_model.generate("one two", 9, seed=1) == ""
    set_bias(word_model, end=1.0)
    texts = word_model.generate(["one"] * 20, 30, seed=1)
    lengths = [len(text.split()) for text in texts]
    assert min(lengths) < max(lengths) < 30


def test_special_tokens_are_never_written(word_model):
    set_bias(word_model, pad=50.0, start=50.0, unknown=50.0, end=-50.0)
    for options in ({"sampler": "greedy"}, {"seed": 1}, {"seed": 1, "sampler": "top_p"}):
        text = word_model.generate("one", 40, **options)
        assert len(text.split()) == 40 and "<" not in text


def test_start_token_goes_before_the_prompt(word_model):
    set_bias(word_model, end=-50.0)
    start = word_model.vocabulary.start_id
    logits = ops.convert_to_numpy(word_model(np.array([[start]], "int32")))[0, -1].copy()
    logits[:3] = -np.inf
    first = word_model.vocabulary.tokens[logits.argmax()]
    assert word_model.generate("", 1, sampler="greedy") == first
    assert word_model.generate(["", "one"], 3, seed=1)[0]


def test_ids_without_a_vocabulary():
    model = rnnzoo.char_lstm(9, units=4, num_layers=1)
    single = model.generate([1, 2, 3], 5, seed=1)
    assert single.shape == (5,) and single.dtype == np.int32
    assert np.array_equal(model.generate(np.array([1, 2, 3]), 5, seed=1), single)
    both = model.generate([[1, 2, 3], [4]], 5, sampler="greedy")
    assert len(both) == 2
    assert np.array_equal(both[0], model.generate([1, 2, 3], 5, sampler="greedy"))


@pytest.mark.parametrize(
    ("cell", "dtype"),
    [("lstm", "mixed_bfloat16"), ("gru", "mixed_float16"), ("simple_rnn", "mixed_bfloat16")],
)
def test_mixed_precision(cell, dtype):
    model = runners.language_model(cell=cell, dtype=dtype, tie_embedding_weights=True)()
    assert len(model.generate("to be", 5, seed=1)) == 5


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="JAX compiles by shape")
def test_one_trace_serves_all_lengths(monkeypatch):
    model = runners.language_model()()
    traces = []
    prefill = rnnzoo.LanguageModel.prefill
    monkeypatch.setattr(
        rnnzoo.LanguageModel, "prefill", lambda *all: traces.append(1) or prefill(*all)
    )
    for prompts, length in [("to", 3), ("to be " * 9, 3), (["to", "be"], 90), ("b", 33)]:
        model.generate(prompts, length, temperature=0.5, seed=1)
    model.generate("to", 3, sampler=TemperatureSampler(0.5))
    assert len(traces) == 1
    model.generate("to", 3, sampler="greedy")
    assert len(traces) == 2


def test_generates_amid_training():
    """Also on JAX, where a running fit takes the values out of the model."""
    model = runners.language_model()()
    model.compile(keras.optimizers.SGD(5.0))
    texts, losses = [], []

    class Sample(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            losses.append(logs["loss"])
            texts.append(self.model.generate("to ", 30, seed=1))

    inputs, targets, _ = runners.batch(model, batch_size=8)
    model.fit(inputs, targets, batch_size=2, shuffle=False, verbose=0, callbacks=[Sample()])
    assert len(texts) == 4 and len(set(texts)) > 1  # each with the weights of its moment
    assert model.generate("to ", 30, seed=1) == texts[-1]
    assert np.isfinite(losses).all()


def test_new_weights_are_used():
    model = runners.language_model()()
    before = model.generate("to ", 30, seed=1)
    model.set_weights([weight * 3 + 0.5 for weight in model.get_weights()])
    assert model.generate("to ", 30, seed=1) != before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"prompts": ""}, "A prompt is empty"),
        ({"prompts": ["to", ""]}, "A prompt is empty"),
        ({"prompts": []}, "a list of at least one text"),
        ({"prompts": 5}, "Give a text"),
        ({"prompts": None}, "Give a text"),
        ({"prompts": ["to", 5]}, "Give a text"),
        ({"prompts": "to Xy"}, "'X', 'y'"),
        ({"max_new_tokens": 0}, "`max_new_tokens` must be a whole number of at least 1, not 0"),
        ({"max_new_tokens": 2.5}, "not 2.5"),
        ({"max_new_tokens": 3 * 10**9}, "`max_new_tokens` must be at most 1000000, not 3000000000"),
        ({"max_new_tokens": 10**400}, "`max_new_tokens` must be at most 1000000, not 1000"),
        ({"num_samples": 10**10}, "`num_samples` must be at most 1000000, not 10000000000"),
        ({"num_samples": 10**400}, "`num_samples` must be at most 1000000, not 1000"),
        ({"beam_width": 10**10}, "`beam_width` must be at most 10000, not 10000000000"),
        ({"beam_width": 10**400}, "`beam_width` must be at most 10000, not 1000"),
        ({"n_best": 10**10}, "`n_best` must be at most 10000, not 10000000000"),
        ({"k": 10**400}, "`k` must be at most 2147483647, not 1000"),
        (
            {"no_repeat_ngram": 10**400},
            "`no_repeat_ngram` must be a whole number from 1 to 1000000",
        ),
        ({"temperature": 10**400}, "`temperature` must be 0"),
        ({"repetition_penalty": 10**400}, "`repetition_penalty` must be a number from 1e-6 to 1e6"),
        ({"repetition_penalty": 1e7}, "`repetition_penalty` must be a number from 1e-6 to 1e6"),
        ({"repetition_penalty": 1e-7}, "`repetition_penalty` must be a number from 1e-6 to 1e6"),
        ({"sampler": "gredy"}, "No sampler is called 'gredy'; did you mean 'greedy'"),
        ({"sampler": 5}, "`sampler` must be a name"),
        ({"temperature": -1.0}, "`temperature` must be"),
        ({"temperature": 0.5, "sampler": "greedy"}, "takes no temperature"),
        ({"seed": -1}, "`seed` must be a whole number of at least 0, not -1"),
        ({"seed": "x"}, "`seed` must be"),
        ({"length_penalty": 1.0}, "`length_penalty` (1.0) is of no use without beam search"),
        ({"beam_groups": 2}, "`beam_groups` (2) is of no use"),
        ({"diversity_penalty": 0.0}, "`diversity_penalty` (0.0) is of no use"),
    ],
)
def test_bad_input(model, arguments, message):
    with pytest.raises(InputError) as error:
        model.generate(**{"prompts": "to", **arguments})
    assert message in str(error.value) and "\n" not in str(error.value)


def test_a_large_k_changes_nothing(model):
    plain = model.generate(["to ", "be"], 30, seed=3)
    assert model.generate(["to ", "be"], 30, seed=3, k=2**31 - 1) == plain


def test_large_numbers_that_are_allowed(model):
    """Seeds have no largest, nor has a batch."""
    seed = 10**400
    text = model.generate("to", 5, seed=seed, batch_size=10**400)
    assert text == "".join(model.stream("to", 5, seed=seed))
    assert model.generate(["to"], 5, seed=[seed]) == [text]
    assert model.session("to", seed=seed).write(5) == text


@pytest.mark.parametrize(
    ("prompts", "message"),
    [
        ("abc", "has no vocabulary and reads ids"),
        (5, "reads ids"),
        ([], "reads ids"),
        ([[1], []], "reads ids"),
        ([0.5, 1.0], "reads ids"),
        ([[[1]]], "reads ids"),
        ([1, 9], "The id 9 is none that the model reads, which are 0 to 8"),
        ([[1], [-1]], "The id -1"),
    ],
)
def test_bad_ids(prompts, message):
    with pytest.raises(InputError, match=message):
        rnnzoo.char_lstm(9, units=4, num_layers=1).generate(prompts)
