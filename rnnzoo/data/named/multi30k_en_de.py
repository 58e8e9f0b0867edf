"""English-German captions of images, Multi30k task 1."""

from pathlib import Path

from rnnzoo.data.corpus import About, Corpus
from rnnzoo.data.pairs import read_parallel
from rnnzoo.data.sources import Found, download_folder, fetch, find_file, resolve

_URL = "https://raw.githubusercontent.com/multi30k/dataset/master/data/task1/raw"
_SHA256 = {
    "train.en.gz": "d79cfa999dd4c51d2cb42499b6796d5a882c3a8a961923c25a898c90f8bbd56f",
    "train.de.gz": "726e39b2fa9eb9ffb6dc763fb35a179f80fae06ffc5d28b6ace5faa883de28a6",
    "val.en.gz": "14f7d25ddd868909a9213e361768460edcacdd6ab9d1e77b92560dc10c10dc28",
    "val.de.gz": "f0cba2f995189cf5770f29a8a9a537a3ad3f51657ad873405082ff6863a5e75a",
    "test_2016_flickr.en.gz": "611d361c6334bc7246101d48097c13cf5c4413c5befc793cc629934359d532d9",
    "test_2016_flickr.de.gz": "9204244e408ccb38d2a55cfcd344df15005fc42a07a6e55ca6c52b6ababb8cc8",
}
_SPLITS = {"train": "train", "validation": "val", "test": "test_2016_flickr"}
ABOUT = About(
    terms="The repository states none; Flickr30k captions and their translations, taken as "
    "research use, non-commercial.",
    redistributable=False,
    reason="there is no licence, and it is taken as research use alone",
    origin="Multi30k, task 1 (Elliott et al. 2016), https://github.com/multi30k/dataset",
)


def load(*, data_dir: str | Path | None = None, seed: int = 0) -> Corpus:
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
            if all(find_file(base, (name[:-3],)) for name in _SHA256):
                return Found(base, str(find_file(base, ("train.en",))))
        return None

    def download():
        folder = download_folder() / "multi30k"
        for name, sha256 in _SHA256.items():
            fetch(f"{_URL}/{name}", folder / name, sha256=sha256)
        return Found(folder, f"{_URL}, downloaded")

    folder, where = resolve("multi30k_en_de", data_dir, find=find, download=download)
    splits = {
        split: read_parallel(*(find_file(folder, (f"{file}.{end}",)) for end in ("en", "de")))
        for split, file in _SPLITS.items()
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
        terms=ABOUT.terms,
        redistributable=ABOUT.redistributable,
        splits=splits,
        notes=notes,
    )
