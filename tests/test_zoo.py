import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

import rnnzoo
from rnnzoo import zoo
from rnnzoo.errors import InputError
from rnnzoo.models import char_lstm, gru_seq2seq
from rnnzoo.vocabulary import Vocabulary

IDS = np.array([[1, 2, 3], [4, 5, 0]], "int32")


@pytest.fixture(scope="module")
def model():
    model = char_lstm(Vocabulary.from_text("to be or not to be"), units=8)
    model.compile(optimizer=keras.optimizers.Adam(0.25))
    return model


@pytest.fixture
def saved(model, tmp_path):
    model.save(tmp_path / "model.keras")
    return tmp_path / "model.keras"


def rewrite(source, target, part, change):
    """Copies a model file with one part changed."""
    with zipfile.ZipFile(source) as before, zipfile.ZipFile(target, "w") as after:
        for name in before.namelist():
            content = before.read(name)
            after.writestr(name, change(content) if name == part else content)
    return target


def change_config(saved, **values):
    def change(content):
        config = json.loads(content)
        config["config"].update(values)
        return json.dumps(config)

    return rewrite(saved, saved.with_name("changed.keras"), "config.json", change)


def test_loads_a_file_and_a_folder(model, saved):
    for path in (saved, str(saved), saved.parent, str(saved.parent)):
        loaded = zoo.load(path)
        np.testing.assert_array_equal(loaded(IDS), model(IDS))
        assert loaded.vocabulary == model.vocabulary
        assert loaded.compiled and float(loaded.optimizer.learning_rate) == 0.25


def test_loads_what_was_not_compiled(tmp_path):
    marks = ("<pad>", "<start>", "<end>")
    target = Vocabulary.from_text("12", special_tokens=marks)
    model = gru_seq2seq(9, target, units=4)
    model.save(tmp_path / "translator.keras")
    loaded = zoo.load(tmp_path / "translator.keras")
    inputs = {"source": IDS, "target": IDS % 3}
    np.testing.assert_array_equal(loaded(inputs), model(inputs))
    assert loaded.source_vocabulary is None and loaded.compiled


@pytest.fixture
def make_zoo(saved, tmp_path, monkeypatch):
    """Makes a zoo of copies of the saved model: `make_zoo("romeo", juliet={"bytes": 9})`."""

    def make(*names, **changed):
        folder, entries = tmp_path / "zoo", {}
        content = saved.read_bytes()
        for name in (*names, *changed):
            (folder / name).mkdir(parents=True)
            (folder / name / "model.keras").write_bytes(content)
            entries[name] = {
                "file": f"{name}/model.keras",
                "sha256": hashlib.sha256(content).hexdigest(),
                "bytes": len(content),
                "family": "LanguageModel",
                "builder": "char_lstm",
                "corpus": "tiny_shakespeare",
                "parameters": 99,
                "figure": {"name": "nats_per_character", "value": 1.5, "split": "validation"},
                "minutes": 1.5,
                "recipe": "char_lstm_tiny",
                "file_format": 1,
                "in_wheel": True,
                **changed.get(name, {}),
            }
        folder.mkdir(exist_ok=True)
        (folder / "index.json").write_text(json.dumps({"format": 1, "models": entries}))
        monkeypatch.setattr(zoo, "folder", lambda: folder)
        return folder

    return make


def test_names(model, make_zoo):
    make_zoo("romeo", "juliet")
    assert zoo.load("romeo").vocabulary == model.vocabulary
    with pytest.raises(InputError, match="No model is called 'rome'; did you mean 'romeo'"):
        zoo.load("rome")
    for path in ("rome.keras", "models/rome", Path("romeo")):
        with pytest.raises(InputError, match=f"There is no model at '{path}'"):
            zoo.load(path)
    for path in ("romo.keras", "zoo/romeo", Path("romeo"), "elsewhere/romeo/model.keras"):
        check_refused(path, "or the name 'romeo' for the published model")


