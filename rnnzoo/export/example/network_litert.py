"""A network in a LiteRT file, run by LiteRT's own interpreter."""

from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter

FOLDER = Path(__file__).parent


class Network:
    """Runs a network: arrays in, arrays out, by their names."""

    def __init__(self, name: str):
        self.runner = Interpreter(str(FOLDER / f"{name}.tflite")).get_signature_runner()

    def __call__(self, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        """Runs the network once."""
        return self.runner(**inputs)
