"""One training by several processes, on one machine or on many: Keras on JAX, which joins them.

Every process runs the same program and reads its own rows of each batch; a step is one computation
over all of them (`keras.distribution.DataParallel`). Process 0 alone writes files and prints.
"""

from __future__ import annotations

import atexit
import contextlib
import io
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import keras

from rnnzoo.errors import InputError
from rnnzoo.models.carried_state import stream_rows

if TYPE_CHECKING:
    import tensorflow as tf

HEARTBEAT = 20  # seconds without a sign of life after which a process counts as lost; JAX waits 100


def join(processes: int, *, process_id: int | None = None, coordinator: str | None = None) -> None:
    """Joins this process to the others of one training; before anything is computed.

    Args:
        processes: How many there are.
        process_id: The number of this one, from 0.
        coordinator: `HOST:PORT` of process 0. Under SLURM and Open MPI JAX finds it by itself.

    Raises:
        InputError: If Keras does not run on JAX, an argument is not valid, or the others do not
            come.
    """
    if processes < 1 or process_id is None or not 0 <= process_id < processes:
        raise InputError(
            f"Of {processes} processes each needs its own number from 0 to {processes - 1}, not "
            f"{process_id}; give --process-id (Kubernetes and SLURM set it in the environment)."
        )
    if processes == 1:
        return
    if keras.config.backend() != "jax":
        raise InputError(
            f"Several processes train on the JAX backend, and Keras runs on "
            f"{keras.config.backend()}; set KERAS_BACKEND=jax."
        )
    if coordinator is not None and not coordinator.rpartition(":")[2].isdecimal():
        raise InputError(
            f"The coordinator is the HOST:PORT of process 0, such as 10.0.0.1:29500, not "
            f"{coordinator!r}."
        )
    import jax

    try:
        # `keras.distribution.initialize` does the same, with JAX's own time to notice a loss.
        jax.distributed.initialize(
            coordinator, processes, process_id, heartbeat_timeout_seconds=HEARTBEAT
        )
    except (ValueError, RuntimeError) as error:
        raise InputError(
            f"Process {process_id} of {processes} did not reach the coordinator "
            f"({_first_line(error)}); start all {processes}, and give each the --coordinator "
            "HOST:PORT of process 0."
        ) from error
    _keep_tensorflow_off_the_gpus()


def count() -> int:
    """Returns how many processes train together."""
    if keras.config.backend() != "jax":
        return 1
    import jax

    return jax.process_count()


def is_first() -> bool:
    """Returns whether this process is the one that writes and prints."""
    if count() == 1:
        return True
    import jax

    return jax.process_index() == 0


@contextlib.contextmanager
def together() -> Iterator[None]:
    """The scope in which the processes make and train one model; afterwards each is alone.

    Raises:
        InputError: If another process is lost meanwhile.
    """
    if count() == 1:
        yield
        return
    import jax

    quiet = contextlib.nullcontext() if is_first() else contextlib.redirect_stdout(io.StringIO())
    try:
        with keras.distribution.DataParallel(auto_shard_dataset=False).scope(), quiet:
            yield
    except (jax.errors.JaxRuntimeError, ValueError) as error:
        if isinstance(error, InputError) or not _tells_of_a_loss(error):
            raise
        atexit.register(_end)
        raise InputError(
            f"The training has lost another process ({_first_line(error)}); start all "
            f"{jax.process_count()} again with --resume."
        ) from error
    jax.distributed.shutdown()


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """A scope for what one of the processes does without the others, such as writing a file.

    Inside `together` each variable that Keras makes is compared over all processes, and saving a
    model makes some.
    """
    distribution = keras.distribution.distribution()
    keras.distribution.set_distribution(None)
    try:
        yield
    finally:
        keras.distribution.set_distribution(distribution)


def own_rows(batches: tf.data.Dataset) -> tf.data.Dataset:
    """Takes the rows of this process out of each batch.

    A batch whose rows the devices cannot share evenly is filled up with rows of weight 0.

    Args:
        batches: Whole batches, the same in every process: `(inputs, targets[, weights])`.

    Returns:
        `(inputs, targets, weights)` of this process; what was given, where there is but one.

    Raises:
        InputError: If the devices cannot share the rows of a stream evenly.
    """
    if count() == 1:
        return batches
    import jax
    import tensorflow as tf

    devices, processes, own = jax.device_count(), jax.process_count(), jax.process_index()
    rows = stream_rows(batches) or devices
    if rows % devices:
        raise InputError(
            f"The {rows} rows of a stream cannot be shared evenly by {devices} devices; give a "
            f"recipe with a batch_size that is a multiple of {devices}, or other --processes."
        )

    def rows_of(inputs, targets, weights=None):
        if weights is None:
            weights = tf.ones_like(targets, tf.float32)
        given = tf.shape(targets)[0]
        share = (given + devices - 1) // devices * (devices // processes)

        def mine(tensor):
            after = [[0, share * processes - given], *[[0, 0]] * (len(tensor.shape) - 1)]
            part = tf.pad(tensor, after)[share * own : share * (own + 1)]
            known = tensor.shape[0] and -(-tensor.shape[0] // devices) * devices // processes
            return tf.ensure_shape(part, [known, *tensor.shape[1:]])

        return tf.nest.map_structure(mine, (inputs, targets, weights))

    return batches.map(rows_of)


def _keep_tensorflow_off_the_gpus():
    """tf.data makes the batches, and TensorFlow would take the memory that JAX needs."""
    with contextlib.suppress(ImportError):
        import tensorflow as tf

        tf.config.set_visible_devices([], "GPU")


def _tells_of_a_loss(error):
    return any(word in str(error) for word in ("Gloo", "NCCL", "UNAVAILABLE", "heartbeat"))


def _end():
    """Ends at once: JAX would wait for the lost process, and then abort with a stack trace."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(2)


def _first_line(error):
    return str(error).strip().split("\n")[0].rstrip(".")[:200]
