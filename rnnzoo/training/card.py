"""The card of a trained model: what it is, how good, and how to make it again."""

import json

from rnnzoo.training.report import comparison, readable

LIMITS = {
    "language_model": "It writes text in the manner of its corpus and knows nothing else: what it "
    "states is made up, and it repeats the errors, the rude words and the prejudices of its "
    "source. Meant for study, for demonstrations and as a start for fine-tuning on similar text; "
    "not for advice, facts or judgements about people.",
    "translation": "It translates texts like those of its corpus, of about their length, and fails "
    "silently on others: a fluent output may be wrong. Meant for study and demonstrations; not "
    "where a wrong translation does harm.",
}


def card(facts, samples):
    """Writes a card.

    Args:
        facts: The content of metrics.json.
        samples: Texts; the first was drawn with seed 0, the next with seed 1, and so on.

    Returns:
        The card, in Markdown.
    """
    corpus, training, figures = facts["corpus"], facts["training"], facts["figures"]
    quoted, weights = next(iter(figures)), facts["model"]["weights"]
    lines = [
        f"# {facts['recipe']}",
        "",
        facts["description"],
        "",
        f"**Validation {' '.join(readable(quoted, figures[quoted]))}**",
        "",
        "## Figures",
        "",
        f"- Validation data: {facts['split']}.",
        f"- Tokens: {'; '.join(map(_vocabulary, facts['vocabularies']))}.",
        f"- The checkpoint with the lowest validation loss was kept: that after "
        f"{training['best_epoch']} epochs ({training['best_step']:,} batches). It was chosen on "
        "the validation data, and the figures are of the same data and of the saved model, which "
        "computes in float32.",
        "",
        "| figure | value |",
        "|---|---|",
        *(f"| {' | '.join(readable(name, value))} |" for name, value in figures.items()),
        "",
    ]
    if facts["baselines"]:
        rows = comparison(facts["recipe"], figures, facts["baselines"])
        lines += [
            "On the same tokens, vocabulary, unknown words and ends:",
            "",
            "| model | perplexity |",
            "|---|---|",
            *(f"| {name} | {value:.2f} |" for name, value in rows),
            "",
        ]
    lines += [
        "![Learning curve](curve.png)",
        "",
        "## Model",
        "",
        f"`{facts['model']['builder']}` with {_arguments(facts['model']['arguments'])}; "
        f"{facts['model']['parameters']:,} parameters.",
        "",
        "| weights | shape |",
        "|---|---|",
        *(f"| {path} | {' x '.join(map(str, shape))} |" for path, shape in weights.items()),
        "",
        "## Corpus",
        "",
        f"- {corpus['name']}: {corpus['source']}",
        f"- Terms: {corpus['terms']}",
        f"- SHA-256 of the content: `{corpus['sha256']}`",
        *(f"- Note: {note}" for note in corpus["notes"]),
        "",
        "## Training",
        "",
        "```",
        training["command"],
        "```",
        "",
        f"- Seed {training['seed']}; {training['epochs']} epochs, {training['steps']:,} batches, "
        f"in {training['minutes']:.1f} minutes; {_ending(training)}.",
        f"- Trained in {training['dtype']}: {training['dtype_reason']}.",
        *([f"- Started from {training['from_model']}."] if training["from_model"] else []),
        f"- Machine: {facts['machine']['cpu']}, {facts['machine']['cores']} cores, "
        f"{', '.join(facts['machine']['gpus']) or 'no GPU'}; {facts['machine']['system']}.",
        f"- Versions: {', '.join(f'{name} {v}' for name, v in facts['versions'].items())}.",
        f"- Date: {facts['date']}.",
        f"- Recipe: `{json.dumps(facts['recipe_arguments'], ensure_ascii=False)}`",
        "",
        "## Samples",
        "",
        "Not picked: seeds 0, 1 and 2.",
        "",
    ]
    for seed, sample in enumerate(samples):
        lines += [f"Seed {seed}:", "", "```", sample, "```", ""]
    lines += ["## Limits and intended use", "", LIMITS[facts["task"]], ""]
    return "\n".join(lines)


def _vocabulary(vocabulary):
    lowered = ", lower-cased" if vocabulary["lowercase"] else ""
    marks = ""
    if vocabulary["level"] == "word":
        marks = {"strip": ", without punctuation", "split": ", punctuation marks as tokens"}[
            vocabulary["punctuation"]
        ]
    return f"{vocabulary['size']:,} {vocabulary['level']}s{lowered}{marks}"


def _arguments(arguments):
    return ", ".join(f"{name}={value!r}" for name, value in arguments.items()) or "its defaults"


def _ending(training):
    return {
        "budget": f"stopped by its budget of {training['max_minutes']} minutes",
        "interrupt": "stopped by hand",
        "patience": f"stopped early, after {training['patience']} epochs without improvement",
        None: "all of its epochs",
    }[training["stopped_by"]]
