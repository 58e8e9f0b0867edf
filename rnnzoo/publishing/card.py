"""The card of a trained model: what it is, how good, and how to make it again."""

import json
import re
from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

from rnnzoo.data import corpora
from rnnzoo.publishing.command import command
from rnnzoo.publishing.report import compared, comparison, is_share, readable
from rnnzoo.tasks import TASKS, recipe_class


def card(record: dict[str, Any]) -> str:
    """Writes a card.

    Args:
        record: The content of metrics.json.

    Returns:
        The card, in Markdown.
    """
    corpus, training, figures = record["corpus"], record["training"], record["figures"]
    about = corpora.about(corpus["name"])
    name, weights, test = record.get("name"), record["model"]["weights"], record.get("test")
    task, began = TASKS[record["task"]], command_of(training, record["recipe_arguments"])
    title = name or record.get("title") or record["recipe"]
    lines = [
        f"# {title}",
        "",
        record["description"],
        "",
        *([_headline("Test", test["figures"]), ""] if test else []),
        _headline("Validation", figures),
        "",
        "## Figures",
        "",
        *([_again(name, test), ""] if name else []),
        f"- Validation data: {record['split']}.",
        *([f"- Test data: {test['split']}. No checkpoint was chosen by them."] if test else []),
        *([f"- SHA-256 of the test data: `{test['sha256']}`"] if test and "sha256" in test else []),
        f"- Tokens: {_vocabularies(record['vocabularies'])}.",
        f"- The checkpoint with the {task.chosen_by} was kept: that after "
        f"{training['best_epoch']} epochs ({training['best_step']:,} batches). It was chosen on "
        f"the validation data, and the {'validation ' if test else ''}figures are of the same data "
        "and of the saved model, which computes in float32.",
        *_last_checkpoint(training),
        *_rounding(record.get("half_precision", {})),
        "",
        *_table("validation" if test else "value", figures),
        *(_table("test", test["figures"]) if test else []),
    ]
    for split, part in (("Validation", record), ("Test", test or {})):
        if part.get("baselines"):
            rows = comparison(title, part["figures"], part["baselines"])
            figure = compared(part["baselines"])
            same = "texts" if is_share(figure) else "tokens, vocabulary, unknown words and ends"
            lines += [
                f"{split} data, on the same {same}:",
                "",
                f"| model | {figure} |",
                "|---|---|",
                *(f"| {model} | {readable(figure, value)[1]} |" for model, value in rows),
                "",
            ]
    lines += [
        "![Learning curve](curve.png)",
        "",
        "## Model",
        "",
        f"`{record['model']['builder']}` with {_arguments(record['model']['arguments'])}; "
        f"{record['model']['parameters']:,} parameters.",
        "",
        "| weights | shape |",
        "|---|---|",
        *(f"| {path} | {' x '.join(map(str, shape))} |" for path, shape in weights.items()),
        "",
        "## Corpus",
        "",
        f"- {corpus['name']}: {corpus['source']}",
        *([f"- Origin: {about.origin}."] if about.origin else []),
        f"- Terms: {corpus['terms']}",
        _shipping(about),
        f"- SHA-256 of the content: `{corpus['sha256']}`",
        *(f"- Note: {note}" for note in corpus["notes"]),
        "",
        "## Training",
        "",
        *(["In a clone of the repository:", ""] if began.startswith("python ") else []),
        "```",
        began,
        "```",
        "",
        f"- Seed {training['seed']}; {training['epochs']} epochs, {training['steps']:,} batches, "
        f"in {training['minutes']:.1f} minutes; {_ending(training)}.",
        f"- Trained in {training['dtype']}: {training['dtype_reason']}.",
        *_shared(training),
        *_taught(training, record["recipe_arguments"]),
        *([f"- Started from {training['from_model']}."] if training["from_model"] else []),
        *_segments(training.get("segments", [])),
        *_resumed_by(training, record["recipe_arguments"]),
        *([_published_by(name)] if name else []),
        f"- Machine: {_machine(record['machine'])}; {record['machine']['system']}.",
        f"- Versions: {', '.join(f'{name} {v}' for name, v in record['versions'].items())}.",
        *_code(training.get("segments", [])),
        _repeated(training),
        f"- Date: {record['date']}.",
        "- Recipe, as far as it differs from the defaults:",
        "",
        "```",
        *_recipe(record["recipe_arguments"]),
        "```",
        "",
        "## Samples",
        "",
        task.sampling(record["recipe_arguments"]),
        "",
    ]
    for number, sample in enumerate(record["samples"]):
        fence = "`" * max(3, 1 + max(map(len, re.findall("`+", sample)), default=0))
        lines += [f"{task.sample_name} {number}:", "", fence, sample, fence, ""]
    lines += ["## Limits and intended use", "", _limits(record), ""]
    return "\n".join(lines)


