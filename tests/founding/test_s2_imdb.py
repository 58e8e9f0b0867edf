"""S2: what the network reads, and whole runs of seconds."""

import json
import math
import signal

import keras
import numpy as np
import pytest
from keras import ops

from rnnzoo import Vocabulary, founding
from rnnzoo.data import corpora
from rnnzoo.errors import InputError
from rnnzoo.founding import s2_imdb_word_lm as s2
from rnnzoo.founding import s2_literal_softmax, s2_reviews
from tests.founding.conftest import rows_of, summary_of

WORDS = [f"w{number}" for number in range(1, 51)]  # by rank; w36 has the id 39, w37 is <UNK>
NAMES = [name for name in founding.names() if name.startswith("s2_imdb")]


def some_reviews(count, seed):
    """Lines of reviews of 3 to 20 words, the frequent ones more often."""
    draw = np.random.default_rng(seed)
    chances = 1 / np.arange(1, 51)
    texts = [
        " ".join(draw.choice(WORDS, draw.integers(3, 21), p=chances / chances.sum()))
        for _ in range(count)
    ]
    return "".join(json.dumps({"text": text}) + "\n" for text in texts)


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("texts")
    (folder / "imdb").mkdir()
    (folder / "imdb" / "train.jsonl").write_text(some_reviews(30, seed=0))
    (folder / "imdb" / "test.jsonl").write_text(some_reviews(10, seed=1))
    ranks = {word: rank for rank, word in enumerate(WORDS, start=1)}
    (folder / "imdb" / "imdb_word_index.json").write_text(json.dumps(ranks))
    return folder


# --- The data ----------------------------------------------------------------------------------


def test_the_constants_are_those_of_the_document():
    constants = s2.DOCUMENT
    assert constants.embedding_dim == 100
    assert s2.Constants(vocabulary_size=88_587).embedding_dim == 297
    model = s2.network(constants)
    assert model.count_params() == 10_000 * 100 + 4 * (100 + 200 + 1) * 200 + 201 * 10_000
    assert isinstance(model.optimizer, keras.optimizers.RMSprop)
    assert float(model.optimizer.learning_rate) == pytest.approx(1e-4)


def test_rows_are_padded_behind_and_cut_in_front():
    short, whole, long = [1, 7, 8], [1, 7, 8, 9], [1, 4, 5, 6, 7]
    rows = s2_reviews.pad([short, whole, long], 4)
    assert rows.tokens.tolist() == [[1, 7, 8, 0], [1, 7, 8, 9], [4, 5, 6, 7]]  # no <START> left
    assert rows.targets.tolist() == [[7, 8, 0, 1], [7, 8, 9, 1], [5, 6, 7, 1]]
    assert rows.is_word.tolist() == [[1, 1, 0, 0], [1, 1, 1, 0], [1, 1, 1, 0]]
    assert rows.was_cut.tolist() == [False, False, True]


def test_ids_are_those_of_keras():
    vocabulary = Vocabulary.from_word_index({"the": 1, "film": 2, "br": 3, "odd": 4})
    ids = s2_reviews.keras_ids(vocabulary, "The film!<br />ODD, unheard-of... film", num_words=7)
    assert ids.tolist() == [1, 4, 5, 6, 2, 5]  # odd is <UNK>; what the index lacks is left out
    assert ids.dtype == "int32"
    assert s2_reviews.decode_review(vocabulary, [1, 4, 2, 3, 0, 7, 99]) == (
        "<START> the <UNK> <UNUSED> <PAD> odd <UNUSED>"
    )


def test_all_training_reviews_are_for_training(texts):
    reviews = s2_reviews.load_reviews(texts, 40, 12, 6)
    assert len(reviews.train.tokens) == 30 and len(reviews.test.tokens) == 6
    assert reviews.test_split == "test" and "Keras's own" in reviews.word_index
    assert reviews.train.tokens.max() == 39
    corpus = corpora.load("imdb_reviews", data_dir=texts, clean=False)
    row = [1, *(int(word[1:]) + 3 for word in corpus.documents[0].split())]
    row = [index if index < 40 else 2 for index in row]
    padded = (row + [0] * 12)[:12] if len(row) <= 12 else row[-12:]
    assert reviews.train.tokens[0].tolist() == padded


def test_without_test_reviews_and_index(texts, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "none"))
    monkeypatch.delenv("RNNZOO_DATA_DIR", raising=False)
    (tmp_path / "imdb").mkdir()
    (tmp_path / "imdb" / "train.jsonl").write_text((texts / "imdb" / "train.jsonl").read_text())
    reviews = s2_reviews.load_reviews(tmp_path, 40, 12, 6)
    assert reviews.test_split == "validation" and "counted in the 27" in reviews.word_index
    assert len(reviews.train.tokens) == 27 and len(reviews.test.tokens) == 3


