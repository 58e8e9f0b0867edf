"""From a recipe to a trained model: the whole way, in the order it is walked."""

import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import keras

from rnnzoo import recipes, zoo
from rnnzoo.errors import InputError
from rnnzoo.files import RESULTS, check_output, check_replaces_nothing, is_published
from rnnzoo.models import LanguageModel, SmoothedCrossEntropy
from rnnzoo.optimizers import adam
from rnnzoo.recipes.recipe import NOT_TRAINING
from rnnzoo.training.artifact import write_artifact
from rnnzoo.training.averaging import ValidateAverages
from rnnzoo.training.callbacks import SampleText
from rnnzoo.training.checkpoints import Checkpoint, SaveCheckpoints, TrainingLog
from rnnzoo.training.hardware import commit, resolve_dtype
from rnnzoo.training.language_model_task import LanguageModelTask
from rnnzoo.training.schedule import (
    LearningRate,
    TrainingClock,
    measure_validation,
    stop_on_interrupt,
)
from rnnzoo.training.splits import load_corpus
from rnnzoo.training.translation_task import TranslationTask

TASKS = {"language_model": LanguageModelTask, "translation": TranslationTask}


def train(
    recipe: str | recipes.Recipe,
    *,
    out: str | os.PathLike | None = None,
    data_dir: str | os.PathLike | None = None,
    text_file: str | os.PathLike | None = None,
    epochs: int | None = None,
    max_minutes: float | None = None,
    seed: int | None = None,
    resume: bool = False,
    overwrite: bool = False,
    from_model: str | os.PathLike | None = None,
    log_dir: str | os.PathLike | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> Path:
    """Trains a recipe's model and leaves it in a folder, with all that belongs to it.

    The folder gets `model.keras` (the weights with the lowest validation loss), `saved_model/`
    (text in, text out), `card.md`, `metrics.json`, `curve.png`, `log.csv`, `samples.txt`, and
    `checkpoint/` for `resume`. Ctrl-C ends the training as the end of its minutes does: after a
    validation, with everything written.

    A training is resumed with the model and optimizer of its last checkpoint, made after every
    epoch and every 5 minutes; an epoch that was cut short is repeated from its start. Each epoch
    has the order of the data and the random resets that it has in a training that is not cut off.

    Args:
        recipe: A `Recipe`, or the name of one.
        out: The folder; when left out `saved_models/<recipe>` in the current one, or
            `trained/<recipe>` where a published model lies there.
        data_dir: A folder that has the recipe's corpus.
        text_file: A text to train on instead: a file, a folder or a `.jsonl` file.
        epochs: Another number of epochs than the recipe's.
        max_minutes: Other minutes than the recipe's. The learning rate is fitted to them, and they
            include validation but not what comes before and after the training.
        seed: Another seed than the recipe's.
        resume: Whether to go on with the training in `out`.
        overwrite: Whether results in `out` may be replaced, or a training that was cut off there
            be given up. A published model is never replaced.
        from_model: A trained model to go on from, a path or a name for `rnnzoo.zoo.load`. The
            text's symbols must be in its vocabulary, and it must not lie in `out`.
        log_dir: A folder for TensorBoard.
        callbacks: Further Keras callbacks.

    Returns:
        The path of the folder.

    Raises:
        InputError: If an argument is not valid, the corpus is not found or does not fit, or the
            folder cannot be written.

    Example:
        ```python
        folder = train("spelled_numbers", max_minutes=5)
        rnnzoo.zoo.load(folder).translate("one two five")
        ```
    """
    code = commit()  # before anybody changes it
    given = {"epochs": epochs, "max_minutes": max_minutes, "seed": seed}
    named = isinstance(recipe, str)
    chosen = recipes.get(recipe) if named else recipe
    recipe = _adapted(chosen, given)
    out = _default_output(recipe.name) if out is None else Path(out)
    check_output(out)
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
    if from_model is not None:
        _check_start(from_model, out, resume)
    checkpoint = Checkpoint(out / "checkpoint")
    if resume and overwrite:
        raise InputError(
            "--resume goes on with the training in the output folder and --overwrite gives it up; "
            "leave out one of them."
        )
    checkpoint.check(resume, overwrite)
    if resume:
        _check_began(checkpoint, recipe)
    keras.utils.set_random_seed(recipe.seed)

    model = _starting_model(recipe, checkpoint, resume, from_model)
    corpus = load_corpus(recipe, data_dir, text_file)
    initial_epoch = checkpoint.progress["epoch"] if resume else 0
    task = TASKS[recipe.task](recipe, corpus, recipe.seed, model, initial_epoch)
    print(f"Vocabulary: {', '.join(map(repr, task.vocabularies))}. Validation: {task.split}.")
    baselines = task.baselines()
    for name, value in baselines.items():
        print(f"To compare with: {name.replace('_', ' ')} {value:.2f}")

    dtype, reason = resolve_dtype(recipe.dtype)
    if resume and model.dtype_policy.name != dtype:
        dtype, reason = model.dtype_policy.name, "the training began in it"
    print(f"Computing in {dtype}: {reason}.")
    as_registered = named and recipe == chosen and text_file is None and from_model is None
    if as_registered and recipe.expected:
        print(f"To expect of this recipe: {recipe.expected}")
    if not resume:
        model = _compiled(task.build(dtype) if model is None else _as_dtype(model, dtype), recipe)
    check_output(out, megabytes=50 + model.count_params() * 4 * 8 / 1e6)
    identity = {"recipe": recipe.name, "seed": recipe.seed, "corpus_sha256": corpus.sha256}
    checkpoint.begin(resume, **identity)
    if checkpoint.progress["finished"] and _is_over(recipe, checkpoint.progress):
        if (out / zoo.MODEL_FILE).is_file():
            print(f"The training in {out} is finished already; more epochs or minutes go on.")
            return out
    if not resume:
        began = {"from_model": from_model and str(from_model), "began": recipe.as_json()}
        checkpoint.note(**began)
    command = _command(chosen, out, text_file, from_model, given)
    one_slice = {"command": command, "commit": code}
    clock = _fit(model, task, recipe, checkpoint, one_slice, log_dir, callbacks)

    first = checkpoint.progress.get("slices", [{}])[0]
    run = {
        "command": first.get("command") or command,
        "dtype": dtype,
        "dtype_reason": reason,
        "from_model": checkpoint.progress["from_model"],
        "stopped_by": clock.stopped_by,
    }
    return write_artifact(model, task, checkpoint, out, baselines, run)


def _check_began(checkpoint, recipe):
    """Refuses to resume a training of another recipe; more epochs or minutes may be given."""
    began, now = checkpoint.progress.get("began", {}), recipe.as_json()  # older code noted none
    free = NOT_TRAINING | {"name", "dtype", "epochs", "max_minutes", "seed"}
    for name in sorted(began.keys() & now.keys() - free):
        if began[name] != now[name]:
            code = checkpoint.progress.get("slices", [{}])[0].get("commit")
            raise InputError(
                f"The training in {checkpoint.folder} was begun with {name} {began[name]!r}, and "
                f"the recipe has {now[name]!r} now; go on with the code that began it"
                f"{f' (commit {code})' if code else ''}, or train anew with another --out."
            )


def _default_output(name):
    """The folder to write to: that of the recipe, unless a published model lies there."""
    folder = Path("saved_models") / name
    return Path("trained") / name if is_published(folder) else folder


def _check_text(text_file, out):
    """Refuses to replace the text to train on."""
    text = Path(text_file).resolve()
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


def _adapted(recipe, given):
    seed = given["seed"]
    if seed is not None and (not hasattr(seed, "__index__") or not 0 <= seed < 2**32):
        raise InputError(f"`seed` must be a whole number from 0 to 2**32 - 1, not {seed!r}.")
    return replace(recipe, **{name: value for name, value in given.items() if value is not None})


def _starting_model(recipe, checkpoint, resume, from_model):
    """The model to go on with: the last of this training, a trained one, or none."""
    if resume:
        print(f"Resuming after {checkpoint.progress['minutes']:.1f} minutes.")
        return keras.saving.load_model(checkpoint.last)
    if from_model is None:
        return None
    model = zoo.load(from_model)
    kind = "language_model" if isinstance(model, LanguageModel) else "translation"
    if kind != recipe.task:
        raise InputError(
            f"{from_model} is a {type(model).__name__}, but the recipe {recipe.name!r} trains a "
            f"model for {recipe.task.replace('_', ' ')}; give another --recipe or another --from."
        )
    vocabulary = model.vocabulary if kind == "language_model" else model.target_vocabulary
    if vocabulary is None:
        raise InputError(f"{from_model} holds no vocabulary; give a model trained on text.")
    return model


def _as_dtype(model, dtype):
    """The same model, computing in another dtype, without what compiled it."""
    copy = type(model).from_config({**model.get_config(), "dtype": dtype})
    copy.set_weights(model.get_weights())
    return copy


def _compiled(model, recipe):
    optimizer = adam(
        recipe.learning_rate,
        weight_decay=recipe.weight_decay or None,
        global_clipnorm=recipe.clipnorm,
        use_ema=bool(recipe.average_weights),
        ema_momentum=recipe.average_weights or 0.0,
    )
    loss = SmoothedCrossEntropy(recipe.label_smoothing) if recipe.label_smoothing else None
    model.compile(optimizer=optimizer, loss=loss)
    return model


def _fit(model, task, recipe, checkpoint, one_slice, log_dir, extra):
    """Trains the model; returns the clock."""
    progress = checkpoint.progress
    monitor = f"val_{model.default_metric().name}"
    clock = TrainingClock(
        recipe.epochs,
        steps_per_epoch=len(task.train),
        max_minutes=recipe.max_minutes,
        minutes_before=progress["minutes"],
    )
    if _is_over(recipe, progress):
        print("All of the training is done already; writing its results.")
        clock.stopped_by = "budget" if progress["epoch"] < recipe.epochs else None
        if "best" not in progress or not checkpoint.best.is_file():
            _validate(model, task, checkpoint, clock, monitor)
        _check_finite(checkpoint, recipe)
        return clock
    samples = SampleText(
        task.prompts(),
        max_new_tokens=recipe.sample_length,
        temperature=recipe.temperature,
        every_batches=recipe.sample_every_batches,
        path=checkpoint.samples,
        log_dir=log_dir,
        references=task.references(),
    )
    used = [
        clock,
        LearningRate(clock, recipe.learning_rate, recipe.warmup_steps, recipe.final_fraction),
        ValidateAverages(),
        TrainingLog(checkpoint.log, clock),  # before the save, which notes its length
        SaveCheckpoints(checkpoint, clock, monitor),
        samples,
    ]
    if recipe.patience is not None:
        used.append(keras.callbacks.EarlyStopping(monitor, mode="min", patience=recipe.patience))
    if log_dir is not None:
        used.append(keras.callbacks.TensorBoard(log_dir, write_graph=False))
    budget = f", at most {recipe.max_minutes} minutes" if recipe.max_minutes else ""
    print(
        f"Training {model.name}: {model.count_params():,} parameters, up to {recipe.epochs} epochs "
        f"of {clock.steps_per_epoch:,} batches{budget}. Ctrl-C stops and saves."
    )
    checkpoint.begin_slice(clock.steps_per_epoch, dtype=model.dtype_policy.name, **one_slice)
    if recipe.max_minutes:
        clock.validation_seconds = measure_validation(model, task.validation)
    with stop_on_interrupt(clock):
        model.fit(
            task.train,
            validation_data=task.validation,
            initial_epoch=progress["epoch"],
            epochs=recipe.epochs,
            callbacks=[*used, *extra],
            shuffle=False,  # the batches come in the order that is wanted
            verbose=1 if sys.stdout.isatty() else 2,
        )
    if clock.stopped_by is None and clock.step < clock.total_steps:
        clock.stopped_by = "patience"
    _check_finite(checkpoint, recipe)
    return clock


def _is_over(recipe, progress):
    """Returns whether a training has had all of its epochs or minutes."""
    over = recipe.max_minutes and progress["minutes"] > 0.97 * recipe.max_minutes
    return bool(over or progress["epoch"] >= recipe.epochs)


def _validate(model, task, checkpoint, clock, monitor):
    """Ends the epoch of a training that was cut off before its first validation."""
    epoch, clock.step = checkpoint.progress["epoch"], checkpoint.progress["step"]
    found = model.evaluate(
        task.validation, verbose=0, return_dict=True, callbacks=[ValidateAverages()]
    )
    for callback in (
        TrainingLog(checkpoint.log, clock), SaveCheckpoints(checkpoint, clock, monitor),
    ):  # fmt: skip
        callback.set_model(model)
        callback.on_epoch_begin(epoch)
        callback.on_epoch_end(epoch, {f"val_{name}": value for name, value in found.items()})


def _check_finite(checkpoint, recipe):
    best = checkpoint.progress["best"]
    if best != best:
        raise InputError(
            "The validation loss is not a number: the training diverged; lower the recipe's "
            f"learning_rate ({recipe.learning_rate})."
        )


def _command(recipe, out, text_file, from_model, given):
    """The command that was typed, or the call that does the same."""
    if Path(sys.argv[0]).name.startswith("train_"):
        typed = [word for word in sys.argv[1:] if word != "--resume"]  # would begin it, too
        return shlex.join(["python", f"scripts/{Path(sys.argv[0]).name}", *typed])
    paths = {"out": out, "text_file": text_file, "from_model": from_model}
    given = {key: value and str(value) for key, value in paths.items()} | given
    told = [f"{key}={value!r}" for key, value in given.items() if value is not None]
    return f"rnnzoo.training.train.train({', '.join([_in_python(recipe), *told])})"


def _in_python(recipe):
    """The name of a recipe, or what makes it of the one that is registered by its name."""
    if recipe.name not in recipes.names():
        return f"rnnzoo.recipes.{recipe!r}"
    known = vars(recipes.get(recipe.name))
    changes = [f"{name}={value!r}" for name, value in vars(recipe).items() if value != known[name]]
    if not changes:
        return repr(recipe.name)
    return f"dataclasses.replace(rnnzoo.recipes.get({recipe.name!r}), {', '.join(changes)})"
