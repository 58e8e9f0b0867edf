"""A saved model opens in a process that has only imported rnnzoo."""

import subprocess
import sys

import numpy as np

import rnnzoo
from tests import runners

SCRIPT = """
import sys
import numpy as np
import rnnzoo
import keras

folder = sys.argv[1]
for name in ("char_lstm", "word_lm", "gru_seq2seq"):
    model = keras.saving.load_model(f"{folder}/{name}.keras")
    arrays = dict(np.load(f"{folder}/{name}.npz"))
    logits = arrays.pop("logits")
    inputs = arrays.get("tokens", arrays)
    assert np.array_equal(keras.ops.convert_to_numpy(model(inputs)), logits), name
    assert model.compiled, name
    if name == "gru_seq2seq":
        assert model.translate("one two") == open(f"{folder}/{name}.txt").read()
    else:
        prompt = model.vocabulary.tokens[-1]
        assert model.generate(prompt, 5, seed=1) == open(f"{folder}/{name}.txt").read()
"""


def test_saved_models_open_in_a_fresh_process(tmp_path):
    makers = {
        "char_lstm": runners.language_model(),
        "word_lm": runners.language_model(rnnzoo.word_lm),
        "gru_seq2seq": runners.seq2seq(),
    }
    for name, make in makers.items():
        model = make()
        model.compile()
        model.save(tmp_path / f"{name}.keras")
        inputs, *_ = runners.batch(model)
        arrays = inputs if isinstance(inputs, dict) else {"tokens": inputs}
        logits = runners.logits_of(model, inputs)
        np.savez(tmp_path / f"{name}.npz", logits=logits, **arrays)
        if name == "gru_seq2seq":
            text = model.translate("one two")
        else:
            text = model.generate(model.vocabulary.tokens[-1], 5, seed=1)
        (tmp_path / f"{name}.txt").write_text(text)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
