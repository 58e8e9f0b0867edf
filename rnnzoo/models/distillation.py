"""Distillation: a loss of the labels and of what teachers predict."""

from typing import Any

import keras
from keras import ops

from rnnzoo.errors import InputError
from rnnzoo.typing import Tensor

SMALLEST = 1e-6  # the least probability that the loss knows of the tokens that no teacher names


@keras.saving.register_keras_serializable("rnnzoo")
class DistillationLoss(keras.losses.Loss):
    """Cross-entropy with the labels, mixed with the cross-entropy with teachers' probabilities.

    With alpha a, temperature T, label y, the teachers' probabilities q and logits z:

        (1 - a) * cross_entropy(y, softmax(z)) + a * T ** 2 * cross_entropy(q, softmax(z / T))

    The teachers are known by their k likeliest tokens and by the mass of all others, which counts
    as one token. Targets that `rnnzoo.data.with_teacher` made have them; of targets that are ids,
    such as those of validation data, it is the plain cross-entropy. The loss reads logits: a large
    softmax is not computed in chunks with it.

    Args:
        alpha: The share of the teachers, from 0 to 1.
        temperature: That of the teachers' probabilities, above 0; the same as in
            `rnnzoo.training.distillation.teacher_predictions`.
        reduction: As for `keras.losses.Loss`.
        name: Name of the loss.
        **kwargs: As for `keras.losses.Loss`.

    Raises:
        InputError: If `alpha` or `temperature` is not valid.

    Example:
        >>> from rnnzoo import char_lstm
        >>> model = char_lstm(65, units=8)
        >>> model.compile(loss=DistillationLoss(alpha=0.5))

    Reference:
        Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", arXiv:1503.02531.
    """

    def __init__(
        self,
        alpha: float = 0.5,
        *,
        temperature: float = 1.0,
        reduction: str | None = "mean_with_sample_weight",
        name: str = "distillation_loss",
        **kwargs: Any,
    ):
        super().__init__(name=name, reduction=reduction, **kwargs)
        check_distillation(alpha=alpha, temperature=temperature)
        self.alpha, self.temperature = float(alpha), float(temperature)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Computes the loss of each token.

        Args:
            y_true: Label ids `(...)`, or targets of `with_teacher`, `(..., 2 * k + 2)`.
            y_pred: Logits, `(..., vocabulary_size)`.
        """
        if len(y_true.shape) < len(y_pred.shape):
            return keras.losses.sparse_categorical_crossentropy(y_true, y_pred, from_logits=True)
        labels, ids, probabilities = split_targets(y_true)
        hard = keras.losses.sparse_categorical_crossentropy(labels, y_pred, from_logits=True)
        nats = -ops.log_softmax(y_pred / self.temperature)
        nats = ops.take_along_axis(nats, ids, axis=-1)  # (..., k)
        others = 1.0 - ops.sum(ops.exp(-nats), axis=-1, keepdims=True)
        nats_of_others = -ops.log(ops.maximum(others, SMALLEST))
        nats = ops.concatenate([nats, nats_of_others], axis=-1)  # (..., k + 1)
        soft = ops.sum(probabilities * nats, axis=-1)
        return (1.0 - self.alpha) * hard + self.alpha * self.temperature**2 * soft

    def get_config(self) -> dict[str, Any]:
        """The arguments that remake the loss."""
        own = {"alpha": self.alpha, "temperature": self.temperature}
        return {**super().get_config(), **own}


def split_targets(targets: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Takes targets of `rnnzoo.data.with_teacher` apart.

    Args:
        targets: Float32 `(..., 2 * k + 2)`.

    Returns:
        The labels, float32 `(...)`; the k likeliest tokens of the teachers, int32 `(..., k)`; and
        their probabilities and, last, the mass of all other tokens, float32 `(..., k + 1)`.
    """
    k = targets.shape[-1] // 2 - 1
    return targets[..., 0], ops.cast(targets[..., 1 : k + 1], "int32"), targets[..., k + 1 :]


def check_distillation(*, alpha: float, temperature: float) -> None:
    """Checks the numbers of a `DistillationLoss`."""
    if not (isinstance(alpha, int | float) and 0 <= alpha <= 1):
        raise InputError(f"The alpha of a distillation must be from 0 to 1, not {alpha!r}.")
    if not (isinstance(temperature, int | float) and temperature > 0):
        raise InputError(f"The temperature of a distillation must be above 0, not {temperature!r}.")
