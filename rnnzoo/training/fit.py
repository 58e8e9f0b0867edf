"""From a recipe to its last checkpoint: corpus, vocabulary, batches, model, fit."""

import contextlib
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import keras

from rnnzoo import zoo
from rnnzoo.errors import InputError
from rnnzoo.files import RESULTS, check_output, check_replaces_nothing
from rnnzoo.hardware import commit, resolve_dtype
from rnnzoo.models.base import ZooModel
from rnnzoo.models.resumed import fit_from
from rnnzoo.optimizers import LayerwiseAdam, adam
from rnnzoo.replicas import replica_count
from rnnzoo.tasks import TASKS, Recipe, Task
from rnnzoo.tasks.growing import grown
from rnnzoo.tasks.own_text import folded, of_own_text
from rnnzoo.tasks.splits import load_corpus
from rnnzoo.training.averaging import ValidateAverages
from rnnzoo.training.callbacks import SampleText
from rnnzoo.training.checkpoints import Checkpoint, SaveCheckpoints, TrainingLog
from rnnzoo.training.finite import FiniteLoss
from rnnzoo.training.processes import count, is_first, own_rows
from rnnzoo.training.progress import FEW_BATCHES, progress_shown, warn_of_few_batches
from rnnzoo.training.schedule import (
    LearningRate,
    TrainingClock,
    measure_validation,
    stop_on_interrupt,
)
from rnnzoo.training.teachers import teach
from rnnzoo.training.unfreezing import GradualUnfreezing


@dataclass
class Trained:
    """What a training leaves: the model as it ended, and what is needed to measure and write it.

    Attributes:
        model: The model, as training left it.
        task: The task, with its data.
        checkpoint: The `Checkpoint` with the best weights and the log.
        out: The folder of the training.
        baselines: Figures of other models by name.
        run: What else to note of the training.
    """

    model: ZooModel
    task: Task
    checkpoint: Checkpoint
    out: Path
    baselines: dict[str, float]
    run: dict[str, Any]


