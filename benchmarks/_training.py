"""Training steps as functions of no arguments, the way `fit` runs them.

Import `_common` before: it chooses the backend.
"""

import math
import os

import keras
import numpy as np

from rnnzoo.data import stream_batches
from rnnzoo.data.batches import in_background


def use_all_cores():
    """Gives TensorFlow the cores of this process, and float32 without a reduced math mode.

    Returns:
        The number of cores.
    """
    # oneDNN may compute float32 products in bfloat16 where one of these asks for it.
    for name in ("ONEDNN_DEFAULT_FPMATH_MODE", "TF_SET_ONEDNN_FPMATH_MODE"):
        os.environ.pop(name, None)
    import tensorflow as tf

    tf.get_logger().setLevel("ERROR")  # it takes the steps of many models for one that retraces
    cores = len(os.sched_getaffinity(0))
    tf.config.threading.set_intra_op_parallelism_threads(cores)
    tf.config.threading.set_inter_op_parallelism_threads(cores)
    return cores


def stream_of_one_batch(vocabulary_size, batch, time):
    """A stream of random ids that is one batch long."""
    ids = np.random.default_rng(0).integers(0, vocabulary_size, batch * time + 1)
    return stream_batches(ids.astype("int32"), batch, time)


def plain_batch(batches):
    """The first batch again and again, as `keras.Model.fit` takes it of any model.

    Inputs and targets have one fixed shape and are made ready in the background, like rnnzoo's.
    """
    import tensorflow as tf

    inputs, targets, *_ = next(iter(batches))
    if "reset" in inputs:
        inputs = inputs["tokens"]
    return in_background(tf.data.Dataset.from_tensors((inputs, targets)).repeat())


def step_of_fit(model, batches):
    """Takes the compiled training step out of `fit`, together with the iterator that feeds it.

    The step is the very function that `fit` calls for each batch; what `fit` does between two
    batches (callbacks, the progress bar) is left out, for all contestants alike.

    Args:
        model: A compiled `keras.Model`.
        batches: An endless data set.

    Returns:
        A function that takes one training step.
    """
    model.fit(batches, steps_per_epoch=1, shuffle=False, verbose=0)
    compiled, iterators = model.train_function, []

    def record(iterator):
        iterators.append(iterator)
        return compiled(iterator)

    model.train_function = record
    model.fit(batches, steps_per_epoch=1, shuffle=False, verbose=0)
    model.train_function = compiled
    iterator = iterators[0]

    def step():
        loss = float(compiled(iterator)["loss"])
        if not math.isfinite(loss):
            raise FloatingPointError(f"The loss of {model.name} is {loss}.")

    return step


def rnnzoo_step(model, batches):
    """A training step of a model of rnnzoo, compiled by its defaults, on its first batch."""
    model.compile()
    return step_of_fit(model, batches.take(1).cache().repeat())


def stock_step(model, batches, jit_compile):
    """A training step of the same model in stock Keras: same optimizer, clipping and loss."""
    model.compile(
        keras.optimizers.Adam(1e-3, global_clipnorm=1.0),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=jit_compile,
    )
    if model.jit_compile != jit_compile:
        raise RuntimeError("Keras turned XLA off for this model.")
    return step_of_fit(model, plain_batch(batches))
