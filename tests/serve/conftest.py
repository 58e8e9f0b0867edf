"""Models that are served once for all tests; small ones, since each is compiled."""

import keras
import pytest

from rnnzoo import Vocabulary, text_classifier
from tests import runners


def classifier():
    keras.utils.set_random_seed(0)
    words = Vocabulary.from_text("a good bad film", level="word")
    return text_classifier(words, ("bad", "fair", "good"), units=4)


@pytest.fixture(scope="session")
def models():
    return {
        "letters": runners.LANGUAGE_MODELS["char_lstm-gru"](),
        "words": runners.LANGUAGE_MODELS["word_lm"](),
        "numbers": runners.seq2seq(attention="bahdanau")(),
        "opinions": classifier(),
    }


@pytest.fixture(scope="session")
def client(models):
    testing = pytest.importorskip("fastapi.testclient")
    from rnnzoo.serve.app import create_app

    with testing.TestClient(create_app(models, capacity=4, queue=64)) as client:
        yield client
