"""English-Spanish sentence pairs of Tatoeba."""

import io
import zipfile
from pathlib import Path

from rnnzoo.data.corpus import About, Corpus
from rnnzoo.data.pairs import read_tab_separated
from rnnzoo.data.sources import Found, download_folder, fetch, find_file, resolve
from rnnzoo.data.splitting import connected_keys, hold_out

_URL = (
    "https://raw.githubusercontent.com/jorgeadev/tensorflow-for-ml-and-ai/eeeb5e0593256ca14c99b2da1236c6d5883ce220"
    "/datasets/spa-eng.zip"
)
_SHA256 = "513d6752c5337fc63b5a0359eaad5bcbeba5807af28f8ddee0653bbce3fc5707"  # of spa.txt
ABOUT = About(
    terms="CC BY 2.0 (France); credit tatoeba.org and manythings.org/anki.",
    redistributable=True,
    reason="the licence (https://creativecommons.org/licenses/by/2.0/fr/) asks for credit, which "
    "this card gives",
    origin="sentences of https://tatoeba.org, paired by https://www.manythings.org/anki/",
)


def load(*, data_dir: str | Path | None = None, seed: int = 0) -> Corpus:
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
        found = find_file(folder, names)
        return found and Found(found, str(found))

    def download():
        path = download_folder() / "spa-eng.txt"
        fetch(_URL, path, sha256=_SHA256, unpack=_unzip_spanish)
        return Found(path, f"{_URL}, downloaded")

    path, where = resolve("spa_eng", data_dir, find=find, download=download)
    rows = read_tab_separated(path)
    pairs = list(dict.fromkeys(rows))
    notes = []
    if copies := len(rows) - len(pairs):
        notes.append(f"{copies:,} repeated pairs left out.")
    train, held_out = hold_out(pairs, connected_keys(pairs), round(len(pairs) / 20), seed=seed)
    validation, test = hold_out(held_out, connected_keys(held_out), len(held_out) // 2, seed=seed)
    notes.append(
        f"Held out: 5 % of the pairs, half as validation ({len(validation):,}), half as test "
        f"({len(test):,}), drawn with the seed {seed} by sentences: none, English or Spanish, "
        "occurs in two splits."
    )
    return Corpus(
        name="spa_eng",
        kind="pairs",
        source=f"{len(pairs):,} English-Spanish pairs from {where}.",
        terms=ABOUT.terms,
        redistributable=ABOUT.redistributable,
        splits={"train": train, "validation": validation, "test": test},
        notes=notes,
    )


def _unzip_spanish(content: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.read(next(name for name in archive.namelist() if name.endswith("spa.txt")))
