import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnzoo.data import corpora, read_csv_pairs, read_parallel, read_tab_separated
from rnnzoo.errors import InputError

ANKI = "Go.\tVe.\tCC-BY 2.0 (France) Attribution: tatoeba.org\n\nStay!\t¡Quédate!\n"


def write(folder, name, text):
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith("gz") else text.encode())
    return path


@pytest.mark.parametrize("name", ["spa.txt", "spa.tsv", "spa.tsv.gz"])
def test_tab_separated(tmp_path, name):
    path = write(tmp_path, name, ANKI)
    expected = [("Go.", "Ve."), ("Stay!", "¡Quédate!")]
    assert read_tab_separated(path) == expected
    corpus = corpora.load(path, kind="pairs")
    assert corpus.kind == "pairs" and corpus.pairs == expected
    assert corpora.load(path).kind == ("text" if name == "spa.txt" else "pairs")


def test_byte_order_mark_and_windows_lines(tmp_path):
    path = write(tmp_path, "a.tsv", "\ufeffGo.\tVe.\r\nStay.\tQuédate.\r\n")
    assert read_tab_separated(path) == [("Go.", "Ve."), ("Stay.", "Quédate.")]


@pytest.mark.parametrize("line", ["no tab", "\tVe.", "Go.\t ", "Go.\t\tcredit"])
def test_a_line_that_is_no_pair_is_named(tmp_path, line):
    path = write(tmp_path, "a.txt", f"Go.\tVe.\n\n{line}\n")
    with pytest.raises(InputError, match=r"Line 3 of .*a.txt must be a source sentence, a tab"):
        read_tab_separated(path)
    with pytest.raises(InputError, match="Line 3"):
        corpora.load(path, kind="pairs")


@pytest.mark.parametrize(
    "text, pairs",
    [
        ("source,target\na,b\n", [("a", "b")]),
        ("id,Target,Source\n1,b,a\n", [("a", "b")]),
        ("a,b\nc,d\n", [("a", "b"), ("c", "d")]),
        ('"Well, go",b\n\n"he said ""no""","two\nlines"\n', None),
        ("a;b\nc;d, e\n", [("a", "b"), ("c", "d, e")]),
        ("\ufeffsource,target\r\na,b\r\n", [("a", "b")]),
    ],
)
def test_csv(tmp_path, text, pairs):
    path = write(tmp_path, "a.csv", text)
    pairs = pairs or [("Well, go", "b"), ('he said "no"', "two\nlines")]
    assert read_csv_pairs(path) == pairs == corpora.load(path).pairs


@pytest.mark.parametrize(
    "text, message",
    [
        ("a,b,c\n", "has 3 columns .a, b, c.; call two of them source and target"),
        ("a,b\nc\n", "Line 2 of .* must have a source sentence"),
        ("source,target\na,\n", "Line 2 of .* must have a source sentence"),
        ('a,b\n"c,d\n', "is no CSV file .*line 2"),
        ("\n\n", "only blank lines"),
        ("source,target\n", "only blank lines"),
        ("", "is empty"),
    ],
)
def test_csv_mistakes(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read_csv_pairs(write(tmp_path, "a.csv", text))


@pytest.mark.parametrize("row", [{"source": "a", "target": ""}, {"source": " ", "target": "b"}])
def test_a_blank_side_of_jsonl_is_named(tmp_path, row):
    rows = [json.dumps(each) for each in ({"source": "a", "target": "b"}, row)]
    path = write(tmp_path, "a.jsonl", "\n\n".join(rows))
    with pytest.raises(InputError, match=r"Line 3 of .*a\.jsonl must have a source sentence and"):
        corpora.load(path)


def test_csv_of_documents(tmp_path):
    long = "x" * 200_000  # more than Python's csv takes by default
    path = write(tmp_path, "a.csv", f'label,text\n1,"a, b"\n0,{long}\n')
    assert corpora.load(path).documents == ["a, b", long]


@given(
    st.lists(
        st.tuples(*[st.text(st.sampled_from('a"b, \n;\té'), min_size=1)] * 2).filter(
            lambda pair: all(map(str.strip, pair))
        ),
        min_size=1,
        max_size=5,
    )
)
def test_csv_reads_what_csv_writes(tmp_path_factory, pairs):
    import csv

    path = tmp_path_factory.mktemp("csv") / "a.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("source", "target"), *pairs])
    assert read_csv_pairs(path) == [(a.strip(), b.strip()) for a, b in pairs]


def test_parallel_files(tmp_path):
    source = write(tmp_path, "train.en", "Go.\n\nStay.\u2028Here.\n")
    target = write(tmp_path, "train.es.gz", "Ve.\n\nQuédate.\n")
    expected = [("Go.", "Ve."), ("Stay.\u2028Here.", "Quédate.")]
    assert read_parallel(source, target) == expected
    assert corpora.load((source, target)).pairs == expected
    assert corpora.load(f"{source},{target}").pairs == expected


@pytest.mark.parametrize(
    "source, target, message",
    [
        (
            "a\nb\nc\n",
            "x\ny\n",
            r"train.en has more lines than .*train.es, which ends before line 3",
        ),
        ("a\n", "x\ny\n", r"train.es has more lines than .*train.en, which ends before line 2"),
        ("a\n\n", "x\ny\n", r"Line 2 is blank in .*train.en and not in .*train.es"),
        ("a\nb\n", "x\n \n", r"Line 2 is blank in .*train.es and not in .*train.en"),
        ("\n", "\n", "only blank lines"),
    ],
)
def test_parallel_mistakes(tmp_path, source, target, message):
    paths = write(tmp_path, "train.en", source), write(tmp_path, "train.es", target)
    with pytest.raises(InputError, match=message):
        read_parallel(*paths)


def test_paths_that_are_none(tmp_path):
    there = write(tmp_path, "a.en", "a\n")
    for path, message in [
        ((there, tmp_path / "absent"), "There is no file or folder .*absent"),
        (f"{there},{tmp_path}/absent", "There is no file or folder .*absent"),
        ((there,), "must be two files"),
        ("x" * 5000 + ".txt", "There is no file or folder x"),
        ("\0.txt", "There is no file"),
        ("~nobody-of-this-name/x.txt", "There is no file"),
    ]:
        with pytest.raises(InputError, match=message):
            corpora.load(path)
    with pytest.raises(InputError, match='`kind` must be "pairs"'):
        corpora.load(there, kind="text")
