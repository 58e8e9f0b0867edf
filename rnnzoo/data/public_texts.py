"""The small public texts and sentence pairs that recipes train on."""

import io
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from rnnzoo.data.corpus import Corpus
from rnnzoo.data.pairs import read_parallel, read_tab_separated
from rnnzoo.data.reading import read_pieces
from rnnzoo.data.sources import Found, download_folder, fetch, resolve
from rnnzoo.data.splitting import connected_keys, hold_out
from rnnzoo.data.tfds_corpora import download_tfds, find_tfds

_GITHUB = "https://raw.githubusercontent.com"
_SHAKESPEARE_URL = f"{_GITHUB}/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"
_SHAKESPEARE_SHA256 = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"
_TFDS_SPLITS = ("train", "validation", "test")  # in the order of the text
_ALICE_URL = f"{_GITHUB}/gutenbergbooks/11/5e5120e12a58a10254e0e6a42661d887e61c2aac/11-0.txt"
_ALICE_SHA256 = "f17aa0bf7466424a8b357b688678666bad7a0148963ef349016a3098faa6bd1e"
_SPA_ENG_URL = (
    f"{_GITHUB}/jorgeadev/tensorflow-for-ml-and-ai/eeeb5e0593256ca14c99b2da1236c6d5883ce220"
    "/datasets/spa-eng.zip"
)
_SPA_ENG_SHA256 = "513d6752c5337fc63b5a0359eaad5bcbeba5807af28f8ddee0653bbce3fc5707"  # of spa.txt
_MULTI30K_URL = f"{_GITHUB}/multi30k/dataset/master/data/task1/raw"
_MULTI30K_SHA256 = {
    "train.en.gz": "d79cfa999dd4c51d2cb42499b6796d5a882c3a8a961923c25a898c90f8bbd56f",
    "train.de.gz": "726e39b2fa9eb9ffb6dc763fb35a179f80fae06ffc5d28b6ace5faa883de28a6",
    "val.en.gz": "14f7d25ddd868909a9213e361768460edcacdd6ab9d1e77b92560dc10c10dc28",
    "val.de.gz": "f0cba2f995189cf5770f29a8a9a537a3ad3f51657ad873405082ff6863a5e75a",
    "test_2016_flickr.en.gz": "611d361c6334bc7246101d48097c13cf5c4413c5befc793cc629934359d532d9",
    "test_2016_flickr.de.gz": "9204244e408ccb38d2a55cfcd344df15005fc42a07a6e55ca6c52b6ababb8cc8",
}
_MULTI30K_SPLITS = {"train": "train", "validation": "val", "test": "test_2016_flickr"}


def tiny_shakespeare(*, data_dir: str | Path | None = None, seed: int = 0) -> Corpus:
    """Loads Karpathy's tiny Shakespeare: one text of 1,115,394 characters, 65 distinct.

    The three splits of tensorflow-datasets are put together again in order, so that the first
    90 % and last 10 % are the same wherever the text came from.

    Args:
        data_dir: A folder with tinyshakespeare.txt, tiny_shakespeare.txt or input.txt.
        seed: Unused; every corpus takes one.

    Returns:
        A corpus of one text.
    """
    name = "tiny_shakespeare"
    files = ("tinyshakespeare.txt", "tiny_shakespeare.txt", "input.txt")

    def find(folder):
        if found := _find_file(folder, files):
            return Found(partial(read_pieces, found), str(found))
        found = find_tfds(folder, name)
        return found and _joined(found)

    def download():
        return _joined(download_tfds(name, _TFDS_SPLITS, _SHAKESPEARE_URL))

    reader, where = resolve(name, data_dir, find, download)
    return _text(name, reader, where, "Public-domain text.", _SHAKESPEARE_SHA256)


def alice(*, data_dir: str | Path | None = None, seed: int = 0) -> Corpus:
    """Loads Alice's Adventures in Wonderland (Project Gutenberg 11), the body alone, as one text.

    Args:
        data_dir: A folder with alice.txt.
        seed: Unused; every corpus takes one.

    Returns:
        A corpus of one text.
    """

    def find(folder):
        found = _find_file(folder, ("alice.txt",))
        return found and Found(partial(read_pieces, found), str(found))

    def download():
        path = fetch(_ALICE_URL, download_folder() / "alice.txt", _ALICE_SHA256, _plain)
        return Found(partial(read_pieces, path), f"{_ALICE_URL}, downloaded")

    reader, where = resolve("alice", data_dir, find, download)
    return _text("alice", reader, where, "Public domain in the United States.", _ALICE_SHA256)


