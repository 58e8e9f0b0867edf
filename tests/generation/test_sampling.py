"""What `generate` takes at call time: numbers, penalties, stop texts, beams, seeds."""

import itertools
import os
from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

import rnnzoo
from rnnzoo.errors import InputError
from rnnzoo.generation.batching import batches_by_length
from rnnzoo.generation.generate import Hypothesis
from rnnzoo.generation.samplers import (
    PENALTIES,
    SAMPLERS,
    MinPSampler,
    TemperatureSampler,
    TypicalSampler,
    get_sampler,
)
from tests import runners

on_tensorflow = pytest.mark.skipif(
    keras.config.backend() != "tensorflow", reason="JAX compiles by shape"
)


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    model = runners.language_model(num_layers=2)()
    model.set_weights([5 * weight for weight in model.get_weights()])
    return model


@pytest.fixture
def traces(monkeypatch):
    counted = []
    prefill = rnnzoo.LanguageModel.prefill
    monkeypatch.setattr(
        rnnzoo.LanguageModel, "prefill", lambda *all: counted.append(1) or prefill(*all)
    )
    return counted


def megabytes():
    """The memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


@on_tensorflow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads memory as Linux tells it")
def test_new_numbers_compile_nothing_and_keep_nothing(traces):
    model = runners.language_model(units=2, embedding_dim=2, num_layers=1)()
    for count, temperature in enumerate(np.linspace(0.1, 2, 1000)):
        model.generate("to", 1, temperature=temperature, seed=1)
        if count == 100:
            before = megabytes()
    assert len(traces) == 1 and len(model._functions) == 1
    assert megabytes() - before < 30  # a function more for each temperature took 5 MB a call
    for p in np.linspace(0.1, 1, 20):
        numbers = {"p": p, "temperature": p, "repetition_penalty": 1 + p}
        model.generate("to", 1, sampler="top_p", **numbers, no_repeat_ngram=int(9 * p) + 1)
    for k in range(1, 20):
        model.generate("to", 1, sampler="top_k", k=k)
    assert len(traces) == 3 and len(model._functions) == 3


@on_tensorflow
def test_functions_of_ones_own_are_kept_within_bounds(traces):
    model = runners.language_model()()
    for _ in range(5):  # one lambda of the source, five objects
        model.generate("to", 1, sampler=lambda logits, uniform: ops.argmax(logits, axis=-1))
    assert len(traces) == 1
    for token in (1, 2, 1):

        def sampler(logits, uniform, token=token):
            return ops.zeros_like(ops.argmax(logits, axis=-1)) + token

        assert model.generate("to", 2, sampler=sampler) == model.vocabulary.tokens[token] * 2
    assert len(traces) == 3
    for width in range(2, 60):
        model.decodable().compiled(("beam_search", width), lambda x: x)
    assert len(model._functions) <= 32


CHOSEN = 1


def chosen():
    return CHOSEN


@on_tensorflow
def test_a_function_of_ones_own_reads_what_it_names(traces, monkeypatch):
    model = runners.language_model()()
    symbols = model.vocabulary.tokens

    def sampler():
        return lambda logits, uniform: ops.zeros_like(ops.argmax(logits, axis=-1)) + chosen()

    for token in (1, 2, 2, 1):
        monkeypatch.setattr(f"{__name__}.CHOSEN", token)
        assert model.generate("to", 2, sampler=sampler()) == symbols[token] * 2
    assert len(traces) == 2
    state = {"token": 1}  # what may change without a sign is not shared

    def other():
        return lambda logits, uniform: ops.zeros_like(ops.argmax(logits, axis=-1)) + state["token"]

    for state["token"] in (1, 2):
        assert model.generate("to", 2, sampler=other()) == symbols[state["token"]] * 2


@on_tensorflow
def test_many_functions_keep_no_more_than_some(traces, monkeypatch):
    monkeypatch.setattr("rnnzoo.models.compiled_functions.MAX_FUNCTIONS", 4)
    model = runners.language_model(units=2, embedding_dim=2, num_layers=1)()
    for call in range(9):
        sampler = TemperatureSampler(1 + call / 10)
        model.generate(
            "to", 1, sampler=lambda logits, uniform, own=[sampler]: own[0](logits, uniform)
        )
    assert len(model._functions) == 4


@pytest.mark.parametrize("temperature", [0, 0.0, np.float32(0)])
def test_temperature_0_is_greedy(model, temperature):
    greedy = model.generate("to ", 20, sampler="greedy")
    assert model.generate("to ", 20, temperature=temperature) == greedy
    assert model.generate("to ", 20, sampler="top_p", temperature=temperature) == greedy
    assert model.generate("to ", 20, sampler=TemperatureSampler(temperature)) == greedy
    assert model.generate("to ", 20, sampler="greedy", temperature=temperature) == greedy
    logits = ops.array([[0.0, 2.0, 1.0]])
    assert int(TemperatureSampler(temperature)(logits, ops.array([0.99]))[0]) == 1


def test_numbers_of_numpy(model):
    numbers = {"temperature": np.float32(0.8), "k": np.int64(3), "seed": np.int64(4)}
    text = model.generate("to ", np.int32(9), sampler="top_k", **numbers)
    assert text == model.generate(
        "to ", 9, sampler="top_k", temperature=np.float32(0.8), k=3, seed=4
    )
    assert get_sampler(k=3).k == 3 and get_sampler(p=0.5).p == 0.5


@pytest.mark.parametrize("name", [name for name in SAMPLERS if name != "greedy"])
def test_numbers_as_tensors_are_those_of_the_sampler(name):
    logits = ops.array(np.random.default_rng(0).normal(size=(50, 9)), "float32")
    uniform = ops.array(np.random.default_rng(1).random(50), "float32")
    other, own = SAMPLERS[name](), SAMPLERS[name]()
    for number, value in {"temperature": 0.7, "k": 3, "p": 0.4}.items():
        if hasattr(own, number):
            setattr(own, number, value)
    numbers = {name: ops.array(value, "float32") for name, value in own.numbers().items()}
    drawn = ops.convert_to_numpy(other(logits, uniform, **numbers))
    np.testing.assert_array_equal(drawn, ops.convert_to_numpy(own(logits, uniform)))
    assert len(set(drawn.tolist())) > 1


def test_min_p_and_typical_keep_what_their_papers_say():
    p = np.array([[0.1, 0.5, 0.05, 0.3, 0.05]])
    kept = ops.convert_to_numpy(MinPSampler(0.19).probabilities(ops.array(np.log(p))))
    np.testing.assert_allclose(kept, [[0.1, 0.5, 0, 0.3, 0]], rtol=1e-5)
    distance = np.abs(-np.log(p[0]) - -(p * np.log(p)).sum())
    for mass in (0.1, 0.5, 0.85, 1.0):
        expected, total = np.zeros(5), 0
        for token in np.argsort(distance, kind="stable"):
            if total < mass:
                expected[token] = p[0, token]
            total += p[0, token]
        expected = np.where(distance <= distance[expected > 0].max() + 1e-6, p[0], 0)
        kept = ops.convert_to_numpy(TypicalSampler(mass).probabilities(ops.array(np.log(p))))
        np.testing.assert_allclose(kept[0], expected, rtol=1e-4)


def run_penalty(name, number, tokens, logits):
    """The logits after some tokens of one row."""
    penalty = PENALTIES[name]
    state = penalty.start(1, len(logits), 12)
    for token in tokens:
        state = penalty.update(state, ops.array([token], "int32"))
    logits = ops.array([logits], "float32")
    return ops.convert_to_numpy(penalty.apply(logits, state, ops.array(number, "float32")))[0]


@settings(max_examples=40, deadline=None)
@given(tokens=st.lists(st.integers(0, 4), max_size=12), length=st.integers(0, 4))
def test_penalties_equal_plain_python(tokens, length):
    logits = np.array([1.5, -0.5, 0.0, 2.0, -3.0])
    expected = [
        (x / 1.3 if x > 0 else x * 1.3) if token in tokens else x for token, x in enumerate(logits)
    ]
    penalized = run_penalty("repetition_penalty", 1.3, tokens, logits)
    np.testing.assert_allclose(penalized, expected, rtol=1e-6)
    ngrams = {tuple(tokens[at : at + length]) for at in range(len(tokens) - length + 1)}
    tail = tokens[len(tokens) - length + 1 :] if length > 1 else []
    forbidden = {token for token in range(5) if length and (*tail, token) in ngrams}
    after = run_penalty("no_repeat_ngram", length, tokens, logits)
    assert {token for token in range(5) if after[token] < -1e8} == forbidden


def test_penalties_in_generate(model):
    vocabulary = model.vocabulary
    plain = model.generate(["to ", "be"], 60, seed=3)
    assert model.generate(["to ", "be"], 60, seed=3, repetition_penalty=1.0) == plain
    assert model.generate(["to ", "be"], 60, seed=3, no_repeat_ngram=0) == plain
    for text in model.generate(["to ", "be"], 30, seed=3, no_repeat_ngram=2):
        pairs = []
        for at in range(29):
            followers = {pair for pair in pairs if pair[0] == text[at]}
            # Only where every continuation was there before is one taken twice.
            assert text[at : at + 2] not in pairs or len(followers) == len(vocabulary)
            pairs.append(text[at : at + 2])
    once = model.generate("to ", len(vocabulary), sampler="greedy", repetition_penalty=1e6)
    assert len(set(once)) > len(set(model.generate("to ", len(vocabulary), sampler="greedy")))


def test_a_text_depends_on_its_seed_and_place_alone(model):
    prompts = ["to be or not to be", "be", "or "]
    several = model.generate(prompts, 30, seed=5)
    assert model.generate(prompts[0], 30, seed=5) == several[0]
    assert model.generate([prompts[0], "to", "not"], 30, seed=5)[0] == several[0]
    assert model.generate(["t", prompts[1]], 30, seed=5)[1] == several[1]
    assert model.generate(prompts, 20, seed=5) == [text[:20] for text in several]
    same = model.generate(["to "] * 3, 30, seed=5, temperature=2.0)
    assert len(set(same)) == 3


def test_options_by_position_are_read_for_one_release_more(model):
    with pytest.warns(DeprecationWarning, match="write sampler='top_p', temperature=0.5, seed=3"):
        text = model.generate("to ", 20, "top_p", 0.5, 3)
    assert text == model.generate("to ", 20, sampler="top_p", temperature=0.5, seed=3)
    with pytest.raises(InputError, match="takes its options by name"):
        model.generate("to ", 20, "top_p", 0.5, 3, 4)
    with pytest.raises(InputError, match="`sampler` is given twice"):
        model.generate("to ", 20, "top_p", sampler="greedy")
    translator = runners.ENCODER_DECODERS["gru_seq2seq"]()
    with pytest.warns(DeprecationWarning, match="return_attention=True, beam_width=3") as caught:
        text, weights = translator.translate("one two", 9, True, 3)
    assert caught[0].filename == __file__  # the line that is to be changed
    assert text == translator.translate("one two", 9, beam_width=3) and weights.shape[1] == 8


def test_rows_of_ids_at_fault_are_named():
    model = rnnzoo.char_lstm(9, units=2)
    for rows, message in [
        ([[1, 2], [3, 9]], "The id 9 (in row 2) is none"),
        ([[1, 2], []], "(number 2 is none)"),
        ([1, 9], "The id 9 is none"),
        (np.zeros((2, 0), "int32"), "none of them empty"),
        (None, "give a list"),
    ]:
        for call in (model.generate, model.score):
            with pytest.raises(InputError) as error:
                call(rows)
            assert message in str(error.value)


def test_stop_and_samples(model):
    whole = model.generate("to ", 60, seed=3)
    stop = whole[20:22]
    assert model.generate("to ", 60, seed=3, stop=stop) == whole[: whole.index(stop)]
    assert model.generate("to ", 60, seed=3, stop=[stop, whole[5:9]]) in (
        whole[: whole.index(stop)], whole[: whole.index(whole[5:9])],
    )  # fmt: skip
    samples = model.generate("to ", 20, seed=3, num_samples=3)
    assert len(samples) == 3 and len(set(samples)) > 1
    many = model.generate(["to ", "be"], 20, seed=3, num_samples=2)
    assert [len(each) for each in many] == [2, 2] and many[0][0] != many[0][1]


def test_set_random_seed_repeats(model):
    texts = []
    for seed in (1, 1, 2):
        keras.utils.set_random_seed(seed)
        texts.append((model.generate("to ", 30), model.generate("to ", 30)))
    assert texts[0] == texts[1] != texts[2] and texts[0][0] != texts[0][1]


@pytest.mark.parametrize("options", [{"seed": 3}, {"beam_width": 3}, {"seed": 3, "num_samples": 2}])
def test_batches_change_nothing(model, options):
    prompts = ["to be or not to be to be", "t", "or not " * 9, "be", "to"]
    whole = model.generate(prompts, 12, **options)
    for batch_size in (1, 2):
        assert model.generate(prompts, 12, batch_size=batch_size, **options) == whole
    translator = runners.ENCODER_DECODERS["gru_seq2seq"]()
    texts = ["one two", "two" * 30, "one", "two"]
    for width in (1, 3):
        whole = translator.translate(texts, beam_width=width)
        assert whole == [translator.translate(text, beam_width=width) for text in texts]
        assert whole == translator.translate(texts, beam_width=width, batch_size=3)


@given(st.lists(st.integers(1, 3000), min_size=1, max_size=80), st.integers(1, 9))
def test_batches_hold_every_row_once(lengths, size):
    batches = batches_by_length(lengths, size)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    for batch in batches:
        real, longest = sum(lengths[i] for i in batch), max(lengths[i] for i in batch)
        assert len(batch) <= size
        assert len(batch) * longest - real <= max(real, 2048)


def test_a_long_text_is_decoded_apart():
    batches = batches_by_length([4] * 1000 + [401], 256)
    assert batches[-1] == [1000] and [len(batch) for batch in batches] == [256, 256, 256, 232, 1]


def log_probability(model, prompt, text):
    ids = model.vocabulary.encode(prompt + text)[None]
    logits = ops.convert_to_numpy(ops.log_softmax(model(ids[:, :-1]), axis=-1))[0]
    chosen = np.take_along_axis(logits, ids[0, 1:, None], axis=-1)[:, 0]
    return chosen[len(prompt) - 1 :].sum()


def test_beams_of_a_language_model(model):
    assert model.generate("to ", 9, beam_width=1) == model.generate("to ", 9, sampler="greedy")
    found = model.generate(["to ", "be"], 4, beam_width=50, n_best=5, length_penalty=0.0)
    symbols = model.vocabulary.tokens
    for prompt, best in zip(["to ", "be"], found, strict=True):
        assert len(best) == 5 and isinstance(best[0], Hypothesis)
        assert [one.score for one in best] == sorted((one.score for one in best), reverse=True)
        for text, score in best:
            assert score == pytest.approx(log_probability(model, prompt, text), abs=1e-3)
        two = model.generate(prompt, 2, beam_width=len(symbols), length_penalty=0.0)
        every = ["".join(pair) for pair in itertools.product(symbols, repeat=2)]
        assert two == max(every, key=lambda text: log_probability(model, prompt, text))
    assert model.generate("to ", 4, beam_width=50, length_penalty=0.0) == found[0][0].text


def test_n_best_translations():
    model = runners.ENCODER_DECODERS["gru_seq2seq"]()
    texts = ["one", "two one"]
    found = model.translate(texts, 6, beam_width=4, n_best=3, length_penalty=0.5)
    assert [len(each) for each in found] == [3, 3]
    assert [each[0].text for each in found] == model.translate(
        texts, 6, beam_width=4, length_penalty=0.5
    )
    for source, best in zip(texts, found, strict=True):
        assert len({one.text for one in best}) == 3
        for text, score in best:
            scored = model.score(source, text)
            length = len(text) + 1 if len(text) < 6 else 6
            if length == len(text) + 1:  # it has ended; renormalized without suppressed ids
                assert -scored["nats"] <= score * ((5 + length) / 6) ** 0.5 + 1e-3


@pytest.mark.parametrize("name", ["char_lstm", "word_lm-gru"])
def test_score_is_the_sum_of_the_steps(name):
    model = runners.LANGUAGE_MODELS[name]()
    vocabulary = model.vocabulary
    texts = [
        "no, it is" if name == "word_lm-gru" else "to be",
        "it" if name == "word_lm-gru" else "or not",
    ]
    has = name == "word_lm-gru"
    scores = model.score(texts)
    assert scores["nats"].dtype == np.float32 and scores["tokens"].dtype == np.int32
    for text, nats, tokens in zip(texts, scores["nats"], scores["tokens"], strict=True):
        ids = vocabulary.encode_documents([text], start=has, end=has)[0]
        logits = ops.convert_to_numpy(ops.log_softmax(model(ids[None, :-1]), axis=-1))[0]
        expected = -np.take_along_axis(logits, ids[1:, None], axis=-1).sum()
        assert nats == pytest.approx(expected, rel=1e-4) and tokens == len(ids) - 1
        alone = model.score(text)
        assert alone["nats"] == pytest.approx(nats, rel=1e-5) and alone["tokens"] == tokens
    if not has:
        with pytest.raises(InputError, match="Text 2 of 2 is too short"):
            model.score(["to", "t"])


LEVELS = {
    "character": rnnzoo.Vocabulary.from_text("to be, or not"),
    "word": rnnzoo.Vocabulary.from_text('The cat, "no" (it) sat. It\'s 3 % of it', "word"),
    "whitespace": rnnzoo.Vocabulary.from_text("a b c", "word", punctuation="whitespace"),
}


@pytest.fixture(scope="module", params=[*LEVELS, "subword"])
def leveled(request):
    if request.param == "subword":
        pytest.importorskip("tokenizers", reason="subwords are learned by the package tokenizers")
        text = "the cat sat on the mat, which is that"
        vocabulary = rnnzoo.Vocabulary.from_text(text, "subword", size=40)
    else:
        vocabulary = LEVELS[request.param]
    keras.utils.set_random_seed(0)
    model = rnnzoo.word_lm(vocabulary, units=4, embedding_dim=4)
    model.set_weights([3 * weight for weight in model.get_weights()])
    return model


@settings(max_examples=15, deadline=None)
@given(data=st.data(), seed=st.integers(0, 2**20))
def test_prompt_and_continuation_are_the_whole(leveled, data, seed):
    vocabulary = leveled.vocabulary
    silent = (vocabulary.pad_id, vocabulary.start_id, vocabulary.end_id, vocabulary.unknown_id)
    allowed = [index for index in range(len(vocabulary)) if index not in silent]
    ids = data.draw(st.lists(st.sampled_from(allowed), min_size=1, max_size=6))
    prompt = vocabulary.decode(ids)
    if not prompt.strip() or prompt != prompt.rstrip():
        return
    before = vocabulary.encode_documents(
        [prompt], start=vocabulary.start_id is not None, end=False
    )[0]
    taken = []
    decodable = leveled.decodable()
    logits, state = decodable.start((before[None], np.array([len(before)])))
    for _ in range(6):
        token = int(ops.argmax(decodable.rules.suppress(logits), axis=-1)[0])
        if token == vocabulary.end_id:
            break
        taken.append(token)
        logits, state = decodable.step(np.array([token], "int32"), state)
    text = leveled.generate(prompt, 6, sampler="greedy", seed=seed)
    assert vocabulary.decode(before) + text == vocabulary.decode([*before, *taken])
    if vocabulary.level != "character":
        assert leveled.generate(prompt + " ", 6, sampler="greedy") in (text, text.removeprefix(" "))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"max_length": 5}, "use `max_new_tokens`"),
        ({"max_tokens": 5}, "use `max_new_tokens`"),
        ({"top_k": 5}, 'use `sampler="top_k", k=...`'),
        ({"top_p": 0.5}, 'use `sampler="top_p", p=...`'),
        ({"num_beams": 5}, "use `beam_width`"),
        ({"do_sample": True}, 'use `sampler="temperature"`'),
        ({"num_return_sequences": 2}, "use `num_samples`"),
        ({"eos_token_id": 2}, "use `stop`"),
        ({"prompt": "to"}, "use the first argument"),
        ({"prompts": None}, "Give a text, or a list"),
        ({"sampler": "random"}, 'use "temperature"'),
        ({"sampler": "multinomial"}, 'use "temperature"'),
        ({"sampler": "argmax"}, 'use "greedy"'),
        ({"sampler": "beam_search"}, "use the argument `beam_width`"),
        ({"sampler": "nucleus"}, 'use "top_p"'),
        ({"sampler": "beam"}, "use the argument `beam_width`"),
        ({"temprature": 0.5}, "did you mean 'temperature'"),
        ({"sampler": "top_k", "p": 0.5}, "'top_k' takes no p, but 0.5 was given"),
        ({"sampler": "greedy", "k": 5}, "takes no k"),
        ({"sampler": TemperatureSampler(), "k": 5}, "`k` (5) goes with a sampler's name"),
        ({"repetition_penalty": 0}, "`repetition_penalty` must be"),
        ({"no_repeat_ngram": 1.5}, "`no_repeat_ngram` must be"),
        ({"p": 0}, "`p` must be"),
        ({"k": 0}, "`k` must be"),
        ({"beam_width": 3, "temperature": 0.5}, "`temperature` (0.5) is of no use"),
        ({"beam_width": 2, "n_best": 3}, "`n_best` (3) is more than `beam_width` (2)"),
        ({"n_best": 2}, "`n_best` (2) is more than"),
        ({"stop": ""}, "`stop` must be"),
        ({"batch_size": 0}, "`batch_size`"),
        ({"num_samples": 0}, "`num_samples`"),
        ({"prompts": ["to", "to Xy"]}, "Text 2 of the list"),
        ({"prompts": ["to", ""]}, "A prompt is empty (number 2)"),
        ({"prompts": ["to", 5]}, "(number 2 is none)"),
    ],
)
def test_wrong_words_and_numbers(model, arguments, message):
    with pytest.raises(InputError) as error:
        model.generate(**{"prompts": "to", **arguments})
    assert message in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_beams": 5}, "use `beam_width`"),
        ({"max_length": 5}, "use `max_new_tokens`"),
        ({"num_return_sequences": 2}, "`n_best` for the best of a beam"),
        ({"text": "one", "texts": None}, "use the first argument"),
        ({"n_best": 2, "beam_width": 3, "return_attention": True}, "leave out `n_best`"),
        ({"texts": ["one", " "]}, r"is empty \(number 2\)"),
    ],
)
def test_wrong_words_to_translate(arguments, message):
    with pytest.raises(InputError, match=message):
        runners.ENCODER_DECODERS["gru_seq2seq"]().translate(**{"texts": "one", **arguments})
