"""A small folder of corpora, and one training of each tiny recipe that many tests look at."""

import json

import numpy as np
import pytest

WORDS = "the a film plot actor was is very good bad and not great i liked it this movie".split()


def sentences(count, length, seed):
    random = np.random.default_rng(seed)
    return [" ".join(random.choice(WORDS, size=random.integers(3, length))) for _ in range(count)]


@pytest.fixture(scope="session")
def small_data(tmp_path_factory):
    """A data folder with a text, reviews and captions, all made up."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "tinyshakespeare.txt").write_text(". ".join(sentences(150, 12, 0)))
    (folder / "wikitext-2").mkdir()
    for split, count, seed in (("train", 150, 7), ("valid", 20, 8), ("test", 25, 9)):
        lines = [" = Film = ", *sentences(count, 12, seed)]
        (folder / "wikitext-2" / f"{split}.txt").write_text(" \n ".join(lines) + " \n")
    (folder / "imdb").mkdir()
    for split, count, seed in (("train", 120, 1), ("test", 30, 5), ("unsup", 40, 6)):
        rows = [
            json.dumps({"text": text, "label": int(text.count("good") >= text.count("bad"))})
            for text in sentences(count, 30, seed)
        ]
        (folder / "imdb" / f"{split}.jsonl").write_text("\n".join(rows) + "\n")
    (folder / "multi30k").mkdir()
    for split, count, seed in (("train", 100, 2), ("val", 20, 3), ("test_2016_flickr", 20, 4)):
        lines = sentences(count, 8, seed)
        for language in ("en", "de"):
            path = folder / "multi30k" / f"{split}.{language}"
            path.write_text("\n".join(line[:: 1 if language == "en" else -1] for line in lines))
    return folder


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    """Keeps what is cached out of the home folder."""
    patch = pytest.MonkeyPatch()
    patch.setenv("KERAS_HOME", str(tmp_path_factory.mktemp("keras")))
    yield
    patch.undo()


@pytest.fixture(scope="session")
def trained(small_data, tmp_path_factory):
    """The artifact folder of a tiny recipe, trained once: `trained("imdb_lm_tiny")`."""
    from rnnzoo.publishing.train import train

    folders = {}

    def get(name):
        if name not in folders:
            out = tmp_path_factory.mktemp("models") / name
            folders[name] = train(name, data_dir=small_data, out=out)
        return folders[name]

    return get
