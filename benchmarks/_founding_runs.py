"""The rows that benchmarks/founding.py makes of finished runs: the document's beside ours."""

import csv
import json

import numpy as np

# The document's run, its figure; our run, the column of its log.
PAIRS = (
    ("S0", "s0_lasagne_char_lstm", "nats_per_character", "char_lstm_shakespeare", "loss"),
    ("S2", "s2_imdb_word_lm", "loss_per_word", "imdb_lm", "loss"),
    ("S3, RNN", "s3_vanilla_rnn", "nats_per_character", "s3_better", "loss"),
    ("S3, LSTM", "s3_lstm", "nats_per_character", "s3_better", "loss"),
    ("S4", "s4_alice_lstm", "nats_per_character", "s4_alice_better", "loss"),
    ("S1, encoder-decoder", "s1_numbers_encoder_decoder", "digits", "s1_numbers_better", "digits"),
    ("S1, attention", "s1_numbers_attention", "digits", "s1_numbers_better", "digits"),
)
OURS_AT_THE_END = {  # the figure, and what to know of it
    "char_lstm_shakespeare": ("nats_per_character", "on text it never trained on, "),
    "imdb_lm": ("nats_per_token", "on other held-out reviews, ends counted, "),
    "s3_better": ("nats_per_character", "measured alike, "),
    "s4_alice_better": ("training_loss", "memorised, "),
    "s1_numbers_better": ("digits", ""),
}


def record_of(folder):
    """The summary of a founding system's run, or the metrics of a recipe's; `None`: not there."""
    for name in ("summary.json", "metrics.json"):
        if (folder / name).is_file():
            return json.loads((folder / name).read_text(encoding="utf-8"))
    return None


def values_of(folder, column, walks=None):
    """A column of a run's log, and its minutes; with `walks`, means over one walk up to a row."""
    with open(folder / "log.csv", newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row[column]]
    values = np.array([float(row[column]) for row in rows])
    size = int(len(rows) / walks) if walks else 1
    means = np.convolve(values, np.ones(size) / size, mode="valid")
    return means, [float(row["minutes"]) for row in rows[size - 1 :]]


def minutes_to(values, minutes, goal, rising):
    """The minutes of the first value that is as good as the goal; `None` if none is."""
    good = (values >= goal) if rising else (values <= goal)
    return minutes[good.argmax()] if good.any() else None


def runs_table(runs):
    """Rows of the table: minutes to the same figure, and the figures at the end."""
    return [row for pair in PAIRS for row in pair_rows(runs, *pair)]


def pair_rows(runs, label, theirs, figure, ours, column):
    """The two rows of a document's run and ours."""
    document, better = record_of(runs / theirs), record_of(runs / ours)
    absent = [name for name, record in ((theirs, document), (ours, better)) if record is None]
    if absent:
        return [[f"{label}: minutes to the same", f"**missing**: {', '.join(absent)}", "-", "-"]]
    digits = figure == "digits"
    last, trained = document["figures"][figure], document["training"]["minutes"]
    goal, taken, walks = last, trained, None
    if label.startswith("S3"):
        losses, minutes = values_of(runs / theirs, "loss", document["training"]["epochs"])
        taken = minutes[losses.argmin()]
        goal = losses.min() / document["constants"]["sequence_length"]  # the log's are sums
        walks = better["training"]["epochs"]
    reached = minutes_to(*values_of(runs / ours, column, walks), goal, rising=digits)
    name, note = OURS_AT_THE_END[ours]
    end, minutes = better["figures"][name], better["training"]["minutes"]
    what = "digits right" if digits else "loss"
    alike = document["machine"]["cores"] == better["machine"]["cores"]
    return [
        [
            f"{label}: minutes to {shown(goal, digits)} {what}",
            f"{taken:.2f}{cores_of(document)}",
            "never" if reached is None else f"{reached:.2f}{cores_of(better)}",
            f"{taken / reached:,.1f}" if reached and alike else "-",
        ],
        [
            f"{label}: {what} at the end",
            f"{shown(last, digits)} ({trained:.1f} minutes)",
            f"{shown(end, digits)} ({note}{minutes:.1f} minutes)",
            "-",
        ],
    ]


def cores_of(record):
    cores = record["machine"]["cores"]
    return f" ({cores} core{'s' if cores > 1 else ''})"


def softmax_rows(runs):
    """S2's softmax as the document has it, over every word there is, against 10,000 rows of it."""
    record = record_of(runs / "s2_literal_softmax")
    if record is None:
        return [["S2: softmax", "**missing**: s2_literal_softmax", "-", "-"]]
    literal, cut = (record["figures"][name] for name in ("literal", "num_words"))
    rows, few = (f"{found['vocabulary_size']:,}" for found in (literal, cut))
    what = f"S2: softmax of {rows} rows against the same of {few}"
    return [
        [
            f"{what}: {label}",
            f"{literal[figure] / unit:,.1f}",
            f"{cut[figure] / unit:,.1f}",
            f"{literal[figure] / cut[figure]:,.1f}",
        ]
        for label, figure, unit in (
            ("seconds a step", "seconds_per_step", 1),
            ("MiB at the peak", "peak_memory_bytes", 2**20),
        )
        if literal[figure]  # memory is known on Linux alone
    ]


def shown(value, share):
    return f"{value:.2%}" if share else f"{value:.3f}"
