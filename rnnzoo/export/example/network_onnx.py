"""A network in an ONNX file, run by onnxruntime."""

from pathlib import Path

import numpy as np
import onnxruntime

FOLDER = Path(__file__).parent


class Network:
    """Runs a network: arrays in, arrays out, by their names."""

    def __init__(self, name: str):
        path = FOLDER / f"{name}.onnx"
        providers = ["CPUExecutionProvider"]
        self.session = onnxruntime.InferenceSession(str(path), providers=providers)
        self.outputs = [output.name for output in self.session.get_outputs()]

    def __call__(self, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        """Runs the network once."""
        return dict(zip(self.outputs, self.session.run(None, inputs), strict=True))
