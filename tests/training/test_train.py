import csv
import json
import os
import signal
import time
from dataclasses import replace

import keras
import numpy as np
import pytest

import rnnzoo
from rnnzoo import recipes, zoo
from rnnzoo.data import corpora
from rnnzoo.errors import InputError
from rnnzoo.publishing.train import train
from rnnzoo.tasks import TASKS
from rnnzoo.training.snapshot import read_snapshot

TINY = [name for name in recipes.names() if name.endswith("_tiny")]
FILES = ("model.keras", "card.md", "metrics.json", "curve.png", "log.csv", "samples.txt")
FAST = replace(
    recipes.get("char_lstm_tiny"),
    builder_options={"units": 4, "num_layers": 1},
    batch_size=4,
    sequence_length=8,
    sample_length=5,
    dtype="float32",
)
STEPS = 57  # batches of an epoch of FAST on the text below


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text("to be or not to be, " * 100)
    return path


@pytest.fixture
def fast(text, monkeypatch):
    """Trains FAST, or a variant, on the text, and leaves the SavedModel to other tests."""
    monkeypatch.setattr(rnnzoo.LanguageModel, "export", lambda *arguments, **options: None)
    return lambda recipe=FAST, **options: train(recipe, text_file=text, **options)


@pytest.fixture
def unpublished(monkeypatch):
    """Ends a training before its results are measured and written."""
    monkeypatch.setattr("rnnzoo.publishing.train.write_artifact", lambda trained: trained.out)


def metrics(folder):
    return json.loads((folder / "metrics.json").read_text())


def log(folder):
    with open(folder / "log.csv", newline="") as file:
        return list(csv.DictReader(file))


class AtBatch(keras.callbacks.Callback):
    """Does something after a batch of the training."""

    def __init__(self, batch, action):
        super().__init__()
        self.batch, self.action, self.seen = batch, action, 0

    def on_train_batch_end(self, batch, logs=None):
        self.seen += 1
        if self.seen == self.batch:
            self.action()


def interrupt_twice():
    os.kill(os.getpid(), signal.SIGINT)
    os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("name", TINY)
def test_every_tiny_recipe_leaves_every_artifact(name, trained):
    folder = trained(name)
    assert all((folder / file).stat().st_size > 100 for file in FILES)
    assert (folder / "saved_model" / "saved_model.pb").is_file()
    assert not [path for path in folder.rglob("*") if ".partial." in path.name]
    assert (folder / "curve.png").read_bytes().startswith(b"\x89PNG")
    record = metrics(folder)
    assert record["training"]["epochs"] == 2
    figures = keras.tree.flatten(record["figures"])  # some are lists or dictionaries
    assert np.isfinite(figures).all()
    validated = [row for row in log(folder) if row["val_loss"]]
    assert [row["epoch"] for row in validated] == ["1", "2"]
    assert float(log(folder)[0]["loss"]) > float(validated[-1]["loss"])  # it learns


@pytest.mark.parametrize("name", TINY)
def test_the_card_says_it_all(name, trained, small_data):
    folder = trained(name)
    card, record = (folder / "card.md").read_text(), metrics(folder)
    needed = [
        record["description"],
        f"{record['model']['parameters']:,} parameters",
        record["corpus"]["source"],
        record["corpus"]["terms"],
        record["corpus"]["sha256"],
        record["split"],
        f" {name} --out",  # the command
        "Seed 0; 2.0 epochs",
        record["machine"]["cpu"],
        f"{record['machine']['cores']} core{'s' if record['machine']['cores'] > 1 else ''}, ",
        f"rnnzoo {rnnzoo.__version__}",
        f"keras {keras.__version__}",
        record["date"],
        TASKS[record["task"]].chosen_by,
        "Not picked: ",
        "Seed 2:" if record["task"] == "language_model" else "Text 2:",
        "Limits and intended use",
        *(
            f"{length}: {share:.2%}".replace("%", " %")
            for length, share in record["figures"].get("symbols_right_by_length", {}).items()
        ),
    ]
    assert [text for text in needed if text not in card] == []
    assert str(small_data) not in card + json.dumps(record)  # nothing of the machine's folders


