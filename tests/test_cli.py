"""The `rnnzoo` command on a zoo with one model."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import rnnzoo_cli

ROOT = Path(__file__).parents[1]
NUMBERS = ROOT / "saved_models" / "gru_seq2seq_numbers"


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A zoo with one model, trained for a moment on a text of one's own, and that text."""
    from rnnzoo import zoo
    from rnnzoo.models.base import ZooModel
    from rnnzoo.publishing.publish import publish_model
    from rnnzoo.publishing.train import train

    folder = tmp_path_factory.mktemp("cli")
    text = folder / "text.txt"
    text.write_text("to be or not to be, that is the question. " * 60)
    patch = pytest.MonkeyPatch()
    patch.setattr(ZooModel, "export", lambda *arguments, **options: None)  # takes seconds
    train("char_lstm_tiny", text_file=text, epochs=1, out=folder / "trained")
    patch.setattr(zoo, "folder", lambda: folder / "zoo")
    publish_model(folder / "trained", "char_lstm_hamlet", text_file=text)
    yield folder
    patch.undo()


def call(*arguments):
    return CliRunner().invoke(rnnzoo_cli.app, [str(argument) for argument in arguments])


def test_commands_have_help():
    for command in ("list", "kernels", "evaluate"):
        shown = call(command, "--help")
        assert shown.exit_code == 0 and f"rnnzoo {command}" in shown.stdout


def test_list(published):
    done = call("list")
    assert done.exit_code == 0, done.stderr
    index = json.loads((published / "zoo" / "index.json").read_text())
    model = index["models"]["char_lstm_hamlet"]
    figure = f"{model['figure']['value']:.4f} nats per character (validation)"
    for text in ("char_lstm_hamlet", "LanguageModel", f"{model['parameters']:,}", figure, "0 min"):
        assert text in done.stdout, text
    assert call("list", "char_*").stdout == done.stdout
    assert "not here" not in done.stdout


def test_json(published):
    (listed,) = [json.loads(line) for line in call("list", "--json").stdout.splitlines()]
    assert listed["name"] == "char_lstm_hamlet" and listed["is_here"] is True
    (layer,) = map(json.loads, call("kernels", "char_lstm_hamlet", "--json").stdout.splitlines())
    assert layer["layer"] == "recurrent/lstm_0" and layer["training"]["name"]
    text = published / "text.txt"
    found = json.loads(call("evaluate", "char_lstm_hamlet", "--text-file", text, "--json").stdout)
    assert found["different"] == [] and found["split"] == "validation"
    assert found["now"].keys() == found["card"].keys()
    noted = json.loads(call("card", "char_lstm_hamlet", "--json").stdout)
    assert noted["recipe"] == "char_lstm_tiny"


def test_card(published, monkeypatch):
    written = (published / "zoo" / "char_lstm_hamlet" / "card.md").read_text()
    assert call("card", "char_lstm_hamlet").stdout == written
    alone = published / "alone.keras"
    alone.write_bytes(b"")
    done = call("card", alone)
    assert done.exit_code == 2 and "no card.md beside the model" in done.stderr


def test_names_are_completed(published):
    from rnnzoo_cli.options import complete_model
    from rnnzoo_cli.train import complete_recipe

    assert complete_model("char") == ["char_lstm_hamlet"] and complete_model("x") == []
    assert complete_recipe("char") == ["char_lstm_tiny"]


def test_names_are_whole_in_a_narrow_terminal(published, monkeypatch, capsys):
    from rich.console import Console

    # `rnnzoo_cli.list` is a module; the command in it prints by this function.
    monkeypatch.setattr("rnnzoo_cli.list.print_table", Console(width=60).print)
    rnnzoo_cli.list_models()
    assert "char_lstm_hamlet" in capsys.readouterr().out


def test_list_says_what_is_not_installed(published):
    path = published / "zoo" / "char_lstm_hamlet" / "model.keras"
    path.rename(path.with_suffix(".away"))
    try:
        assert "MB, not here" in call("list").stdout
    finally:
        path.with_suffix(".away").rename(path)


def test_kernels(published):
    done = call("kernels", "char_lstm_hamlet")
    assert done.exit_code == 0, done.stderr
    import rnnzoo

    assert done.stdout == f"{rnnzoo.kernels(rnnzoo.load('char_lstm_hamlet'))}\n"
    assert "recurrent/lstm_0" in done.stdout


def test_evaluate(published):
    text = published / "text.txt"
    done = call("evaluate", "char_lstm_hamlet", "--text-file", text)
    assert done.exit_code == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("char_lstm_hamlet, validation data: the last 10% of the text")
    (row,) = [line for line in lines if "nats per character" in line]
    now, card = [word for word in row.split() if word[0].isdigit()]
    assert abs(float(now) - float(card)) < 1e-3
    assert lines[-1] == "All agree."


