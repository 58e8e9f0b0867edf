"""A callback that times the steps of `fit`."""

import time

import keras


class Steps(keras.callbacks.Callback):
    """Notes when each step ends, on a clock of seconds, and the mean loss so far.

    Attributes:
        ends: The times, in the last `fit`. The first step also traces.
        losses: The mean losses since the epoch's start.
    """

    def on_train_begin(self, logs=None):
        """Starts anew."""
        self.ends, self.losses = [], []

    def on_train_batch_end(self, batch, logs=None):
        """Notes the step."""
        self.losses.append(float(logs["loss"]))  # first: it waits for the step
        self.ends.append(time.perf_counter())
