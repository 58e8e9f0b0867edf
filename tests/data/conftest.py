import pytest

from rnnzoo.data.named import imdb_reviews as reviews


@pytest.fixture
def isolated(tmp_path, monkeypatch):
    """A machine with empty caches, no data package and no RNNZOO_DATA_DIR; returns the caches."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.delenv("RNNZOO_DATA_DIR", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(home / "keras"))
    monkeypatch.setenv("TFDS_DATA_DIR", str(home / "tfds"))
    monkeypatch.setattr(reviews, "find_spec", lambda name: None)
    return home