def test_no_published_models(make_zoo, monkeypatch, tmp_path):
    make_zoo()
    assert rnnzoo.list_models() == []
    check_refused("romeo", "no model at 'romeo', and none is published in .*/zoo; .* restore it by")
    monkeypatch.setattr(zoo, "folder", lambda: tmp_path / "absent")
    assert rnnzoo.list_models() == [] and zoo.index() == {}


def test_patterns(make_zoo):
    make_zoo("word_b", "char_b", "char_a")
    assert rnnzoo.list_models() == ["char_a", "char_b", "word_b"]
    assert rnnzoo.list_models("char_?") == ["char_a", "char_b"]
    assert rnnzoo.list_models("x*") == []
    for pattern in (None, 5, ["char_*", "word_*"]):
        with pytest.raises(InputError, match=r"`pattern` must be a string .*, not "):
            rnnzoo.list_models(pattern)
    assert zoo.index()["char_a"].figure["value"] == 1.5 and zoo.index()["char_a"].in_wheel


def test_another_file_than_the_published_one(make_zoo):
    folder = make_zoo("romeo")
    path = folder / "romeo" / "model.keras"
    os.replace(rewrite(path, path.with_name("other.keras"), None, None), path)  # loses its digest
    zoo.load(path)
    restore = f"restore it by `git -C {folder.parent} checkout -- {folder.name}/romeo`"
    check_refused("romeo", f"not the published one .*SHA-256.*{restore}")
    path.unlink()
    check_refused("romeo", f"is missing.*{restore}")


def test_another_file_in_the_installed_package(make_zoo, monkeypatch):
    folder = make_zoo("romeo")
    monkeypatch.setattr(zoo, "__file__", str(folder.parent / "zoo.py"))
    path = folder / "romeo" / "model.keras"
    path.write_bytes(path.read_bytes() + b" ")
    check_refused("romeo", "not the published one .*install rnnzoo again, or load it by")
    path.unlink()
    check_refused("romeo", "is missing.*install rnnzoo again")


def test_weights_that_may_not_be_in_the_package(make_zoo, monkeypatch):
    folder = make_zoo(romeo={"in_wheel": False})
    zoo.load("romeo")
    (folder / "romeo" / "model.keras").unlink()
    check_refused("romeo", f"is missing.*checkout -- {folder.name}/romeo")
    monkeypatch.setattr(zoo, "__file__", str(folder.parent / "zoo.py"))
    check_refused("romeo", "terms of its corpus tiny_shakespeare do not allow it.*char_lstm_tiny")


@pytest.mark.parametrize("nothing", [None, 5, ""])
def test_what_is_no_name_and_no_path(nothing):
    check_refused(nothing, f"not by {nothing!r}")


def test_damaged_index(make_zoo):
    path = make_zoo("romeo") / "index.json"
    good = path.read_text()
    for content in (
        "{",
        "[]",
        "{}",
        "[" * 9999,
        '{"format": NaN, "models": {}}',
        '{"format": 1, "models": {"a": {"file": "b"}}}',
    ):
        path.write_text(content)
        check_refused("romeo", f"index .* is damaged; restore it by `git .*/{path.name}`")
        zoo.load(path.parent / "romeo")  # a path needs no index
        check_refused("none.keras", "There is no model at 'none.keras'")
    whole = json.loads(good)
    for name, value in (("file", "../../x.keras"), ("file", "/x.keras"), ("bytes", "9"),
                        ("figure", 1), ("in_wheel", None), ("minutes", "1")):  # fmt: skip
        entry = {**whole["models"]["romeo"], name: value}
        path.write_text(json.dumps({"format": 1, "models": {"romeo": entry}}))
        check_refused("romeo", "index .* is damaged")
    path.write_text('{"format": 99, "models": {"romeo": {"new": 1}}}')
    check_refused("romeo", r"newer rnnzoo \(format 99.*upgrade it")


