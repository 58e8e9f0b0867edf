"""Models that are served once for all tests; small ones, since each is compiled."""

import pytest

from tests import runners


@pytest.fixture(scope="session")
def models():
    return {
        "letters": runners.LANGUAGE_MODELS["char_lstm-gru"](),
        "words": runners.LANGUAGE_MODELS["word_lm"](),
        "numbers": runners.seq2seq(attention="bahdanau")(),
    }


@pytest.fixture(scope="session")
def client(models):
    testing = pytest.importorskip("fastapi.testclient")
    from rnnzoo.serve.app import create_app

    with testing.TestClient(create_app(models, capacity=4, queue=64)) as client:
        yield client
