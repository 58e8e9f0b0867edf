"""Perplexity and bits per character, exact over any number of unequal batches."""

import contextlib
import contextvars
import math
from collections.abc import Iterator

import keras
from keras import ops

from rnnzoo.errors import InputError
from rnnzoo.typing import Tensor

_are_nats = contextvars.ContextVar("are_nats", default=False)


@contextlib.contextmanager
def predictions_are_nats() -> Iterator[None]:
    """Tells `TokenLoss` that the predictions it gets inside are nats of tokens, not logits.

    Example:
        >>> metric = Perplexity()
        >>> with predictions_are_nats():
        ...     metric.update_state([[1, 2]], [[0.0, 0.0]])
        >>> float(metric.result())
        1.0
    """
    token = _are_nats.set(True)
    try:
        yield
    finally:
        _are_nats.reset(token)


class TokenLoss(keras.metrics.Metric):
    """Mean cross-entropy per token in nats: summed nats over counted tokens.

    The mean of batch means, which a progress bar usually shows, is wrong as soon as batches hold
    unequal numbers of tokens; this keeps the two sums apart and divides at the end. Both are
    summed with Kahan's compensation (Kahan 1965), because a plain float32 sum near 5e7 nats (some
    ten million tokens) moves in steps of 4 nats and drops what is smaller, and JAX has no float64
    by default.

    Pass it in `weighted_metrics`: Keras hands sample weights to those alone, so in `metrics` the
    padding would be counted.

    Args:
        name: Name of the metric in the logs.
        dtype: Dtype of the sums; float32 whatever the dtype policy. Defaults to `"float32"`.
    """

    def __init__(self, name: str = "token_loss", dtype: str | None = None):
        super().__init__(name=name, dtype=dtype or "float32")
        # (2,): summed nats, counted tokens; and what rounding added to each so far
        self.sums = self.add_variable((2,), "zeros", dtype=self.dtype, name="sums")
        self.excess = self.add_variable((2,), "zeros", dtype=self.dtype, name="excess")

    def update_state(
        self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None
    ) -> None:
        """Adds a batch.

        Args:
            y_true: Target ids of shape (B, T), (B, T, 1) or (B,), integers or whole floats; or
                distributions over the vocabulary, of the shape of the logits.
            y_pred: Logits of shape (B, T, V) or (B, V), any float dtype; inside
                `predictions_are_nats` the nats of each token.
            sample_weight: Weights of the tokens, 0 for padding, of the targets' shape or of shape
                (B,), one for each row. Defaults to 1 for every token.

        Raises:
            InputError: If targets and logits do not go together.
        """
        nats = ops.cast(y_pred, self.dtype)
        if not _are_nats.get():
            # Word for word what the loss computes, its cast of the targets included: then
            # TensorFlow and XLA find the two to be one, and the softmax runs once a step.
            targets = ops.cast(y_true, self.dtype)
            rank, shape = len(nats.shape), targets.shape
            if len(shape) == rank and shape[-1] == 1:
                targets = ops.squeeze(targets, -1)
            if len(targets.shape) == rank - 1:
                nats = keras.losses.sparse_categorical_crossentropy(
                    targets, nats, from_logits=True
                )  # (B, T)
            elif len(shape) == rank and shape[-1] == nats.shape[-1]:
                nats = keras.losses.categorical_crossentropy(targets, nats, from_logits=True)
            else:
                raise InputError(
                    f"{self.name} does not read targets of the shape {tuple(shape)} with logits of "
                    f"the shape {tuple(nats.shape)}; give ids of the shape of the logits without "
                    "the vocabulary."
                )
        weights = ops.ones_like(nats)
        if sample_weight is not None:
            sample_weight = ops.cast(sample_weight, self.dtype)
            if len(sample_weight.shape) > len(nats.shape):  # (B, T, 1)
                sample_weight = ops.squeeze(sample_weight, -1)
            while len(sample_weight.shape) < len(nats.shape):  # one weight for each row
                sample_weight = ops.expand_dims(sample_weight, -1)
            weights = weights * sample_weight
        batch = ops.stack([ops.sum(nats * weights), ops.sum(weights)])
        batch = batch - self.excess
        total = self.sums + batch
        self.excess.assign((total - self.sums) - batch)
        self.sums.assign(total)

    def result(self) -> Tensor:
        """Mean nats per token so far; NaN where no token was counted.

        0, as Keras's own means give, would pass for a perfect score, and a checkpoint that keeps
        the lowest would keep it; nothing is lower than NaN.
        """
        return self.sums[0] / self.sums[1]


@keras.saving.register_keras_serializable("rnnzoo")
class Perplexity(TokenLoss):
    """Perplexity: e to the mean cross-entropy in nats of all tokens counted so far.

    A uniform guess among V words has perplexity V; lower is better. The sums are kept over all
    batches (see `TokenLoss`), so batches of unequal size give what one large batch gives. It is
    NaN while no token was counted. Pass it in `weighted_metrics` when batches carry padding.

    Args:
        name: Name of the metric in the logs. Defaults to `"perplexity"`.
        dtype: Dtype of the sums. Defaults to `"float32"`.

    Example:
        >>> metric = Perplexity()
        >>> metric.update_state([[1, 2]], [[[0.0, 0.0, 0.0, 0.0]] * 2])
        >>> round(float(metric.result()), 4)
        4.0
    """

    def __init__(self, name: str = "perplexity", dtype: str | None = None):
        super().__init__(name=name, dtype=dtype)

    def result(self) -> Tensor:
        """Perplexity of the tokens so far, a scalar."""
        return ops.exp(super().result())


@keras.saving.register_keras_serializable("rnnzoo")
class BitsPerCharacter(TokenLoss):
    """Bits per character: the mean cross-entropy of all characters so far, in base 2.

    A uniform guess among V characters costs log2(V) bits; lower is better. Times ln 2 = 0.6931 it
    is the loss in nats. The sums are kept over all batches (see `TokenLoss`), and it is NaN while
    no character was counted. Pass it in `weighted_metrics` when batches carry padding.

    Args:
        name: Name of the metric in the logs. Defaults to `"bits_per_character"`.
        dtype: Dtype of the sums. Defaults to `"float32"`.

    Example:
        >>> metric = BitsPerCharacter()
        >>> metric.update_state([[1, 2]], [[[0.0, 0.0, 0.0, 0.0]] * 2])
        >>> round(float(metric.result()), 4)
        2.0
    """

    def __init__(self, name: str = "bits_per_character", dtype: str | None = None):
        super().__init__(name=name, dtype=dtype)

    def result(self) -> Tensor:
        """Bits per character so far, a scalar."""
        return super().result() / math.log(2)
