"""A model as one HTML page: what is in the file, what is refused, and what its engine computes."""

import base64
import json
import re
import zipfile
from html.parser import HTMLParser

import keras
import numpy as np
import pytest
from keras import ops

from rnnzoo import Vocabulary, char_lstm, gru_seq2seq, inspect, word_lm
from rnnzoo.errors import InputError
from rnnzoo.export.html.pack import Arrays
from rnnzoo.generation.inputs import draw_uniforms
from rnnzoo.generation.samplers import get_sampler
from rnnzoo.layers import register_cell
from tests.export.models import MARKS, SENTENCE, shaken
from tests.export.pages import in_node, needs_node, translated, written
from tests.export.texts import RULES, TEXTS, vocabulary_of_texts

SOURCE = Vocabulary.from_text("one two three", special_tokens=MARKS)
TARGET = Vocabulary.from_text("123", special_tokens=MARKS)
HOSTILE = ["</script><script>alert(1)</script>", "<!--", "<script>", "&lt;", '"', "\u2028", "\0"]


class Reader(HTMLParser):
    """The scripts of a page as a browser finds them, by their ids."""

    def __init__(self, text):
        super().__init__(convert_charrefs=False)
        self.scripts, self.tags, self.within = [], [], None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag == "script":
            self.within = dict(attributes).get("id", "page")
            self.scripts.append([self.within, ""])

    def handle_endtag(self, tag):
        self.within = None

    def handle_data(self, data):
        if self.within:
            self.scripts[-1][1] += data


def exported(model, folder, **options):
    path = folder / "page.html"
    model.export(path, verbose=False, **options)
    return path


def description_of(path):
    return json.loads(dict(Reader(path.read_text("utf-8")).scripts)["model"])


def test_a_page_is_one_file_that_needs_nothing_else(tmp_path, capsys):
    model = char_lstm(Vocabulary.from_text(SENTENCE), units=8)
    model.export(tmp_path / "romeo.html", title="<Romeo> & Juliet", prompt="to be")
    assert "romeo.html': a page of 0.1 MB" in capsys.readouterr().out
    text = (tmp_path / "romeo.html").read_text("utf-8")
    assert "<title>&lt;Romeo&gt; &amp; Juliet</title>" in text
    read = Reader(text)
    assert [name for name, _ in read.scripts] == ["model", "weights", "engine", "page"]
    assert not re.search(r"https?://|\bimport\b|fetch\(|XMLHttpRequest", text)
    assert not [tag for tag, found in read.tags if {"src", "href"} & set(found)]
    described = description_of(tmp_path / "romeo.html")
    assert (described["title"], described["prompt"]) == ("<Romeo> & Juliet", "to be")
    assert described["parameters"] == model.count_params()


def test_a_file_name_that_is_not_utf_8_becomes_a_title(tmp_path):
    path = tmp_path / "Rom\udce9o.html"
    char_lstm(Vocabulary.from_text(SENTENCE), units=8).export(path, verbose=False)
    assert description_of(path)["title"] == "Rom?o"


def test_a_vocabulary_cannot_break_out_of_its_script(tmp_path):
    vocabulary = Vocabulary(["<pad>", "<unk>", *HOSTILE], "word", punctuation="whitespace")
    path = exported(word_lm(vocabulary, units=4), tmp_path, title="</title><script>")
    read = Reader(path.read_text("utf-8"))
    assert [name for name, _ in read.scripts] == ["model", "weights", "engine", "page"]
    assert description_of(path)["vocabulary"]["tokens"][2:] == HOSTILE


def test_float16_and_int8_hold_the_weights():
    matrix = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
    for weights, most in (("float16", 1e-3), ("int8", np.abs(matrix).max() / 127 / 2 + 1e-6)):
        arrays = Arrays(weights)
        arrays.add(np.ones(3))
        arrays.add(matrix, transpose=True)
        data = base64.b64decode(arrays.base64())
        vector, entry = arrays.index
        assert vector == {"shape": [3], "dtype": "float32", "at": 0}
        read = np.frombuffer(data, weights, 15, entry["at"]).reshape(entry["shape"])
        scales = 1
        if weights == "int8":
            scales = np.frombuffer(data, "float32", 3, entry["scales_at"])[:, None]
        assert np.abs(read * scales - matrix.T).max() <= most


