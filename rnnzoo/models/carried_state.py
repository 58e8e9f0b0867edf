"""Recurrent state that stays from one batch of a stream to the next, under plain `fit`."""

import contextlib
import contextvars
from typing import Any

import keras
from keras import ops

from rnnzoo.errors import InputError
from rnnzoo.replicas import rows_of_step, scope_of
from rnnzoo.typing import Tensor

# The stream state of the running step. A variable of the context, since the steps of several
# devices are traced in turns, in a thread each.
_of_step = contextvars.ContextVar("of_step", default=None)


class CarriedState(keras.layers.Layer):
    """Keeps the recurrent state of a stream's rows between two batches.

    Truncated back-propagation through time reads a long text in short segments. Each row of a batch
    goes on where the same row of the batch before stopped, so its state must be kept. The data say
    where a row starts anew, by a flag; nothing needs to be reset by hand.

    The state is non-trainable float32 variables, since that is what Keras threads through a
    compiled step on every backend. It is neither a weight nor part of a saved model. On several
    devices each has the state of its own rows (`rnnzoo.replicas`).

    Args:
        shapes: Shape of each tensor of the state without the rows; a number for a vector.
        **kwargs: What every `keras.layers.Layer` takes.
    """

    def __init__(self, shapes: list[int | tuple[int, ...]], **kwargs: Any):
        super().__init__(**kwargs)
        self.shapes = [(shape,) if isinstance(shape, int) else tuple(shape) for shape in shapes]
        self.rows = None
        self.built = True

    def prepare(self, rows: int, initial: list[Tensor] | None = None) -> bool:
        """Makes variables for this many rows; returns whether they are new.

        They start at `initial`, or at zero.

        A layer that is built accepts no new variables, by design of Keras, which offers layers
        only its own unlocked tracker for the exception; Keras quantises and adds LoRA this way.
        """
        if rows == self.rows:
            return False
        self._tracker.unlock()
        for variable in list(self._non_trainable_variables):
            self._untrack_variable(variable)
        self._tracker.unlock()
        self.state = [
            self.add_weight(
                shape=(rows, *shape), initializer="zeros", trainable=False, dtype="float32",
                name=f"state_{index}", aggregation="none", autocast=False,
            )
            for index, shape in enumerate(self.shapes)
        ]  # fmt: skip
        self._tracker.lock()
        self.rows = rows
        if initial is not None:
            self.write(initial)
        return True

    def read(self, reset: Tensor, initial: list[Tensor] | None = None) -> list[Tensor]:
        """Returns the state to start from: the kept one, or the initial one where a row is new.

        Args:
            reset: Integer tensor `(rows,)`, 1 where a row starts anew and 0 where it goes on.
            initial: The state that a new row starts from, `(rows, *shape)` each; zeros if None.
        """
        state = []
        for index, variable in enumerate(self.state):
            kept = ops.convert_to_tensor(variable)
            new = ops.zeros_like(kept) if initial is None else ops.cast(initial[index], "float32")
            # Not `expand_dims`: a batch of one row would spread over all rows of the state.
            # Selected, not multiplied by zero: a NaN in the kept state must be forgotten.
            flags = ops.reshape(reset, (self.rows, *[1] * (len(kept.shape) - 1)))
            state.append(ops.where(ops.not_equal(flags, 0), new, kept))
        return state

    def write(self, state: list[Tensor]) -> None:
        """Keeps the state for the next batch, without its gradient."""
        for variable, value in zip(self.state, state, strict=True):
            variable.assign(ops.stop_gradient(ops.cast(value, "float32")))

    @property
    def weights(self) -> list[keras.Variable]:
        """No weights: the state is not part of the model."""
        return []

    def save_own_variables(self, store: dict[str, Any]) -> None:
        """Saves nothing."""

    def load_own_variables(self, store: dict[str, Any]) -> None:
        """Loads nothing."""


