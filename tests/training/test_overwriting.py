"""Nothing finished is replaced without being asked for, and what is published never is."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import keras
import pytest

import rnnzoo
from rnnzoo import founding, recipes, zoo
from rnnzoo.errors import InputError
from rnnzoo.files import RESULTS, check_replaces_nothing, is_published
from rnnzoo.publishing import publish
from rnnzoo.publishing.train import train

ROOT = Path(__file__).parents[2]
FAST = replace(
    recipes.get("char_lstm_tiny"),
    builder_options={"units": 4, "num_layers": 1},
    batch_size=4,
    sequence_length=8,
    sample_length=5,
    epochs=1,
    dtype="float32",
)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A current folder with a text; SavedModels are left to other tests."""
    monkeypatch.setattr(rnnzoo.LanguageModel, "export", lambda *arguments, **options: None)
    monkeypatch.chdir(tmp_path)
    Path("text.txt").write_text("to be or not to be, " * 100)
    return tmp_path


@pytest.fixture
def clone(here):
    """A zoo in the current folder, which is not where the package looks for its own."""
    model = here / "saved_models" / "char_lstm_shakespeare_small"
    model.mkdir(parents=True)
    (model / "model.keras").write_bytes(b"published")
    (model / "metrics.json").write_text("{}")
    index = {"format": 1, "models": {model.name: {}}}
    (here / "saved_models" / "index.json").write_text(json.dumps(index))
    assert zoo.folder() != here / "saved_models"
    return model


