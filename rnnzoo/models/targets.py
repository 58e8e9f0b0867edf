"""What `fit` and `evaluate` are given to predict: checked, and brought into one shape."""

from typing import Any

import keras
import numpy as np
from keras import ops

from rnnzoo.errors import InputError
from rnnzoo.typing import Tensor

OUTSIDE = "labels outside the vocabulary"  # what a failed check inside a compiled step says


class CheckedTargets:
    """Checks the targets and weights of `fit` and `evaluate`: a mix-in for a model of tokens.

    The model has `output_size`, the number of ids that it predicts, and `padding_id`, the id that
    never counts, or `None`.
    """

    takes_one_label_a_row = False  # for the token after a whole row
    takes_class_weight = False  # which Keras takes where there is one label a row

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        object.__setattr__(self, "_kinds_read", {})  # Keras shall not track it

    def fit(
        self, x: Any = None, y: Any = None, *args: Any, **kwargs: Any
    ) -> keras.callbacks.History:
        """Trains the model: `keras.Model.fit`, with targets and weights that are checked.

        Args:
            x: As for `keras.Model.fit`.
            y: As for `keras.Model.fit`: ids `(batch, time)` or `(batch, time, 1)`, or, with a loss
                of classes, a distribution over the vocabulary for each token.
            *args: As for `keras.Model.fit`.
            **kwargs: As for `keras.Model.fit`. `sample_weight` is `(batch, time)`, or `(batch,)`
                or `(batch, 1)` for one weight a row. `class_weight` is refused.

        Returns:
            The `keras.callbacks.History`.

        Raises:
            InputError: If there are labels outside the vocabulary, or targets or weights of
                another shape.
        """
        if kwargs.get("class_weight") is not None and not self.takes_class_weight:
            raise InputError(
                "`class_weight` is not taken, since Keras reads targets of (batch, time) as one "
                "class a row; give `sample_weight`, such as `table[y]` with a weight for each id."
            )
        self._check_arrays(x, y)
        self._trace_anew("train_function", x, y, sample_weight=kwargs.get("sample_weight"))
        with_callback = {**kwargs}
        if keras.config.backend() == "jax":
            callbacks = with_callback.get("callbacks") or []
            if not isinstance(callbacks, keras.callbacks.CallbackList):
                callbacks = callbacks if isinstance(callbacks, list | tuple) else [callbacks]
                with_callback["callbacks"] = [*callbacks, _StopAtBadLabels()]
        return self._checked(super().fit, x, y, *args, **with_callback)

    def evaluate(
        self, x: Any = None, y: Any = None, *args: Any, **kwargs: Any
    ) -> float | list[float] | dict[str, float]:
        """Evaluates the model: `keras.Model.evaluate`, with the checks of `fit`."""
        self._check_arrays(x, y)
        self._trace_anew("test_function", x, y, sample_weight=kwargs.get("sample_weight"))
        return self._checked(super().evaluate, x, y, *args, **kwargs)

    def train_on_batch(self, x: Any, y: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Trains on one batch: `keras.Model.train_on_batch`, with the checks of `fit`."""
        if kwargs.get("class_weight") is not None:
            raise InputError("`class_weight` is not taken; give `sample_weight`.")
        self._check_arrays(x, y)
        self._trace_anew("train_function", x, y, sample_weight=kwargs.get("sample_weight"))
        return self._checked(super().train_on_batch, x, y, *args, **kwargs)

    def test_on_batch(self, x: Any, y: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Evaluates one batch: `keras.Model.test_on_batch`, with the checks of `fit`."""
        self._check_arrays(x, y)
        self._trace_anew("test_function", x, y, sample_weight=kwargs.get("sample_weight"))
        return self._checked(super().test_on_batch, x, y, *args, **kwargs)

    def _trace_anew(self, function, x, y, sample_weight):
        """Drops a compiled step that has read batches of other kinds.

        TensorFlow would go on with one step for both, in which nothing is known of the shapes.
        """
        kinds = _kinds(x, y, sample_weight, size=self.output_size)
        if self._kinds_read.get(function, kinds) != kinds:
            setattr(self, function, None)
        self._kinds_read[function] = kinds

    def _checked(self, function, *args, **kwargs):
        _BAD_LABELS.clear()
        before = self._values_on_jax()
        try:
            result = function(*args, **kwargs)
        except InputError:
            self._put_back(before)
            raise
        except Exception as error:
            self._put_back(before)
            if OUTSIDE in str(error):
                raise self._outside() from error
            raise
        if keras.config.backend() == "jax":
            import jax

            jax.effects_barrier()
            if _BAD_LABELS:
                _BAD_LABELS.clear()
                raise self._outside()
        return result

    def _values_on_jax(self):
        """The variables and their values, under JAX, whose steps take them out of the model."""
        if keras.config.backend() != "jax":
            return []
        variables = [*self.variables, *self.metrics_variables]
        if getattr(self, "optimizer", None) is not None:
            variables += self.optimizer.variables
        return [(variable, variable._value) for variable in variables]

    def _put_back(self, before):
        """Gives the model its variables back after a step that failed under JAX."""
        if before:
            self.jax_state_sync()  # what the steps before it made
        for variable, value in before:
            if variable._value is None and value is not None and not value.is_deleted():
                variable._value = value

    def _outside(self, found=None):
        size = self.output_size
        which = "A batch has" if found is None else f"The targets have the id {found}:"
        return InputError(
            f"{which} {OUTSIDE}, which has the ids 0 to {size - 1}; give targets that the model's "
            "own vocabulary encoded."
        )

    def _check_arrays(self, x, y):
        """Checks ids that are at hand as arrays before anything runs."""
        if y is None or isinstance(y, dict | list | tuple) or not hasattr(y, "dtype"):
            return
        if hasattr(y, "element_spec"):
            return
        y = ops.convert_to_numpy(y)
        if getattr(self, "_distils", False) and y.ndim == 3 and y.shape[-1] > 1:
            y = y[..., 0]  # beside what teachers predict
        dense = y.ndim > 2 and y.shape[-1] == self.output_size
        kind = getattr(self, "_target_kind", None)
        if not y.size or dense or kind != "ids" or y.dtype == object:
            return
        y = y.astype("float64") if y.dtype.kind not in "iub" else y
        wrong = ~((y >= 0) & (y < self.output_size) & (y == np.floor(y)))
        if self._ignored_class is not None:
            wrong &= y != self._ignored_class
        if wrong.any():
            raise self._outside(y[wrong].flat[0])

    def _aligned(self, tokens, y, sample_weight):
        """The targets, ids `(batch, time)` or a distribution for each, and a weight for each.

        What is no real target has the weight 0: padding, and the class that the loss ignores.
        """
        size, kind = self.output_size, self._target_kind
        if _unknown_rank(y):  # TensorFlow forgets it where one function reads several shapes
            of_each = (size,) if kind == "distributions" else ()
            y = ops.reshape(y, (*_sizes(tokens), *of_each))
        rank, shape = len(tokens.shape), tuple(y.shape)
        if (
            rank == 2
            and self.takes_one_label_a_row
            and _one_a_row(shape, tokens.shape, size, kind=kind)
        ):
            tokens, rank = tokens[:, -1], 1  # the label of the last step, where the row ends
        dense = len(shape) == rank + 1 and shape[-1] == size
        if len(shape) == rank + 1 and shape[-1] == 1:
            y, shape = ops.squeeze(y, -1), shape[:-1]
        other_time = rank > 1 and not _may_be_equal(shape[1:2], tokens.shape[1:2])
        if not dense and (len(shape) != rank or other_time):
            raise InputError(
                f"The targets have the shape {_shown(shape)} and the tokens "
                f"{_shown(tokens.shape)}; the model predicts a token at every step, so give ids of "
                "the shape of the tokens."
            )
        if kind == "ids" and dense:
            raise InputError(
                f"The targets {_shown(shape)} are distributions over the {size} ids, and the loss "
                "reads ids; compile with keras.losses.CategoricalCrossentropy(from_logits=True)."
            )
        if kind == "distributions" and not dense:
            raise InputError(
                f"The loss reads a distribution over the {size} ids for each token, not targets of "
                f"the shape {_shown(shape)}; compile with "
                "keras.losses.SparseCategoricalCrossentropy(from_logits=True)."
            )
        weights = self._full_weights(sample_weight, tokens)
        real = self._real(y)
        if real is not None:
            weights = weights * ops.cast(real, "float32")
        if dense:
            return y, weights
        if self._ignored_class is not None:
            counted = ops.not_equal(y, ops.cast(self._ignored_class, y.dtype))
            weights = weights * ops.cast(counted, "float32")
        valid = ops.logical_and(ops.greater_equal(y, 0), ops.less(y, ops.cast(size, y.dtype)))
        if keras.backend.is_float_dtype(keras.backend.standardize_dtype(y.dtype)):
            valid = ops.logical_and(valid, ops.equal(y, ops.floor(y)))
        if self._ignored_class is not None:
            valid = ops.logical_or(valid, ops.logical_not(counted))
        y = _require(ops.all(valid), y)
        # Where nothing can be raised the loss shows it.
        return y, ops.where(valid, weights, float("nan"))

    def _real(self, y):
        """`True` at targets that are no padding, `None` where nothing is padding."""
        if self.padding_id is None:
            return None
        if len(y.shape) > 2:
            y = ops.argmax(y, axis=-1)
        return ops.not_equal(y, ops.cast(self.padding_id, y.dtype))

    def _full_weights(self, sample_weight, tokens):
        """A float32 weight for each token, of their shape."""
        sizes = _sizes(tokens)
        if sample_weight is None:
            return ops.ones(sizes, "float32")
        weights = ops.cast(sample_weight, "float32")
        if not _unknown_rank(weights):
            shape = tuple(weights.shape)
            if len(shape) == len(sizes) + 1 and shape[-1] == 1:
                shape = shape[:-1]
            whole = _may_be_equal(shape, tokens.shape)
            a_row = _may_be_equal(shape, tokens.shape[:1]) or (
                len(shape) == 2 and shape[1] == 1 and _may_be_equal(shape[:1], tokens.shape[:1])
            )
            if not whole and not a_row:
                raise InputError(
                    f"The sample weights have the shape {_shown(weights.shape)} and the tokens "
                    f"{_shown(tokens.shape)}; give a weight for each token, or one for each row."
                )
        if len(sizes) == 1:  # one label a row
            return ops.reshape(weights, sizes)
        return ops.reshape(weights, (sizes[0], -1)) * ops.ones(sizes, "float32")


class Masked(keras.layers.Layer):
    """Gives logits Keras's mask, so that losses and metrics pass over the padding."""

    supports_masking = True

    def call(self, inputs: list[Tensor]) -> Tensor:
        """Returns the logits of `[logits, mask]`."""
        return inputs[0]

    def compute_mask(self, inputs: list[Tensor], previous_mask: Any = None) -> Tensor:
        """Returns the mask of `[logits, mask]`."""
        return inputs[1]


_BAD_LABELS = []  # JAX notes here, from within a compiled step, that it has met one


class _StopAtBadLabels(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if _BAD_LABELS:
            raise ValueError(OUTSIDE)


def _require(all_valid: Tensor, y: Tensor) -> Tensor:
    """The targets; stops the step, or notes it, if one is outside the vocabulary."""
    backend = keras.config.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        check = tf.debugging.Assert(all_valid, [OUTSIDE])
        with tf.control_dependencies([] if check is None else [check]):
            return tf.identity(y)  # nothing is computed of bad ones
    if backend == "jax":
        import jax

        def note():
            jax.debug.callback(lambda: _BAD_LABELS.append(True))

        jax.lax.cond(all_valid, lambda: None, note)
    elif backend == "torch" and all_valid.device.type != "meta" and not bool(all_valid):
        raise ValueError(OUTSIDE)
    return y


def _kinds(x, y, sample_weight, size):
    """What kinds of shapes the batches have: ranks, and where sizes are 1, `size` or the time's."""
    batch = x
    if isinstance(x, keras.utils.PyDataset):
        batch = x[0]
    elif hasattr(x, "element_spec"):
        batch = x.element_spec
    if isinstance(batch, list | tuple) and y is None:
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(tuple(batch))
    tokens = x.get("target", x.get("tokens")) if isinstance(x, dict) else x
    shapes = [getattr(each, "shape", None) for each in (tokens, y, sample_weight)]
    if shapes[0] is None:
        return None
    sizes = [1, size, *list(shapes[0])[1:2]]
    return [
        None if shape is None else [sizes.index(n) if n in sizes else -1 for n in list(shape)[1:]]
        for shape in shapes
    ]


def _one_a_row(shape, tokens_shape, size, kind):
    """Whether targets are one label for each row, not one for each token."""
    if kind == "distributions":
        return len(shape) == 2 and shape[1] == size
    return len(shape) == 1 or (len(shape) == 2 and shape[1] == 1 and tokens_shape[1] != 1)


def _unknown_rank(tensor):
    return getattr(tensor.shape, "rank", 0) is None


def _sizes(tokens):
    """The shape as numbers where they are known, as tensors where not."""
    known, now = tuple(tokens.shape), ops.shape(tokens)
    return tuple(now[i] if size is None else size for i, size in enumerate(known))


def _may_be_equal(shape, other):
    """Whether two shapes are equal, as far as a graph knows them."""
    return len(shape) == len(other) and all(
        None in (a, b) or a == b for a, b in zip(shape, other, strict=True)
    )


def _shown(shape):
    return "(" + ", ".join("?" if size is None else str(size) for size in shape) + ")"
