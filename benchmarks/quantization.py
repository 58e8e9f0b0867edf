"""What int8 costs: held-out nats of published models, before and after `quantize("int8")`.

python benchmarks/quantization.py char_lstm_shakespeare_small --text input.txt
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np

import rnnzoo


def main() -> None:
    """Prints a row of a table for each model."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("models", nargs="+", help="names of published character models")
    parser.add_argument("--text", required=True, help="the corpus, a text file")
    parser.add_argument("--held-out", type=float, default=0.1, help="its last part")
    options = parser.parse_args()
    text = Path(options.text).read_text(encoding="utf-8")
    text = text[int(len(text) * (1 - options.held_out)) :]
    print("| model | nats | nats, int8 | KiB | KiB, int8 |")
    for name in options.models:
        model = rnnzoo.load(name)
        ids = np.asarray(model.vocabulary.encode(text))
        windows = (len(ids) - 1) // 128
        x = ids[: windows * 128].reshape(windows, 128)
        y = ids[1 : windows * 128 + 1].reshape(windows, 128)
        figures, sizes = [], []
        for quantized in (False, True):
            if quantized:
                model.quantize("int8")
            bits = model.evaluate(x, y, batch_size=64, verbose=0, return_dict=True)
            figures.append(bits["bits_per_character"] * np.log(2))
            with tempfile.TemporaryDirectory() as folder:
                model.compile(optimizer="sgd")
                model.save(Path(folder) / "model.keras")
                sizes.append((Path(folder) / "model.keras").stat().st_size // 1024)
        print(f"| {name} | {figures[0]:.4f} | {figures[1]:.4f} | {sizes[0]} | {sizes[1]} |")


if __name__ == "__main__":
    main()