def test_shared_embeddings_are_stored_once(tmp_path):
    separate = gru_seq2seq(SOURCE, SOURCE, units=6)
    shared = gru_seq2seq(SOURCE, SOURCE, units=6, tie_embedding_weights="all")
    sizes = [
        len(description_of(exported(model, tmp_path))["arrays"]) for model in (separate, shared)
    ]
    assert sizes[0] - sizes[1] == 2


@register_cell("page_test_cell")
class OwnCell(keras.layers.SimpleRNNCell):
    pass


def quantized():
    model = char_lstm(Vocabulary.from_text(SENTENCE), units=8)
    model.quantize("int8")
    return model


def with_another_head():
    model = char_lstm(Vocabulary.from_text(SENTENCE), units=8)
    model.head = keras.Sequential(
        [keras.layers.Dense(4), keras.layers.Dense(len(model.vocabulary))]
    )
    return model


def with_a_large_weight():
    model = char_lstm(Vocabulary.from_text(SENTENCE), units=8)
    model.recurrent.recurrent_layers[0].cell.kernel.assign_add(ops.full((8, 32), 1e5))
    return model


@pytest.mark.parametrize(
    "make, options, says",
    [
        (lambda: char_lstm(20, units=8), {}, "has no vocabulary"),
        (quantized, {}, "quantized"),
        (with_another_head, {}, "dense layers"),
        (
            lambda: char_lstm(Vocabulary.from_text(SENTENCE), units=8, cell="page_test_cell"),
            {},
            "OwnCell",
        ),
        (
            lambda: gru_seq2seq(SOURCE, TARGET, units=8, block="residual"),
            {},
            "plain stacks.*residual blocks; export a SavedModel",
        ),
        (with_a_large_weight, {}, "not a finite float16 number"),
        (
            lambda: char_lstm(Vocabulary.from_text(SENTENCE), units=8),
            {"weights": "int4"},
            "int4.*float16.*int8",
        ),
        (
            lambda: char_lstm(Vocabulary.from_text(SENTENCE), units=8),
            {"title": "Rom\udce9o"},
            "`title` .*half of a surrogate pair",
        ),
        (
            lambda: char_lstm(Vocabulary.from_text(SENTENCE), units=8),
            {"prompt": "Rom\udce9o"},
            "`prompt` .*half of a surrogate pair",
        ),
    ],
)
def test_what_cannot_go_into_a_page_is_refused_in_one_sentence(tmp_path, make, options, says):
    with pytest.raises(InputError, match=says):
        make().export(tmp_path / "page.html", verbose=False, **options)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("options", [{"beam_width": 3}, {"use_cudnn": True}, {"format": "onnx"}])
def test_an_option_of_another_format_is_refused(tmp_path, options):
    with pytest.raises(InputError, match=f"`{next(iter(options))}` is of no use to a page"):
        exported(char_lstm(Vocabulary.from_text(SENTENCE), units=8), tmp_path, **options)
    assert not list(tmp_path.iterdir())


def test_a_folder_in_the_way_is_refused(tmp_path):
    (tmp_path / "page.html").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        exported(char_lstm(Vocabulary.from_text(SENTENCE), units=8), tmp_path)


# -- The engine, in Node -----------------------------------------------------------------------


def halved(model):
    """The model with its matrices rounded to float16, as they stand in a page."""
    matrices = [len(weight.shape) > 1 and min(weight.shape) > 2 for weight in model.weights]
    rounded = [
        weight.astype("float16").astype("float32") if matrix else weight
        for weight, matrix in zip(model.get_weights(), matrices, strict=True)
    ]
    model.set_weights(rounded)
    return model


