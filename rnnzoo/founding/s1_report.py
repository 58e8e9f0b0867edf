"""S1's report: what is right of what the model writes, the log of a training, and the pictures."""

import time

import keras

from rnnzoo.founding.s1_models import NUM_OUTPUTS

ACCURACY = "validation accuracy, running free"


def predict(model, numbers):
    """The output of a model for `Numbers`, a NumPy array."""
    inputs = {"inputs": numbers.inputs, "input_mask": numbers.input_mask}
    return model.predict(inputs, batch_size=500, verbose=0)


def write(model, numbers):
    """Lets a model write, running free: ids `(samples, decode_steps)`."""
    return predict(model, numbers).argmax(-1)


def accuracies(written, numbers):
    """Compares what was written with the targets, padding aside.

    Args:
        written: Ids, `(samples, decode_steps)`.
        numbers: The `Numbers` they should be.

    Returns:
        A dictionary: `accuracy`, the share of right symbols, '#' included, which is the document's
        figure; `digits`, the same without '#'; `strings`, the share of samples that are right
        from the first symbol to '#'; `position_1` and so on, the first at each target position
        (`None` where no target is that long).
    """
    mask = numbers.target_mask
    right = (written == numbers.targets) & mask
    digit = mask & (numbers.targets != NUM_OUTPUTS - 1)  # all but '#'
    return {
        "accuracy": float(right.sum() / mask.sum()),
        "digits": float(right[digit].mean()),
        "strings": float((right | ~mask).all(axis=1).mean()),
        **{
            f"position_{at}": float(hits / count) if count else None
            for at, (hits, count) in enumerate(
                zip(right.sum(axis=0), mask.sum(axis=0), strict=True), start=1
            )
        },
    }


class Validation(keras.callbacks.Callback):
    """Measures the model after every epoch, which is `validate_every` samples, and logs it.

    Args:
        held_out: The `Numbers` to write.
        clock: The `TrainingClock`, which stands before it among the callbacks.
        batch_size: Samples of a batch.
        folder: The `RunFolder`.
    """

    def __init__(self, held_out, clock, batch_size, folder):
        super().__init__()
        self.held_out, self.clock, self.batch_size, self.folder = (
            held_out,
            clock,
            batch_size,
            folder,
        )

    def on_epoch_end(self, epoch, logs=None):
        """Writes the held-out numbers and logs how many are right."""
        start = time.monotonic()
        found = accuracies(write(self.model, self.held_out), self.held_out)
        self.clock.validation_seconds = time.monotonic() - start  # the clock leaves time for one
        row = {
            "samples": self.clock.step * self.batch_size,
            "minutes": round(self.clock.minutes, 3),
            "cost": logs["loss"],  # the mean since the last validation
            **found,
        }
        self.folder.log(**row)
        self.folder.echo(
            f"{row['samples']:>8,} samples  {row['minutes']:>5.1f} min  cost {row['cost']:.3f}  "
            f"validation accuracy {row['accuracy']:.2%}, digits {row['digits']:.2%}, "
            f"whole strings {row['strings']:.2%}"
        )


# --- Pictures ----------------------------------------------------------------------------------


def plot_training(folder):
    """Draws the cost, the accuracy against samples, and the accuracy by target position.

    Args:
        folder: The `RunFolder` with the rows that `Validation` logged.
    """
    rows = folder.rows
    samples = [row["samples"] for row in rows]
    with folder.picture("cost.png") as axes:
        axes.plot(samples, [row["cost"] for row in rows])
        axes.set(title=folder.name, xlabel="samples", ylabel="training cost (nats a symbol)")
        axes.set_ylim(bottom=0)
    with folder.picture("accuracy.png") as axes:
        axes.plot(samples, [row["accuracy"] for row in rows], "o-", ms=3, label="symbols")
        axes.plot(samples, [row["strings"] for row in rows], "s-", ms=3, label="whole strings")
        axes.set(title=folder.name, xlabel="samples", ylabel=ACCURACY, ylim=(0, 1.02))
        axes.legend()
    with folder.picture("positions.png") as axes:
        times = sorted({round(share * (len(rows) - 1)) for share in (0, 0.25, 0.5, 1)})
        for color, row in zip(_colors(len(times)), [rows[at] for at in times], strict=True):
            line = [value for name, value in row.items() if name.startswith("position_")]
            label = f"after {row['samples']:,} samples"
            axes.plot(range(1, len(line) + 1), line, "o-", ms=3, color=color, label=label)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.axhline(0.1, color="grey", linestyle=":", label="guessing a digit")
        axes.set(title=folder.name, xlabel="target position", ylabel=ACCURACY, ylim=(0, 1.02))
        axes.legend()


def plot_mean_attention(weights, folder):
    """Draws the mean attention weight of each input position, one line per target position.

    Args:
        weights: Mean over samples, `(target positions, input positions)`.
        folder: The `RunFolder`.
    """
    with folder.picture("mean_attention.png") as axes:
        axes.figure.set_size_inches(10, 5)
        for position, color in enumerate(_colors(len(weights)), start=1):
            line = weights[position - 1]
            axes.plot(range(1, len(line) + 1), line, color=color, linewidth=1, label=position)
        axes.set(title=folder.name, xlabel="input position", ylabel="mean attention weight")
        axes.legend(title="target position", ncols=3, fontsize=7)


def plot_attention(weights, source, written, folder):
    """Draws one sentence's attention as a heat map.

    Args:
        weights: `(target positions, input positions)`.
        source: The input, a character per input position.
        written: What the model wrote, a character per target position.
        folder: The `RunFolder`.
    """
    with folder.picture("attention.png") as axes:
        axes.figure.set_size_inches(2 + 0.11 * len(source), 1.5 + 0.16 * len(written))
        axes.imshow(weights, aspect="auto", cmap="viridis", vmin=0, zorder=2)  # above the grid
        axes.set_xticks(range(len(source)), list(source.replace(" ", "␣")), fontsize=6)
        axes.set_yticks(range(len(written)), list(written), fontsize=7)
        axes.set(title=folder.name, xlabel="input", ylabel="written")


def _colors(count):
    from matplotlib import colormaps

    return [colormaps["viridis"](0.95 * index / max(count - 1, 1)) for index in range(count)]
