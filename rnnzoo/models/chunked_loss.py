"""Training on a large vocabulary without its logits, under plain `fit` and `evaluate`."""

from typing import Any

import keras
from keras import ops

from rnnzoo.errors import InputError, check_fraction
from rnnzoo.evaluation.metrics import TokenLoss
from rnnzoo.layers.cross_entropy import chunked_cross_entropy, sampled_cross_entropy
from rnnzoo.typing import Tensor

LARGE = 1024  # tokens; the logits of fewer are no burden


@keras.saving.register_keras_serializable("rnnzoo")
class SmoothedCrossEntropy(keras.losses.Loss):
    """Cross-entropy with smoothed labels: a share of each is spread evenly over the vocabulary.

    It keeps a model from claiming certainty, which helps translation. A model of rnnzoo whose
    metrics are those of `rnnzoo.evaluation` trains on it, and is validated by the plain
    cross-entropy.

    Args:
        label_smoothing: The share, at least 0 and below 1; 0.1 is usual.
        reduction: As for `keras.losses.Loss`.
        name: Name of the loss.
        **kwargs: As for `keras.losses.Loss`.

    Raises:
        InputError: If `label_smoothing` is not a fraction.

    Example:
        >>> from rnnzoo import gru_seq2seq
        >>> model = gru_seq2seq(20, 12, units=8)
        >>> model.compile(loss=SmoothedCrossEntropy(0.1))

    Reference:
        Szegedy et al., "Rethinking the Inception Architecture for Computer Vision", CVPR 2016
        (arXiv:1512.00567).
    """

    def __init__(
        self,
        label_smoothing: float = 0.1,
        reduction: str | None = "mean_with_sample_weight",
        name: str = "smoothed_cross_entropy",
        **kwargs: Any,
    ):
        super().__init__(name=name, reduction=reduction, **kwargs)
        check_fraction(label_smoothing=label_smoothing)
        self.label_smoothing = float(label_smoothing)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """The nats of each label: ids `(...)`, logits `(..., vocabulary_size)`."""
        sharp = keras.losses.sparse_categorical_crossentropy(y_true, y_pred, from_logits=True)
        even = ops.logsumexp(y_pred, axis=-1) - ops.mean(y_pred, axis=-1)
        return (1.0 - self.label_smoothing) * sharp + self.label_smoothing * even

    def get_config(self) -> dict[str, Any]:
        """The arguments that remake the loss."""
        return {**super().get_config(), "label_smoothing": self.label_smoothing}


class ChunkedLoss:
    """Lets the steps of `fit` and `evaluate` compute a large softmax a few tokens at a time.

    A mix-in for a `keras.Model` of tokens. Keras computes logits, then the loss, then the metrics;
    for thousands of tokens the logits are most of the memory and of the time. Where loss and
    metrics are those of `ZooModel.compile`, the labels and their weights go into the model
    instead, and what comes out are the nats of each token, which is all that they need. With any
    other loss or metric Keras does what it always does.
    """

    _labels_go_in = False
    _label_smoothing = 0.0

    def _choose_loss(self, loss, metrics, weighted_metrics, kwargs):
        """Notes whether loss and metrics need no more than the nats of each token."""
        smoothed = isinstance(loss, SmoothedCrossEntropy)
        cross_entropy = smoothed or (
            isinstance(loss, keras.losses.SparseCategoricalCrossentropy)
            and loss.get_config().get("from_logits")
            and getattr(loss, "ignore_class", None) is None
        )
        only_nats = not metrics and all(isinstance(m, TokenLoss) for m in weighted_metrics)
        self._labels_go_in = bool(
            cross_entropy
            and only_nats
            and loss.reduction == "mean_with_sample_weight"
            and kwargs.get("loss_weights") is None
        )
        self._label_smoothing = loss.label_smoothing if smoothed else 0.0
        if self._label_smoothing and self.sampled_softmax:
            raise InputError(
                "Smoothed labels raise every token of the vocabulary, and `sampled_softmax` "
                f"scores {self.sampled_softmax} of them; leave out one of the two."
            )

    def train_step(self, *args: Any) -> Any:
        """One batch of training; `args` are what Keras's trainer of the backend takes."""
        *state, data = args
        return super().train_step(*state, self._with_labels(data))

    def test_step(self, *args: Any) -> Any:
        """One batch of evaluation; `args` are what Keras's trainer of the backend takes."""
        *state, data = args
        return super().test_step(*state, self._with_labels(data))

    def _with_labels(self, data):
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        inputs = x if isinstance(x, dict) else {"tokens": x}
        tokens = inputs.get("target", inputs.get("tokens"))
        large = self.output_size > LARGE or self.sampled_softmax or self._label_smoothing
        if not (self._labels_go_in and large and tokens is not None and y is not None):
            return data
        if len(y.shape) != len(tokens.shape):  # one label for each row: not a label a token
            return data
        weights = ops.ones(ops.shape(y), "float32") if sample_weight is None else sample_weight
        weights = ops.cast(weights, "float32")
        if len(weights.shape) != len(y.shape):  # Keras says what is wrong with them
            return data
        return {**inputs, "labels": y, "weights": weights}, y, sample_weight

    def _token_losses(self, hidden, matrix, bias, labels, weights, training):
        """The nats of each token `(batch, time)` and their mean, which alone has a gradient."""
        weights = ops.ones(ops.shape(labels), "float32") if weights is None else weights
        tokens = (
            ops.reshape(hidden, (-1, hidden.shape[-1])),  # (B * T, E)
            matrix,
            bias,
            ops.cast(ops.reshape(labels, (-1,)), "int32"),
            ops.reshape(weights, (-1,)),
        )
        if training and self.sampled_softmax:
            nats, mean = sampled_cross_entropy(*tokens, self.sampled_softmax, self.sampling_seed)
        else:
            smoothing = self._label_smoothing if training else 0.0  # validation is exact
            nats, mean = chunked_cross_entropy(*tokens, bool(training), smoothing)
        return {"nats": ops.reshape(nats, ops.shape(labels)), "mean": mean}

    def compute_loss(
        self,
        x: Any = None,
        y: Tensor | None = None,
        y_pred: Tensor | dict[str, Tensor] | None = None,
        sample_weight: Tensor | None = None,
        training: bool = True,
    ) -> Tensor:
        """The loss of a batch; see `keras.Model.compute_loss`."""
        if not isinstance(y_pred, dict):
            y_pred = _at_the_labels(y, y_pred)
            return super().compute_loss(x, y, y_pred, sample_weight, training)
        others = [self._aggregate_additional_loss(loss) for loss in self.losses]
        return sum(others, y_pred["mean"])

    def compute_metrics(
        self,
        x: Any,
        y: Tensor,
        y_pred: Tensor | dict[str, Tensor],
        sample_weight: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Updates the metrics; see `keras.Model.compute_metrics`."""
        if isinstance(y_pred, dict):
            y_pred = y_pred["nats"]
        else:
            y_pred = _at_the_labels(y, y_pred)
        return super().compute_metrics(x, y, y_pred, sample_weight)


def _at_the_labels(labels, logits):
    """The logits that have a label: those of the last step, where there is one label a row.

    Such are the batches of `window_batches(..., many_to_one=True)`.
    """
    one_a_row = labels is not None and len(labels.shape) == 1 and len(logits.shape) == 3
    return logits[:, -1] if one_a_row else logits
