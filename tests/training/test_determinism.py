"""Two trainings of one seed, in two processes: the same weights, bit for bit."""

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from unittest import mock

import keras
import numpy as np
import pytest

from rnnzoo import recipes
from rnnzoo.publishing.train import train
from tests.training.test_exact_resume import RECIPES

ROOT = Path(__file__).parents[2]
KINDS = {
    **RECIPES,
    "documents": replace(
        recipes.get("imdb_lm_tiny"),
        vocabulary={"level": "word", "size": 40},
        builder_options={"units": 4, "embedding_dim": 4, "dropout": 0.3, "weight_drop": 0.2},
        dtype="float32",
    ),
}


def weights_after(kind, folder, seed=3):
    """Trains; returns the SHA-256 of weights and optimizer."""
    text_file = folder / ("text.jsonl" if kind == "documents" else "text.txt")
    lines = [f"to be or not to be {number} that is the question" for number in range(60)]
    if kind == "documents":
        lines = [json.dumps({"text": line}) for line in lines]
    text_file.write_text("\n".join(lines))
    text_file = None if kind == "pairs" else text_file
    with mock.patch("rnnzoo.publishing.train.write_artifact", lambda trained: trained.out):
        out = train(KINDS[kind], out=folder / "out", text_file=text_file, seed=seed)
    model = keras.saving.load_model(out / "checkpoint" / "last.keras")
    digest = hashlib.sha256()
    for variable in [*model.weights, *model.optimizer.variables]:
        digest.update(np.ascontiguousarray(variable))
    return digest.hexdigest()


RUN = """
import sys
from pathlib import Path
from tests.training.test_determinism import weights_after
print("digest", weights_after(sys.argv[1], Path(sys.argv[2])))
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_gives_the_same_weights_in_every_process(kind, tmp_path):
    def in_a_process(name):
        (tmp_path / name).mkdir()
        done = subprocess.run(
            [sys.executable, "-c", RUN, kind, str(tmp_path / name)],
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": str(len(name))},
            cwd=ROOT, capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout.split("digest ")[1].strip()

    first = in_a_process("one")
    assert first == in_a_process("other")
    (tmp_path / "seed").mkdir()
    assert first != weights_after(kind, tmp_path / "seed", seed=4)