def add_the_models_of_this_checkout(folder):
    """Copies them into another zoo; returns the files that may go into a wheel."""
    real, allowed = Path(__file__).parents[1] / "saved_models", set()
    index, models = (json.loads((one / "index.json").read_text()) for one in (folder, real))
    for name, model in models["models"].items():
        shutil.copytree(real / name, folder / name)
        for path in (real / name).rglob("*"):
            if path.is_file() and model["in_wheel"]:
                allowed.add(path.relative_to(real).as_posix())
    index["models"] |= models["models"]
    (folder / "index.json").write_text(json.dumps(index))
    return allowed


def test_a_wheel_holds_the_published_models_and_no_others(make_zoo, model, tmp_path, monkeypatch):
    setuptools = pytest.importorskip("setuptools", minversion="77")
    root, source = Path(__file__).parents[1], tmp_path / "source"
    made = make_zoo("romeo", shy={"in_wheel": False})
    for name in ("romeo", "shy"):
        (made / name / "card.md").write_text("A card.")
        (made / name / "saved_model" / "variables").mkdir(parents=True)
        for file in ("saved_model.pb", "variables/variables.index"):
            (made / name / "saved_model" / file).write_text("Weights.")
    allowed = add_the_models_of_this_checkout(made)
    shutil.copytree(made, source / "saved_models")
    shutil.copytree(source / "saved_models" / "romeo", source / "saved_models" / "just_trained")
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(root / name, source)
    for package in ("rnnzoo", "rnnzoo_cli"):
        ignored = shutil.ignore_patterns("__pyc*")
        shutil.copytree(root / package, source / package, ignore=ignored)
    monkeypatch.chdir(source)
    build = "from setuptools import build_meta; print(build_meta.build_wheel('wheels'))"
    done = subprocess.run([sys.executable, "-c", build], capture_output=True, text=True)
    assert done.returncode == 0, (setuptools.__version__, done.stderr)
    with zipfile.ZipFile(next(Path("wheels").iterdir())) as wheel:
        names = set(wheel.namelist())
        wheel.extractall("installed")
    models = {name for name in names if name.startswith("rnnzoo/saved_models/")}
    assert {name.removeprefix("rnnzoo/saved_models/") for name in models} == {
        "index.json", "romeo/model.keras", "romeo/card.md", "romeo/saved_model/saved_model.pb",
        "romeo/saved_model/variables/variables.index", *allowed,
    }  # fmt: skip
    modules = {
        path.relative_to(root).as_posix()
        for package in ("rnnzoo", "rnnzoo_cli")
        for path in (root / package).rglob("*")
        if path.suffix in (".py", ".html", ".css", ".js")
    }
    assert modules | {"rnnzoo/py.typed"} <= names
    licences = {Path(name).name for name in names if "/licenses/" in name}
    assert licences == {"LICENSE", "NOTICE"}
    monkeypatch.undo()
    monkeypatch.setattr(zoo, "__file__", str(source / "installed" / "rnnzoo" / "zoo.py"))
    assert zoo.load("romeo").vocabulary == model.vocabulary
    check_refused("shy", "not in the installed package")


def check_refused(path, sentence):
    with pytest.raises(InputError, match=sentence) as caught:
        zoo.load(path)
    assert "\n" not in str(caught.value)


def test_missing(tmp_path):
    check_refused(tmp_path / "none.keras", "There is no model at")
    check_refused(tmp_path, r"has no model.keras")


def test_an_exported_model(tmp_path):
    (tmp_path / "saved_model.pb").touch()
    check_refused(tmp_path, r"SavedModel; load it with `tf.saved_model.load")


@pytest.mark.parametrize("name", ["notes.txt", "weights.h5", "model.weights.h5", "model"])
def test_another_kind_of_file(tmp_path, name):
    (tmp_path / name).write_text("to be")
    check_refused(tmp_path / name, r"whose files end in .keras")


