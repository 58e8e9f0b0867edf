"""The SavedModel of a text classifier: text in, label and probabilities out."""

import numpy as np
import pytest

from rnnzoo import Vocabulary, text_classifier
from rnnzoo.errors import InputError
from tests.export.test_random_bytes import check, texts

tf = pytest.importorskip("tensorflow")
WORDS = Vocabulary.from_text("the film was good bad fun", level="word")


@pytest.fixture(scope="module")
def model():
    return text_classifier(WORDS, ("bad", "good", "so-so"), units=5, embedding_dim=4)


@pytest.fixture(scope="module")
def exported(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "classifier"
    model.export(path, verbose=False)
    return tf.saved_model.load(str(path))


def test_text_in_label_out(model, exported):
    texts = ["the film was good", "bad", "Unknown words, good fun"]
    found = exported.classify(tf.constant(texts))
    for row, one in enumerate(model.classify(texts)):
        assert found["label"][row].numpy().decode() == one.label
        assert [name.decode() for name in found["labels"][row].numpy()] == list(one.probabilities)
        np.testing.assert_allclose(
            found["probabilities"][row], list(one.probabilities.values()), atol=1e-5
        )
    default = exported.signatures["serving_default"](text=tf.constant(texts))
    np.testing.assert_allclose(default["probabilities"], found["probabilities"])


@pytest.mark.parametrize("texts", [[], ["good", " "], [""]])
def test_blank_texts_are_refused(exported, texts):
    with pytest.raises(tf.errors.InvalidArgumentError, match="A text to classify is empty"):
        exported.classify(tf.constant(texts, tf.string))


@pytest.mark.slow
def test_ten_thousand_random_bytes(exported):
    for given in (texts(10_000), [b"the film was good", b"\xffgood", b"bad\0"]):
        assert check(lambda text: exported.classify(text), given) > 0.9 * len(given)


def test_ids_to_logits(model, exported):
    tokens = np.array([[1, 4, 5, 2], [1, 5, 0, 0]], "int32")
    logits = exported.serve(tf.constant(tokens))
    np.testing.assert_allclose(logits, model(tokens), atol=1e-5)


def test_formats_that_hold_no_classifier(model, tmp_path):
    with pytest.raises(InputError, match="classifies; export a SavedModel"):
        model.export(tmp_path / "page.html")
    with pytest.raises(InputError, match="`beam_width`"):
        model.export(tmp_path / "x", beam_width=3)
    assert not list(tmp_path.iterdir())
