"""One training step on several devices: TensorFlow's replicas, of which each has its rows.

Under `tf.distribute.MirroredStrategy` every device runs the step on a part of the batch. JAX needs
none of this: there a step is one program over the whole batch, wherever its rows are.
"""

import contextlib
import functools
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from rnnzoo.errors import InputError
from rnnzoo.typing import Tensor


def scope_over(devices: int | str | None) -> contextlib.AbstractContextManager:
    """Returns the scope in which a model is made, or loaded, that trains on several devices.

    Args:
        devices: How many of this machine: a number, or `"all"`. `None` is 1.

    Returns:
        The scope of a `tf.distribute.MirroredStrategy` over GPUs, or over logical CPUs where there
        is no GPU; one that does nothing for one device.

    Raises:
        InputError: If there are fewer devices, or Keras does not run on TensorFlow.
    """
    whole = isinstance(devices, int) and not isinstance(devices, bool) and devices > 0
    if devices is not None and devices != "all" and not whole:
        raise InputError(f'The devices must be a number of at least 1 or "all", not {devices!r}.')
    if devices in (None, 1):
        return contextlib.nullcontext()
    if keras.config.backend() != "tensorflow":
        raise InputError(
            f"Training on {devices} devices in one process needs the TensorFlow backend, not "
            f"{keras.config.backend()}; set KERAS_BACKEND=tensorflow, or leave out --devices."
        )
    import tensorflow as tf

    kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
    names = [device.name for device in tf.config.list_logical_devices(kind)]
    if devices == "all":
        devices = len(names)
    if devices > len(names):
        raise InputError(
            f"{devices} devices were requested, but TensorFlow sees {len(names)} {kind}"
            f"{'s' if len(names) > 1 else ''} here; give --devices {len(names)} or leave it out."
        )
    if devices == 1:
        return contextlib.nullcontext()
    return _mirrored(tuple(names[:devices])).scope()


@functools.cache
def _mirrored(names):
    """The strategy over these devices, one for the whole process.

    Each new one counts its sums over devices from 1 again, by which the devices find each other:
    the sums of a second one would meet those of the first, of other shapes.
    """
    import tensorflow as tf

    return tf.distribute.MirroredStrategy(names)


def replica_count() -> int:
    """Returns over how many devices the running step is spread, or the scope's model will be."""
    if keras.config.backend() != "tensorflow":
        return 1
    import tensorflow as tf

    return tf.distribute.get_strategy().num_replicas_in_sync


def sum_over_replicas(tensors: Any) -> Any:
    """Sums a tensor, or each of a list, over the devices."""
    if replica_count() == 1:
        return tensors
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    return tensors if context is None else context.all_reduce("SUM", tensors)  # None: a dry run


def share_of(weight: Tensor) -> Tensor:
    """What a mean over this device's rows counts for in the mean over all rows of the batch.

    Args:
        weight: The weight of this device's rows, a float32 scalar.

    Returns:
        A factor; those of all devices add up to 1.
    """
    return weight / ops.maximum(sum_over_replicas(weight), 1e-9)


def rows_of_step(rows: int) -> int:
    """Returns how many rows the running step sees, of batches with so many.

    A replica of TensorFlow sees its part of the batch; on JAX a step sees the rows of all
    processes, of which each has read its own.

    Raises:
        InputError: If the devices cannot share the rows evenly.
    """
    if keras.config.backend() == "jax":
        distribution = keras.distribution.distribution()
        return rows if distribution is None else rows * distribution.num_processes
    devices = replica_count()
    if rows % devices:
        raise InputError(
            f"The {rows} rows of a stream cannot be shared evenly by {devices} devices; give a "
            f"batch size that is a multiple of {devices}, or another number of devices."
        )
    return rows // devices


def device_count(model: keras.Model) -> int:
    """Returns over how many devices a model's steps are spread."""
    strategy = getattr(model, "distribute_strategy", None)
    return 1 if strategy is None else strategy.num_replicas_in_sync


def scope_of(model: keras.Model) -> contextlib.AbstractContextManager:
    """Returns the scope that variables of a model are made in."""
    strategy = getattr(model, "distribute_strategy", None)
    return contextlib.nullcontext() if strategy is None else strategy.scope()


def rows_here(variable: keras.Variable) -> list[Any]:
    """Lists the parts of a variable that has other rows on each device; all of it on one device."""
    if keras.config.backend() != "tensorflow":
        return [variable]
    import tensorflow as tf

    value = variable.value
    return list(value.values) if isinstance(value, tf.distribute.DistributedValues) else [variable]


def read_rows(variable: keras.Variable) -> np.ndarray:
    """Reads such a variable as one array, the devices' rows one after the other."""
    return np.concatenate([np.array(ops.convert_to_numpy(part)) for part in rows_here(variable)])


def write_rows(variable: keras.Variable, rows: np.ndarray | Sequence) -> None:
    """Writes such a variable."""
    parts = rows_here(variable)
    for part, own in zip(parts, np.split(np.asarray(rows), len(parts)), strict=True):
        part.assign(own)


def read_sums(variable: keras.Variable) -> np.ndarray:
    """Reads a variable of a metric: on several devices the sums of each, `(devices, *shape)`."""
    parts = [np.array(ops.convert_to_numpy(part)) for part in rows_here(variable)]
    return np.stack(parts) if len(parts) > 1 else parts[0]


def write_sums(variable: keras.Variable, sums: np.ndarray) -> None:
    """Writes such a variable; those of another number of devices as one sum."""
    parts = rows_here(variable)
    if len(parts) > 1 and sums.shape == (len(parts), *variable.shape):
        for part, own in zip(parts, sums, strict=True):
            part.assign(own)
    else:
        variable.assign(sums if sums.ndim == len(variable.shape) else sums.sum(axis=0))