def _again(name, test):
    """How to measure the figures again."""
    which = "the figures of the test data" if test else "these figures"
    return f"`rnnzoo evaluate {name}` measures {which} again."


def _headline(split, figures):
    quoted = next(iter(figures))
    return f"**{split} {' '.join(readable(quoted, figures[quoted]))}**"


def _table(title, figures):
    rows = [readable(name, value) for name, value in figures.items()]
    return [f"| figure | {title} |", "|---|---|", *(f"| {' | '.join(row)} |" for row in rows), ""]


def _last_checkpoint(training):
    """What the last checkpoint reached, as against the one that was chosen."""
    if training["best_step"] == training["steps"]:
        return ["- It is the last checkpoint too."]
    found = training["checkpoints"]
    return [
        f"- The last checkpoint, after {training['epochs']} epochs, has {found['last']:.5g} "
        f"{readable(found['figure'], 0)[0]} on the validation data, the one that was kept "
        f"{found['best']:.5g} (both as measured during the training, in {training['dtype']})."
    ]


def _rounding(figures):
    """What half precision costs: figures by name, before and after."""
    costs = [
        f"validation {' '.join(readable(name, after))}, before the rounding "
        f"{readable(name, before)[1]} ({after - before:+.5f})"
        for name, (before, after) in figures.items()
    ]
    whole = "The file holds the weights in half precision, and the figures are of these"
    return [f"- {whole}: {'; '.join(costs)}."] if costs else []


def _limits(record):
    """Those of the recipe's model, unless it was trained on another text, and those of any."""
    recipe = record["recipe_arguments"]
    own = recipe.get("limits", "") if recipe["corpus"] == record["corpus"]["name"] else ""
    return f"{own} {TASKS[record['task']].limits}".strip()


def _shipping(about):
    verb = "ships" if about.redistributable else "may not ship"
    return f"- A model trained on it {verb} with the package: {about.reason}."


def _vocabularies(vocabularies):
    """Those of source and target, or the one that a model has."""
    if len({vocabulary["sha256"] for vocabulary in vocabularies}) < len(vocabularies):
        return f"{_vocabulary(vocabularies[0])}, the same for source and target"
    return "; ".join(map(_vocabulary, vocabularies))


def _vocabulary(vocabulary):
    lowered = ", lower-cased" if vocabulary["lowercase"] else ""
    details = ""
    if vocabulary["level"] == "word":
        details = {
            "strip": ", without punctuation",
            "whitespace": ", cut at white space alone",
        }.get(vocabulary["punctuation"], ", punctuation marks as tokens")
    elif vocabulary["level"] == "subword":
        details = ", by byte-pair encoding learnt on the training data"
    return f"{vocabulary['size']:,} {vocabulary['level']}s{lowered}{details}"


def _arguments(arguments):
    return ", ".join(f"{name}={value!r}" for name, value in arguments.items()) or "its defaults"


def _machine(machine):
    gpus = ", ".join(machine["gpus"]) or "no GPU"
    cores = machine["cores"]
    return f"{machine['cpu']}, {cores} core{'s' if cores > 1 else ''}, {gpus}"


def _shared(training):
    """The line on the devices or processes that shared the rows of each batch."""
    found = ((name, training.get(name, 1)) for name in ("devices", "processes"))
    return [
        f"- Trained by {count} {name}, which shared the rows of each batch."
        for name, count in found
        if count > 1
    ]


def _taught(training, recipe):
    """The line on the models that taught this one."""
    if not training.get("teachers"):
        return []
    names = ", ".join(f"{name} ({sha[:12]}...)" for name, sha in training["teachers"].items())
    return [f"- {TASKS[recipe['task']].teaching(recipe, names)}"]