def test_the_reviews_figure_is_that_of_every_review_alone(trained, small_data):
    folder = trained("imdb_lm_tiny")
    model = zoo.load(folder)
    assert model.compute_dtype == "float32"
    limit = recipes.get("imdb_lm_tiny").validation_limit
    reviews = corpora.load("imdb_reviews", data_dir=small_data).validation[:limit]
    nats = tokens = unknown = 0
    for ids in model.vocabulary.encode_documents(reviews):
        logits = np.asarray(model(ids[None, :-1]), "float64")[0]  # (T, V)
        surprisal = np.log(np.exp(logits).sum(-1)) - logits[np.arange(len(ids) - 1), ids[1:]]
        nats, tokens = nats + surprisal.sum(), tokens + len(surprisal)
        unknown += (ids[1:] == model.vocabulary.unknown_id).sum()
    figures = metrics(folder)["figures"]
    assert figures["tokens"] == tokens
    assert figures["unknown_rate"] == pytest.approx(unknown / tokens)
    assert figures["perplexity"] == pytest.approx(np.exp(nats / tokens), rel=1e-4)
    characters = sum(len(text) + 1 for text in reviews)  # an end for each
    assert figures["bits_per_character"] == pytest.approx(nats / np.log(2) / characters, rel=1e-4)


def test_the_reviews_are_compared_with_n_grams_on_the_same_tokens(trained, small_data):
    from rnnzoo.evaluation import KneserNey

    folder = trained("imdb_lm_tiny")
    record, vocabulary = metrics(folder), zoo.load(folder).vocabulary
    corpus = corpora.load("imdb_reviews", data_dir=small_data, limit=100)
    limit = recipes.get("imdb_lm_tiny").validation_limit
    train_ids = vocabulary.encode_documents(corpus.documents)
    held = vocabulary.encode_documents(corpus.validation[:limit])
    bigram = KneserNey(len(vocabulary), 2).fit(train_ids)
    assert bigram.score(held)[1] == record["figures"]["tokens"]
    assert record["baselines"]["kneser_ney_2gram_perplexity"] == pytest.approx(
        bigram.perplexity(held)
    )
    assert "Kneser-Ney 2gram" in (folder / "card.md").read_text()


def test_the_text_figure_is_that_of_the_last_tenth(trained, small_data):
    folder = trained("char_lstm_tiny")
    model = zoo.load(folder)
    ids = model.vocabulary.encode((small_data / "tinyshakespeare.txt").read_text())
    held = ids[int(len(ids) * 0.9) :]
    row = (len(held) - 1) // 8  # rows of equal length, each from an empty state
    nats = []
    for start in range(0, 8 * row, row):
        logits = np.asarray(model(held[None, start : start + row]), "float64")[0]
        targets = held[start + 1 : start + row + 1]
        nats.append(np.log(np.exp(logits).sum(-1)) - logits[np.arange(row), targets])
    assert metrics(folder)["figures"]["nats_per_character"] == pytest.approx(
        np.mean(nats), rel=1e-4
    )


def test_the_best_checkpoint_is_the_one_with_the_lowest_validation_loss(trained):
    for name in TINY:
        record, rows = metrics(trained(name)), log(trained(name))
        metric = next(key for key in rows[0] if key.startswith("val_") and key != "val_loss")
        checked = [row for row in rows if row["val_loss"]]
        best = min(checked, key=lambda row: float(row[metric]))
        assert record["training"]["best_step"] == int(best["step"])


