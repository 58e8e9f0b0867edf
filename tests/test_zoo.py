import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

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


def test_names(model, saved, monkeypatch):
    for name in ("romeo", "models/romeo"):
        with pytest.raises(InputError, match=f"There is no model at '{name}'"):
            zoo.load(name)
    monkeypatch.setattr(zoo, "_zoo_models", lambda: {"romeo": saved, "juliet": saved})
    assert zoo.load("romeo").vocabulary == model.vocabulary
    with pytest.raises(InputError, match="No model is called 'rome'; did you mean 'romeo'"):
        zoo.load("rome")
    with pytest.raises(InputError, match=r"There is no model at 'rome.keras'"):
        zoo.load("rome.keras")


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
    for length in (0, 100, len(content) // 2, len(content) - 1):
        saved.write_bytes(content[:length])
        check_refused(saved, "is truncated or no Keras model")


def test_damaged(saved):
    content = bytearray(saved.read_bytes())
    content[content.index(b"\x89HDF") + 4000] ^= 255
    saved.write_bytes(content)
    check_refused(saved, r"is damaged \(its part 'model.weights.h5'\)")


def test_no_model_in_the_zip(saved):
    for change in (lambda _: b"no json", lambda _: b"\xff"):
        changed = rewrite(saved, saved.with_name("changed.keras"), "config.json", change)
        check_refused(changed, "is truncated or no Keras model")
    changed = rewrite(saved, saved.with_name("changed.keras"), "config.json", lambda _: b"[1]")
    check_refused(changed, "not one of rnnzoo")


def test_weights_that_do_not_fit(saved):
    check_refused(change_config(saved, units=[9, 9]), r"cannot be loaded \(.+\); get or make")


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