def fit_recipe(
    recipe: Recipe,
    *,
    out: Path,
    overrides: Mapping[str, Any],
    data_dir: str | os.PathLike | None = None,
    text_file: str | os.PathLike | None = None,
    resume: bool = False,
    overwrite: bool = False,
    from_model: str | os.PathLike | None = None,
    fold_lookalikes: bool = False,
    log_dir: str | os.PathLike | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> Trained | None:
    """Trains a recipe's model up to its last checkpoint; `rnnzoo.publishing.train.train` writes it.

    Args:
        recipe: The recipe, as it is to be trained.
        out: The folder, which gets `checkpoint/`.
        overrides: How the recipe was chosen and changed, for the record of the run.
        data_dir: A folder that has the recipe's corpus.
        text_file: A text to train on instead.
        resume: Whether to go on with the training in `out`.
        overwrite: Whether results in `out` may be replaced.
        from_model: A trained model to go on from.
        fold_lookalikes: Whether symbols that the model to go on from lacks are written by those of
            its vocabulary that look alike, such as straight quotes for curly ones.
        log_dir: A folder for TensorBoard.
        callbacks: Further Keras callbacks.

    Returns:
        The `Trained`, or `None` if the training in `out` was finished before.

    Raises:
        InputError: As `train` says.
    """
    code = commit()  # before anybody changes it
    if count() > 1 and recipe.max_minutes:
        raise InputError(
            f"Several processes have no clock in common, and this training ends after "
            f"{recipe.max_minutes} minutes; limit it by --epochs instead."
        )
    if is_first():
        check_output(out)
    if from_model is not None:
        _check_start(from_model, out, resume)
    elif not resume:
        from_model = recipe.start_from
    check_replaces_nothing(out, overwrite=overwrite or resume)
    if text_file is not None:
        _check_text(text_file, out)
    if log_dir is not None:
        check_output(log_dir, megabytes=1, option="--log-dir")
        if find_spec("tensorboard") is None:
            raise InputError(
                "Logging for TensorBoard needs the package tensorboard: `pip install tensorboard`, "
                "or leave out --log-dir."
            )
    if resume and overwrite:
        raise InputError(
            "--resume goes on with the training in the output folder and --overwrite gives it up; "
            "leave out one of them."
        )
    if fold_lookalikes and from_model is None and not resume:
        raise InputError(
            "--fold-lookalikes writes a text in the symbols of a trained model; give that model by "
            "--from, or leave it out."
        )
    checkpoint = Checkpoint(out / "checkpoint", writes=is_first())
    checkpoint.check(resume, overwrite)
    if resume:
        _check_began(checkpoint, recipe)
    keras.utils.set_random_seed(recipe.seed)

    model = _starting_model(recipe, checkpoint, resume, from_model=from_model)
    corpus = load_corpus(recipe, data_dir=data_dir, text_file=text_file)
    identity = {"recipe": recipe.name, "seed": recipe.seed, "corpus_sha256": corpus.sha256}
    if resume:
        checkpoint.check_identity(**identity)
        from_model = checkpoint.progress["from_model"]
    if text_file is not None:
        recipe = of_own_text(recipe, corpus, from_model)
    if fold_lookalikes and model is not None:
        corpus = folded(corpus, TASKS[recipe.task].vocabularies_of(model), recipe)
    if model is not None and not resume:
        model = grown(model, corpus, recipe)
    initial_epoch = checkpoint.progress["epoch"] if resume else 0
    task = TASKS[recipe.task](
        recipe, corpus, seed=recipe.seed, model=model, initial_epoch=initial_epoch
    )
    print(f"Vocabulary: {', '.join(map(repr, task.vocabularies))}. Validation: {task.split}.")
    baselines = task.baselines()
    for name, value in baselines.items():
        print(f"To compare with: {name.replace('_', ' ')} {value:.4g}")

    teachers = teach(task, recipe, began=checkpoint.progress if resume else {})
    dtype, reason = resolve_dtype(recipe.dtype)
    if resume and model.dtype_policy.name != dtype:
        dtype, reason = model.dtype_policy.name, "the training began in it"
    print(f"Computing in {dtype}: {reason}.")
    if recipe.expected and not any(
        overrides[name] for name in ("options", "changes", "from_model")
    ):
        print(f"To expect of this recipe: {recipe.expected}")
    if not resume:
        model = _compiled(
            model.copy_in_dtype(dtype)
            if isinstance(model, task.model_class)
            else task.build(dtype),
            recipe,
        )
    if is_first():
        check_output(out, megabytes=50 + model.count_params() * 4 * 8 / 1e6)
    checkpoint.begin(resume, **identity)
    if checkpoint.progress["finished"] and _is_over(recipe, checkpoint.progress):
        if (out / zoo.MODEL_FILE).is_file():
            print(f"The training in {out} is finished already; more epochs or minutes go on.")
            return None
    if not resume:
        checkpoint.note(
            from_model=from_model and str(from_model), began=recipe.as_json(), **teachers
        )
    clock = _fit(
        model, task, recipe, checkpoint=checkpoint,
        one_segment={"overrides": dict(overrides), "commit": code}, log_dir=log_dir,
        extra=callbacks,
    )  # fmt: skip
    first = checkpoint.progress.get("segments", [{}])[0]
    # A training that older code began noted the command that was typed instead.
    how = {"command": first["command"]} if "command" in first else {}
    run = {
        **how,
        "overrides": first.get("overrides") or (None if how else dict(overrides)),
        "dtype": dtype,
        "dtype_reason": reason,
        "from_model": checkpoint.progress["from_model"],
        **teachers,
        "stopped_by": clock.stopped_by,
        "devices": replica_count(),
        "processes": count(),
    }
    return Trained(model, task, checkpoint, out=out, baselines=baselines, run=run)


def _check_began(checkpoint, recipe):
    """Refuses to resume a training of another recipe; more epochs or minutes may be given."""
    began, now = checkpoint.progress.get("began", {}), recipe.as_json()  # older code noted none
    free = recipe.own_words | {"name", "dtype", "epochs", "max_minutes", "seed"}
    for name in sorted(began.keys() & now.keys() - free):
        if began[name] != now[name]:
            code = checkpoint.progress.get("segments", [{}])[0].get("commit")
            raise InputError(
                f"The training in {checkpoint.folder} was begun with {name} {began[name]!r}, and "
                f"the recipe has {now[name]!r} now; go on with the code that began it"
                f"{f' (commit {code})' if code else ''}, or train anew with another --out."
            )


def _check_text(text_file, out):
    """Refuses to replace the text to train on, and to add to it."""
    text = Path(text_file).resolve()
    if text.is_dir() and out.resolve().is_relative_to(text):
        raise InputError(
            f"The output {out} lies in the folder to train on, {text_file}, and its samples would "
            "become a part of the text; give an --out elsewhere."
        )
    for name in (*RESULTS, "checkpoint"):
        if text.is_relative_to((out / name).resolve()):
            raise InputError(
                f"The output {out} would replace the text to train on, {text_file}; give another "
                "--out."
            )


def _check_start(from_model, out, resume):
    """Refuses to overwrite the model to start from, and to start from two."""
    if resume:
        raise InputError(
            "A training is resumed with its own last model, so --resume and --from exclude each "
            "other; leave out one of them."
        )
    if Path(from_model).resolve().is_relative_to(out.resolve()):
        raise InputError(
            f"The output {out} holds the model to start from, {from_model}, which would be "
            "overwritten; give another --out."
        )


def _starting_model(recipe, checkpoint, resume, from_model):
    """The model to go on with: the last of this training, a trained one, or none."""
    if resume:
        print(f"Resuming after {checkpoint.progress['minutes']:.1f} minutes.")
        return checkpoint.load()
    if from_model is None:
        return None
    model = zoo.load(from_model)
    if not isinstance(model, TASKS[recipe.task].starts_from):
        raise InputError(
            f"{from_model} is a {type(model).__name__}, but the recipe {recipe.name!r} trains a "
            f"model for {recipe.task.replace('_', ' ')}; give another --recipe or another --from."
        )
    if None in TASKS[recipe.task].vocabularies_of(model):
        raise InputError(f"{from_model} holds no vocabulary; give a model trained on text.")
    return model


def _compiled(model, recipe):
    options = {
        "weight_decay": recipe.weight_decay or None,
        "global_clipnorm": recipe.clipnorm,
        "use_ema": bool(recipe.average_weights),
        "ema_momentum": recipe.average_weights or 0.0,
    }
    if hasattr(recipe, "rate_decay"):  # the parts of the model learn at rates of their own
        options["parts"] = TASKS[recipe.task].parts_of(model)
        optimizer = LayerwiseAdam(recipe.learning_rate, **options)
    else:
        optimizer = adam(recipe.learning_rate, **options)
    model.compile(optimizer=optimizer, loss=recipe.loss())
    return model


def _fit(model, task, recipe, checkpoint, *, one_segment, log_dir, extra):
    """Trains the model; returns the clock."""
    progress = checkpoint.progress
    train, validation = own_rows(task.train), own_rows(task.validation)
    if not is_first():
        log_dir = None
    monitor = f"val_{model.default_metric().name}"
    before = (progress.get("segments") or [{}])[-1]
    had = before.get("max_minutes") or recipe.max_minutes
    clock = TrainingClock(
        recipe.epochs,
        steps_per_epoch=len(task.train),
        max_minutes=recipe.max_minutes,
        minutes_before=progress["minutes"],
        steps_before=progress["step"] if checkpoint.state else 0,
        rates=checkpoint.rates,
        more_minutes=bool(recipe.max_minutes) and recipe.max_minutes > had,
    )
    if _is_over(recipe, progress):
        print("All of the training is done already; writing its results.")
        clock.stopped_by = None
        if progress["epoch"] < recipe.epochs:
            patience = progress.get("stopped_by") == "patience"
            clock.stopped_by = "patience" if patience else "budget"
        if "best" not in progress or not checkpoint.best.is_file():
            _validate(model, validation, checkpoint, clock=clock, monitor=monitor)
        _check_finite(checkpoint, recipe)
        return clock
    samples = SampleText(
        task.prompts(),
        max_new_tokens=recipe.sample_length,
        temperature=task.temperature,
        every_batches=recipe.sample_every_batches,
        path=checkpoint.samples if checkpoint.writes else None,
        log_dir=log_dir,
        references=task.references(),
    )
    progress_line = progress_shown(clock, recipe.epochs)
    finite = FiniteLoss(clock, checkpoint)
    used = [
        clock,
        finite,
        LearningRate(
            clock,
            peak=recipe.learning_rate,
            warmup_steps=recipe.warmup_steps,
            final_fraction=recipe.final_fraction,
            scale=getattr(task, "relative_length", None),
        ),
        ValidateAverages(),
        TrainingLog(checkpoint.log if checkpoint.writes else None, clock),
        samples,
        progress_line,
    ]
    if hasattr(recipe, "rate_decay"):
        every = math.ceil(recipe.unfreeze_epochs * len(task.train))  # 0 only for 0 epochs
        used.append(GradualUnfreezing(every, rate_decay=recipe.rate_decay))
    if recipe.patience is not None:
        mode = "max" if model.larger_is_better else "min"
        used.append(keras.callbacks.EarlyStopping(monitor, mode=mode, patience=recipe.patience))
    if log_dir is not None:
        used.append(keras.callbacks.TensorBoard(log_dir, write_graph=False))
    used.append(SaveCheckpoints(checkpoint, clock, monitor, beside=used[:], finite=finite))
    budget = f", at most {recipe.max_minutes} minutes" if recipe.max_minutes else ""
    print(
        f"Training {model.name}: {model.count_params():,} parameters, up to {recipe.epochs} epochs "
        f"of {clock.steps_per_epoch:,} batches{budget}."
        + (" Ctrl-C stops and saves." if count() == 1 else f" {count()} processes share the rows.")
    )
    checkpoint.begin_segment(
        clock.steps_per_epoch, dtype=model.dtype_policy.name, max_minutes=recipe.max_minutes,
        **one_segment,
    )  # fmt: skip
    if recipe.max_minutes:
        clock.validation_seconds = measure_validation(model, validation)
        print(
            f"The minutes include a validation of about {clock.validation_seconds:.0f} s after "
            "each epoch; measuring the result comes on top, and is timed."
        )
    warn_of_few_batches(clock)
    done = max(0, clock.steps_before - progress["epoch"] * clock.steps_per_epoch)  # of this epoch
    # Makes the metrics, which a resumed training goes on with. Without them `fit` would build model
    # and metrics from a batch of its data (on JAX, on several devices), and so begin an epoch more.
    model.evaluate(validation.take(1), verbose=0)
    # An interrupt reaches one process alone: it then ends the training of all.
    interrupt = stop_on_interrupt(clock) if count() == 1 else contextlib.nullcontext()
    with interrupt, progress_line:
        fit_from(
            model,
            train,
            epoch=progress["epoch"],
            batch=done,
            epochs=recipe.epochs,
            validation_data=validation,
            callbacks=[*used, *extra],
            shuffle=False,  # the batches come in the order that is wanted
            verbose=0,  # `progress_line` knows how much time is left
        )
    if clock.stopped_by is None and clock.step < clock.total_steps:
        clock.stopped_by = "patience"
    if clock.step < FEW_BATCHES:
        print(
            f"Warning: this model was trained on {clock.step} batches only, so its figures and "
            "samples say little; give more --max-minutes, more --epochs or a longer text."
        )
    _check_finite(checkpoint, recipe)
    return clock


def _is_over(recipe, progress):
    """Returns whether a training has had all of its epochs or minutes."""
    over = recipe.max_minutes and progress["minutes"] > 0.97 * recipe.max_minutes
    over = over or (
        progress.get("stopped_by") == "patience" and progress.get("epochs") == recipe.epochs
    )
    return bool(over or progress["epoch"] >= recipe.epochs)


def _validate(model, validation, checkpoint, clock, monitor):
    """Ends the epoch of a training that was cut off before its first validation."""
    epoch, clock.step = checkpoint.progress["epoch"], checkpoint.progress["step"]
    found = model.evaluate(validation, verbose=0, return_dict=True, callbacks=[ValidateAverages()])
    logs = {f"val_{name}": value for name, value in found.items()}
    path = checkpoint.log if checkpoint.writes else None
    log, save = TrainingLog(path, clock), SaveCheckpoints(checkpoint, clock, monitor)
    for callback in (log, save):
        callback.set_model(model)
    log.on_epoch_begin(epoch)
    log.on_epoch_end(epoch, logs)
    save.keep_best(logs)  # the last model is saved already


def _check_finite(checkpoint, recipe):
    best = checkpoint.progress["best"]
    if not math.isfinite(best):
        raise InputError(
            f"The validation ends with {best}, which is not finite: the training diverged; lower "
            f"the recipe's learning_rate ({recipe.learning_rate})."
        )
