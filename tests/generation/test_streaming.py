"""Text handed out as it is made is the text that `generate` and `translate` return."""

import itertools

import keras
import numpy as np
import pytest
from keras import ops

import rnnzoo
from rnnzoo.errors import InputError
from tests import runners
from tests.generation.test_rows import OPTIONS

SUBWORDS = rnnzoo.Vocabulary(
    ["<pad>", "<start>", "<unk>", "<end>", "▁", "▁to", "▁be", "é", "b", "o", "▁o", "r", ","],
    level="subword",
)
MODELS = {
    "characters": runners.language_model(num_layers=2),
    "words": runners.language_model(rnnzoo.word_lm),
    "subwords": lambda: rnnzoo.word_lm(SUBWORDS, units=5, embedding_dim=4),
}
PROMPTS = {"characters": "or not ", "words": "it is ", "subwords": "to be, o"}


@pytest.fixture(scope="module")
def models():
    made = {}
    for name, make in MODELS.items():
        keras.utils.set_random_seed(0)
        made[name] = make()
        made[name].set_weights([4 * weight for weight in made[name].get_weights()])
    return made


@pytest.mark.parametrize("name", list(MODELS))
def test_parts_are_the_generated_text(models, name):
    model, prompt = models[name], PROMPTS[name]
    for seed, options in enumerate(OPTIONS[::2] if name == "characters" else OPTIONS[-2:]):
        whole = model.generate(prompt, 40, seed=seed, **options)
        parts = list(model.stream(prompt, 40, seed=seed, **options))
        assert all(parts) and "".join(parts) == whole
        if whole:
            assert len(parts) > 1 or len(whole) < 9
    stop = [whole[len(whole) // 2 :][:3] or "x", "never there"]
    kept = model.generate(prompt, 40, seed=seed, stop=stop, **options)
    assert "".join(model.stream(prompt, 40, seed=seed, stop=stop, **options)) == kept


@pytest.mark.parametrize("limit", [1, 2, 3, 9])
def test_as_many_tokens_as_asked_for(models, limit):
    parts = list(models["characters"].stream("to", limit, seed=0))
    assert [len(part) for part in parts] == [1] * limit


def test_ids_of_a_model_without_a_vocabulary():
    model = rnnzoo.char_lstm(9, units=4)
    assert list(model.stream([1, 2], 7, seed=3)) == model.generate([1, 2], 7, seed=3).tolist()
    session = model.session([1, 2], seed=3)
    assert [*session.write(3), *session.write(4)] == model.generate([1, 2], 7, seed=3).tolist()
    session.read([4])
    assert session.write(2).shape == (2,)


def test_a_stream_may_be_abandoned(models):
    model = models["characters"]
    for _ in range(3):
        assert len(list(itertools.islice(model.stream("to", 10_000), 5))) == 5


def test_a_sampler_of_ones_own(models):
    model = models["characters"]

    def second(logits, uniform):
        return ops.cast(ops.argsort(logits, axis=-1)[:, -2], "int32")

    assert "".join(model.stream("to", 9, sampler=second)) == model.generate("to", 9, sampler=second)


def test_bad_input_is_refused_at_the_call(models):
    model = models["characters"]
    with pytest.raises(InputError, match="one prompt, not a list of 2"):
        model.stream(["to", "be"])
    with pytest.raises(InputError, match="`max_new_tokens`"):
        model.stream("to", max_length=5)
    with pytest.raises(InputError, match="temperature"):
        model.stream("to", temperature=-1)
    with pytest.raises(InputError, match="empty"):
        model.stream("")
    for count in (10**10, 10**400):
        with pytest.raises(InputError, match="`max_new_tokens` must be at most 1000000"):
            model.stream("to", count)
        with pytest.raises(InputError, match="`count` must be at most 1000000"):
            model.session("to").write(count)


def test_a_translation_is_streamed():
    model = runners.ENCODER_DECODERS["gru_seq2seq"]()
    model.set_weights([4 * weight for weight in model.get_weights()])
    for text in ("one two", "two", "one one one"):
        assert "".join(model.stream(text)) == model.translate(text)
        assert "".join(model.stream(text, 2)) == model.translate(text, max_new_tokens=2)
    with pytest.raises(InputError, match="one text, not a list of 2"):
        model.stream(["one", "two"])
    with pytest.raises(InputError, match="`max_new_tokens` must be at most 1000000"):
        model.stream("one", 10**10)


@pytest.mark.parametrize("name", list(MODELS))
def test_a_session_writes_what_generate_does(models, name):
    model, prompt = models[name], PROMPTS[name]
    for seed, options in enumerate([OPTIONS[0], OPTIONS[7]]):
        session = model.session(prompt, seed=seed, **options)
        text = "".join(session.write(count) for count in (1, 2, 12))
        assert text == model.generate(prompt, 15, seed=seed, **options)


def test_what_a_session_reads_is_the_text_so_far(models):
    model = models["characters"]
    session = model.session("to", sampler="greedy")
    text = "to" + session.write(4)
    session.read("or be ")
    text += "or be "
    assert session.write(6) == model.generate(text, 6, sampler="greedy")


def test_a_session_of_words_spaces_them(models):
    model = models["words"]
    session = model.session("no", sampler="greedy")
    for text in (",", " or is it", " it "):
        session.read(text)
        written = session.write(1)
        joined = written[:1] in (",", ".", "?") or text[-1] == " "
        assert session.ended or joined == (written[:1] != " ")


def test_a_session_goes_on_from_its_saved_state(models, tmp_path):
    for name, model in models.items():
        session = model.session(PROMPTS[name], seed=5, repetition_penalty=1.1)
        session.write(5)
        np.savez(tmp_path / "state.npz", **session.state)
        expected = session.write(7)
        other = model.session(PROMPTS[name], seed=6, repetition_penalty=1.3)
        with np.load(tmp_path / "state.npz") as saved:
            other.state = saved
        other_session = model.session(PROMPTS[name], repetition_penalty=1.1)
        other_session.state = dict(np.load(tmp_path / "state.npz"))
        assert other_session.write(7) == expected
    with pytest.raises(InputError, match="same model and sampler"):
        model.session("to").state = other.state
    with pytest.raises(InputError, match="has shape"):
        rnnzoo.word_lm(SUBWORDS, units=6).session("to", repetition_penalty=2.0).state = other.state


def test_the_state_of_a_session_does_not_grow(models):
    for name, model in models.items():
        session = model.session(PROMPTS[name], seed=0)
        for _ in range(40):
            session.write(10)
            if session.ended:
                session.read(PROMPTS[name])
        assert sum(array.nbytes for array in session.state.values()) < 2000


def test_a_session_ends_with_the_end_token(models):
    model = runners.language_model(rnnzoo.word_lm, tie_embedding_weights=False)()
    bias = np.zeros(model.vocabulary_size, "float32")
    bias[model.vocabulary.end_id] = 99
    model.head.bias.assign(bias)
    session = model.session("no")
    assert session.write(5) == "" and session.ended and session.write(5) == ""
    session.read("it is")
    assert not session.ended
    with pytest.raises(InputError, match="nothing to read"):
        session.read("")


def test_a_list_of_seeds_draws_for_each_prompt_what_it_gets_alone(models):
    model, prompts = models["characters"], ["to", "or not", "be"]
    texts = model.generate(prompts, 20, seed=[7, 8, 7])
    assert texts == [model.generate(p, 20, seed=s) for p, s in zip(prompts, (7, 8, 7), strict=True)]
    samples = model.generate(prompts, 20, seed=[7, 8, 7], num_samples=2)
    alone = [model.generate(p, 20, seed=s, num_samples=2) for p, s in zip(prompts, (7, 8, 7))]  # noqa: B905
    assert samples == alone and samples[0][0] != samples[0][1]
    with pytest.raises(InputError, match="one for each of the 3 prompts"):
        model.generate(prompts, seed=[1, 2])
