"""`rnnzoo score`."""

import json
import math

import numpy as np
import pytest

from rnnzoo_cli.score import in_brackets, words_of


def test_figures_are_those_of_the_model(call, writer):
    model, path = writer
    scored = model.score("to be or not")
    found = json.loads(call("score", path, "to be or not", "--json").stdout)
    assert found["nats"] == pytest.approx(float(scored["nats"]), abs=1e-4)
    assert found["tokens"] == 11
    assert found["bits_per_character"] == pytest.approx(found["nats"] / math.log(2) / 11)
    assert found["perplexity"] == pytest.approx(math.exp(found["nats"] / 11))
    assert [word["word"] for word in found["words"]] == ["to", "be", "or", "not"]
    assert sum(word["nats"] for word in found["words"]) == pytest.approx(found["nats"])


def test_texts_of_a_pipe(call, writer):
    done = call("score", writer[1], stdin="to be\n\nnot\n")
    lines = done.stdout.splitlines()
    assert done.exit_code == 0, done.stderr
    assert "4 tokens" in lines[0] and "2 tokens" in lines[4]
    assert lines[2:4] == ["", ""]  # the end of the first text, and the blank line
    done = call("score", writer[1], "--json", stdin="to be\n\n \nnot\n")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each["text"] for each in found] == ["to be", "", " ", "not"]
    assert found[1:3] == [{"text": ""}, {"text": " "}]


@pytest.mark.parametrize("blank", ["", "  "])
def test_a_blank_text_is_refused(call, writer, blank):
    done = call("score", writer[1], "to be", blank)
    assert done.exit_code == 2 and done.stdout == ""
    assert done.stderr == f"Error: Text 2 is blank ({blank!r}); give one with words.\n"


def test_a_pipe_that_is_not_utf8(call, writer):
    done = call("score", writer[1], stdin=b"to be\nt\xf3 be\n")
    assert done.exit_code == 2 and "is not UTF-8 (it has the byte 0xf3); conv" in done.stderr


def test_a_translation(call, translator):
    model, path = translator
    found = json.loads(call("score", path, "one two\teins zwei", "--json").stdout)
    assert found["nats"] == pytest.approx(
        float(model.score("one two", "eins zwei")["nats"]), abs=1e-4
    )
    words = found["words"]  # the end costs nothing of the last word
    assert found["tokens"] == 3 and [each["word"] for each in words] == ["eins", "zwei", "<end>"]
    assert sum(each["nats"] for each in words) == pytest.approx(found["nats"])
    done = call("score", path, "one two")
    assert done.exit_code == 2 and "has no tab" in done.stderr


def test_nats_of_tokens_add_up_to_the_score(writer):
    from rnnzoo.generation.scoring import token_nats

    model, _ = writer
    given, ids, nats = token_nats(model, "to be or")
    assert model.vocabulary.decode([*given, *ids]) == "to be or"
    assert nats.sum() == pytest.approx(float(model.score("to be or")["nats"]), rel=1e-5)


def test_words_are_marked_that_were_not_expected():
    pieces = [*"o be, ", *"xyzzy ", *"or"]
    nats = np.array([0.1] * 6 + [3.0] * 6 + [0.1] * 2)
    words = words_of("t", pieces, nats)
    assert "".join(word.text for word in words) == "to be, xyzzy or"
    assert [word.text for word in words] == ["to ", "be, ", "xyzzy ", "or"]
    assert [word.marked for word in words] == [False, False, True, False]
    assert in_brackets(words[2]) == "[xyzzy: 18.0] "


def test_words_of_tokens_that_begin_with_a_space():
    words = words_of("", ["to", " be", ",", " or", "bit", ""], np.ones(6))
    assert [word.text for word in words] == ["to", " be,", " orbit"]
