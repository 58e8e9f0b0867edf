"""Training on a large vocabulary without its logits, under plain `fit` and `evaluate`."""

from typing import Any

import keras
from keras import ops

from rnnzoo.errors import InputError, check_fraction
from rnnzoo.evaluation.metrics import TokenLoss, predictions_are_nats
from rnnzoo.layers.cross_entropy import chunked_cross_entropy, sampled_cross_entropy
from rnnzoo.layers.heads import TiedHead, softmax_weights
from rnnzoo.models.distillation import DistillationLoss, split_targets
from rnnzoo.models.targets import CheckedTargets, Masked
from rnnzoo.replicas import replica_count, share_of
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
        *,
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


class ChunkedLoss(CheckedTargets):
    """Lets the steps of `fit` and `evaluate` compute a large softmax a few tokens at a time.

    A mix-in for a `keras.Model` of tokens. Keras computes logits, then the loss, then the metrics;
    for thousands of tokens the logits are most of the memory and of the time. Where loss and
    metrics are those of `ZooModel.compile`, the labels and their weights go into the model
    instead, and what comes out are the nats of each token, which is all that they need. With any
    other loss or metric Keras does what it always does.
    """

    _labels_go_in = False
    _weighted_mean = False  # whether the loss is a mean over the weights of all tokens
    _label_smoothing = 0.0
    _distils = False  # whether targets may carry what teachers predict
    _target_kind = None  # "ids" or "distributions", as the loss reads them; None of a foreign loss
    _ignored_class = None

    def _choose_loss(self, loss, metrics, weighted_metrics, kwargs):
        """Notes what the loss reads, and whether the metrics need no more than nats."""
        smoothed = isinstance(loss, SmoothedCrossEntropy)
        self._distils = isinstance(loss, DistillationLoss)
        sparse = isinstance(
            loss,
            SmoothedCrossEntropy | DistillationLoss | keras.losses.SparseCategoricalCrossentropy,
        )
        dense = isinstance(
            loss, keras.losses.CategoricalCrossentropy | keras.losses.CategoricalFocalCrossentropy
        )
        self._target_kind = "ids" if sparse else "distributions" if dense else None
        self._ignored_class = loss.get_config().get("ignore_class") if sparse else None
        only_nats = not metrics and all(isinstance(m, TokenLoss) for m in weighted_metrics)
        self._weighted_mean = bool(
            self._target_kind
            and loss.reduction == "mean_with_sample_weight"
            and kwargs.get("loss_weights") is None
        )
        self._labels_go_in = bool(
            sparse
            and only_nats
            and self._ignored_class is None
            and self._weighted_mean
            and not self._distils
        )
        self._label_smoothing = loss.label_smoothing if smoothed else 0.0
        if self._label_smoothing and self.sampled_softmax:
            raise InputError(
                "Smoothed labels raise every token of the vocabulary, and `sampled_softmax` "
                f"scores {self.sampled_softmax} of them; leave out one of the two."
            )
        if self._distils and self.sampled_softmax:
            raise InputError(
                "Teachers predict every token of the vocabulary, and `sampled_softmax` scores "
                f"{self.sampled_softmax} of them; leave out one of the two."
            )

    def train_step(self, *args: Any) -> Any:
        """One batch of training; `args` are what Keras's trainer of the backend takes."""
        *state, data = args
        return super().train_step(*state, self._with_labels(data))

    def test_step(self, *args: Any) -> Any:
        """One batch of evaluation; `args` are what Keras's trainer of the backend takes."""
        *state, data = args
        return super().test_step(*state, self._with_labels(data))

    def _symbolic_build(self, iterator=None, data_batch=None):
        """Keras's dry run of the loss and the metrics, of targets and weights that are aligned.

        JAX and torch make it before the first step, of a batch as it was given.
        """
        built = all(
            each is None or each.built for each in (self._compile_loss, self._compile_metrics)
        )
        if not built and keras.config.backend() != "tensorflow":
            if data_batch is None:
                _, _, found = next(iter(iterator))
                data_batch = found[0] if isinstance(found, list | tuple) else next(found)
            data_batch = self._with_labels(data_batch)
        super()._symbolic_build(iterator, data_batch)

    def _with_labels(self, data):
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        inputs = x if isinstance(x, dict) else {"tokens": x}
        tokens = inputs.get("target", inputs.get("tokens"))
        if self._target_kind is None or tokens is None or not hasattr(y, "shape"):
            return data
        if self._distils and len(y.shape) == len(tokens.shape) + 1 and y.shape[-1] > 1:
            labels, weights = self._aligned(tokens, y[..., 0], sample_weight)
            return x, ops.concatenate([labels[..., None], y[..., 1:]], axis=-1), weights
        y, weights = self._aligned(tokens, y, sample_weight)
        large = self.output_size > LARGE or self.sampled_softmax or self._label_smoothing
        if self._labels_go_in and large and len(y.shape) == len(tokens.shape):
            x = {**inputs, "labels": y, "weights": weights}
        return x, y, weights

    def _token_losses(self, hidden, output, labels, weights, training):
        """The nats of each token `(batch, time)` and their mean, which alone has a gradient.

        `output` has the layer `head` and gives the matrix of `embeddings()` and `logits(hidden)`.
        """
        weights = ops.ones(ops.shape(labels), "float32") if weights is None else weights
        smoothing = self._label_smoothing if training else 0.0  # validation is exact
        if isinstance(output.head, TiedHead):
            hidden = output.head.project(hidden)
            softmax = ops.transpose(output.embeddings()), output.head.bias
        else:
            softmax = softmax_weights(output.head)
        if softmax is None:  # of a quantized or foreign head all logits are needed
            logits = ops.cast(output.logits(hidden), "float32")
            nats = losses = keras.losses.sparse_categorical_crossentropy(
                labels, logits, from_logits=True
            )
            if smoothing:
                losses = SmoothedCrossEntropy(smoothing).call(labels, logits)
            mean = ops.sum(losses * weights) / ops.maximum(ops.sum(weights), 1e-9)
            return {"nats": ops.stop_gradient(nats), "mean": mean}
        tokens = (
            ops.reshape(hidden, (-1, hidden.shape[-1])),  # (B * T, E)
            *softmax,
            ops.cast(ops.reshape(labels, (-1,)), "int32"),
            ops.reshape(weights, (-1,)),
        )
        if training and self.sampled_softmax:
            nats, mean = sampled_cross_entropy(
                *tokens, num_sampled=self.sampled_softmax, seed=self.sampling_seed
            )
        else:
            nats, mean = chunked_cross_entropy(
                *tokens, with_gradient=bool(training), label_smoothing=smoothing
            )
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
        devices = replica_count()
        # Keras divides these by the devices, as it does the loss.
        others = sum(self._aggregate_additional_loss(loss) for loss in self.losses)
        if isinstance(y_pred, dict):
            mean = y_pred["mean"]
        else:
            y_pred = self._masked(y, y_pred)
            loss = super().compute_loss(
                x, y, y_pred, sample_weight=sample_weight, training=training
            )
            if devices == 1 or not self._weighted_mean:
                return loss
            mean = (loss - others) * devices
        if devices > 1:  # the devices' losses are added: each counts for what its rows weigh
            mean = mean * share_of(ops.sum(sample_weight))
        return mean + others

    def compute_metrics(
        self,
        x: Any,
        y: Tensor,
        y_pred: Tensor | dict[str, Tensor],
        sample_weight: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Updates the metrics; see `keras.Model.compute_metrics`."""
        if isinstance(y_pred, dict):
            with predictions_are_nats():
                return super().compute_metrics(x, y, y_pred["nats"], sample_weight=sample_weight)
        y_pred = self._masked(y, y_pred)
        y = self._labels_of(y, y_pred)
        if self._ignored_class is not None:  # its weight is 0, and its id may be none at all
            y = ops.where(ops.equal(y, ops.cast(self._ignored_class, y.dtype)), 0, y)
        return super().compute_metrics(x, y, y_pred, sample_weight=sample_weight)

    def _masked(self, y, logits):
        """The logits, with Keras's mask where targets are padding."""
        y = self._labels_of(y, logits)
        real = None if self._target_kind is None else self._real(y)
        logits = _at_the_labels(y, logits, self._target_kind)
        return logits if real is None else Masked()([logits, real])

    def _labels_of(self, y, logits):
        """The labels of targets that carry teachers' predictions; of others what they are."""
        return split_targets(y)[0] if self._distils and len(y.shape) == len(logits.shape) else y


def _at_the_labels(labels, logits, kind):
    """The logits that have a label: those of the last step, where there is one label a row.

    Such are the batches of `window_batches(..., many_to_one=True)`.
    """
    rank = 2 if kind == "distributions" else 1
    shape = getattr(labels, "shape", None)
    one_a_row = shape is not None and len(shape) == rank and len(logits.shape) == 3
    return logits[:, -1] if one_a_row else logits
