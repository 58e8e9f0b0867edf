"""Texts with labels: files, batches, and the labelled reviews."""

import json

import numpy as np
import pytest

from rnnzoo.data import LabelledDataset, corpora, labelled_batches, read_labelled
from rnnzoo.errors import InputError

REVIEWS = [
    {"text": f"Review {number},<br />{'bad' if number % 2 else 'good'}.", "label": 1 - number % 2}
    for number in range(40)
]


def write(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_batches_and_their_twin_are_equal():
    random = np.random.default_rng(0)
    documents = [random.integers(1, 9, random.integers(1, 12)) for _ in range(23)]
    labels = random.integers(0, 3, 23)
    options = {"batch_size": 5, "max_length": 7, "seed": 2}
    twin = LabelledDataset(documents, labels, **options)
    batches = labelled_batches(documents, labels, **options)
    for _ in range(2):
        seen = []
        for index, (tokens, found) in enumerate(batches):
            assert np.array_equal(tokens, twin[index][0]) and np.array_equal(found, twin[index][1])
            seen += [
                (tuple(row[row > 0]), int(label))
                for row, label in zip(tokens.numpy(), found.numpy(), strict=True)
            ]
        expected = [(tuple(doc[-7:]), int(label)) for doc, label in
                    zip(documents, labels, strict=True)]  # fmt: skip
        assert sorted(seen) == sorted(expected)
        twin.on_epoch_end()


def test_labels_that_do_not_fit():
    with pytest.raises(InputError, match="2 documents but 1 labels"):
        labelled_batches([[1], [2]], [0], 1)
    with pytest.raises(InputError, match="`labels` must lie from 0"):
        LabelledDataset([[1], [2]], [0, -1], 1)


def test_files(tmp_path):
    rows = [{"text": "Good, fun.", "label": "pos"}, {"text": "Dull.", "label": 3}]
    expected = [("Good, fun.", "pos"), ("Dull.", "3")]
    assert read_labelled(write(tmp_path / "a.jsonl", rows)) == expected
    (tmp_path / "a.csv").write_text('id,label,Text\n1,pos,"Good, fun."\n2,3,Dull.\n')
    assert read_labelled(tmp_path / "a.csv") == expected
    corpus = corpora.load(tmp_path / "a.csv", kind="labelled")
    assert corpus.labelled == expected and corpus.contents == "texts with labels"
    with pytest.raises(InputError, match="holds texts with labels"):
        corpus.text  # noqa: B018


@pytest.mark.parametrize(
    "row", [{"text": "a"}, {"label": "b"}, {"text": "", "label": "b"}, {"text": "a", "label": 1.5},
            {"text": "a", "label": True}, {"text": ["a"], "label": "b"}],
)  # fmt: skip
def test_a_line_that_lacks_one_is_named(tmp_path, row):
    path = write(tmp_path / "a.jsonl", [{"text": "x", "label": "y"}, row])
    with pytest.raises(InputError, match=r"Line 2 of .*a\.jsonl must have a text and a label"):
        read_labelled(path)


@pytest.mark.parametrize("field", ["text", "label"])
def test_half_a_surrogate_pair(tmp_path, field):
    path = write(tmp_path / "a.jsonl", [{"text": "x", "label": "y", field: "a\ud800"}])
    with pytest.raises(InputError, match=f'"{field}" in line 1 .* half of a surrogate'):
        read_labelled(path)


def test_files_that_are_none(tmp_path):
    (tmp_path / "a.txt").write_text("a\tb\n")
    with pytest.raises(InputError, match=r"come as a \.jsonl file"):
        read_labelled(tmp_path / "a.txt")
    (tmp_path / "a.csv").write_text("text,stars\na,5\n")
    with pytest.raises(InputError, match="one of them text and one label"):
        read_labelled(tmp_path / "a.csv")
    with pytest.raises(InputError, match=r"in one \.jsonl or \.csv file"):
        corpora.load(tmp_path, kind="labelled")


@pytest.fixture
def folder(tmp_path):
    write(tmp_path / "imdb/train.jsonl", [*REVIEWS, REVIEWS[0]])
    write(tmp_path / "imdb/test.jsonl", [REVIEWS[3], {"text": "Only here.", "label": 1}])
    return tmp_path


def test_the_reviews_are_split_as_without_labels(folder):
    labelled = corpora.load("imdb_sentiment", data_dir=folder)
    plain = corpora.load("imdb_reviews", data_dir=folder)
    assert [text for text, _ in labelled.validation] == plain.validation
    assert sorted(text for text, _ in labelled.labelled) == sorted(plain.documents)
    for text, label in labelled.labelled + labelled.validation + labelled.test:
        if "Only" not in text:
            assert label == ("positive" if "good" in text else "negative") and "<br" not in text
    assert "1 of the 41 training reviews are copies" in labelled.notes[1]
    assert "1 reviews of test occur in train" in labelled.notes[-1]


def test_the_original_folders_are_the_same_reviews(folder, tmp_path_factory):
    archive = tmp_path_factory.mktemp("archive") / "aclImdb"
    for number, row in enumerate([*REVIEWS, REVIEWS[0]]):
        side = archive / "train" / ("pos" if row["label"] else "neg")
        side.mkdir(parents=True, exist_ok=True)
        (side / f"{number}_5.txt").write_text(row["text"])
    found = corpora.load("imdb_sentiment", data_dir=archive.parent)
    expected = corpora.load("imdb_sentiment", data_dir=folder)
    assert found.sha256 == expected.sha256 and found.test is None


def test_a_label_that_no_review_has(folder):
    write(folder / "imdb/train.jsonl", [{"text": "a", "label": 7}])
    with pytest.raises(InputError, match="has the label '7'"):
        corpora.load("imdb_sentiment", data_dir=folder)