def spa_eng(*, data_dir: str | Path | None = None, seed: int = 0) -> Corpus:
    """Loads English-Spanish sentence pairs of Tatoeba (the Anki collection).

    A twentieth of the pairs is held out, half of it as validation and half as test, such that no
    sentence, English or Spanish, occurs in two splits: pairs that share a sentence, directly or
    through others, stay together.

    Args:
        data_dir: A folder with spa-eng.txt or spa.txt (or .gz): English, tab, Spanish, and
            perhaps a third column of credits, which is ignored.
        seed: Another seed is another split.

    Returns:
        A corpus of pairs, `(English, Spanish)`, in a shuffled order.
    """
    names = ("spa-eng.txt", "spa.txt", "spa-eng/spa.txt", "spa-eng_extracted/spa-eng/spa.txt")

    def find(folder):
        found = _find_file(folder, names)
        return found and Found(found, str(found))

    def download():
        path = download_folder() / "spa-eng.txt"
        fetch(_SPA_ENG_URL, path, _SPA_ENG_SHA256, _unzip_spanish)
        return Found(path, f"{_SPA_ENG_URL}, downloaded")

    path, where = resolve("spa_eng", data_dir, find, download)
    rows = read_tab_separated(path)
    pairs = list(dict.fromkeys(rows))
    notes = []
    if copies := len(rows) - len(pairs):
        notes.append(f"{copies:,} repeated pairs left out.")
    train, held = hold_out(pairs, connected_keys(pairs), round(len(pairs) / 20), seed)
    validation, test = hold_out(held, connected_keys(held), len(held) // 2, seed)
    notes.append(
        f"Held out: 5 % of the pairs, half as validation ({len(validation):,}), half as test "
        f"({len(test):,}), drawn with the seed {seed} by sentences: none, English or Spanish, "
        "occurs in two splits."
    )
    return Corpus(
        name="spa_eng",
        kind="pairs",
        source=f"{len(pairs):,} English-Spanish pairs from {where}.",
        terms="CC BY 2.0 (France); credit tatoeba.org and manythings.org/anki.",
        splits={"train": train, "validation": validation, "test": test},
        notes=notes,
    )


def multi30k_en_de(*, data_dir: str | Path | None = None, seed: int = 0) -> Corpus:
    """Loads Multi30k task 1, English-German image captions: 29,000 / 1,014 / 1,000 pairs.

    Args:
        data_dir: A folder with train, val and test_2016_flickr in .en and .de (or .en.gz and
            .de.gz), in it or in multi30k/.
        seed: Unused; the splits are those of the publishers.

    Returns:
        A corpus of pairs, `(English, German)`, with `train`, `validation` and `test`.
    """

    def find(folder):
        for base in (folder / "multi30k", folder):
            if all(_find_file(base, (name[:-3],)) for name in _MULTI30K_SHA256):
                return Found(base, str(_find_file(base, ("train.en",))))
        return None

    def download():
        folder = download_folder() / "multi30k"
        for name, sha256 in _MULTI30K_SHA256.items():
            fetch(f"{_MULTI30K_URL}/{name}", folder / name, sha256)
        return Found(folder, f"{_MULTI30K_URL}, downloaded")

    folder, where = resolve("multi30k_en_de", data_dir, find, download)
    splits = {
        split: read_parallel(*(_find_file(folder, (f"{file}.{end}",)) for end in ("en", "de")))
        for split, file in _MULTI30K_SPLITS.items()
    }
    notes = []
    sources = {source for source, _ in splits["train"]}
    for split in ("validation", "test"):
        if shared := sum(source in sources for source, _ in splits[split]):
            notes.append(f"English captions of {split} that occur in train too: {shared:,}.")
    return Corpus(
        name="multi30k_en_de",
        kind="pairs",
        source=f"{len(splits['train']):,} English-German training pairs from {where}.",
        terms="The repository states none; Flickr30k captions and their translations, taken as "
        "research use, non-commercial.",
        splits=splits,
        notes=notes,
    )


def _find_file(folder: Path, names: tuple[str, ...]) -> Path | None:
    """Finds the first of the files in a folder, as it is or gzipped."""
    paths = (folder / (name + end) for name in names for end in ("", ".gz"))
    return next((path for path in paths if path.is_file()), None)


def _joined(found: Found) -> Found:
    """Puts the splits of a tfds text together again; the content becomes a reader of pieces."""
    text = "".join("".join(found.content[split]()) for split in _TFDS_SPLITS)

    def pieces(size: int) -> Iterator[str]:
        yield from (text[start : start + size] for start in range(0, len(text), size))

    return Found(pieces, found.where)


def _text(
    name: str, reader: Callable[[int], Iterator[str]], where: str, terms: str, sha256: str
) -> Corpus:
    corpus = Corpus.of_text(reader, name=name, source=f"The text from {where}.", terms=terms)
    if corpus.sha256 != sha256:
        corpus.notes.append(f"not the usual text of this name (its sha256 starts {sha256[:12]}).")
    return corpus


def _plain(content: bytes) -> bytes:
    return content.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").strip()


def _unzip_spanish(content: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.read(next(name for name in archive.namelist() if name.endswith("spa.txt")))