@needs_node
@pytest.mark.parametrize(
    "options",
    [
        {"cell": "lstm"},
        {"cell": "gru", "num_layers": 2, "trainable_initial_state": True},
        {"cell": "simple_rnn", "tie_embedding_weights": True},
        {"cell": "lstm", "tie_embedding_weights": True, "embedding_dim": 5},
    ],
)
def test_logits_of_language_models_are_those_of_keras(tmp_path, options):
    model = shaken(char_lstm(Vocabulary.from_text(SENTENCE), units=9, **options))
    (got,) = in_node(exported(model, tmp_path), {"ask": "logits", "ids": [3, 1, 4, 1, 5]})
    expected = ops.convert_to_numpy(halved(model)(np.array([[3, 1, 4, 1, 5]])))[0]
    np.testing.assert_allclose(got, expected, atol=1e-4)


@needs_node
@pytest.mark.parametrize(
    "options",
    [
        {"attention_position": "before_cell", "bidirectional": "concat", "num_layers": 2},
        {"attention_position": "after_cell", "bidirectional": "sum", "cell": "lstm"},
        {"attention": None, "bidirectional": "mul", "cell": "lstm", "num_layers": 2},
        {"bidirectional": False, "cell": "simple_rnn", "trainable_initial_state": True},
        {"trainable_initial_state": True, "tie_embedding_weights": True, "embedding_dim": 5},
    ],
)
def test_logits_and_attention_of_translators_are_those_of_keras(tmp_path, options):
    model = shaken(gru_seq2seq(SOURCE, TARGET, units=9, **options))
    source, target = [4, 5, 3, 2], [1, 4, 3, 5]
    (got,) = in_node(exported(model, tmp_path), {"ask": "pair", "source": source, "target": target})
    memory, state = halved(model).encode(np.array([source]))
    for token, step in zip(target, got, strict=True):
        logits, state, weights = model.step(np.array([token]), state, memory)
        np.testing.assert_allclose(step["logits"], ops.convert_to_numpy(logits)[0], atol=1e-4)
        if model.decoder.attention is None:
            assert step["weights"] is None
        else:
            expected = ops.convert_to_numpy(weights)[0]
            np.testing.assert_allclose(step["weights"], expected, atol=1e-5)


@needs_node
def test_lora_goes_into_the_matrices_of_a_page(tmp_path):
    model = shaken(char_lstm(Vocabulary.from_text(SENTENCE), units=9))
    random = np.random.default_rng(0)
    for layer, name in ((model.head, "lora_kernel_b"), (model.embedding, "lora_embeddings_b")):
        layer.enable_lora(2)
        added = getattr(layer, name)
        added.assign(random.normal(size=added.shape))
    (got,) = in_node(exported(model, tmp_path), {"ask": "logits", "ids": [3, 1, 4]})
    expected = ops.convert_to_numpy(model(np.array([[3, 1, 4]])))[0]
    np.testing.assert_allclose(got, expected, atol=0.02)  # float16, which the sum is rounded to


@needs_node
def test_int8_logits_are_those_of_rounded_weights(tmp_path):
    model = shaken(char_lstm(Vocabulary.from_text(SENTENCE), units=9))
    path = exported(model, tmp_path, weights="int8")
    (got,) = in_node(path, {"ask": "logits", "ids": [3, 1, 4]})

    def rounded(weight, axis):
        scales = np.abs(weight).max(axis=axis, keepdims=True) / 127
        return np.round(weight / scales) * scales

    weights = model.get_weights()  # the embedding's rows are outputs, and a kernel's columns
    assert weights[0].shape == (len(model.vocabulary), 9)
    model.set_weights(
        [rounded(w, 1 if i == 0 else 0) if w.ndim > 1 else w for i, w in enumerate(weights)]
    )
    expected = ops.convert_to_numpy(model(np.array([[3, 1, 4]])))[0]
    np.testing.assert_allclose(got, expected, atol=1e-4)


