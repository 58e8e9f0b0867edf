"""Arguments and options that commands and scripts share."""

from pathlib import Path
from typing import Annotated

import typer


def complete_model(incomplete: str) -> list[str]:
    """Names of the zoo, for the completion of the shell, without importing Keras."""
    from rnnzoo_cli.running import without_keras

    with without_keras():
        from rnnzoo import zoo

        return [name for name in zoo.list_models() if name.startswith(incomplete)]


Model = Annotated[
    str,
    typer.Argument(
        help="A name of the zoo, a model's folder or .keras file.",
        autocompletion=complete_model,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, an object a line.")]
DataDir = Annotated[
    Path | None,
    typer.Option(help="Folder that has the corpus. Else: RNNZOO_DATA_DIR, caches, download."),
]
TextFile = Annotated[
    Path | None,
    typer.Option(help="Your own text instead: a text file, a folder of .txt files, or a .jsonl."),
]
Epochs = Annotated[int | None, typer.Option(help="Most passes over the data [recipe's own].")]
MaxMinutes = Annotated[
    float | None,
    typer.Option(help="Most minutes of training; the learning rate is fitted to them."),
]
Seed = Annotated[
    int | None, typer.Option(help="Of weights, dropout and data order [recipe's own].")
]
Units = Annotated[int | None, typer.Option(help="Size of the recurrent layers [recipe's own].")]
Layers = Annotated[int | None, typer.Option(help="Number of recurrent layers [recipe's own].")]
Dropout = Annotated[float | None, typer.Option(help="Rate of dropout [recipe's own].")]
Level = Annotated[
    str | None, typer.Option(help="Tokens: character, subword or word [recipe's own].")
]
FoldLookalikes = Annotated[
    bool,
    typer.Option(
        "--fold-lookalikes",
        help="With --from: write curly quotes, dashes and the like as the model's own symbols.",
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        help="Folder for the result [default: saved_models/RECIPE, or trained/RECIPE where a "
        "published model has that name]."
    ),
]
Resume = Annotated[
    bool,
    typer.Option(
        "--resume",
        help="Go on from the last checkpoint in the output folder, with the options it began with.",
    ),
]
Overwrite = Annotated[
    bool,
    typer.Option("--overwrite", help="Replace results that lie there; published ones never."),
]
FromModel = Annotated[
    str | None,
    typer.Option("--from", help="Fine-tune this model: a folder or a .keras file."),
]
Teacher = Annotated[
    str | None,
    typer.Option(
        help="Distil: learn from these trained models too, a name or path, or more with commas.",
        metavar="NAME[,NAME...]",
    ),
]
TeacherAlpha = Annotated[
    float | None,
    typer.Option(
        help="With --teacher, language models: its share of the loss [recipe's own, 0.5]."
    ),
]
TeacherTemperature = Annotated[
    float | None,
    typer.Option(
        help="With --teacher, language models: temperature of its probabilities [recipe's own, 1]."
    ),
]
LogDir = Annotated[
    Path | None,
    typer.Option(
        help="Folder for TensorBoard. Keras needs the package for it: pip install tensorboard."
    ),
]
Devices = Annotated[
    str | None,
    typer.Option(help='Train on so many devices of this machine, or on "all" [default: 1].'),
]
Processes = Annotated[
    int | None,
    typer.Option(help="Train by so many processes together, on JAX; start as many commands."),
]
ProcessId = Annotated[
    int | None,
    typer.Option(
        help="The number of this process, from 0; the first writes the files.",
        envvar=["JOB_COMPLETION_INDEX", "SLURM_PROCID"],
    ),
]
Coordinator = Annotated[
    str | None,
    typer.Option(
        help="HOST:PORT of the first process, the same for all. SLURM tells it by itself.",
        envvar="JAX_COORDINATOR_ADDRESS",
    ),
]
