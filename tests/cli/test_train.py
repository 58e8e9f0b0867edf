"""`rnnzoo train`, up to the training itself."""

import json
from dataclasses import replace

import pytest

from rnnzoo import char_lstm
from rnnzoo.errors import InputError
from rnnzoo.recipes.fitting import fitting_recipe


@pytest.fixture
def trained(monkeypatch):
    """What a training would be called with."""
    calls = []
    monkeypatch.setattr(
        "rnnzoo.publishing.train.train", lambda recipe, **given: calls.append((recipe, given))
    )
    return calls


@pytest.fixture
def begun(novel):
    """Leaves what a training of the novel that was cut off would have noted."""

    def leave(recipe):
        checkpoint = novel.parent / "trained" / "my_novel" / "checkpoint"
        checkpoint.mkdir(parents=True)
        progress = {"epoch": 1, "step": 9, "minutes": 3.0, "finished": False}
        (checkpoint / "progress.json").write_text(
            json.dumps({**progress, "began": recipe.as_json()})
        )

    return leave


@pytest.fixture
def novel(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "my_novel.en.txt"
    path.write_text("It was the best of times, it was the worst of times. " * 1200)  # 63,600
    return path


def test_a_recipe_that_fits_a_text(call, novel, trained):
    done = call("train", "--text-file", novel, "--seed", 3)
    assert done.exit_code == 0, done.stderr
    ((recipe, given),) = trained
    assert recipe.builder == "char_lstm" and recipe.builder_options["units"] == 256
    assert given["seed"] == 3 and str(given["out"]) == "trained/my_novel"
    for reason in ("63,600 characters", "2 layers of 256 units", "Dropout is 0.5", "60 epochs"):
        assert reason in done.stdout


@pytest.mark.parametrize("level", ["word", "subword"])
def test_other_levels(call, novel, trained, level):
    done = call("train", "--text-file", novel, "--level", level, "--units", 99)
    assert done.exit_code == 0, done.stderr
    ((recipe, given),) = trained
    assert recipe.builder == "word_lm" and recipe.vocabulary["level"] == level
    assert given["level"] is None and given["units"] == 99
    assert f"The model reads {level}s" in done.stdout


def test_a_longer_text_gets_a_larger_model_and_fewer_epochs(tmp_path, monkeypatch):
    lengths = iter((3_000, 150_000, 1_100_000, 30_000_000))
    monkeypatch.setattr("rnnzoo.recipes.fitting.count_characters", lambda corpus: next(lengths))
    (tmp_path / "text.txt").write_text("short")
    recipes = [fitting_recipe(tmp_path / "text.txt")[0] for _ in range(4)]
    units = [recipe.builder_options["units"] for recipe in recipes]
    dropout = [recipe.builder_options["dropout"] for recipe in recipes]
    epochs = [recipe.epochs for recipe in recipes]
    assert units == sorted(units) and units[0] < units[-1]
    assert dropout == sorted(dropout, reverse=True) and dropout[0] > dropout[-1]
    assert epochs == [60, 60, 18, 1]


@pytest.mark.parametrize(
    ("minutes", "units", "block"),
    [(1, 128, "residual"), (3, 160, "residual"), (14, 192, "residual"), (15, 512, "plain")],
)
def test_few_minutes_of_a_long_text_get_small_blocks(tmp_path, monkeypatch, minutes, units, block):
    monkeypatch.setattr("rnnzoo.recipes.fitting.count_characters", lambda corpus: 1_100_000)
    (tmp_path / "text.txt").write_text("short")
    recipe, reasons = fitting_recipe(tmp_path / "text.txt", max_minutes=minutes)
    stack = char_lstm(65, **recipe.builder_options).recurrent
    assert recipe.builder == "char_lstm" and stack.units[0] == units and stack.block == block
    assert f"{units} units" in reasons
    assert (f"there are {minutes} minutes" in reasons) == (block == "residual")


@pytest.mark.parametrize(("length", "level"), [(150_000, "character"), (1_100_000, "word")])
def test_few_minutes_of_other_texts_change_nothing(tmp_path, monkeypatch, length, level):
    monkeypatch.setattr("rnnzoo.recipes.fitting.count_characters", lambda corpus: length)
    path = tmp_path / "text.txt"
    path.write_text("short")
    assert fitting_recipe(path, level=level, max_minutes=3) == fitting_recipe(path, level=level)


def test_a_resumed_training_keeps_its_recipe_where_it_gets_more_minutes(
    call, novel, trained, begun, monkeypatch
):
    monkeypatch.setattr("rnnzoo.recipes.fitting.count_characters", lambda corpus: 1_100_000)
    assert call("train", "--text-file", novel, "--max-minutes", 3).exit_code == 0
    begun(replace(trained[0][0], max_minutes=3.0))
    done = call("train", "--text-file", novel, "--max-minutes", 30, "--resume")
    assert done.exit_code == 0, done.stderr
    (first, _), (again, given) = trained
    assert again == first and given["max_minutes"] == 30


@pytest.mark.parametrize("level", ["character", "subword", "word"])
def test_a_resumed_training_keeps_its_level(call, novel, trained, begun, level):
    assert call("train", "--text-file", novel, "--level", level).exit_code == 0
    begun(trained[0][0])
    for more in ([], ["--level", level]):
        done = call("train", "--text-file", novel, "--resume", *more)
        assert done.exit_code == 0, done.stderr
        assert trained[-1][0] == trained[0][0]
    other = "word" if level == "character" else "character"
    done = call("train", "--text-file", novel, "--resume", "--level", other)
    assert done.exit_code == 2
    assert f"reads {level}s, and --level says {other}; leave out --level" in done.stderr


def test_a_recipe_by_name(call, novel, trained):
    done = call("train", "char_lstm_tiny", "--text-file", novel, "--level", "word")
    assert done.exit_code == 0, done.stderr
    ((recipe, given),) = trained
    assert recipe == "char_lstm_tiny" and given["level"] == "word" and given["out"] is None


def test_pairs_need_a_recipe_that_is_named(tmp_path):
    (tmp_path / "pairs.tsv").write_text("one\teins\ntwo\tzwei\n")
    with pytest.raises(InputError, match="holds pairs, of which a translator is trained"):
        fitting_recipe(tmp_path / "pairs.tsv")


def test_list(call):
    shown = call("train", "--list").stdout
    assert "char_lstm_tiny  A character LSTM that trains in seconds" in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Name a recipe"),
        (["char_lstm_tinny"], "did you mean 'char_lstm_tiny'"),
        (["--text-file", "absent.txt"], "no file or folder absent.txt"),
        (["--text-file", "NOVEL", "--level", "letters"], "No level is called 'letters'"),
        (["--text-file", "NOVEL", "--from", "x.keras"], "name the recipe that made it"),
        (["--text-file", "NOVEL", "--epochs", 0], "`epochs`"),
        (["--text-file", "NOVEL", "--max-minutes", -1], "`max_minutes` must be above 0, not -1"),
    ],
)
def test_mistakes_are_told_in_one_sentence(call, novel, arguments, message):
    given = [novel if argument == "NOVEL" else argument for argument in arguments]
    done = call("train", *given)
    assert done.exit_code == 2 and message in done.stderr.splitlines()[-1], done.stderr
    assert done.stderr.splitlines()[-1].startswith("Error: ")
    assert [path.name for path in novel.parent.iterdir()] == [novel.name]
