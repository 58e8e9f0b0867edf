"""What a builder, `save` and `export` refuse, in one sentence and with nothing left behind."""

import pytest

from rnnzoo import Vocabulary, char_lstm, word_lm
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
    def fails(model, filepath, *_):
        filepath.write_text("half")
        raise RuntimeError("no such operation")

    monkeypatch.setitem(checked.PACKAGES, "openvino", {})
    monkeypatch.setattr(checked.keras.Model, "export", fails)
    with pytest.raises(InputError, match="no such operation"):
        checked.export_by_keras(char_lstm(9, units=4), tmp_path / "model.xml", "openvino")
    assert not list(tmp_path.iterdir())