def test_truncated(saved):
    content = saved.read_bytes()
    for length in (0, 100, len(content) // 2):
        saved.write_bytes(content[:length])
        check_refused(saved, "is truncated or no Keras model")
    saved.write_bytes(content[:-1])
    check_refused(saved, "is damaged")


def test_damaged(saved):
    content = bytearray(saved.read_bytes())
    content[content.index(b"\x89HDF") + 4000] ^= 255
    saved.write_bytes(content)
    check_refused(saved, r"is damaged: it is not as it was written")


def test_no_model_in_the_zip(saved):
    for change in (lambda _: b"no json", lambda _: b"\xff"):
        changed = rewrite(saved, saved.with_name("changed.keras"), "config.json", change)
        check_refused(changed, r"cannot be loaded \(it has no JSON that can be read\)")
    changed = rewrite(saved, saved.with_name("changed.keras"), "config.json", lambda _: b"[1]")
    check_refused(changed, "not one of rnnzoo")


def test_weights_that_do_not_fit(saved):
    check_refused(change_config(saved, units=[9, 9]), r"cannot be loaded \(.+\); get or make")


FILES = Path(__file__).parent / "files"


def test_files_of_older_versions(monkeypatch):
    """Written by the first version; the logits are those it computed."""
    ids = np.array([[1, 2, 3]], "int32")
    for newest in (1, 2):
        monkeypatch.setattr("rnnzoo.models.base.FILE_FORMAT", newest)
        loaded = zoo.load(FILES / "language_model_format_1.keras")
        assert loaded.vocabulary.decode([1, 2, 3]) == "ben"
        expected = [0.00035021, -0.00070454, -0.00619238, -0.00395377, 0.0039541, -0.00487342]
        np.testing.assert_allclose(loaded(ids)[0, -1, :6], expected, atol=1e-6)
        loaded = zoo.load(FILES / "seq2seq_format_1.keras")
        logits = loaded({"source": ids, "target": ids})[0, -1]
        expected = [0.00878113, 0.02130476, 0.00873522, 0.00025899, -0.01745311]
        np.testing.assert_allclose(logits, expected, atol=1e-6)


def test_another_class(tmp_path):
    other = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)], name="other")
    other.save(tmp_path / "other.keras")
    check_refused(tmp_path / "other.keras", r"\(its class is Sequential\).*keras.saving.load_model")


def test_a_newer_format(saved):
    check_refused(change_config(saved, file_format=99), "newer rnnzoo .*99.*upgrade it")

    def change(content):
        return content.replace(b"rnnzoo>LanguageModel", b"rnnzoo>LanguageModel2")

    changed = rewrite(saved, saved.with_name("changed.keras"), "config.json", change)
    check_refused(changed, "newer rnnzoo")


def test_a_class_of_the_user_that_is_not_imported(saved):
    def change(content):
        config = json.loads(content)
        config |= {"module": "my_models", "registered_name": "rnnzoo>MyModel"}
        return json.dumps(config | {"class_name": "MyModel"}).encode()

    changed = rewrite(saved, saved.with_name("mine.keras"), "config.json", change)
    check_refused(changed, r"a MyModel, a class that is not registered.*`import my_models`")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_no_permission(saved):
    saved.chmod(0)
    check_refused(saved, "cannot be read .*Permission denied")


def test_a_compiled_class_that_is_not_registered(tmp_path):
    class OwnLoss(keras.losses.Loss):
        def call(self, y_true, y_pred):
            return keras.ops.zeros(keras.ops.shape(y_true))

    model = char_lstm(9, units=4)
    model.compile(loss=OwnLoss())
    model.save(tmp_path / "own.keras")
    check_refused(tmp_path / "own.keras", "OwnLoss.*register the classes of your own")


FRESH_PROCESS = """
import sys
import numpy as np
import rnnzoo
import keras
model = keras.saving.load_model(sys.argv[1])
np.save(sys.argv[2], model(np.load(sys.argv[3])))
"""


def test_loads_in_a_fresh_process(model, saved, tmp_path):
    np.save(tmp_path / "ids.npy", IDS)
    arguments = [str(saved), str(tmp_path / "logits.npy"), str(tmp_path / "ids.npy")]
    subprocess.run(
        [sys.executable, "-c", FRESH_PROCESS, *arguments],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        check=True,
    )
    np.testing.assert_allclose(np.load(tmp_path / "logits.npy"), model(IDS), atol=1e-6)
