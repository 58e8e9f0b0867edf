"""Models as ONNX networks: they compute what Keras does, and what cannot be exported is refused."""

import keras
import numpy as np
import pytest

from rnnzoo import Vocabulary, char_lstm
from rnnzoo.errors import InputError
from rnnzoo.export import networks
from rnnzoo.layers import register_cell
from tests.export import steps
from tests.export.models import SENTENCE, SOURCES

onnx = pytest.importorskip("onnx", reason="pip install onnx")
pytest.importorskip("onnxruntime", reason="pip install onnxruntime")


def exported(model, folder, **options):
    model.export(folder, format="onnx", verbose=False, **options)
    return folder


@pytest.mark.parametrize("options", steps.LANGUAGE_MODELS)
def test_logits_of_language_models_are_those_of_keras(tmp_path, options):
    model = steps.language_model(**options)
    steps.check_logits(model, exported(model, tmp_path / "model"))


@pytest.mark.parametrize("options", steps.TRANSLATORS)
def test_logits_and_attention_of_translators_are_those_of_keras(tmp_path, options):
    model = steps.translator(**options)
    steps.check_pair(model, exported(model, tmp_path / "model"))


def test_rows_of_a_batch_are_read_as_each_alone(tmp_path):
    model = steps.translator(num_layers=2)
    folder = exported(model, tmp_path / "model")
    encoder = steps.example_module(folder / "network.py").Network("encoder")
    rows = [[4, 5, 3, 2], [5, 2, 0, 0]]
    both = encoder(source=np.array(rows, "int32"))
    alone = encoder(source=np.array([[5, 2]], "int32"))
    assert both["mask"].tolist() == [[True] * 4, [True, True, False, False]]
    for name, value in alone.items():
        found = both[name][1:, :2] if name in ("values", "keys", "mask") else both[name][1:]
        np.testing.assert_allclose(found, value, atol=1e-6)


def test_lora_goes_into_the_matrices(tmp_path):
    model = steps.language_model()
    random = np.random.default_rng(0)
    for layer, name in ((model.head, "lora_kernel_b"), (model.embedding, "lora_embeddings_b")):
        layer.enable_lora(2)
        added = getattr(layer, name)
        added.assign(random.normal(size=added.shape))
    steps.check_logits(model, exported(model, tmp_path / "model"))


def test_operations_are_of_the_standard_alone(tmp_path):
    folder = exported(steps.translator(), tmp_path / "model", weights="int8")
    for name in ("encoder", "step"):
        model = onnx.load(folder / f"{name}.onnx")
        assert [each.domain for each in model.opset_import] == [""]
        assert (model.producer_name, {node.domain for node in model.graph.node}) == ("rnnzoo", {""})


def test_int8_is_a_quarter_as_large_and_near(tmp_path):
    model = steps.language_model(tie_embedding_weights=True)
    steps.check_logits(model, exported(model, tmp_path / "small", weights="int8"), atol=1.0)
    with pytest.raises(AssertionError):
        steps.check_logits(model, tmp_path / "small", atol=1e-5)
    large = char_lstm(Vocabulary.from_text(SENTENCE), units=64)
    sizes = [
        (exported(large, tmp_path / weights, weights=weights) / "step.onnx").stat().st_size
        for weights in networks.WEIGHTS
    ]
    assert sizes[0] > 3.5 * sizes[1]


def test_the_example_generates_and_translates(
    tmp_path, monkeypatch, character_model, word_model, translator_model
):
    folder = exported(character_model, tmp_path / "characters")
    expected = "to " + character_model.generate("to ", 500, sampler="greedy")
    assert steps.run_example(folder, "to ") == expected
    found = steps.example(folder, monkeypatch)
    for words, says in [
        ([], "Give a text"), (["to ", "0"], "at least 1, not 0"), (["\u00e9"], "lacks a character"),
    ]:  # fmt: skip
        with pytest.raises(SystemExit, match=says):
            found.main(words)
    found = steps.example(exported(word_model, tmp_path / "words"), monkeypatch)
    assert found.generate("to be", 40) == "to be" + word_model.generate(
        "to be", 40, sampler="greedy"
    )
    found = steps.example(exported(translator_model, tmp_path / "translator"), monkeypatch)
    assert [found.translate(text) for text in SOURCES] == translator_model.translate(SOURCES)
    assert len((folder / "example.py").read_text().splitlines()) <= 100


def test_a_file_holds_the_step_alone_and_replaces_a_file(tmp_path, capsys):
    model = steps.language_model()
    path = tmp_path / "romeo.onnx"
    path.write_text("an old one")
    model.export(path)
    assert "step as onnx, 0.0 MB" in capsys.readouterr().out
    assert path.read_bytes() == (exported(model, tmp_path / "romeo") / "step.onnx").read_bytes()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["romeo", "romeo.onnx"]
    exported(model, tmp_path / "romeo", weights="int8")  # an export replaces an export


@register_cell("onnx_test_cell")
class OwnCell(keras.layers.SimpleRNNCell):
    pass


def with_nan():
    model = steps.language_model()
    model.head.bias.assign(np.full(model.head.bias.shape, np.nan))
    return model


@pytest.mark.parametrize(
    ("make", "target", "options", "says"),
    [
        (lambda: steps.language_model(cell="onnx_test_cell"), "model", {}, "OwnCell"),
        (with_nan, "model", {}, "head/bias.*is not finite"),
        (steps.language_model, "model", {"weights": "int4"}, "int4.*float32.*int8"),
        (steps.language_model, "model", {"beam_width": 3}, "beam_width"),
        (steps.language_model, "model", {"use_cudnn": True}, "`use_cudnn` is of no use"),
        (steps.language_model, "model.tflite", {}, "named like a file of another format"),
        (steps.translator, "model.onnx", {}, "two networks"),
    ],
)
def test_what_cannot_be_exported_is_refused_in_one_sentence(tmp_path, make, target, options, says):
    with pytest.raises(InputError, match=says):
        exported(make(), tmp_path / target, **options)
    assert not list(tmp_path.iterdir())


def test_what_stands_in_the_way_stays(tmp_path, monkeypatch):
    model = steps.language_model()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").touch()
    (tmp_path / "file").touch()
    (tmp_path / "folder.onnx").mkdir()
    before = sorted(tmp_path.rglob("*"))
    for target, says in {
        "mine": "holds 'notes.txt'", "file": "is a file", "folder.onnx": "is a folder",
    }.items():  # fmt: skip
        with pytest.raises(InputError, match=says):
            exported(model, tmp_path / target)
    monkeypatch.setitem(networks.PACKAGES, "onnx", "no_such_package")
    with pytest.raises(InputError, match="pip install no_such_package"):
        exported(model, tmp_path / "new")
    assert sorted(tmp_path.rglob("*")) == before


def test_a_model_that_is_too_large_for_a_file_is_refused(tmp_path, monkeypatch):
    from rnnzoo.export.onnx import networks

    monkeypatch.setattr(networks, "LARGEST", 100)
    with pytest.raises(InputError, match="at most 2 GB"):
        exported(steps.language_model(), tmp_path / "model")
    exported(steps.language_model(), tmp_path / "model", weights="int8")