def content(folder):
    return {path: path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


def test_a_clone_beside_an_installed_package(clone, here):
    recipe = replace(FAST, name=clone.name)
    before = content("saved_models")
    assert train(recipe, text_file="text.txt") == Path("trained") / clone.name
    assert content("saved_models") == before
    for out in (clone, clone / "saved_model", clone / "a" / "b", "saved_models", clone / ".."):
        for more in ({}, {"overwrite": True}):
            with pytest.raises(InputError, match="holds a published model"):
                train(recipe, text_file="text.txt", out=out, **more)
    with pytest.raises(InputError, match="holds a published model"):
        train(recipe, text_file="text.txt", out=clone, resume=True)
    assert content("saved_models") == before


def test_links_to_what_is_published(clone, here):
    Path("link").symlink_to(clone)
    Path("links").symlink_to(clone.parent)
    Path("elsewhere").mkdir()
    away = clone.with_name("away")
    away.symlink_to(here / "elsewhere")
    (clone.parent / "index.json").write_text(
        json.dumps({"format": 1, "models": {clone.name: {}, "away": {}}})
    )
    for out in ("link", f"links/{clone.name}", "link/saved_model", away, "links"):
        with pytest.raises(InputError, match="holds a published model"):
            train(FAST, text_file="text.txt", out=out, overwrite=True)
    Path("nowhere").symlink_to("absent")
    with pytest.raises(InputError, match="nowhere is a link to absent, which does not exist"):
        train(FAST, text_file="text.txt", out="nowhere")


def test_the_mark_of_a_published_model_goes_with_its_folder(here):
    record = {"name": "x", "recipe": "char_lstm_tiny", "figures": {"a": 1}}
    Path("copy").mkdir()
    Path("copy/metrics.json").write_text(json.dumps(record))
    assert is_published("copy") and not is_published(".")
    with pytest.raises(InputError, match="holds a published model"):
        train(FAST, text_file="text.txt", out="copy", overwrite=True)


@pytest.mark.parametrize("content", ["{", "[]", '{"models": 3, "format": 1}', '{"models": {}}'])
def test_other_files_called_index(content, tmp_path):
    (tmp_path / "index.json").write_text(content)
    assert not is_published(tmp_path / "out")
    check_replaces_nothing(tmp_path / "out")


@pytest.mark.parametrize("name", RESULTS)
def test_a_result_that_lies_there(name, here):
    Path("out").mkdir()
    Path("out", name).write_text("a day's work")
    with pytest.raises(InputError, match=f"holds {name} already.*--overwrite"):
        train(FAST, text_file="text.txt", out="out")
    assert Path("out", name).read_text() == "a day's work"
    assert os.listdir("out") == [name]


def test_a_finished_training(here, capsys):
    train(FAST, text_file="text.txt", out="out")
    before = content("out")
    for recipe in (FAST, replace(FAST, seed=1)):
        with pytest.raises(InputError, match=r"holds model\.keras already"):
            train(recipe, text_file="text.txt", out="out")
    train(FAST, text_file="text.txt", out="out", resume=True)
    assert "is finished already" in capsys.readouterr().out
    with pytest.raises(InputError, match="another seed"):
        train(replace(FAST, seed=1), text_file="text.txt", out="out", resume=True)
    with pytest.raises(InputError, match="leave out one of them"):
        train(FAST, text_file="text.txt", out="out", resume=True, overwrite=True)
    for start in ("out", "out/model.keras"):
        with pytest.raises(InputError, match="holds the model to start from"):
            train(FAST, text_file="text.txt", out="out", from_model=start, overwrite=True)
    assert content("out") == before
    # Its results moved away, the checkpoint is still a training that could go on.
    kept = here / "kept"
    kept.mkdir()
    for name in RESULTS:
        if Path("out", name).exists():
            shutil.move(Path("out", name), kept)
    with pytest.raises(InputError, match="a training that was finished after"):
        train(FAST, text_file="text.txt", out="out")
    train(replace(FAST, seed=1), text_file="text.txt", out="out", overwrite=True)
    assert json.loads(Path("out/metrics.json").read_text())["training"]["seed"] == 1


class Abort(keras.callbacks.Callback):
    """Aborts a training in its second epoch."""

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 1:
            raise KeyboardInterrupt


def test_a_training_that_was_cut_off(here):
    with pytest.raises(KeyboardInterrupt):
        train(FAST, text_file="text.txt", out="out", epochs=2, callbacks=[Abort()])
    before = content("out")
    with pytest.raises(InputError, match=r"was cut off after .*--resume"):
        train(FAST, text_file="text.txt", out="out")
    assert content("out") == before
    train(FAST, text_file="text.txt", out="out", overwrite=True)
    assert json.loads(Path("out/metrics.json").read_text())["training"]["epochs"] == 1


def test_a_finished_training_that_goes_on_and_is_cut_off(here):
    train(FAST, text_file="text.txt", out="out")
    before = Path("out/model.keras").read_bytes()
    with pytest.raises(KeyboardInterrupt):
        train(FAST, text_file="text.txt", out="out", epochs=2, resume=True, callbacks=[Abort()])
    assert Path("out/model.keras").read_bytes() == before
    with pytest.raises(InputError, match=r"holds model\.keras already"):
        train(FAST, text_file="text.txt", out="out", epochs=2)


def test_the_text_to_train_on_is_not_replaced(here):
    Path("out").mkdir()
    shutil.copy("text.txt", "out/samples.txt")
    Path("link.txt").symlink_to("out/samples.txt")
    for text in ("out/samples.txt", "link.txt"):
        with pytest.raises(InputError, match="would replace the text to train on"):
            train(FAST, text_file=text, out="out", overwrite=True)
    assert Path("out/samples.txt").read_text() == Path("text.txt").read_text()


def test_a_founding_run(clone, here):
    Path("out").mkdir()
    Path("out/summary.json").write_text("{}")
    for out, sentence in (("out", "holds summary.json already"), (clone, "published model")):
        with pytest.raises(InputError, match=sentence):
            founding.run("s3_vanilla_rnn", out=out, tiny=True)
    with pytest.raises(InputError, match="published model"):
        founding.run("s3_vanilla_rnn", out=clone, tiny=True, overwrite=True)
    with pytest.raises(InputError, match="published model"):
        founding.folder.RunFolder("s3_lstm", clone, seed=0, constants=None)
    assert Path("out/summary.json").read_text() == "{}"


def test_publishing_replaces_nothing_either(clone, here, monkeypatch):
    monkeypatch.setattr(zoo, "folder", lambda: clone.parent)
    before = content("saved_models")
    with pytest.raises(InputError, match=r"is published already .*--overwrite"):
        publish.publish_model("out", clone.name)
    monkeypatch.setattr(zoo, "_is_installed", lambda: True)
    with pytest.raises(InputError, match="publish from a clone"):
        publish.publish_model("out", "another")
    assert content("saved_models") == before


@pytest.mark.parametrize("script", ["train_char_lstm", "export_saved_model"])
def test_from_the_command_line(script, clone, here):
    arguments = {
        "train_char_lstm": ["--recipe", "char_lstm_tiny", "--text-file", "text.txt", "--overwrite",
                            "--out", clone],
        "export_saved_model": ["char_lstm_shakespeare_small", clone / "saved_model", "--overwrite"],
    }  # fmt: skip
    before = content("saved_models")
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / f"{script}.py", *arguments[script]],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 2 and "published model" in done.stderr, done.stderr
    assert content("saved_models") == before
