"""What a builder, `save` and `export` refuse, in one sentence and with nothing left behind."""

from pathlib import Path

import numpy as np
import pytest
from keras import ops

from rnnzoo import Vocabulary, char_lstm, gru_seq2seq, load, word_lm
from rnnzoo.errors import InputError
from rnnzoo.export import checked

WORDS = Vocabulary.from_text("the cat and the dog", level="word")


def test_arguments_that_contradict_each_other():
    for builder in (char_lstm, word_lm):
        with pytest.raises(InputError, match="`units` lists 2 layers but `num_layers` is 3"):
            builder(9, units=[8, 8], num_layers=3)
        assert len(builder(9, units=[8, 8], num_layers=2).recurrent.units) == 2
    with pytest.raises(InputError, match="char_lstm reads characters"):
        char_lstm(WORDS, units=4)
    assert char_lstm(9, units=4).recurrent.units == [4, 4]
    assert word_lm(9, units=4).recurrent.units == [4]


@pytest.mark.parametrize("name", ["model.h5", "model.hdf5", "model"])
def test_a_file_that_nothing_reads_is_not_written(name, tmp_path):
    with pytest.raises(InputError, match="ends in"):
        char_lstm(9, units=4).save(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_missing_package_is_named_as_pip_knows_it(tmp_path, monkeypatch):
    monkeypatch.setitem(checked.PACKAGES, "litert", {"no_such_package": "no-such-package"})
    with pytest.raises(InputError, match="pip install no-such-package"):
        char_lstm(9, units=4).export(tmp_path / "model.tflite", format="litert")
    assert not list(tmp_path.iterdir())


def test_an_export_that_fails_leaves_nothing(tmp_path, monkeypatch):
    def fails(model, filepath, *_, **__):
        Path(filepath).write_text("half")
        raise RuntimeError("no such operation")

    monkeypatch.setitem(checked.PACKAGES, "openvino", {})
    monkeypatch.setattr(checked.keras.Model, "export", fails)
    with pytest.raises(InputError, match="no such operation"):
        checked.export_by_keras(char_lstm(9, units=4), tmp_path / "model.xml", "openvino")
    assert not list(tmp_path.iterdir())
    (tmp_path / "model.xml").write_text("of before")
    with pytest.raises(InputError, match="no such operation"):
        checked.export_by_keras(char_lstm(9, units=4), tmp_path / "model.xml", "openvino")
    assert (tmp_path / "model.xml").read_text() == "of before"


@pytest.mark.parametrize("name", ["model.keras", "model.h5", "model", "weights.npz"])
def test_weights_that_nothing_loads_are_not_written(name, tmp_path):
    with pytest.raises(InputError, match="`save` the model"):
        char_lstm(9, units=4).save_weights(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_weights_and_folders_are_written_whole_and_load(tmp_path):
    model, other = char_lstm(9, units=4), char_lstm(9, units=4)
    ids = np.ones((1, 3), "int32")
    model.save_weights(tmp_path / "model.weights.h5")
    other.load_weights(tmp_path / "model.weights.h5")
    expected = ops.convert_to_numpy(model(ids))
    np.testing.assert_array_equal(ops.convert_to_numpy(other(ids)), expected)
    model.save_weights(tmp_path / "model.weights.json", max_shard_size=1)
    model.save(tmp_path / "folder", zipped=False)
    found = ops.convert_to_numpy(load(tmp_path / "folder")(ids))
    np.testing.assert_array_equal(found, expected)
    with pytest.raises(InputError, match="zipped=False"):
        model.save(tmp_path / "model.keras", zipped=False)
    assert not (tmp_path / "model.keras").exists()


@pytest.mark.parametrize("position", ["before_cell", "after_cell"])
def test_an_onnx_file_agrees_or_is_not_there(position, tmp_path):
    pytest.importorskip("tf2onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    ids = np.array([[1, 2, 3, 4]], "int32")
    path = tmp_path / "model.onnx"

    def run(inputs):
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        return session.run(None, {given.name: inputs for given in session.get_inputs()})[0]

    model = char_lstm(9, units=4)
    model.export(path, format="onnx", verbose=False)
    np.testing.assert_allclose(run(ids), model(ids), atol=1e-5)
    path.unlink()
    model = gru_seq2seq(9, 9, units=4, attention_position=position)
    if position == "after_cell":
        model.export(path, format="onnx", verbose=False)
        np.testing.assert_allclose(run(ids), model({"source": ids, "target": ids}), atol=1e-5)
    else:  # tf2onnx has no loop that stacks what it makes: it logs an error and writes a file
        with pytest.raises(InputError, match='cannot be exported as "onnx"'):
            model.export(path, format="onnx", verbose=False)
        assert not list(tmp_path.iterdir())