# --- Whole runs --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_system_runs_and_leaves_everything(name, results, texts):
    folder = results(name)
    summary = summary_of(folder)
    assert summary["system"] == name and summary["data"]["name"] == "imdb_reviews"
    assert summary["training"]["stopped_by"] is None
    assert summary["training"]["steps"] == summary["training"]["steps_planned"]
    assert rows_of(folder) and (folder / "curve.png").is_file()
    assert (folder / "positions.png").is_file() and (folder / "held_out.png").is_file()
    samples = (folder / "samples.txt").read_text(encoding="utf-8").split("---\n")[1:]
    assert all(len(sample.split("\n")[0].split(" ")) == 5 for sample in samples)
    model = keras.saving.load_model(folder / "model.keras")
    assert model.count_params() == summary["figures"]["parameters"]
    assert len(Vocabulary.load(folder / "vocabulary.json")) == 40
    steps = [row["step"] for row in summary["figures"]["held_out"]]
    assert steps and all(step % 2 == 0 for step in steps)


@pytest.mark.parametrize("name", NAMES)
def test_the_losses_are_those_of_the_model(name, results, texts):
    folder = results(name)
    figures = summary_of(folder)["figures"]
    test = s2_reviews.load_reviews(texts, 40, 12, 6).test
    logits = keras.saving.load_model(folder / "model.keras")(test.tokens)
    logits = ops.convert_to_numpy(logits).astype("float64")
    right = np.take_along_axis(logits, test.targets[..., None], -1)[..., 0]
    nats = np.log(np.exp(logits).sum(-1)) - right
    padding = test.targets == 0
    expected = {
        "loss_per_target": nats.mean(),
        "loss_per_word": nats[:, :-1][~padding[:, :-1]].mean(),
        "loss_per_padding": nats[padding].mean(),
        "loss_of_last_start": nats[:, -1].mean(),
    }
    for key, value in expected.items():
        assert figures[key] == pytest.approx(value, rel=1e-4), key
    assert figures["perplexity_per_word"] == pytest.approx(math.exp(figures["loss_per_word"]))
    every = len(test.targets) * 12
    parts = (every - padding.sum() - len(nats), padding.sum(), len(nats))
    names = ("loss_per_word", "loss_per_padding", "loss_of_last_start")
    whole = sum(figures[key] * count for key, count in zip(names, parts, strict=True)) / every
    assert figures["loss_per_target"] == pytest.approx(whole, rel=1e-4)


def test_the_shares_of_padding(results, texts):
    figures = summary_of(results("s2_imdb_word_lm"))["figures"]
    corpus = corpora.load("imdb_reviews", data_dir=texts, clean=False)
    lengths = [1 + len(text.split()) for text in [*corpus.documents, *corpus.validation]]
    kept = [min(length, 12) for length in lengths]  # with <START>, where it is not cut
    assert figures["padding_of_steps"] == pytest.approx(1 - sum(kept) / (30 * 12))
    assert figures["words_of_targets"] == pytest.approx(sum(n - 1 for n in kept) / (30 * 12))
    assert figures["reviews_cut"] == pytest.approx(sum(n > 12 for n in lengths) / 30)
    assert 0 < figures["unknown_of_words"] < 0.5
    total = figures["words_of_targets"] + figures["padding_of_targets"] + 1 / 12
    assert total == pytest.approx(1)


@pytest.mark.parametrize("kind", ["by_position", "by_word", "mask"])
def test_other_weights_give_other_networks(kind, results, texts, tmp_path):
    folder = founding.run(
        "s2_imdb_word_lm", out=tmp_path, data_dir=texts, seed=5, tiny=True, max_minutes=5,
        loss_weights=kind, learning_rate=0.05,
    )  # fmt: skip
    figures = summary_of(folder)["figures"]
    assert (
        figures["loss_per_word"]
        != summary_of(results("s2_imdb_word_lm"))["figures"]["loss_per_word"]
    )
    if kind == "mask":  # it never learns to predict padding
        assert figures["loss_per_padding"] > figures["loss_per_word"]


def test_the_initial_state_is_trained(texts, tmp_path):
    folder = founding.run(
        "s2_imdb_word_lm", out=tmp_path, data_dir=texts, tiny=True, trainable_initial_state=True
    )
    model = keras.saving.load_model(folder / "model.keras")
    assert all(ops.convert_to_numpy(part).any() for part in model.first_state)


