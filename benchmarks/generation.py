"""Generation: characters a second, time to the first character, and what is compiled anew.

    pip install torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu
    python benchmarks/generation.py
    python benchmarks/generation.py --rounds 9 --tokens 1000
    python benchmarks/generation.py --quick                  # tiny sizes: does it run at all?

One model, a character LSTM of 2 x 512 units over 65 symbols, with random weights. The contestants
take turns in one process, all with every core, and draw from the model's own distribution:

- rnnzoo: `model.generate`, texts in and texts out;
- PyTorch: a Python loop over `torch.nn.LSTM`, one step at a time with its state, and
  `torch.multinomial`, without gradients; ids in and ids out;
- the tutorial: stock Keras, a many-to-one LSTM that reads the last 100 characters anew for each
  character, by `model.predict(..., verbose=0)`. Only a few characters are timed.

Ratios are medians over the rounds of the ratio within the round. Everything becomes one section of
RESULTS.md.
"""

import argparse
import statistics
import string
import time
from unittest import mock

import _common
import _training
import keras
import numpy as np
import torch
from _torch_models import TorchLanguageModel

from rnnzoo import Vocabulary, char_lstm

VOCABULARY = Vocabulary.from_text(string.ascii_letters + string.digits + " ,.")  # 65 characters
PROMPT = "To be, or not to"
OURS, TORCH, TUTORIAL = "rnnzoo `generate`", "PyTorch loop", "`predict` per character"
WINDOW = 100


def torch_generate(model, prompt, tokens):
    """Writes `tokens` ids after each row of `prompt` (batch, time)."""
    with torch.inference_mode():
        logits, state = model(prompt)
        written = []
        for _ in range(tokens):
            token = torch.multinomial(torch.softmax(logits[:, -1], -1), 1)  # (B, 1)
            written.append(token)
            logits, state = model(token, state)
        return torch.cat(written, 1).numpy()


def tutorial_model(units):
    """The many-to-one model of the tutorials, with the layers of `char_lstm`."""
    return keras.Sequential(
        [
            keras.Input((WINDOW,), dtype="int32"),
            keras.layers.Embedding(len(VOCABULARY), min(units, 128)),
            keras.layers.LSTM(units, return_sequences=True),
            keras.layers.LSTM(units),
            keras.layers.Dense(len(VOCABULARY), activation="softmax"),
        ]
    )


def tutorial_generate(model, windows, tokens):
    """Writes `tokens` ids after each row of `windows` (batch, 100), as the tutorials do."""
    random = np.random.default_rng(0)
    for _ in range(tokens):
        chances = model.predict(windows, verbose=0).astype("float64")  # (B, V)
        chances /= chances.sum(-1, keepdims=True)
        drawn = [random.choice(len(row), p=row) for row in chances]
        windows = np.concatenate([windows[:, 1:], np.array(drawn, "int32")[:, None]], 1)
    return windows[:, -tokens:]


def speed(models, batch, args):
    """The rows of the table of speeds for one batch size."""
    ours, theirs, tutorial = models
    ids = VOCABULARY.encode(PROMPT)
    prompt = torch.from_numpy(np.tile(ids, (batch, 1)))
    windows = np.resize(ids, (batch, WINDOW))
    tokens = {OURS: args.tokens, TORCH: args.tokens, TUTORIAL: args.tutorial_tokens}
    contestants = {
        OURS: lambda: ours.generate([PROMPT] * batch, tokens[OURS], seed=0),
        TORCH: lambda: torch_generate(theirs, prompt, tokens[TORCH]),
        TUTORIAL: lambda: tutorial_generate(tutorial, windows, tokens[TUTORIAL]),
    }
    if {len(text) for text in contestants[OURS]()} != {args.tokens}:
        raise RuntimeError("rnnzoo wrote fewer characters than asked for.")
    times = _common.alternate(contestants, args.rounds)
    each = {name: [t / tokens[name] for t in times[name]] for name in times}  # seconds a step
    return [
        [
            batch,
            name,
            f"{batch / statistics.median(seconds):,.1f}",
            f"{_common.ratio(each[TUTORIAL], seconds):,.1f}",
            f"{_common.ratio(each[TORCH], seconds):.2f}",
        ]
        for name, seconds in each.items()
    ]


