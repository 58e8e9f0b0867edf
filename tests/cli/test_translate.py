"""`rnnzoo translate`."""

import json

import pytest


def test_a_line_out_for_each_line_in(call, translator):
    model, path = translator
    done = call("translate", path, stdin="one two\n\nthree\n")
    assert done.exit_code == 0, done.stderr
    assert done.stdout == f"{model.translate('one two')}\n\n{model.translate('three')}\n"
    done = call("translate", path, "--json", stdin="one two\n\n")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert found[1] == {"source": "", "translation": ""} and len(found) == 2
    done = call("translate", path, "one two", "three", "--max-new-tokens", 3)
    expected = model.translate(["one two", "three"], 3)
    assert done.stdout.splitlines() == expected, done.stderr


def test_the_best_translations_with_their_scores(call, translator):
    model, path = translator
    best = model.translate("one two", n_best=2, beam_width=2)
    done = call("translate", path, "one two", "--n-best", 2)
    assert done.stdout.splitlines() == [f"{one.score:.3f}\t{one.text}" for one in best]
    found = json.loads(call("translate", path, "one two", "--n-best", 2, "--json").stdout)
    assert found == {
        "source": "one two",
        "translations": [{"text": one.text, "score": one.score} for one in best],
    }


def test_the_best_translations_of_a_blank_line_are_none(call, translator):
    _, path = translator
    options = ("--n-best", 2, "--max-new-tokens", 2)
    best = call("translate", path, "one", *options).stdout
    assert call("translate", path, *options, stdin="one\n\none\n").stdout == f"{best}\n{best}"
    done = call("translate", path, *options, "--json", stdin="one\n\n")
    one, blank = map(json.loads, done.stdout.splitlines())
    assert len(one["translations"]) == 2 and blank == {"source": "", "translations": []}


def test_every_option_reaches_the_search(call, translator, monkeypatch):
    model, path = translator
    calls = []
    monkeypatch.setattr(
        type(model), "translate", lambda self, texts, **given: calls.append(given) or ["eins"]
    )
    given = {
        "beam_width": 4, "length_penalty": 1.0, "coverage_penalty": 0.2, "beam_groups": 2,
        "unknown": "copy", "max_new_tokens": 7,
    }  # fmt: skip
    words = [
        word for name, value in given.items() for word in (f"--{name.replace('_', '-')}", value)
    ]
    done = call("translate", path, "one", *words)
    assert done.stdout == "eins\n" and calls == [given], done.stderr


def test_a_picture_of_the_attention(call, translator, tmp_path, monkeypatch):
    model, path = translator
    drawn = []
    monkeypatch.setattr(
        "rnnzoo.plots.plot_attention",
        lambda weights, path, **tokens: drawn.append((weights, tokens)),
    )
    call("translate", path, "one two", "--attention", tmp_path / "picture.png")
    text, weights = model.translate("one two", return_attention=True)
    ((found, tokens),) = drawn
    assert (found == weights).all()
    assert tokens["source"] == ["one", "two", "<end>"]
    assert len(tokens["target"]) == len(weights)
    assert tokens["target"][: len(text.split())] == text.split()


def test_the_picture_is_drawn(tmp_path):
    import numpy as np

    from rnnzoo.plots import plot_attention

    weights = np.eye(3, 4, dtype="float32")
    path = tmp_path / "picture.png"
    plot_attention(weights, path, source=["$x$", "b", "c", "<end>"], target=["a", "_", "<end>"])
    assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["WRITER", "to"], "does not translate, it writes: `rnnzoo generate"),
        (["TRANSLATOR", "one", "--beam-width", 0], "beam_width"),
        (["TRANSLATOR", "one", "--length-penalty", 1.2], "of no use to greedy search"),
        (["TRANSLATOR", "one", "--attention", "x.jpg"], "draws a .png"),
        (["TRANSLATOR", "one", "two", "--attention", "x.png"], "of one text, not of 2"),
        (["TRANSLATOR", "one", "--n-best", 2, "--attention", "x.png"], "leave out --n-best"),
        (["TRANSLATOR"], "no text: stdin is empty"),
        (["TRANSLATOR", "one", " "], "Text 2 is blank (' ')"),
        (["TRANSLATOR", "one", "--n-best", 10**10], "`n_best` must be at most 10000"),
        (["TRANSLATOR", "one", "--max-new-tokens", 10**400], "`max_new_tokens` must be at most"),
    ],
)
def test_mistakes_are_told_in_one_sentence(call, writer, translator, arguments, message, tmp_path,
                                           monkeypatch):  # fmt: skip
    monkeypatch.chdir(tmp_path)
    paths = {"WRITER": writer[1], "TRANSLATOR": translator[1]}
    done = call("translate", *(paths.get(argument, argument) for argument in arguments))
    assert done.exit_code == 2 and message in done.stderr
    assert done.stderr.startswith("Error: ") and done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
