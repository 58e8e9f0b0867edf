"""`rnnzoo export`."""

import pytest


@pytest.fixture
def exported(monkeypatch):
    """What would be exported."""
    from rnnzoo.models.base import ZooModel

    calls = []
    monkeypatch.setattr(
        ZooModel, "export", lambda self, target, **given: calls.append((target.name, given))
    )
    return calls


def test_options_go_to_the_format_of_the_target(call, translator, exported, tmp_path):
    _, path = translator
    for target, words in {
        "folder": ["--beam-width", 3, "--length-penalty", 1.5],
        "page.html": ["--weights", "int8", "--title", "Numbers", "--prompt", "one"],
        "networks": ["--format", "onnx", "--weights", "int8"],
        "step.tflite": ["--weights", "float32"],
        "plain": [],
    }.items():
        done = call("export", path, tmp_path / target, *words)
        assert done.exit_code == 0, done.stderr
    assert exported == [
        ("folder", {"beam_width": 3, "length_penalty": 1.5}),
        ("page.html", {"weights": "int8", "title": "Numbers", "prompt": "one"}),
        ("networks", {"format": "onnx", "weights": "int8"}),
        ("step.tflite", {"weights": "float32"}),
        ("plain", {}),
    ]


def test_a_page(call, writer, tmp_path):
    done = call("export", writer[1], tmp_path / "page.html", "--title", "Hamlet & Co")
    assert done.exit_code == 0, done.stderr
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "Hamlet &amp; Co" in page
    again = call("export", writer[1], tmp_path / "page.html")
    assert again.exit_code == 2 and "exists already" in again.stderr
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == page
    assert call("export", writer[1], tmp_path / "page.html", "--overwrite").exit_code == 0


def test_networks(call, writer, tmp_path):
    pytest.importorskip("onnx")
    done = call("export", writer[1], tmp_path / "networks", "--format", "onnx")
    assert done.exit_code == 0, done.stderr
    assert (tmp_path / "networks" / "step.onnx").exists()
    again = call("export", writer[1], tmp_path / "networks", "--format", "onnx")
    assert again.exit_code == 2 and "holds step.onnx already" in again.stderr
    words = ["--format", "onnx", "--overwrite"]
    assert call("export", writer[1], tmp_path / "networks", *words).exit_code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["networks", "--format", "onyx"], "No format is called 'onyx'"),
        (["page.html", "--format", "onnx"], "another format than --format onnx"),
        (["networks", "--format", "onnx", "--title", "x"], "A folder for ONNX has no --title"),
        (["networks", "--format", "litert", "--weights", "int4"], "int4"),
        (["page.html", "--beam-width", 2], "A .html file has no --beam-width"),
        (["folder", "--weights", "int8"], "A SavedModel has no --weights"),
        (["folder", "--length-penalty", 1.5], "of no use to greedy search"),
        (["."], "cannot replace"),
        (["page.html", "--weights", "int9"], "int9"),
        (["/proc/rnnzoo"], "cannot be written"),
    ],
)
def test_mistakes_are_told_in_one_sentence(call, writer, words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = call("export", writer[1], *words)
    assert done.exit_code == 2 and message in done.stderr
    assert done.stderr.startswith("Error: ") and done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
