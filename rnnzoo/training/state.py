"""What a training holds beside weights and optimizer, so that it can go on exactly where it was."""

from collections.abc import Mapping

import keras
import numpy as np

from rnnzoo.errors import InputError


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
        f"{group}/{index}": np.array(keras.ops.convert_to_numpy(variable))
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
        shapes = [tuple(state[name].shape) for name in names]
        if shapes != [tuple(variable.shape) for variable in variables]:
            raise InputError(
                f"The training was saved with other {group} than this model and these batches "
                f"have (shapes {shapes}); go on with the model and the data that began it."
            )
        for variable, name in zip(variables, names, strict=True):
            variable.assign(state[name])


def _groups(model):
    return {
        "seeds": seed_states(model),
        "stream": stream_states(model),
        "metrics": model.metrics_variables,
    }