@needs_node
def test_random_numbers_and_samplers_are_those_of_python(tmp_path):
    path = exported(char_lstm(Vocabulary.from_text(SENTENCE), units=4), tmp_path)
    seeds = [0, 7, 2**32 + 5, 2**70 + 3, 2**140 + 9]
    found = in_node(path, *({"ask": "uniforms", "seed": str(s), "count": 50} for s in seeds))
    for seed, numbers in zip(seeds, found, strict=True):
        np.testing.assert_array_equal(np.float32(numbers), draw_uniforms(seed, 50, 1)[:, 0])
    random = np.random.default_rng(1)
    logits = random.normal(0, 2, 40).astype("float32")
    uniforms = random.random(200, "float32")
    settings = [
        {"sampler": "greedy"}, {"sampler": "temperature", "temperature": 0.7},
        {"sampler": "top_k", "k": 5, "temperature": 1.3}, {"sampler": "top_k", "k": 100},
        {"sampler": "top_p", "p": 0.6}, {"sampler": "top_p", "p": 1.0, "temperature": 2.0},
        {"sampler": "min_p", "p": 0.2, "temperature": 1.5},
    ]  # fmt: skip
    asked = {"ask": "sample", "logits": logits.tolist(), "uniforms": uniforms.tolist()}
    found = in_node(
        path, *({**asked, "settings": {"temperature": 1.0, **each}} for each in settings)
    )
    for each, tokens in zip(settings, found, strict=True):
        temperature = each.pop("temperature", None)
        sampler = get_sampler(each.pop("sampler"), temperature, **{"k": None, "p": None, **each})
        expected = sampler(np.tile(logits, (200, 1)), uniforms)
        assert tokens == ops.convert_to_numpy(expected).tolist()


@needs_node
@pytest.mark.parametrize("lowercase", [False, True])
@pytest.mark.parametrize("level, punctuation, lines", RULES)
def test_texts_become_ids_and_ids_texts_as_in_python(
    tmp_path, level, punctuation, lines, lowercase
):
    vocabulary = vocabulary_of_texts(level, punctuation, lines, lowercase=lowercase)
    tokens = vocabulary.tokens
    path = exported(word_lm(vocabulary, units=2), tmp_path)
    random = np.random.default_rng(0)
    encoded = [vocabulary.encode(text).tolist() for text in TEXTS]
    encoded += random.integers(0, len(tokens), (20, 12)).tolist()
    found = in_node(
        path,
        *({"ask": "encode", "text": text} for text in TEXTS),
        *({"ask": "decode", "ids": ids[4:], "after": ids[:4]} for ids in encoded),
        *({"ask": "decode", "ids": ids} for ids in encoded),
    )
    assert [each["ids"] for each in found[: len(TEXTS)]] == encoded[: len(TEXTS)]
    missing = [sorted(each["missing"]) for each in found[: len(TEXTS)]]
    assert missing == [vocabulary.unknown_symbols(text) for text in TEXTS]
    found = found[len(TEXTS) :]
    for ids, after, whole in zip(encoded, found, found[len(encoded) :], strict=False):
        assert after == vocabulary.decode(ids[4:], after=ids[:4])
        assert whole == vocabulary.decode(ids)


@needs_node
def test_a_page_writes_what_the_model_writes(tmp_path):
    model = halved(shaken(char_lstm(Vocabulary.from_text(SENTENCE), units=12)))
    path = exported(model, tmp_path)
    greedy, drawn, unknown, empty = in_node(
        path,
        written("to ", 40),
        written("to ", 40, "temperature", 7, temperature=0.8),
        written("to BE", 4),
        written("", 4),
    )
    assert greedy["text"] == model.generate("to ", 40, sampler="greedy")
    assert drawn["text"] == model.generate("to ", 40, temperature=0.8, seed=7)
    assert greedy["events"][-1] == {"kind": "end", "reason": "length"}
    token = greedy["events"][0]
    assert [each["probability"] for each in token["alternatives"]] == sorted(
        (each["probability"] for each in token["alternatives"]), reverse=True
    )
    assert token["alternatives"][0]["id"] == token["id"]
    assert unknown["events"] == [{"kind": "missing", "symbols": ["B", "E"]}]
    assert empty["events"] == [{"kind": "empty"}]


