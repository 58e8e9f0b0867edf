"""`fit` from within an epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from rnnzoo.data.batches import skip_batches

if TYPE_CHECKING:
    import tensorflow as tf


def fit_from(
    model: keras.Model,
    batches: tf.data.Dataset,
    *,
    epoch: int,
    batch: int,
    epochs: int,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    **kwargs: Any,
) -> None:
    """Trains a model from the n-th batch of an epoch on.

    Keras can begin at an epoch only. So the rest of one that was cut short is a `fit` of its own,
    and the epochs after it another, under callbacks that begin and end but once.

    Args:
        model: A compiled model.
        batches: The batches; their next iteration is the epoch.
        epoch: The epoch, counted from 0.
        batch: How many of its batches were trained already.
        epochs: The epoch to end before.
        callbacks: Keras callbacks. The batches of an epoch that was cut short are counted from 0.
        **kwargs: As for `keras.Model.fit`.
    """
    together = _Together(list(callbacks), add_history=True, model=model)
    if batch:
        together.last = epoch + 1 >= epochs
        rest = skip_batches(batches, batch)
        model.fit(rest, initial_epoch=epoch, epochs=epoch + 1, callbacks=together, **kwargs)
        epoch += 1
        if model.optimizer.use_ema and not together.last and not model.stop_training:
            # At its end `fit` puts the averages in the place of the weights.
            for variable, value in zip(model.trainable_variables, together.weights, strict=True):
                variable.assign(value)
        if model.stop_training and not together.last:
            together.last = True
            together.on_train_end()
    if epoch < epochs and not together.last:
        together.last = True
        model.fit(batches, initial_epoch=epoch, epochs=epochs, callbacks=together, **kwargs)


class _Together(keras.callbacks.CallbackList):
    """Callbacks for which several `fit`s are one training."""

    begun = last = False
    weights = ()

    def on_train_begin(self, logs=None):
        if not self.begun:
            self.begun = True
            super().on_train_begin(logs)

    def on_epoch_end(self, epoch, logs=None):
        super().on_epoch_end(epoch, logs)
        if self.model.optimizer.use_ema and not self.last:
            self.weights = [
                np.array(keras.ops.convert_to_numpy(variable))
                for variable in self.model.trainable_variables
            ]

    def on_train_end(self, logs=None):
        if self.last:
            super().on_train_end(logs)