def first_token(model, prompt, calls):
    """Milliseconds to the first character of a warm model: the median and the 90th percentile."""
    taken = []
    for call in range(calls + 3):
        start = time.perf_counter()
        model.generate(prompt, max_new_tokens=1, seed=call)
        taken.append((time.perf_counter() - start) * 1000)
    return np.quantile(taken[3:], [0.5, 0.9])


def traces(units):
    """How often a fresh model's generation is traced, call after call.

    Python runs `prefill` only while TensorFlow traces the compiled function, once for each trace:
    so its calls are counted.
    """
    model = char_lstm(VOCABULARY, units=units)
    calls = [
        ("first call: 1 prompt of 16 characters, 20 new ones", 1, 16, 20, {}),
        ("the same again", 1, 16, 20, {}),
        ("another seed", 1, 16, 20, {"seed": 7}),
        ("a prompt of 5", 1, 5, 20, {}),
        ("a prompt of 30", 1, 30, 20, {}),
        ("a prompt of 100", 1, 100, 20, {}),
        ("25 new characters", 1, 16, 25, {}),
        ("200 new characters", 1, 16, 200, {}),
        ("1 new character", 1, 16, 1, {}),
        ("2 prompts", 2, 16, 20, {}),
        ("64 prompts", 64, 16, 20, {}),
        ("another temperature", 1, 16, 20, {"temperature": 0.8}),
        ("the first call again", 1, 16, 20, {}),
    ]
    kind, rows = type(model), []
    for what, batch, length, tokens, options in calls:
        prompt = (PROMPT * length)[:length]
        with mock.patch.object(kind, "prefill", autospec=True, side_effect=kind.prefill) as prefill:
            model.generate([prompt] * batch, tokens, **options)
        rows.append([what, prefill.call_count])
    if rows[0][1] == 0:
        raise RuntimeError("The first call was not seen being traced: the count means nothing.")
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="turns of each contestant")
    parser.add_argument("--tokens", type=int, default=500, help="characters a row in each turn")
    parser.add_argument("--tutorial-tokens", type=int, default=10, help="the same, tutorial")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, printed only")
    args = parser.parse_args()
    units, batches = 512, (1, 64)
    if args.quick:
        units, batches = 16, (1, 3)
        args.rounds, args.tokens, args.tutorial_tokens = 1, 10, 2
    cores = _training.use_all_cores()
    torch.set_num_threads(cores)
    model = char_lstm(VOCABULARY, units=units)
    models = (
        model,
        TorchLanguageModel(
            len(VOCABULARY), units, 2, embedding_dim=min(units, 128), tied=False
        ).eval(),
        tutorial_model(units),
    )
    speeds = [row for batch in batches for row in speed(models, batch, args)]
    calls = 5 if args.quick else 100
    firsts = []
    for length in (1, 8, 16, 100):
        median, late = first_token(model, (PROMPT * length)[:length], calls)
        firsts.append([length, f"{median:.1f}", f"{late:.1f}"])
    head = ["rows", "contestant", "characters/s", "x tutorial", "x PyTorch"]
    text = (
        f"Keras {keras.__version__}, PyTorch {torch.__version__}, {cores} threads each, float32. "
        f"`char_lstm`, {len(VOCABULARY)} symbols, 2 x {units} units, a prompt of {len(PROMPT)} "
        f"characters, {args.tokens} new ones a row ({args.tutorial_tokens} by the tutorial's way). "
        f"Medians of {args.rounds} rounds.\n\n{_common.table(head, speeds)}\n\n"
        f"First character of a warm model after one prompt, milliseconds of {calls} calls:\n\n"
        f"{_common.table(['characters of the prompt', 'median', '90 % below'], firsts)}\n\n"
        "Traces of one model, call after call (each differs from the first in one thing):\n\n"
        f"{_common.table(['call', 'traces'], traces(16))}"
    )
    if args.quick:
        print(text)
    else:
        _common.write_section("Generation", text)


if __name__ == "__main__":
    main()
