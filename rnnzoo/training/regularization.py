"""Dropout and weight decay that change from epoch to epoch."""

from collections.abc import Callable

import keras

from rnnzoo.errors import InputError
from rnnzoo.layers.cells.fast_loop import FastLoop
from rnnzoo.layers.dropout import EmbeddingDropout
from rnnzoo.models.built_rates import (
    forget_rates,
    inner_optimizer,
    note_built_rate,
    set_rates_back,
)


class RegularizationSchedule(keras.callbacks.Callback):
    """Multiplies a model's dropout rates and its optimizer's weight decay by a factor each epoch.

    A change compiles the training step anew, which takes seconds: let a factor go in a few steps
    rather than in many. Since the factors depend on the epoch alone, a resumed training has those
    of one that was never cut off. At the end of `fit` the rates are as they were, and so they are
    in every file that the model is saved to.

    Args:
        dropout: Gives the factor of an epoch, counted from 0. It is of all dropout, of whole tokens
            and of recurrent matrices (`weight_drop`) too.
        weight_decay: The same of the weight decay. Keras multiplies it by the learning rate, so
            that it follows the schedule of that already.

    Example:
        ```python
        ramp = RegularizationSchedule(dropout=lambda epoch: min(1.0, 0.5 + epoch // 5 * 0.25))
        model.fit(train, epochs=20, callbacks=[ramp])
        ```

    Reference:
        Morerio et al., "Curriculum Dropout", ICCV 2017 (arXiv:1703.06229).
    """

    def __init__(
        self,
        *,
        dropout: Callable[[int], float] | None = None,
        weight_decay: Callable[[int], float] | None = None,
    ):
        super().__init__()
        self.dropout, self.weight_decay = dropout, weight_decay
        self._built = []

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Notes the rates that the model was built with.

        Raises:
            InputError: If there is nothing to multiply.
        """
        set_rates_back(self.model)  # where a `fit` was interrupted, with this schedule or another
        optimizer = inner_optimizer(self.model)
        dropout = [] if self.dropout is None else _dropouts(self.model)
        if self.dropout is not None and not dropout:
            raise InputError(
                f"The model {self.model.name!r} has no dropout for a schedule to multiply; build "
                "it with the highest rates, such as dropout=0.4."
            )
        decay = [] if self.weight_decay is None else [(optimizer, "weight_decay")]
        if decay and not optimizer.weight_decay:
            raise InputError(
                "The optimizer has no weight decay for a schedule to multiply; give it one, such "
                "as weight_decay=0.1."
            )
        self._built = [
            (owner, name, getattr(owner, name), schedule)
            for owners, schedule in ((dropout, self.dropout), (decay, self.weight_decay))
            for owner, name in owners
        ]
        for owner, name, *_ in self._built:
            note_built_rate(owner, name)

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Sets the rates of the epoch.

        Raises:
            InputError: If a rate is negative, or a dropout not below 1.
        """
        changed = False
        for owner, name, built, schedule in self._built:
            rate = built * schedule(epoch)
            if not 0 <= rate or (schedule is self.dropout and not rate < 1):
                raise InputError(
                    f"The schedule gives the factor {schedule(epoch)} in epoch {epoch}, which "
                    f"makes {rate} of the {name} {built}; a rate must be at least 0, a dropout "
                    "below 1."
                )
            changed = changed or getattr(owner, name) != rate
            setattr(owner, name, rate)
        if changed:
            self.model.make_train_function(force=True)

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """Sets the rates back."""
        set_rates_back(self.model)
        forget_rates(self.model)
        self.model.train_function = None


def _dropouts(model):
    """The layers of a model that drop something, with the attribute that says how much."""
    kinds = {
        keras.layers.Dropout: "rate", EmbeddingDropout: "rate", FastLoop: "weight_drop",
    }  # fmt: skip
    return [
        (layer, name)
        for layer in model._flatten_layers()
        for kind, name in kinds.items()
        if isinstance(layer, kind) and getattr(layer, name)
    ]
