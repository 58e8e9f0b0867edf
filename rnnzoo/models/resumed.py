"""`fit` from within an epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from rnnzoo.data.batches import skip_batches
from rnnzoo.errors import InputError
from rnnzoo.models.built_rates import inner_optimizer
from rnnzoo.replicas import device_count

if TYPE_CHECKING:
    import tensorflow as tf


class ResumedFit:
    """Lets `fit` go on where one of its callbacks says that a training was cut off.

    A mix-in for a `keras.Model`. A callback alone cannot do it: Keras gives it no access to the
    data, of which it must leave out the batches that were trained already.
    """

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: str | int = "auto",
        callbacks: Any = None,
        **kwargs: Any,
    ) -> keras.callbacks.History:
        """Trains the model: `keras.Model.fit`, which goes on for a callback that can resume.

        Args:
            x: As for `keras.Model.fit`.
            y: As for `keras.Model.fit`.
            batch_size: As for `keras.Model.fit`.
            epochs: As for `keras.Model.fit`.
            verbose: As for `keras.Model.fit`.
            callbacks: As for `keras.Model.fit`. One with a method `resume`, such as
                `rnnzoo.callbacks.Checkpoints`, says the epoch and the batch to go on from, and by
                `is_over` that nothing is left to train. It is called after all others.
            **kwargs: As for `keras.Model.fit`.

        Returns:
            The `keras.callbacks.History`.
        """
        listed = callbacks if isinstance(callbacks, list | tuple) else [callbacks]
        resuming = [one for one in listed if hasattr(one, "resume")]
        if not resuming:
            return super().fit(
                x, y, batch_size=batch_size, epochs=epochs, verbose=verbose, callbacks=callbacks,
                **kwargs,
            )  # fmt: skip
        if len(resuming) > 1:
            raise InputError(f"{len(resuming)} callbacks would resume the training; give one.")
        # Last: what it saves of an epoch is then what the others have made of it.
        listed = [one for one in listed if one is not resuming[0]] + resuming
        for name in ("initial_epoch", "steps_per_epoch"):
            if kwargs.pop(name, None):
                raise InputError(
                    f"A training that can be resumed begins by itself where it was cut off, and "
                    f"reads whole epochs; leave out {name}."
                )
        epoch, batch = resuming[0].resume(self, x, callbacks=listed)
        if resuming[0].is_over:
            epoch, batch = max(epoch, epochs), 0
        if epoch >= epochs:  # nothing is left but what Keras does at the end of `fit`
            self.optimizer.finalize_variable_values(self.trainable_variables)
            for one in listed:
                if isinstance(one, keras.callbacks.EarlyStopping):  # restores the best weights
                    one.set_model(self)
                    one.on_train_end()
        # The order of an epoch depends on how many iterators were made before it. Keras makes one
        # for each epoch and, where it knows the number of batches, a second one at its end.
        for _ in range(epoch if epoch < epochs else 0):
            next(iter(x))
            if int(x.cardinality()) > 0:
                iter(x)
        fit_from(
            self, x, epoch=epoch, batch=batch, epochs=epochs, callbacks=listed, verbose=verbose,
            **kwargs,
        )  # fmt: skip
        return self.history

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        """Builds optimizer and metrics, as Keras does it on several devices of TensorFlow.

        Keras would read a batch of the data to see its shapes, which begins an epoch more of those
        that count them, such as random resets. What the data say of themselves is enough.
        """
        if iterator is not None and self._distribute_strategy is not None:
            devices = device_count(self)

            def part(spec):
                rows, *shape = spec.shape
                return keras.KerasTensor((rows and rows // devices, *shape), spec.dtype.name)

            specs = iterator.data_adapter.get_tf_dataset().element_spec
            if all(spec.shape.rank for spec in keras.tree.flatten(specs)):
                iterator, data_batch = None, keras.tree.map_structure(part, specs)
        super()._maybe_symbolic_build(iterator=iterator, data_batch=data_batch)


def fit_from(
    model: keras.Model,
    batches: tf.data.Dataset,
    *,
    epoch: int,
    batch: int,
    epochs: int,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    verbose: str | int = 0,
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
        verbose: As for `keras.Model.fit`.
        **kwargs: As for `keras.Model.fit`.
    """
    try:
        steps = len(batches)
    except TypeError:  # tf.data does not know it
        steps = None
    together = _Together(
        list(callbacks), add_history=True, add_progbar=verbose != 0, model=model,
        verbose=verbose, epochs=epochs, steps=steps,
    )  # fmt: skip
    if batch:
        together.last = epoch + 1 >= epochs
        rest = skip_batches(batches, batch)
        model.fit(rest, initial_epoch=epoch, epochs=epoch + 1, callbacks=together, **kwargs)
        epoch += 1
        if averages(model) and not together.last and not model.stop_training:
            # At its end `fit` puts the averages in the place of the weights.
            for variable, value in zip(model.trainable_variables, together.weights, strict=True):
                variable.assign(value)
        if model.stop_training and not together.last:
            together.last = True
            together.on_train_end()
    if epoch < epochs and not together.last:
        together.last = True
        model.fit(batches, initial_epoch=epoch, epochs=epochs, callbacks=together, **kwargs)


def averages(model: keras.Model) -> bool:
    """Whether a model's optimizer keeps averages of its weights, which `fit` ends with."""
    return inner_optimizer(model).use_ema


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
        if averages(self.model) and not self.last:
            self.weights = [
                np.array(keras.ops.convert_to_numpy(variable))
                for variable in self.model.trainable_variables
            ]

    def on_train_end(self, logs=None):
        if self.last:
            super().on_train_end(logs)