def test_resume_goes_on_counting(fast, tmp_path, monkeypatch):
    out = tmp_path / "out"
    fast(out=out, epochs=1)

    def after_half_an_hour(path):
        state, progress = read_snapshot(path)
        return state, progress | {"minutes": 30.0}

    monkeypatch.setattr("rnnzoo.training.checkpoints.read_snapshot", after_half_an_hour)
    fast(out=out, epochs=3, resume=True)
    record, rows = metrics(out), log(out)
    assert record["training"]["epochs"] == 3
    assert 30 < record["training"]["minutes"] < 35
    assert [row["epoch"] for row in rows if row["val_loss"]] == ["1", "2", "3"]
    steps = [int(row["step"]) for row in rows]
    assert steps == sorted(steps) and steps[-1] == 3 * STEPS
    optimizer = keras.saving.load_model(out / "checkpoint" / "last.keras").optimizer
    assert int(optimizer.iterations) == 3 * STEPS
    with pytest.raises(InputError, match="another seed"):
        fast(out=out, epochs=4, resume=True, seed=5)


def test_an_interrupt_ends_cleanly(fast, tmp_path):
    before = signal.getsignal(signal.SIGINT)  # ignored where the tests run in the background
    interrupt = AtBatch(2, lambda: os.kill(os.getpid(), signal.SIGINT))
    out = fast(out=tmp_path / "out", callbacks=[interrupt], epochs=50)
    assert metrics(out)["training"]["stopped_by"] == "interrupt"
    assert metrics(out)["training"]["steps"] in (2, 3)
    assert all((out / file).is_file() for file in FILES)
    assert "stopped by hand" in (out / "card.md").read_text()
    assert signal.getsignal(signal.SIGINT) is before