def _segments(segments):
    """Where and when a training ran that was resumed."""
    if len(segments) < 2:
        return []
    starts = {}  # by place
    for one in segments:
        place = "a machine that was not noted"
        if one["machine"]:
            place = f"{_machine(one['machine'])}, in {one['dtype']}"
        starts.setdefault(place, []).append(f"{one['minutes']:.1f}")
    told = "; ".join(f"at {', '.join(times)} minutes on {place}" for place, times in starts.items())
    noted = all(one["machine"] for one in segments)  # older code noted none
    least = "" if noted else "at least "
    line = f"- Trained in {least}{len(segments)} segments, begun {told}."
    if repeated := sum(one["repeated"] or 0 for one in segments):
        line += (
            " An epoch that was cut short was repeated from its start: the weights were trained "
            f"again on {least}{repeated:,} batches in all."
        )
    elif all(one.get("exact") for one in segments[1:]):
        line += " Each later one went on exactly where the one before it had been saved."
    elif noted:
        line += " Each later one began with an epoch."
    return [line]


def command_of(
    run: Mapping[str, Any], recipe: Mapping[str, Any], *, resume: bool = False
) -> str | None:
    """The command of a run: made from its record, or as older code noted it."""
    if run.get("overrides"):
        return command(run["overrides"], recipe, resume=resume)
    typed = run.get("command")
    if not resume or typed is None:
        return typed
    if typed.startswith("python "):
        return f"{typed} --resume"
    return f"{typed.removesuffix(')')}, resume=True)"


def _resumed_by(training, recipe):
    """The commands that went on with a training, where they are not the one that began it."""
    began = command_of(training, recipe)
    segments = training.get("segments", [])
    others = {command_of(one, recipe): command_of(one, recipe, resume=True) for one in segments}
    return [f"- Resumed by `{told}`." for one, told in others.items() if one not in (None, began)]


def _published_by(name):
    command = f"python scripts/publish_model.py FOLDER {name}"
    return f"- Its folder was put into the zoo, weights rounded to half precision, by `{command}`."


def _code(segments):
    """The commits of the checkouts that the segments of a training ran from."""
    commits = dict.fromkeys(one.get("commit") or "one that was not noted" for one in segments)
    noted = any(one.get("commit") for one in segments)
    if not noted:
        return ["- Code: the commit was not noted."]
    return [f"- Code: commit {', then '.join(commits)}."]


def _repeated(training):
    """What another training with this seed would give."""
    why = _why_others(training)
    if why is not None:
        return (
            f"- Since {why}, another training with this seed ends with other weights, of about the "
            "same figures."
        )
    return (
        "- The same seed gives the same weights, bit for bit, on this machine with this code and "
        "these versions; another processor, number of threads or version rounds otherwise, which "
        "gives other weights, of about the same figures."
    )


def _why_others(training):
    """Why another training with this seed would end with other weights, or None if it would not."""
    segments = training.get("segments", [])
    if not all(one.get("exact") for one in segments[1:]):
        return "it was resumed by older code"
    if training.get("max_minutes"):
        return "the learning rate followed the clock"
    given = [(one.get("overrides") or {}).get("options", {}) for one in segments]
    if len({(options.get("epochs"), options.get("max_minutes")) for options in given}) > 1:
        return "another number of epochs was given when it was resumed"
    if len({json.dumps(one["machine"], sort_keys=True) for one in segments}) > 1:
        return "it was resumed on another machine, or on another number of cores"
    return None


def _recipe(arguments):
    """A line for each argument that is not the default, as JSON, but for words about it."""
    defaults = {
        field.name: field.default if field.default_factory is MISSING else field.default_factory()
        for field in fields(recipe_class(arguments.get("task", "language_model")))
    }
    values = {name: json.dumps(value, ensure_ascii=False) for name, value in arguments.items()}
    return [
        f"{name}: {value}"
        for name, value in values.items()
        if name not in ("description", "expected", "limits")
        and (name in defaults or name not in _of_all_tasks())
        and (defaults.get(name, MISSING) is MISSING or value != json.dumps(defaults[name]))
    ]


def _of_all_tasks():
    """Names of the options of all tasks' recipes: older code noted them of any."""
    return {field.name for other in TASKS for field in fields(recipe_class(other))}


def _ending(training):
    return {
        "budget": f"stopped by its budget of {training['max_minutes']} minutes",
        "interrupt": "stopped by hand",
        "patience": f"stopped early, after {training['patience']} epochs without improvement",
        None: "all of its epochs",
    }[training["stopped_by"]]
