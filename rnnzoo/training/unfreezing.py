"""Fine-tuning from the head down: which part of a model learns when, and how fast."""

import keras

from rnnzoo.errors import InputError
from rnnzoo.optimizers import LayerwiseAdam


class GradualUnfreezing(keras.callbacks.Callback):
    """Lets the parts of a model learn one after the other, the deeper the more slowly.

    For a model compiled with `rnnzoo.optimizers.LayerwiseAdam`. At first its first part learns
    alone, the head; after `every_batches` batches the second one too, and so on. A part's learning
    rate is that of the part before it divided by `rate_decay`. What counts are the optimizer's
    batches, so that a resumed training goes on where it was.

    Args:
        every_batches: Batches after which the next part is let go; 0: all learn from the start.
        rate_decay: By how much the rate of each part is below that of the part before it.

    Raises:
        InputError: If a number cannot be.

    Example:
        ```python
        model.compile(LayerwiseAdam(1e-3, parts=("head", "recurrent", "embedding")))
        model.fit(batches, epochs=3, callbacks=[GradualUnfreezing(every_batches=len(batches))])
        ```

    Reference:
        Howard and Ruder, "Universal Language Model Fine-tuning for Text Classification", ACL 2018
        (arXiv:1801.06146), sections 3.2 and 3.3.
    """

    def __init__(self, every_batches: int = 0, *, rate_decay: float = 2.6):
        super().__init__()
        if not hasattr(every_batches, "__index__") or every_batches < 0:
            raise InputError(
                f"`every_batches` must be a whole number of at least 0, not {every_batches!r}."
            )
        if not (isinstance(rate_decay, int | float) and rate_decay >= 1):
            raise InputError(f"`rate_decay` must be at least 1, not {rate_decay!r}.")
        self.every_batches, self.rate_decay = int(every_batches), float(rate_decay)
        self._learning = None  # parts that learn, of this `fit`

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Checks the optimizer.

        Raises:
            InputError: If it is no `LayerwiseAdam`.
        """
        optimizer = _inner(self.model.optimizer)
        if not isinstance(optimizer, LayerwiseAdam):
            raise InputError(
                "GradualUnfreezing sets the rates of the parts of a model, and "
                f"{type(optimizer).__name__} has one rate for all; compile the model "
                "with rnnzoo.optimizers.LayerwiseAdam."
            )
        self._learning = None

    def on_train_batch_begin(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Sets the factors of the rates, where another part is let go."""
        optimizer = _inner(self.model.optimizer)
        parts = len(optimizer.parts)
        learning = parts
        if self.every_batches:
            learning = min(parts, 1 + int(optimizer.iterations) // self.every_batches)
        if learning != self._learning:
            optimizer.factors.assign(
                [self.rate_decay**-part if part < learning else 0.0 for part in range(parts)]
            )
            self._learning = learning


def _inner(optimizer):
    """The optimizer itself, where Keras scales the loss around it."""
    return getattr(optimizer, "inner_optimizer", optimizer)