def test_a_second_interrupt_aborts_and_a_resume_goes_on(fast, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        fast(out=out, epochs=3, callbacks=[AtBatch(STEPS + 2, interrupt_twice)])
    assert not (out / "model.keras").exists() and not (out / "card.md").exists()
    with pytest.raises(InputError, match="--resume"):
        fast(out=out, epochs=3)
    fast(out=out, epochs=3, resume=True)
    assert metrics(out)["training"]["epochs"] == 3
    assert [row["epoch"] for row in log(out) if row["val_loss"]] == ["1", "2", "3"]


@pytest.mark.parametrize("steps", [1, 3])  # before the first row of the log, and after it
def test_a_resume_without_time_for_more_validates_what_there_is(steps, fast, tmp_path, monkeypatch):
    monkeypatch.setattr("rnnzoo.training.checkpoints.SAVE_EVERY", -1)  # after every batch
    monkeypatch.setattr("rnnzoo.training.checkpoints.SHARE", 1e9 if steps == 3 else 0.001)
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        fast(out=out, callbacks=[AtBatch(3, interrupt_twice)])
    assert not (out / "checkpoint" / "best.weights.h5").exists()
    fast(out=out, max_minutes=1e-6, resume=True)
    record = metrics(out)["training"]
    assert record["stopped_by"] == "budget"
    assert record["steps"] == record["best_step"] == steps
    (row,) = (row for row in log(out) if row["val_loss"])
    bits = metrics(out)["figures"]["bits_per_character"]
    assert float(row["val_bits_per_character"]) == pytest.approx(bits, abs=1e-4)


def test_a_long_text_is_read_from_a_file(fast, unpublished, tmp_path, monkeypatch):
    short = log(fast(out=tmp_path / "short", epochs=1) / "checkpoint")
    monkeypatch.setattr("rnnzoo.tasks.language_model.MEMORY_LIMIT", 100)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    long = log(fast(out=tmp_path / "long", epochs=1) / "checkpoint")
    assert long[-1]["val_loss"] == short[-1]["val_loss"]
    (path,) = (tmp_path / "keras" / "rnnzoo" / "encoded").iterdir()
    assert path.suffix == ".npy"
    monkeypatch.setenv("KERAS_HOME", str(path))  # a file is in the way
    with pytest.raises(InputError, match="the default one is in KERAS_HOME"):
        fast(out=tmp_path / "none", epochs=1)


def test_max_minutes_ends_in_time(fast, tmp_path):
    began = time.monotonic()
    out = fast(out=tmp_path / "out", epochs=10_000, max_minutes=0.05)
    record = metrics(out)["training"]
    assert record["stopped_by"] == "budget"
    assert record["minutes"] < 0.05 + 15 / 60
    assert time.monotonic() - began < 120
    assert all((out / file).is_file() for file in FILES)
    assert float(log(out)[-1]["learning_rate"]) < 0.5 * FAST.learning_rate  # it decayed


def test_early_stopping(fast, tmp_path):
    recipe = replace(FAST, learning_rate=1e-30, patience=1)
    out = fast(recipe, out=tmp_path / "out", epochs=20)
    assert metrics(out)["training"]["stopped_by"] == "patience"
    assert metrics(out)["training"]["epochs"] == 2
    assert metrics(out)["training"]["best_epoch"] == 1


def test_the_same_seed_gives_the_same_model(fast, unpublished, tmp_path):
    losses = [
        log(fast(out=tmp_path / str(run), epochs=1, seed=seed) / "checkpoint")[-1]["val_loss"]
        for run, seed in enumerate([3, 3, 4])
    ]
    assert losses[0] == losses[1] != losses[2]


def test_fine_tuning_keeps_the_vocabulary_and_starts_where_the_model_was(
    trained, tmp_path, small_data
):
    start = trained("char_lstm_tiny")
    text = (small_data / "tinyshakespeare.txt").read_text()
    (tmp_path / "more.txt").write_text(text[::-1])
    recipe = replace(recipes.get("char_lstm_tiny"), epochs=1, learning_rate=1e-9)
    out = train(
        recipe, text_file=tmp_path / "more.txt", from_model=str(start), out=tmp_path / "tuned"
    )
    tuned, model = zoo.load(out), zoo.load(start)
    assert tuned.vocabulary == model.vocabulary
    for one, other in zip(tuned.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    assert f"Started from {start}" in (out / "card.md").read_text()


def test_fine_tuning_on_unseen_symbols_adds_them(trained, tmp_path, small_data, capsys):
    text = (small_data / "tinyshakespeare.txt").read_text()
    (tmp_path / "odd.txt").write_text(text.replace("e", "\xdf", 50).replace("o", "\u03c9", 50))
    start = trained("char_lstm_tiny")
    recipe = replace(recipes.get("char_lstm_tiny"), epochs=1, learning_rate=1e-9)
    out = train(recipe, text_file=tmp_path / "odd.txt", from_model=start, out=tmp_path / "out")
    assert (
        "has 2 characters that the model to start from lacks: '\xdf', '\u03c9'. They are added"
        in (capsys.readouterr().out)
    )
    tuned, model = zoo.load(out), zoo.load(start)
    size = len(model.vocabulary)
    assert tuned.vocabulary.tokens == (*model.vocabulary.tokens, "\xdf", "\u03c9")
    old, new = (m.embedding.get_weights()[0] for m in (model, tuned))
    np.testing.assert_allclose(new[:size], old, atol=1e-5)


def test_what_is_to_be_expected_is_told_of_the_recipe_as_it_is(
    small_data, text, unpublished, tmp_path, monkeypatch, capsys
):
    recipe = replace(recipes.get("char_lstm_tiny"), epochs=1, expected="Much.")
    monkeypatch.setitem(recipes.registry._RECIPES, "char_lstm_tiny", recipe)

    def told(given="char_lstm_tiny", **options):
        train(given, out=tmp_path / f"{len(list(tmp_path.iterdir()))}", **options)
        return "To expect of this recipe: Much." in capsys.readouterr().out

    assert told(data_dir=small_data)
    assert not told(data_dir=small_data, seed=1)
    assert not told(text_file=text)
    assert not told(replace(recipe, batch_size=4), data_dir=small_data)


def test_fine_tuning_words_takes_unseen_ones_as_unknown(trained, tmp_path):
    folder = tmp_path / "reviews"
    folder.mkdir()
    for number in range(30):
        (folder / f"{number}.txt").write_text(f"the zyzzyva film {number} was good")
    out = train(
        "imdb_lm_tiny",
        text_file=folder,
        from_model=trained("imdb_lm_tiny"),
        out=tmp_path / "out",
        epochs=1,
    )
    assert metrics(out)["figures"]["unknown_rate"] > 0.2
    assert "held out by content" in metrics(out)["split"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"recipe": "char_lstm_shakespear"}, "did you mean 'char_lstm_shakespeare'"),
        ({"text_file": "absent.txt"}, "absent.txt"),
        ({"text_file": "empty.txt"}, "empty"),
        ({"text_file": "binary.txt"}, "binary"),
        ({"text_file": "latin1.txt"}, "UTF-8"),
        ({"text_file": "short.txt"}, "has 12 characters, but the recipe 'char_lstm_tiny' needs"),
        ({"text_file": "same.txt"}, "at least 2"),
        ({"text_file": "pairs.jsonl"}, "needs a text file"),
        ({"epochs": 0}, "`epochs` must be a whole number of at least 1, not 0"),
        ({"max_minutes": -1}, "`max_minutes` must be above 0"),
        ({"seed": -1}, "`seed` must be"),
        ({"out": "empty.txt"}, "is a file"),
        ({"out": "empty.txt/inside"}, "is a file"),
        ({"out": "/proc/rnnzoo"}, "cannot be written"),
        ({"text_file": "folder", "out": "folder/run"}, "lies in the folder to train on"),
        ({"resume": True}, "no training to resume"),
        ({"resume": True, "from_model": "absent"}, "--resume and --from exclude each other"),
        ({"log_dir": "empty.txt"}, "is a file; give another --log-dir"),
        ({"from_model": "trained/absent"}, "no model at 'trained/absent'"),
        ({"from_model": "short.txt"}, "is no model of rnnzoo"),
    ],
)
def test_bad_input_ends_in_one_sentence_and_writes_nothing(
    arguments, message, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    for name, content in (
        ("empty.txt", b""),
        ("binary.txt", b"a\0b" * 100),
        ("latin1.txt", "käse ".encode("latin-1") * 100),
        ("short.txt", b"to be or not"),
        ("same.txt", b"a" * 5000),
        ("good.txt", b"to be or not to be " * 100),
        ("pairs.jsonl", b'{"source": "a", "target": "b"}\n' * 50),
        ("folder/good.txt", b"to be or not to be " * 100),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    before = sorted(tmp_path.rglob("*"))
    arguments = {"recipe": "char_lstm_tiny", "text_file": "good.txt", "out": "out"} | arguments
    with pytest.raises(InputError, match=message) as error:
        train(arguments.pop("recipe"), **arguments)
    assert "\n" not in str(error.value)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_full_disk_is_said_before_training(fast, tmp_path, monkeypatch):
    import shutil

    usage = shutil.disk_usage(tmp_path)._replace(free=20_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(InputError, match="needs about 100 MB and its disk has 20 MB free"):
        fast(out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_diverged_training_is_no_success(fast, tmp_path):
    recipe = replace(FAST, learning_rate=1e30)
    with pytest.raises(InputError, match="diverged"):
        fast(recipe, out=tmp_path / "out", epochs=1)
    assert not (tmp_path / "out" / "model.keras").exists()


def test_windows_and_documents_train_too(small_data, text, unpublished, tmp_path):
    recipe = replace(FAST, batches="windows", stride=9, epochs=1)
    out = train(recipe, text_file=text, out=tmp_path / "windows")
    assert int(log(out / "checkpoint")[-1]["step"]) == 50  # 199 windows, batches of 4
    recipe = replace(recipes.get("imdb_lm_tiny"), batches="documents", epochs=1)
    out = train(recipe, data_dir=small_data, out=tmp_path / "documents")
    assert float(log(out / "checkpoint")[-1]["val_loss"]) > 0
    with pytest.raises(InputError, match="needs documents"):
        train(recipe, text_file=text, out=tmp_path / "none")
