"""What a training holds beside weights and optimizer, so that it can go on exactly where it was."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from rnnzoo.errors import InputError
from rnnzoo.replicas import read_rows, read_sums, write_rows, write_sums

# What Keras's callbacks count over epochs, and begin to count anew with every `fit`.
COUNTED = {
    keras.callbacks.EarlyStopping: ("wait", "best", "best_epoch"),
    keras.callbacks.ReduceLROnPlateau: ("wait", "best", "cooldown_counter"),
    keras.callbacks.ModelCheckpoint: ("best",),
}
# Of streams and metrics each device has its own part.
READERS = {"stream": read_rows, "metrics": read_sums}
WRITERS = {"stream": write_rows, "metrics": write_sums}


def seed_states(model: keras.Model) -> list[keras.Variable]:
    """Lists the states of all seed generators of a model, such as those of dropout.

    Keras saves none of them with a model (keras-team/keras#19796), so that dropout would begin
    anew after a training was resumed.
    """
    generators = [
        generator
        for layer in model._flatten_layers()
        for generator in layer._seed_generators
    ]  # fmt: skip
    unique = {id(generator): generator for generator in generators}
    return [generator.state for generator in unique.values()]


def stream_states(model: keras.Model) -> list[keras.Variable]:
    """Lists the states that the rows of a stream carry in training; none where there is no stream.

    They exist from the start of `fit` on.
    """
    carried = getattr(model, "_training_state", None)
    return list(carried.state) if carried is not None and carried.rows else []


def read_state(model: keras.Model) -> dict[str, np.ndarray]:
    """Reads the seeds, the carried state and the metrics of the running epoch.

    Args:
        model: A model inside `fit`.

    Returns:
        Arrays by name, for `write_state`.
    """
    if keras.config.backend() == "jax":
        model.jax_state_sync()  # a running `fit` holds the values itself
    return {
        f"{group}/{index}": _read(group, variable)
        for group, variables in _groups(model).items()
        for index, variable in enumerate(variables)
    }


def write_state(model: keras.Model, state: Mapping[str, np.ndarray]) -> None:
    """Puts the state back that `read_state` read.

    Args:
        model: The model, inside `fit`, at the start of an epoch.
        state: The arrays.

    Raises:
        InputError: If the model is another one.
    """
    for group, variables in _groups(model).items():
        names = [name for name in state if name.startswith(f"{group}/")]
        if group == "metrics" and not names:  # the epoch had not begun
            continue
        names.sort(key=lambda name: int(name.rpartition("/")[2]))
        saved = [state[name] for name in names]
        fits = (_fits(group, *pair) for pair in zip(saved, variables, strict=False))
        if len(saved) != len(variables) or not all(fits):
            shapes = [array.shape for array in saved]
            raise InputError(
                f"The training was saved with other {group} than this model and these batches "
                f"have (shapes {shapes}); go on with the model and the data that began it."
            )
        for variable, array in zip(variables, saved, strict=True):
            WRITERS.get(group, keras.Variable.assign)(variable, array)


def _read(group, variable):
    return READERS.get(group, _values)(variable)


def _values(variable):
    return np.array(keras.ops.convert_to_numpy(variable))


def _fits(group, saved, variable):
    rank = len(variable.shape)
    if group == "metrics" and saved.ndim == rank + 1:  # of several devices, be they as many or not
        return saved.shape[1:] == tuple(variable.shape)
    shape = tuple(variable.shape) if group == "metrics" else _read(group, variable).shape
    return saved.shape == shape


def read_counts(
    callbacks: Sequence[keras.callbacks.Callback], *, within: bool
) -> list[dict[str, Any]]:
    """Reads what callbacks count, such as the epochs that an early stop has waited.

    A callback of rnnzoo names these attributes in `remembered`, and in `remembered_within` those
    that begin anew with every epoch; of Keras's the ones in `COUNTED` are known.

    Args:
        callbacks: The callbacks.
        within: Whether an epoch is under way.

    Returns:
        The numbers of each callback that counts, for `write_counts`.
    """
    return [
        {
            name: vars(one)[name]
            for name in (*always, *(in_epoch if within else ()))
            if name in vars(one)
        }
        for one in callbacks
        for always, in_epoch in _counted_by(one)
    ]


def write_counts(
    callbacks: Sequence[keras.callbacks.Callback], counts: Sequence[Mapping[str, Any]]
) -> None:
    """Puts back what `read_counts` read.

    Args:
        callbacks: The callbacks, in the order of then.
        counts: The numbers.

    Raises:
        InputError: If the callbacks are others.
    """
    counting = [one for one in callbacks if _counted_by(one)]
    if len(counting) != len(counts):
        raise InputError(
            f"The training was saved with {len(counts)} callbacks that count something, and now "
            f"there are {len(counting)}; give the same callbacks, in the same order."
        )
    for callback, numbers in zip(counting, counts, strict=True):
        vars(callback).update(numbers)


def read_best_weights(callbacks: Sequence[keras.callbacks.Callback]) -> dict[str, np.ndarray]:
    """Reads the weights that an `EarlyStopping` will restore in the end.

    Args:
        callbacks: The callbacks.

    Returns:
        Arrays by name, for `write_best_weights`.
    """
    return {
        f"best_weights/{place}/{index}": array
        for place, one in enumerate(_restoring(callbacks))
        for index, array in enumerate(one.best_weights or [])
    }


def write_best_weights(
    callbacks: Sequence[keras.callbacks.Callback], state: Mapping[str, np.ndarray]
) -> None:
    """Puts back what `read_best_weights` read.

    Args:
        callbacks: The callbacks, in the order of then.
        state: The arrays; others among them are passed over.
    """
    for place, one in enumerate(_restoring(callbacks)):
        count = sum(name.startswith(f"best_weights/{place}/") for name in state)
        saved = [state[f"best_weights/{place}/{index}"] for index in range(count)]
        one.best_weights = saved or None


def has_run_out(callback: keras.callbacks.Callback) -> bool:
    """Whether a callback is an `EarlyStopping` that has waited as long as it may."""
    stops = isinstance(callback, keras.callbacks.EarlyStopping)
    return stops and callback.wait >= max(1, callback.patience)


def _restoring(callbacks):
    """Those that keep the best weights to restore them."""
    stopping = (one for one in callbacks if isinstance(one, keras.callbacks.EarlyStopping))
    return [one for one in stopping if one.restore_best_weights]


def _counted_by(callback):
    """What a callback counts: one pair of names for all epochs and for one; none if nothing."""
    if hasattr(callback, "remembered"):
        return [(callback.remembered, callback.remembered_within)]
    return [(names, ()) for kind, names in COUNTED.items() if isinstance(callback, kind)]


def _groups(model):
    return {
        "seeds": seed_states(model),
        "stream": stream_states(model),
        "metrics": model.metrics_variables,
    }
