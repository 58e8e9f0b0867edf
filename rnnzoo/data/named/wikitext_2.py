"""WikiText-2: two million words of Wikipedia, in the tokens that many models are measured on."""

from dataclasses import replace
from functools import partial
from pathlib import Path

from rnnzoo.data.corpus import About, Corpus, Splits
from rnnzoo.data.reading import read_chunks, read_text
from rnnzoo.data.sources import Found, download_folder, fetch, find_file, resolve

_URL = "https://raw.githubusercontent.com/pytorch/examples/main/word_language_model/data/wikitext-2"
_SHA256 = {
    "train": "9e9fa1ad55b1c2c95b08e37dd8e653f638fac2c6de904b79e813611eefbc985f",
    "valid": "f0737ed31fc1329026e95cb8b98e19c2a182c39c240ab909dc31abf2f8af58e8",
    "test": "d790b833ef8cf03a90db7bf1271b7520b83c45ce07ba3c1a9699df81e239eca0",
}
ABOUT = About(
    terms="CC BY-SA 3.0; the texts are by Wikipedia's authors.",
    redistributable=True,
    reason="the licence (https://creativecommons.org/licenses/by-sa/3.0/) asks for credit, which "
    "the model's card gives, and that what is made of the texts has the same licence",
    origin="Merity et al., Pointer Sentinel Mixture Models (arXiv:1609.07843), from the good and "
    "featured articles of https://en.wikipedia.org",
)


def load(*, data_dir: str | Path | None = None, seed: int = 0) -> Corpus:
    """Loads WikiText-2: one text in three splits of 2,088,628, 217,646 and 245,569 tokens.

    They are the standard tokens, 33,278 different ones, by `Vocabulary.from_text(...,
    level="word", punctuation="whitespace", keep_line_breaks=True, special_tokens=["<unk>"])`: what
    stands between blanks, and line ends, which other programs call `<eos>`. Rare words are `<unk>`
    in the text itself.

    Args:
        data_dir: A folder with wikitext-2/train.txt, valid.txt and test.txt, or with
            wiki.train.tokens and so on.
        seed: Unused; every corpus takes one.

    Returns:
        A corpus of one text with the splits train, validation and test.

    Raises:
        InputError: If it is found nowhere.
    """
    read, where = resolve("wikitext_2", data_dir, find=_find, download=_download)
    corpus = Corpus.of_known_text(
        partial(read_chunks, read["train"]),
        name="wikitext_2",
        where=where,
        about=ABOUT,
        sha256=_SHA256["train"],
    )
    parts = {"train": "train", "validation": "valid", "test": "test"}
    loaders = {name: partial(read_text, read[part]) for name, part in parts.items()}
    return replace(corpus, splits=Splits(loaders))


def _find(folder: Path) -> Found | None:
    for base in (folder / "wikitext-2", folder):
        found = {part: find_file(base, (f"wiki.{part}.tokens", f"{part}.txt")) for part in _SHA256}
        if all(found.values()):
            return Found(found, str(found["train"].parent))
    return None


def _download() -> Found:
    folder = download_folder() / "wikitext-2"
    found = {
        part: fetch(f"{_URL}/{part}.txt", folder / f"{part}.txt", sha256=sha256)
        for part, sha256 in _SHA256.items()
    }
    return Found(found, f"{_URL}, downloaded")