class StatefulStreams:
    """Lets `fit` and `evaluate` of a model read streams, whose rows carry their state.

    A mix-in for a `keras.Model` with `get_initial_state` that calls `_make_stream_states` in its
    constructor and `_carried` and `_keep` in its `call`. Training and evaluation each carry their
    own state, so that the validation inside `fit` leaves the training rows alone. Only a step of
    `fit` writes the training's: what a callback does with the model inside `fit` does not.
    """

    def _make_stream_states(self, shapes):
        self._training_state = CarriedState(shapes, name="training_state")
        self._evaluation_state = CarriedState(shapes, name="evaluation_state")
        self._stream_state = None

    def train_step(self, *args: Any, **kwargs: Any) -> Any:
        """Runs one training step, which carries the training's state."""
        with self._step_of(self._training_state):
            return super().train_step(*args, **kwargs)

    def test_step(self, *args: Any, **kwargs: Any) -> Any:
        """Runs one evaluation step, which carries the evaluation's state."""
        with self._step_of(self._evaluation_state):
            return super().test_step(*args, **kwargs)

    def predict_step(self, *args: Any, **kwargs: Any) -> Any:
        """Runs one prediction step, which carries no state."""
        with self._step_of(None):
            return super().predict_step(*args, **kwargs)

    @contextlib.contextmanager
    def _step_of(self, stream_state):
        """Lets a step write its stream state, where `fit` or `evaluate` runs it on a stream."""
        token = _of_step.set(stream_state or False)
        try:
            yield
        finally:
            _of_step.reset(token)

    @contextlib.contextmanager
    def _carry(self, stream_state, data, rows):
        before = self._stream_state
        object.__setattr__(self, "_stream_state", stream_state if rows else None)
        try:
            yield
        except Exception as error:
            # A compiled step says no more than that two shapes differ: find the batch at fault.
            if rows and isinstance(data, keras.utils.PyDataset):
                for batch in range(data.num_batches or 0):
                    _check_rows(data[batch][0]["reset"].shape[0], rows, error)
            raise
        finally:
            object.__setattr__(self, "_stream_state", before)

    def fit(
        self, x: Any = None, *args: Any, shuffle: bool = True, **kwargs: Any
    ) -> keras.callbacks.History:
        """Trains the model: `keras.Model.fit`, which also takes the streams of `stream_batches`.

        On a stream the state of every row is carried from batch to batch and starts anew where
        the batch's `"reset"` flag is 1.

        Args:
            x: What `keras.Model.fit` takes, or a stream.
            *args: As for `keras.Model.fit`.
            shuffle: As for `keras.Model.fit`; must be `False` for a stream in a
                `keras.utils.PyDataset`, which Keras would otherwise shuffle.
            **kwargs: As for `keras.Model.fit`.

        Returns:
            The `keras.callbacks.History`.

        Raises:
            InputError: If a stream is shuffled or its batches do not all have the same rows.
        """
        rows = stream_rows(x)
        if rows:
            refuse_shuffled(x, shuffle)
            self._prepare(self._training_state, rows, step="train_function")
        held_out = stream_rows(kwargs.get("validation_data"))
        if held_out:
            self._prepare(self._evaluation_state, held_out, step="test_function")
        with self._carry(self._training_state, x, rows):
            return super().fit(x, *args, shuffle=shuffle and not rows, **kwargs)

    def evaluate(
        self, x: Any = None, *args: Any, **kwargs: Any
    ) -> float | list[float] | dict[str, float]:
        """Evaluates the model: `keras.Model.evaluate`, which also takes streams.

        Args:
            x: What `keras.Model.evaluate` takes, or a stream of `stream_batches`.
            *args: As for `keras.Model.evaluate`.
            **kwargs: As for `keras.Model.evaluate`.

        Returns:
            The loss and metrics.

        Raises:
            InputError: If a stream is shuffled or its batches do not all have the same rows.
        """
        rows = stream_rows(x)
        if rows:
            refuse_shuffled(x, shuffle=False)
            self._prepare(self._evaluation_state, rows, step="test_function")
        with self._carry(self._evaluation_state, x, rows):
            return super().evaluate(x, *args, **kwargs)

    def _carried(self, reset, rows):
        """The state that this batch starts from."""
        of_step = _of_step.get()
        if self._stream_state is None or of_step not in (None, self._stream_state):
            raise InputError(
                "Batches with a 'reset' flag carry state and work with fit and evaluate alone, "
                "from a tf.data.Dataset or a keras.utils.PyDataset; call the model on the tokens "
                "and give it `initial_state`."
            )
        if rows is not None:
            _check_rows(rows, self._stream_state.rows)
        return self._stream_state.read(reset, self.get_initial_state(self._stream_state.rows))

    def _keep(self, state):
        """Keeps the state for the next batch; Keras's building of the model keeps none."""
        if _of_step.get():
            self._stream_state.write(state)

    def _prepare(self, stream_state, rows, step):
        """Makes variables for the rows of a stream; drops the compiled step that holds others."""
        with scope_of(self):
            rows = rows_of_step(rows)
            new = stream_state.prepare(rows, self.get_initial_state(rows))
        if new:
            setattr(self, step, None)
            if keras.distribution.distribution() is not None and self._stream_state is None:
                # Over several devices of JAX a compiled step fixes which variables there are.
                self.train_function = self.test_function = None


def stream_rows(data: Any) -> int | None:
    """The number of rows of a stream, or `None` when the data are no stream."""
    is_pydataset = isinstance(data, keras.utils.PyDataset)
    batch = data[0] if is_pydataset else getattr(data, "element_spec", None)
    inputs = batch[0] if isinstance(batch, tuple) else batch
    if not isinstance(inputs, dict) or "reset" not in inputs:
        return None
    rows = inputs["reset"].shape[0]
    if rows is None:
        raise InputError(
            "The stream's batches have no fixed number of rows, which carried state needs; "
            "batch with drop_remainder=True or use stream_batches."
        )
    return int(rows)


def _check_rows(rows, expected, cause=None):
    if rows != expected:
        raise InputError(
            f"A batch of {rows} rows does not fit the carried state of {expected} rows; every "
            "batch of a stream must have the same rows (drop a partial last batch)."
        ) from cause


def refuse_shuffled(data: Any, shuffle: bool) -> None:
    """Raises an `InputError` when a stream would be read out of order."""
    if isinstance(data, keras.utils.PyDataset):
        shuffled = shuffle
    else:
        inputs, shuffled = [data], False
        while inputs:
            dataset = inputs.pop()
            shuffled = shuffled or "Shuffle" in type(dataset).__name__
            inputs += dataset._inputs() if hasattr(dataset, "_inputs") else []
    if shuffled:
        raise InputError(
            "A stream must be read in order, since each batch goes on where the last one stopped; "
            "leave out the shuffling (for a PyDataset: fit(..., shuffle=False))."
        )