@needs_node
def test_no_text_has_a_space_after_a_prompt_that_ends_in_one(tmp_path):
    vocabulary = Vocabulary(["<pad>", "<unk>", "to", "be", "not"], "word")
    path = exported(word_lm(vocabulary, units=2), tmp_path)
    spaced, plain = (
        [found["text"], *(each["text"] for each in found["events"][0]["alternatives"])]
        for found in in_node(path, written("to be ", 1), written("to be", 1))
    )
    assert " not" in plain and spaced == [text.removeprefix(" ") for text in plain]


@needs_node
def test_a_text_that_objects_have_a_property_of_is_shown_as_it_is(tmp_path):
    path = exported(char_lstm(Vocabulary.from_text(SENTENCE), units=4), tmp_path)
    asked = ({"ask": "visible", "text": text} for text in ("constructor", " ", "a\n"))
    assert in_node(path, *asked) == ["constructor", "space", "a\u21b5"]


@needs_node
def test_going_on_is_writing_longer(tmp_path):
    path = exported(shaken(char_lstm(Vocabulary.from_text(SENTENCE), units=12)), tmp_path)
    request = written("to ", 30, "temperature", 7)
    (whole,) = in_node(path, request)
    tokens = [event["id"] for event in whole["events"][:-1]]
    first, rest, again = in_node(
        path,
        request | {"length": 10},
        request | {"length": 20, "written": tokens[:10]},
        request | {"length": 25, "written": tokens[:5]},
    )
    assert first["text"] + rest["text"] == whole["text"]
    assert again["text"] == whole["text"][5:]


@needs_node
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_the_state_after_each_token_is_that_of_inspect(tmp_path, cell):
    model = shaken(char_lstm(Vocabulary.from_text(SENTENCE), units=9, num_layers=2, cell=cell))
    request = written("to ", 12)
    path = exported(model, tmp_path)
    (whole,) = in_node(path, request)
    record = inspect(halved(model), "to " + whole["text"])
    expected = [state for layer in record.layers for state in layer.states.values()]
    tokens = whole["events"][:-1]
    for place, event in enumerate(tokens, 3):
        for got, state in zip(event["state"], expected, strict=True):
            np.testing.assert_allclose(got, state[place], atol=1e-4)
    # Where it goes on, the state after the last token that was there is told anew.
    ids = [event["id"] for event in tokens]
    (rest,) = in_node(path, request | {"length": 2, "written": ids[:5]})
    assert rest["events"][0] == {"kind": "state", "index": 4, "state": tokens[4]["state"]}


@needs_node
def test_a_page_translates_as_the_model_does(tmp_path):
    model = halved(shaken(gru_seq2seq(SOURCE, TARGET, units=12)))
    path = exported(model, tmp_path)
    texts = ["one two", "three", "two two one"]
    expected, attention = model.translate(texts, return_attention=True)
    for found, text, weights in zip(
        in_node(path, *map(translated, texts)), expected, attention, strict=True
    ):
        assert found["text"] == text
        rows = [event["attention"] for event in found["events"] if "attention" in event]
        np.testing.assert_allclose(rows, weights, atol=1e-5)


@pytest.mark.slow
def test_what_a_page_is_made_of_is_in_the_wheel(tmp_path):
    import subprocess
    import sys
    from pathlib import Path

    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-q"]
    subprocess.run([*command, "-w", str(tmp_path), str(root)], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    for file in (root / "rnnzoo/export/html").iterdir():
        if file.suffix in (".html", ".css", ".js"):
            assert f"rnnzoo/export/html/{file.name}" in names
