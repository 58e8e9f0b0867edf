"""What helps and what does not: one thing changed in a training, for docs/lessons_learnt.md.

    python benchmarks/lessons.py shakespeare                  # all variants, then the table
    python benchmarks/lessons.py shakespeare --only "weight-drop 0.2"
    python benchmarks/lessons.py shakespeare --table          # only the table, of what is there
    python benchmarks/lessons.py translation --epochs 4       # a shorter try, a table of its own
    python benchmarks/lessons.py words --vectors glove.txt    # 5,000 of the IMDB reviews

Each variant is a training of `rnnzoo.training.train` of its own, as many epochs long as the others:
the minutes do not matter, so that variants may run beside each other. What each reached is kept as
a file in `lessons_runs/`, beside this one: a variant that has one is not trained again, one that
was interrupted goes on. The table of RESULTS.md is of all files, also of those whose variant is
not listed here any more. One seed each: small differences are noise. `--vectors` names the file
of 100 numbers a word that one variant of the words starts from, a word a line, such as GloVe's
6B.100d.
"""

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

import _common
import _processes

FEW_REVIEWS = {"corpus_options": {"limit": 5000}}  # few, so that four epochs take minutes

# A recipe, the epochs of each of its variants, the figures to show, and the variants, whose
# `builder_options` are put beside those of the recipe.
STUDIES = {
    "shakespeare": (
        "char_lstm_shakespeare_small",
        16,
        ("nats_per_character", "zero_state_nats_per_character"),
        {
            "the recipe": {},
            "the recipe, seed 1": {"seed": 1},
            "no random resets": {"reset_probability": 0.0},
            "no weight decay": {"weight_decay": 0.0},
            "weight-drop 0.2": {"builder_options": {"weight_drop": 0.2}},
            "locked dropout": {"builder_options": {"locked_dropout": True}},
            "weight averaging 0.999": {"average_weights": 0.999},
            "label smoothing 0.05": {"label_smoothing": 0.05},
            "64 x 128": {"batch_size": 64, "sequence_length": 128},
            "distilled from char_lstm_shakespeare": {"teachers": ("char_lstm_shakespeare",)},
            "distilled from that alone (alpha 1)": {
                "teachers": ("char_lstm_shakespeare",), "teacher_alpha": 1.0,
            },
            "distilled from two": {
                "teachers": ("char_lstm_shakespeare", "char_lstm_shakespeare_small"),
            },
            "activation regularisation 2": {
                "builder_options": {"activation_regularization": 2.0}
            },
            "temporal activation regularisation 1": {
                "builder_options": {"temporal_regularization": 1.0}
            },
            "variable length": {"variable_length": True},
            "dropout in three steps": {"schedule": {"dropout": [0.5, 0.75, 1.0]}},
            "weight decay in three steps": {"schedule": {"weight_decay": [0.0, 0.5, 1.0]}},
        },
    ),
    "shakespeare_large": (
        "char_lstm_shakespeare",
        20,
        ("nats_per_character", "zero_state_nats_per_character"),
        {
            "dropout 0.5, no weight-drop": {
                "builder_options": {"dropout": 0.5, "weight_drop": 0.0}
            },
            "weight decay 0.4": {"weight_decay": 0.4},
        },
    ),
    "words": (
        "imdb_lm",
        4,
        ("perplexity", "bits_per_character"),
        {
            "5,000 reviews": FEW_REVIEWS,
            "dropout of words 0.1": {**FEW_REVIEWS, "builder_options": {"embedding_dropout": 0.1}},
            "weight-drop 0.2": {**FEW_REVIEWS, "builder_options": {"weight_drop": 0.2}},
            "embeddings of 100": {**FEW_REVIEWS, "builder_options": {"embedding_dim": 100}},
            "embeddings of 100, from vectors": {
                **FEW_REVIEWS, "builder_options": {"embedding_dim": 100}, "from_vectors": True,
            },
            "sampled softmax, 1,000 of 10,000": {
                **FEW_REVIEWS, "builder_options": {"sampled_softmax": 1000},
            },
        },
    ),
    "translation": (
        "gru_seq2seq_multi30k_en_de_lowercase",
        10,
        ("bleu_lowercase_beam_5", "bleu_lowercase_greedy"),
        {
            "the recipe": {},
            "no label smoothing": {"label_smoothing": 0.0},
            "no weight averaging": {"average_weights": None},
            "attention after the cell": {
                "builder_options": {"attention_position": "after_cell"}
            },
            "locked dropout": {"builder_options": {"locked_dropout": True}},
            "words": {"vocabulary": {
                "level": "word", "lowercase": True, "punctuation": "split", "size": 10_000,
            }},
        },
    ),
}  # fmt: skip


KEPT = Path(__file__).with_name("lessons_runs")


def file_of(study, variant, epochs):
    """The file that keeps what a variant reached."""
    return KEPT / study / f"{folder_of(Path(), study, variant, epochs=epochs).name}.json"


