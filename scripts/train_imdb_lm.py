"""Trains the word language model of the IMDB reviews."""

from typing import Annotated

import typer

from rnnzoo_cli import options
from rnnzoo_cli.running import run
from rnnzoo_cli.train import train_command


def main(
    recipe: Annotated[
        str,
        typer.Option(
            help="imdb_lm; word_lm_imdb, larger, with the unlabelled reviews; imdb_lm_tiny to try."
        ),
    ] = "imdb_lm",
    data_dir: options.DataDir = None,
    text_file: options.TextFile = None,
    epochs: options.Epochs = None,
    max_minutes: options.MaxMinutes = None,
    seed: options.Seed = None,
    units: options.Units = None,
    layers: options.Layers = None,
    dropout: options.Dropout = None,
    level: options.Level = None,
    out: options.Out = None,
    resume: options.Resume = False,
    overwrite: options.Overwrite = False,
    from_model: options.FromModel = None,
    fold_lookalikes: options.FoldLookalikes = False,
    log_dir: options.LogDir = None,
):
    """Train a word language model on the 25,000 IMDB reviews (22,500 to train, 2,500 to validate).

    It reads 10,000 words, lower-cased and without punctuation, prints samples as it learns, and
    ends with its validation perplexity beside those of Kneser-Ney n-gram models on the same tokens.
    On two cores this takes about 13 minutes; word_lm_imdb took two hours on one. Ctrl-C stops early
    and saves; --resume goes on.

    Leaves saved_models/imdb_lm/: model.keras, saved_model/ (for tf.saved_model.load alone),
    card.md, curve.png, metrics.json, log.csv, samples.txt, checkpoint/.

    Examples:
      python scripts/train_imdb_lm.py

      python scripts/train_imdb_lm.py --max-minutes 60 --epochs 10 --out saved_models/better

      python scripts/train_imdb_lm.py --text-file my_reviews.jsonl
      --from saved_models/imdb_lm --out saved_models/my_reviews
    """
    train_command(
        recipe, "language_model", text_file=text_file, from_model=from_model, data_dir=data_dir,
        epochs=epochs, max_minutes=max_minutes, seed=seed, out=out, units=units,
        num_layers=layers, dropout=dropout, level=level, resume=resume, overwrite=overwrite,
        fold_lookalikes=fold_lookalikes, log_dir=log_dir,
    )  # fmt: skip


if __name__ == "__main__":
    run(main)
