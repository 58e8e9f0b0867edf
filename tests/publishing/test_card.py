"""Lines of a card that depend on how a training went."""

import json
from dataclasses import asdict, replace

from rnnzoo import recipes
from rnnzoo.publishing import card

HERE = {"cpu": "Xeon", "cores": 2, "gpus": [], "system": "Linux"}
THERE = {"cpu": "EPYC", "cores": 16, "gpus": ["gpu:0"], "system": "Linux"}


def segment(minutes, machine=HERE, dtype="float32", repeated=0):
    return {"minutes": minutes, "machine": machine, "dtype": dtype, "repeated": repeated}


def test_a_checkpoint_that_is_not_the_last_and_one_that_is():
    training = {"epochs": 2.0, "steps": 200, "best_step": 100, "dtype": "float32"}
    training["checkpoints"] = {"figure": "perplexity", "best": 80.5, "last": 90.25}
    (line,) = card._last_checkpoint(training)
    said = "after 2.0 epochs, has 90.25 perplexity on the validation data, the one that was kept"
    assert f"{said} 80.5 (" in line
    assert card._last_checkpoint(training | {"best_step": 200}) == [
        "- It is the last checkpoint too."
    ]


def test_a_resumed_training_says_where_it_ran():
    assert card._segments([]) == card._segments([segment(0.0)]) == []
    assert card._segments([segment(0.0), segment(41.21, repeated=1000), segment(80.0)]) == [
        "- Trained in 3 segments, begun at 0.0, 41.2, 80.0 minutes on Xeon, 2 cores, no GPU, in "
        "float32. An epoch that was cut short was repeated from its start: the weights were "
        "trained again on 1,000 batches in all."
    ]
    assert card._segments([segment(0.0), segment(9.0, THERE, "mixed_bfloat16")]) == [
        "- Trained in 2 segments, begun at 0.0 minutes on Xeon, 2 cores, no GPU, in float32; at "
        "9.0 minutes on EPYC, 16 cores, gpu:0, in mixed_bfloat16. Each later one began with an "
        "epoch."
    ]
    exact = segment(41.21) | {"exact": True}
    (line,) = card._segments([segment(0.0), exact, exact])
    assert line.endswith("Each later one went on exactly where the one before it had been saved.")


def test_a_training_that_was_resumed_by_another_command():
    first, longer = (
        segment(0.0) | {"command": "a"},
        segment(9.0) | {"command": "python a --epochs 4"},
    )
    call = segment(9.5) | {"command": "train('a', epochs=5)"}
    training = {"command": "a", "segments": [first, first, segment(5.0), call, longer, call]}
    assert card._resumed_by(training, {}) == [
        "- Resumed by `train('a', epochs=5, resume=True)`.",
        "- Resumed by `python a --epochs 4 --resume`.",
    ]
    assert card._resumed_by({"command": "a", "segments": [first, first]}, {}) == []
    assert card._resumed_by({"command": "a"}, {}) == []


def test_the_code_of_a_training():
    segments = [{"commit": name} for name in ("a1", "a1", "b2-dirty")]
    assert card._code(segments) == ["- Code: commit a1, then b2-dirty."]
    unknown = ["- Code: the commit was not noted."]
    assert card._code([]) == card._code([{}]) == card._code([{"commit": None}]) == unknown
    told = ["- Code: commit one that was not noted, then b2-dirty."]
    assert card._code([{"commit": None}, segments[-1]]) == told


def test_slices_that_older_code_did_not_note():
    old = segment(0.0, machine=None, dtype=None, repeated=None)
    told = (
        "- Trained in at least 2 segments, begun at 0.0 minutes on a machine that was not noted; "
        "at 9.0 minutes on Xeon, 2 cores, no GPU, in float32."
    )
    assert card._segments([old, segment(9.0)]) == [told]
    (line,) = card._segments([old, segment(9.0, repeated=3)])
    assert line.startswith(told) and "again on at least 3 batches in all" in line


def test_the_recipe_is_told_by_what_differs():
    recipe = recipes.Recipe(
        name="a", description="b", task="language_model", corpus="alice", builder="char_lstm"
    )
    least = ['name: "a"', 'corpus: "alice"', 'builder: "char_lstm"']
    assert card._recipe(asdict(recipe)) == least
    recipe = replace(recipe, epochs=3, ngram_orders=(2, 3), builder_options={"units": 4})
    told = [*least, 'builder_options: {"units": 4}', "epochs: 3", "ngram_orders: [2, 3]"]
    assert card._recipe(asdict(recipe)) == told
    noted = json.loads(json.dumps(asdict(recipe)))  # as in metrics.json, with lists for tuples
    assert card._recipe(noted) == told
    assert card._recipe({"older": 1}) == ["older: 1"]


def test_what_a_seed_repeats():
    exact = {"exact": True, "machine": {"cpu": "Xeon", "cores": 2}}
    inexact = {**exact, "exact": False}
    assert "bit for bit" in card._repeated({})
    assert "bit for bit" in card._repeated({"max_minutes": None, "segments": [inexact, exact]})
    assert "followed the clock" in card._repeated({"max_minutes": 3.0, "segments": [exact]})
    assert "resumed by older code" in card._repeated({"segments": [exact, inexact]})
    longer = {**exact, "overrides": {"options": {"epochs": 9}}}
    assert "another number of epochs" in card._repeated({"segments": [exact, longer]})
    one_core = {**exact, "machine": {"cpu": "Xeon", "cores": 1}}
    assert "another number of cores" in card._repeated({"segments": [exact, one_core]})
