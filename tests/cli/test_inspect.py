"""`rnnzoo inspect`."""

import json
import re

import numpy as np
import pytest

from rnnzoo import inspection


def test_a_table_of_the_tokens(call, writer):
    model, path = writer
    done = call("inspect", path, "to be")
    assert done.exit_code == 0, done.stderr
    head, first, *rows = done.stdout.splitlines()
    assert head.split() == ["token", "bits", "rank", "entropy", "instead"]
    assert first.split() == ["t"]
    record = inspection.inspect(model, "to be")
    bits = -record.log_probabilities[1:] / np.log(2)
    assert [row.split()[1:3] for row in rows] == [
        [f"{each:.2f}", str(rank)] for each, rank in zip(bits, record.ranks[1:], strict=True)
    ]


def test_json_has_the_figures_and_the_units(call, writer):
    model, path = writer
    found = json.loads(call("inspect", path, "to be", "--unit", "0:c:2", "--json").stdout)
    record = inspection.inspect(model, "to be")
    assert [each["token"] for each in found["tokens"]] == list("to be")
    assert found["tokens"][0]["log_probability"] is None
    last = found["tokens"][-1]
    assert last["log_probability"] == pytest.approx(float(record.log_probabilities[-1]))
    assert [each["token"] for each in last["alternatives"]] == record.alternatives[-1]
    assert last["units"] == {"0:c:2": pytest.approx(float(record.layers[0].states["c"][-1, 2]))}


def test_a_translation_stands_after_a_tab(call, translator):
    found = json.loads(call("inspect", translator[1], "one two\teins", "--json").stdout)
    assert found["source"] == ["one", " two", "<end>"]
    assert [each["token"] for each in found["tokens"]] == ["<start>", "eins", "<end>"]


def test_a_page_and_a_picture(call, writer, tmp_path):
    page, picture = tmp_path / "page.html", tmp_path / "gates.png"
    done = call("inspect", writer[1], "to be", "--html", page, "--plot", picture, "--unit", "0:h:3")
    assert done.exit_code == 0 and done.stdout == ""
    assert re.search("lstm_0, h, unit 3", page.read_text("utf-8"))
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "options, says",
    [
        (["--html", "page.txt"], "writes a .html file"),
        (["--plot", "gates.jpg"], "writes a .png file"),
        (["--unit", "3"], "LAYER:STATE:UNIT"),
        (["--unit", "0:h:99", "--html", "page.html"], "has 8 units"),
    ],
)
def test_mistakes_are_told_in_one_sentence(call, writer, options, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = call("inspect", writer[1], "to be", *options)
    assert done.exit_code == 2 and says in done.stderr
    assert done.stderr.startswith("Error: ") and done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())
