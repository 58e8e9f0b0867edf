"""Ends a training that has diverged, with the weights that it had before."""

import math

import keras
import numpy as np

from rnnzoo.errors import InputError
from rnnzoo.training.schedule import TrainingClock


class FiniteLoss(keras.callbacks.Callback):
    """Ends a training at the first batch whose loss is not finite.

    Put it before the callbacks that save.

    Args:
        clock: The `TrainingClock`, which counts the batches.
        checkpoint: The `Checkpoint`, which has the last good weights.

    Raises:
        InputError: In `fit`, at that batch.
    """

    def __init__(self, clock: TrainingClock, checkpoint):
        super().__init__()
        self.clock, self.checkpoint = clock, checkpoint

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Looks at the loss."""
        if not math.isfinite(logs["loss"]):  # Keras's mean over the epoch: bad from here on
            raise self.diverged("the loss", logs["loss"])

    def check_weights(self) -> None:
        """Looks at the weights, before they are saved."""
        for variable in self.model.weights:
            values = keras.ops.convert_to_numpy(variable)
            if values.dtype.kind not in "iub" and not np.isfinite(values.astype("float32")).all():
                raise self.diverged(f"the weight {variable.path}", math.nan)

    def diverged(self, what: str, value: float) -> InputError:
        """Makes the error, which says where the last good weights are."""
        clock, saved = self.clock, self.checkpoint.progress.get("step", 0)
        rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        good = f"those of batch {saved:,} are in {self.checkpoint.last}"
        return InputError(
            f"After batch {clock.step:,} ({clock.batches:,} of its epoch) {what} is {value}: the "
            f"training has diverged; {good if saved else 'no weights were saved before'}, and a "
            f"learning_rate below {rate:.3g} may help."
        )