def test_evaluate_finds_a_difference(published):
    path = published / "trained" / "metrics.json"
    record = json.loads(path.read_text())
    record["figures"]["nats_per_character"] += 0.05
    path.write_text(json.dumps(record))
    done = call("evaluate", published / "trained", "--text-file", published / "text.txt")
    assert done.exit_code == 1
    assert "nats_per_character differ." in done.stdout and "differs" in done.stdout


def test_evaluate_tells_what_it_cannot_compare():
    from rnnzoo.publishing.evaluate import Evaluation
    from rnnzoo_cli.evaluate import verdict

    found = Evaluation({"a": 1.0, "b": 1.0, "new": 1.0}, {"a": 1.0, "b": 2.0, "old": 1.0}, "", "")
    assert verdict(found) == (
        "b differ. The card lacks new, which this version measures. This version does not measure "
        "old, which the card has."
    )


def test_evaluate_at_test_time(published, capsys):
    from rnnzoo.publishing.at_test_time import AtTestTime
    from rnnzoo_cli.evaluate import print_beside_plain

    text = published / "text.txt"
    done = call("evaluate", "char_lstm_hamlet", "--text-file", text, "--adapt", "dynamic", "--json")
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    now, plain = found["now"], found["plain"]["char_lstm_hamlet"]
    assert now["nats_per_character"] < plain["nats_per_character"] - 0.001
    card = json.loads(call("card", "char_lstm_hamlet", "--json").stdout)["figures"]
    assert abs(plain["nats_per_character"] - card["nats_per_character"]) < 0.1  # other rows
    print_beside_plain(found.pop("model"), AtTestTime(**found))
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("Not a figure of the card: dynamic evaluation (rate ")
    assert f"{now['nats_per_character']:.4f}" in "".join(lines[2:])


def test_evaluate_several_models(published):
    text = published / "text.txt"
    both = f"char_lstm_hamlet+{published / 'trained'}"
    found = json.loads(call("evaluate", both, "--text-file", text, "--json").stdout)
    (one, other), now = found["plain"].values(), found["now"]["nats_per_character"]
    assert found["how"].startswith("the mean of the probabilities of char_lstm_hamlet and ")
    assert abs(one["nats_per_character"] - other["nats_per_character"]) < 1e-3  # half precision
    assert abs(now - one["nats_per_character"]) < 1e-3
    cached = call("evaluate", "char_lstm_hamlet", "--text-file", text, "--adapt", "cache", "--json")
    now = json.loads(cached.stdout)["now"]["nats_per_character"]
    assert now < one["nats_per_character"] - 0.02  # the text repeats itself


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["evaluate", "char_lstm_hamlet+char_lstm_hamlt"], "did you mean 'char_lstm_hamlet'"),
        (["evaluate", f"char_lstm_hamlet+{NUMBERS}"], "on the same parts of the same corpus"),
        (["evaluate", "char_lstm_hamlet", "--adapt", "dynamc"], "did you mean 'dynamic'"),
        (["evaluate", str(NUMBERS), "--adapt", "dynamic"], "is a Seq2Seq"),
        (["kernels", "char_lstm_hamlt"], "did you mean 'char_lstm_hamlet'"),
        (["kernels", "absent.keras"], "no model at 'absent.keras'"),
        (["list", "char_lstm_hamlt"], "did you mean 'char_lstm_hamlet'"),
        (["evaluate", "char_lstm_hamlet", "--text-file", "absent.txt"], "absent.txt"),
        (["evaluate", "char_lstm_hamlet", "--text-file", str(ROOT / "LICENSE")], "another text"),
    ],
)
def test_mistakes_are_told_in_one_sentence(published, arguments, message):
    done = call(*arguments)
    assert done.exit_code == 2 and done.stdout == ""
    last = done.stderr.splitlines()[-1]
    assert last.startswith("Error: ") and message in last
    assert "Traceback" not in done.stderr


def test_an_empty_zoo(tmp_path, monkeypatch):
    from rnnzoo import zoo

    monkeypatch.setattr(zoo, "folder", lambda: tmp_path)
    done = call("list")
    assert done.exit_code == 2 and "There are no published models in" in done.stderr


def test_publish_from_the_command_line(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import publish_model
    import typer

    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(publish_model.main)
    done = CliRunner().invoke(app, [str(tmp_path), "Bad Name"])
    assert done.exit_code == 2 and "'Bad Name' is not fit for the zoo" in done.stderr
    assert list(tmp_path.iterdir()) == []
    done = CliRunner().invoke(app, [str(tmp_path)])
    assert done.exit_code == 2 and "Give the folder that a training left and a name" in done.stderr
    called = []
    monkeypatch.setattr("rnnzoo.publishing.publish.rewrite_cards", lambda: called.append(True))
    assert CliRunner().invoke(app, ["--cards"]).exit_code == 0 and called