def test_a_run_is_cut_by_its_minutes(texts, tmp_path):
    folder = founding.run(
        "s2_imdb_word_lm", out=tmp_path, data_dir=texts, tiny=True, max_minutes=1e-4
    )
    training = summary_of(folder)["training"]
    assert training["stopped_by"] == "budget"
    assert 0 < training["steps"] < training["steps_planned"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss_weights": "masked"}, "did you mean 'mask'"),
        ({"vocabulary_size": 9_999}, "at most `vocabulary_size`"),
        ({"num_words": 4}, "more than 4"),
        ({"batch_size": 0}, "batch_size"),
    ],
)
def test_mistakes(options, message, tmp_path):
    with pytest.raises(InputError, match=message):
        founding.run("s2_imdb_word_lm", out=tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


# --- The literal softmax -----------------------------------------------------------------------


def call_here(function, *arguments):
    """In place of a process of its own, which would take seconds to import Keras."""
    return function(*arguments)


def test_the_literal_softmax_beside_the_other(texts, tmp_path, monkeypatch):
    calls = []

    def here(function, *arguments):
        calls.append(arguments[0].vocabulary_size)
        return call_here(function, *arguments)

    monkeypatch.setattr(s2_literal_softmax, "in_fresh_process", here)
    folder = founding.run(
        "s2_literal_softmax", out=tmp_path, data_dir=texts, tiny=True, max_minutes=5
    )
    summary = summary_of(folder)
    assert calls == [40, 53] and summary["training"]["steps"] == 4
    small, literal = (summary["figures"][name] for name in ("num_words", "literal"))
    assert literal["rows_never_a_target"] >= 14 / 53 > small["rows_never_a_target"] >= 1 / 40
    for size, found in ((40, small), (53, literal)):
        embedding = math.isqrt(size)
        lstm = 4 * (embedding + 8 + 1) * 8
        assert found["parameters"] == size * embedding + lstm + 9 * size
        assert found["first_loss"] == pytest.approx(math.log(size), rel=0.05)
        assert found["bytes_of_all_logits"] == 4 * 12 * size * 4
    assert summary["figures"]["literal_within_6_gib"] in (True, None)
    assert [int(row["vocabulary_size"]) for row in rows_of(folder)] == [40, 53]
    assert (folder / "waste.png").is_file() and not (folder / "model.keras").exists()


def test_the_literal_softmax_is_cut_by_its_minutes(texts, tmp_path, monkeypatch):
    monkeypatch.setattr(s2_literal_softmax, "in_fresh_process", call_here)
    folder = founding.run(
        "s2_literal_softmax", out=tmp_path, data_dir=texts, tiny=True, max_minutes=1e-4
    )
    training = summary_of(folder)["training"]
    assert training["stopped_by"] == "budget" and training["steps"] == 2  # one each


def test_an_interrupt_ends_the_literal_softmax_cleanly(texts, tmp_path, monkeypatch):
    calls = []

    def here(function, *arguments):
        if not calls:
            signal.raise_signal(signal.SIGINT)
        calls.append(arguments)
        return call_here(function, *arguments)

    monkeypatch.setattr(s2_literal_softmax, "in_fresh_process", here)
    folder = founding.run(
        "s2_literal_softmax", out=tmp_path, data_dir=texts, tiny=True, max_minutes=5
    )
    training = summary_of(folder)["training"]
    assert training["stopped_by"] == "interrupt" and training["steps"] == 2 + 1


def test_an_interrupt_reaches_the_new_process(monkeypatch):
    constants = s2.TINY["s2_imdb_word_lm"]
    tokens = np.ones((12, constants.sequence_length), "int32")  # three batches
    train_on_batch = s2.WordModel.train_on_batch

    def interrupted(*arguments, **options):
        signal.raise_signal(signal.SIGINT)
        return train_on_batch(*arguments, **options)

    monkeypatch.setattr(s2.WordModel, "train_on_batch", interrupted)
    found = s2_literal_softmax.measure(
        constants, tokens, targets=tokens, is_word=tokens > 0, seed=0, seconds=None
    )
    assert found["steps"] == 1


def test_the_literal_softmax_on_few_reviews_of_an_unknown_memory(texts, tmp_path, monkeypatch):
    monkeypatch.setattr(s2_literal_softmax, "in_fresh_process", call_here)
    monkeypatch.setattr(s2_literal_softmax, "peak_memory", lambda: None)  # as on a Mac
    folder = founding.run(  # batches of 4, and 30 reviews: they begin again
        "s2_literal_softmax", out=tmp_path, data_dir=texts, tiny=True, steps=9, max_minutes=5
    )
    training = summary_of(folder)["training"]
    assert training["stopped_by"] is None and training["steps"] == 18
    assert summary_of(folder)["figures"]["literal_within_6_gib"] is None
    assert (folder / "waste.png").is_file()


def test_memory_is_that_of_the_process_alone():
    ballast = np.ones(300 << 20, "uint8")  # 300 MiB here, which the new process must not count
    found = s2_literal_softmax.in_fresh_process(s2_literal_softmax.peak_memory)
    if found is None:
        pytest.skip("this system does not tell the peak of a process")
    assert found < s2_literal_softmax.peak_memory() - ballast.nbytes / 2