def in_steps(factors, epochs):
    """A schedule of equally long steps."""
    return lambda epoch: factors[min(epoch * len(factors) // epochs, len(factors) - 1)]


def folder_of(runs, study, variant, epochs):
    slug = "".join(letter if letter.isalnum() else "_" for letter in variant)
    return runs / study / f"{slug}_{epochs}_epochs"


def start_from_vectors(recipe, vectors, path):
    """Saves an untrained model of the recipe whose embedding has the vectors of a file."""
    import keras

    from rnnzoo.tasks.language_model import LanguageModelTask
    from rnnzoo.tasks.splits import load_corpus
    from rnnzoo.word_vectors import set_word_vectors

    keras.utils.set_random_seed(recipe.seed)
    model = LanguageModelTask(recipe, load_corpus(recipe), seed=recipe.seed).build("float32")
    found = set_word_vectors(model.embedding, model.vocabulary, vectors)
    print(f"{found:,} of {len(model.vocabulary):,} words have a vector in {vectors}.")
    path.parent.mkdir(parents=True, exist_ok=True)
    model.save(path)


def train_variant(study, variant, runs, epochs, vectors):
    """Trains one variant, or goes on with it."""
    from rnnzoo import recipes
    from rnnzoo.callbacks import RegularizationSchedule
    from rnnzoo.publishing.train import train

    name, _, _, variants = STUDIES[study]
    recipe, changes = recipes.get(name), dict(variants[variant])
    options = {**recipe.builder_options, **changes.pop("builder_options", {})}
    from_vectors = changes.pop("from_vectors", False)
    schedule = {
        name: in_steps(factors, epochs) for name, factors in changes.pop("schedule", {}).items()
    }
    recipe = replace(
        recipe, builder_options=options, epochs=epochs, max_minutes=None, patience=None,
        sample_every_batches=None, ngram_orders=(), **changes,
    )  # fmt: skip
    out = folder_of(runs, study, variant, epochs=epochs)
    resume = (out / "checkpoint" / "last.keras").is_file()
    start = None
    if from_vectors and not resume:
        start = runs / study / "start_from_vectors.keras"
        start_from_vectors(recipe, vectors, start)
    callbacks = [RegularizationSchedule(**schedule)] if schedule else []
    train(recipe, out=out, from_model=start, resume=resume, callbacks=callbacks)
    keep(study, variant, out, epochs=epochs)


def keep(study, variant, out, epochs):
    """Keeps what a variant reached, of its metrics.json."""
    from rnnzoo.files import write_atomically

    found = json.loads((out / "metrics.json").read_text(encoding="utf-8"))
    training = found["training"]
    validated = training["checkpoints"]
    kept = {
        "variant": variant,
        "epochs": epochs,
        "parameters": found["model"]["parameters"],
        "figures": {name: found["figures"][name] for name in STUDIES[study][2]},
        "in_training": {
            "figure": validated["figure"],
            "best": validated["best"],
            "best_epoch": training["best_epoch"],
            "last": validated["last"],
        },
        "trained": trained(found),
        "seed": training["seed"],
        "corpus_sha256": found["corpus"]["sha256"],
        "split": found["split"],
    }
    path = file_of(study, variant, epochs)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps(kept, indent=1, ensure_ascii=False) + "\n")


def trained(record):
    """When, where and from which commits."""
    segments = record["training"].get("segments") or [{}]
    commits = dict.fromkeys(one.get("commit") or "not noted" for one in segments)
    cores = record["machine"]["cores"]
    place = f"{cores} core{'s' if cores > 1 else ''}"
    return f"{record['date']}, {place}, commit {', then '.join(commits)}"


def write_table(study, epochs):
    """Puts the variants that were kept into RESULTS.md."""
    name, _, figures, variants = STUDIES[study]
    files = sorted((KEPT / study).glob(f"*_{epochs}_epochs.json"))
    kept = [json.loads(path.read_text(encoding="utf-8")) for path in files]
    if not kept:
        sys.exit(f"There are no runs of {study} with {epochs} epochs in {KEPT / study}.")
    order = list(variants)
    kept.sort(
        key=lambda one: order.index(one["variant"]) if one["variant"] in order else len(order)
    )
    rows = [
        [
            one["variant"],
            f"{one['parameters']:,}",
            *(f"{one['figures'][figure]:.5g}" for figure in figures),
            f"{one['in_training']['best']:.4f} (epoch {one['in_training']['best_epoch']})",
            f"{one['in_training']['last']:.4f}",
            one["trained"],
        ]
        for one in kept
    ]
    head = ["variant", "parameters", *(name.replace("_", " ") for name in figures)]
    figure = kept[0]["in_training"]["figure"].replace("_", " ")
    head += [f"best {figure} in training", "last", "trained"]
    missing = [variant for variant in order if variant not in {one["variant"] for one in kept}]
    text = (
        f"Trained by `python benchmarks/lessons.py {study}`, a process each, where and when the "
        f"table says. `{name}` with one thing changed, {epochs} epochs each, seed "
        f"{kept[0]['seed']} unless said, corpus {kept[0]['corpus_sha256'][:8]}..., "
        f"validation data: {kept[0]['split']}."
    )
    if missing:
        text += f" Not run yet: {', '.join(missing)}."
    text += f"\n\n{_common.table(head, rows)}"
    _common.write_section(f"Lessons: {study}, {epochs} epochs", text)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("study", choices=STUDIES)
    parser.add_argument("--only", action="append", help="a variant to train, more than once")
    parser.add_argument("--epochs", type=int, help="other epochs than the study's")
    parser.add_argument("--table", action="store_true", help="train nothing, write the table")
    parser.add_argument("--vectors", type=Path, help="word vectors, as GloVe's files have them")
    parser.add_argument("--runs", type=Path, default=Path("trained/lessons"))
    args = parser.parse_args()
    _, epochs, _, variants = STUDIES[args.study]
    epochs = args.epochs or epochs
    wanted = [] if args.table else args.only or list(variants)
    for variant in wanted:
        if variant not in variants:
            parser.error(f"no variant {variant!r}; there are {', '.join(variants)}")
        if variants[variant].get("from_vectors") and args.vectors is None:
            parser.error(f"the variant {variant!r} needs --vectors, a file of word vectors")
    for variant in wanted:
        if file_of(args.study, variant, epochs).is_file():
            continue
        _processes.in_fresh_process(  # a process each: nothing is carried over
            train_variant, args.study, variant, args.runs, epochs, args.vectors
        )
    if not args.only:
        write_table(args.study, epochs)


if __name__ == "__main__":
    main()
