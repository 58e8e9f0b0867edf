"""The folder that a training leaves."""

import csv
import json
import math
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import keras

from rnnzoo.data import corpora
from rnnzoo.files import atomic_path, copy_atomically, write_atomically
from rnnzoo.hardware import machine, versions
from rnnzoo.models.checked_file import load_weights_file
from rnnzoo.plots import plot_learning_curve
from rnnzoo.publishing.card import card
from rnnzoo.publishing.report import show
from rnnzoo.tasks.own_text import title
from rnnzoo.training.fit import Trained

SAMPLE_SEEDS = (0, 1, 2)


def write_artifact(trained: Trained) -> Path:
    """Measures the best weights of a training and writes its folder.

    Args:
        trained: What the training left.

    Returns:
        The folder.
    """
    model, task, checkpoint, out = trained.model, trained.task, trained.checkpoint, trained.out
    best = _best(model, checkpoint)  # not compiled, so that no optimizer is saved with it
    with atomic_path(out / "model.keras") as path:
        best.save(path)
    if keras.config.backend() == "tensorflow":
        best.export(out / "saved_model", verbose=False)
    else:
        print("No SavedModel was written: it needs the TensorFlow backend.")

    print("Measuring the best checkpoint on the validation data...")
    start = time.monotonic()
    best.compile()
    figures = task.evaluate(best)
    samples = [task.sample(best, seed) for seed in SAMPLE_SEEDS]
    minutes = (time.monotonic() - start) / 60
    print(f"Measuring took {minutes:.1f} minutes, beside the training's.")
    record = _record(best, trained, figures) | {"samples": samples}
    record["training"]["measuring_minutes"] = round(minutes, 2)
    smoothed = " and label smoothing" if task.recipe.label_smoothing else ""
    plot_learning_curve(
        checkpoint.log,
        out / "curve.png",
        title=record["title"],
        loss=f"loss (with dropout{smoothed})",
    )
    copy_atomically(checkpoint.log, out / "log.csv")
    _write_samples(checkpoint.samples, samples, out / "samples.txt")
    write_atomically(out / "metrics.json", json.dumps(record, indent=2, ensure_ascii=False) + "\n")
    write_atomically(out / "card.md", card(record))
    checkpoint.note(finished=True)
    show(record["title"], figures, trained.baselines, folder=out)
    return out


def _best(model, checkpoint):
    """A clean float32 copy of the model with the best weights, which any machine runs well."""
    best = model.copy_in_dtype("float32")
    load_weights_file(best, checkpoint.best)
    return best


def _record(model, trained, figures):
    task, checkpoint = trained.task, trained.checkpoint
    recipe, corpus, progress = task.recipe, task.corpus, checkpoint.progress
    terms = corpora.about(corpus.name)
    return {
        "title": title(recipe, corpus),
        "recipe": recipe.name,
        "description": recipe.description,
        "task": recipe.task,
        "figures": figures,
        "baselines": trained.baselines,
        "split": task.split,
        "vocabularies": [
            {
                "size": len(vocabulary),
                "level": vocabulary.level,
                "lowercase": vocabulary.lowercase,
                "punctuation": vocabulary.punctuation,
                "sha256": vocabulary.sha256,
            }
            for vocabulary in task.vocabularies
        ],
        "model": {
            "builder": recipe.builder,
            "arguments": dict(recipe.builder_options),
            "parameters": model.count_params(),
            "weights": {weight.path: list(weight.shape) for weight in model.trainable_weights},
        },
        "corpus": {
            "name": corpus.name,
            "source": corpus.source,
            "terms": corpus.terms,
            "origin": terms.origin,
            "redistributable": terms.redistributable,
            "sha256": corpus.sha256,
            "notes": corpus.notes,
        },
        "training": {
            **trained.run,
            "seed": recipe.seed,
            "epochs": round(progress["step"] / len(task.train), 2),
            "steps": progress["step"],
            "minutes": round(progress["minutes"], 2),
            "segments": progress.get("segments", []),
            "max_minutes": recipe.max_minutes,
            "patience": recipe.patience,
            "best_epoch": progress["best_epoch"],
            "best_step": progress["best_step"],
            "checkpoints": _checkpoints(model, checkpoint),
        },
        "machine": machine(),
        "versions": versions(),
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "recipe_arguments": asdict(recipe),
    }


def _checkpoints(model, checkpoint):
    """What validation found during the training: of the checkpoint that was kept, and of the last.

    The log has a validation at the end of every training.
    """
    metric = model.default_metric().name
    with open(checkpoint.log, newline="", encoding="utf-8") as file:
        found = [value for row in csv.DictReader(file) if (value := row[f"val_{metric}"])]
    values = {"best": checkpoint.progress["best"], "last": float(found[-1])}
    if metric == "bits_per_character":
        metric = "nats_per_character"
        values = {name: bits * math.log(2) for name, bits in values.items()}
    return {"figure": metric, **values}


def _write_samples(path, samples, target):
    """Copies the samples of the training and adds the unpicked ones of the result."""
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    for seed, sample in zip(SAMPLE_SEEDS, samples, strict=True):
        text += f"--- best checkpoint, seed {seed} ---\n{sample}\n\n"
    write_atomically(target, text)
