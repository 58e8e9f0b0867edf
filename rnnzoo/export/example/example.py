"""Generates or translates with the exported model in this folder, by greedy search.

    python example.py TEXT [MOST NEW TOKENS]

TEXT is a prompt, or a text to translate. `network.py` runs the networks and `vocabulary.py` reads
and writes text; nothing else is needed but NumPy and the runtime.
"""

import json
import sys
from pathlib import Path

import numpy as np
from network import Network
from vocabulary import Vocabulary

SETTINGS = json.loads(Path(__file__).with_name("vocabulary.json").read_text("utf-8"))


class Model:
    """The step of a model with its state, and for a translator the memory of the source."""

    def __init__(self, state: dict[str, np.ndarray], memory: dict[str, np.ndarray]):
        self.network, self.state, self.memory = Network("step"), state, memory

    def read(self, token: int) -> np.ndarray:
        """Reads a token; returns the logits of the next."""
        token = np.array([token], "int32")
        result = self.network(token=token, **self.state, **self.memory)
        self.state = {name: result[f"new_{name}"] for name in self.state}
        return result["logits"][0]

    def write(self, logits: np.ndarray, most: int) -> list[int]:
        """Writes tokens up to the end token: always the likeliest. Draw them here instead."""
        if most < 1:
            raise ValueError(f"The most new tokens must be at least 1, not {most}.")
        tokens = []
        while True:
            logits = logits.copy()
            logits[SETTINGS["suppressed_ids"]] = -np.inf
            token = int(np.argmax(logits))
            if token == SETTINGS["end_id"]:
                return tokens
            tokens.append(token)
            if len(tokens) == most:
                return tokens
            logits = self.read(token)


def generate(prompt: str, most: int = 500) -> str:
    """Goes on after a prompt; returns both as one text."""
    vocabulary = Vocabulary(SETTINGS["vocabulary"])
    ids = vocabulary.encode(prompt)
    if SETTINGS["start_id"] is not None:
        ids.insert(0, SETTINGS["start_id"])
    if not ids:
        raise ValueError("The prompt is empty; give at least one symbol to go on from.")
    start = [np.array([each], "float32") for each in SETTINGS["initial_state"]]  # (1, units)
    model = Model({f"state_{i}": each for i, each in enumerate(start)}, memory={})
    for token in ids:
        logits = model.read(token)
    return vocabulary.decode(ids + model.write(logits, most))


def translate(text: str, most: int | None = None) -> str:
    """Translates a text."""
    vocabulary = Vocabulary(SETTINGS["source_vocabulary"])
    ids = vocabulary.encode(text)
    if not ids:
        raise ValueError("The text to translate is empty.")
    if vocabulary.end is not None:
        ids.append(vocabulary.end)
    read = Network("encoder")(source=np.array([ids], "int32"))
    state = {name: value for name, value in read.items() if name.startswith("state_")}
    memory = {name: value for name, value in read.items() if name not in state}
    model = Model(state, memory)
    logits = model.read(SETTINGS["start_id"])
    written = model.write(logits, 2 * len(ids) + 10 if most is None else most)
    return Vocabulary(SETTINGS["target_vocabulary"]).decode(written)


def main(words: list[str]) -> None:
    """Prints what the words of the command line ask for, or in one sentence what is wrong."""
    run = generate if "vocabulary" in SETTINGS else translate
    if len(words) not in (1, 2):
        sys.exit("Give a text in quotation marks, and after it the most new tokens if you like.")
    try:
        print(run(words[0], *map(int, words[1:])))
    except ValueError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main(sys.argv[1:])
