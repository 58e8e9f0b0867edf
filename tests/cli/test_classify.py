"""`rnnzoo classify`."""

import json

import pytest

from rnnzoo import Vocabulary, text_classifier


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    words = Vocabulary.from_text("good bad film", level="word")
    model = text_classifier(words, ("bad", "good"), units=4)
    path = tmp_path_factory.mktemp("classifier") / "model.keras"
    model.save(path)
    return model, path


def test_a_line_out_for_each_line_in(call, classifier):
    model, path = classifier
    done = call("classify", path, stdin="good film\n\nbad\n")
    good, bad = model.classify(["good film", "bad"])
    lines = [f"{one.probabilities[one.label]:.3f}\t{one.label}" for one in (good, bad)]
    assert done.exit_code == 0 and done.stdout.split("\n") == [lines[0], "", lines[1], ""]
    done = call("classify", path, "--json", stdin="good film\n\nbad\n")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each.get("label") for each in found] == [good.label, None, bad.label]
    assert found[1] == {"text": ""}
    done = call("classify", path, "")
    assert done.exit_code == 2 and "Text 1 is blank ('')" in done.stderr


def test_all_probabilities(call, classifier):
    model, path = classifier
    found = json.loads(call("classify", path, "good film", "--json").stdout)
    expected = model.classify("good film")
    assert found["text"] == "good film" and found["label"] == expected.label
    assert found["probabilities"] == pytest.approx(expected.probabilities, abs=1e-6)


def test_other_models_and_commands(call, classifier, translator):
    _, path = translator
    done = call("classify", path, "one")
    assert done.exit_code == 2 and "does not classify, it translates" in done.stderr
    _, path = classifier
    for command in ("generate", "translate", "score", "inspect"):
        done = call(command, path, "good")
        assert done.exit_code == 2 and "Traceback" not in done.stderr, command
        assert "classif" in done.stderr.lower(), (command, done.stderr)
