"""Adam, with less traffic between the processor and its memory, and with rates by part."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from rnnzoo.errors import InputError
from rnnzoo.replicas import sum_over_replicas
from rnnzoo.typing import Tensor


@keras.saving.register_keras_serializable("rnnzoo")
class FusedAdam(keras.optimizers.Adam):
    """`keras.optimizers.Adam` whose update of a variable is one operation on TensorFlow.

    Keras's Adam reads and writes each variable and its moments in a dozen operations, one after the
    other; the fused operation computes the same in one go (`benchmarks/optimizer.py` has the
    figures). For sparse gradients, with `amsgrad`, for weights that are not float32 and on other
    backends it does what Keras's Adam does, a variable at a time; `adam` takes Keras's own there,
    which torch updates all at once. On several devices it clips the gradient of the whole batch;
    Keras clips each device's part of it. A file of a model compiled with it loads where rnnzoo is
    imported.

    The averages of `use_ema` have a momentum that grows: after n batches it is (1 + n) / (10 + n),
    and `ema_momentum` at most. So they are of the last ninth of the batches while these are few,
    where Keras's would still be near the untrained weights.

    Args:
        *args: What `keras.optimizers.Adam` takes, such as `learning_rate` (0.001).
        **kwargs: The same, such as `global_clipnorm`, `weight_decay` or `use_ema`.

    Example:
        >>> from rnnzoo import char_lstm
        >>> model = char_lstm(65, units=16)
        >>> model.compile(FusedAdam(2e-3, global_clipnorm=1.0))

    Reference:
        Kingma and Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015. The momentum is that
        of TensorFlow's `ExponentialMovingAverage` with `num_updates`.
    """

    def _clip_gradients(self, grads):
        return super()._clip_gradients(sum_over_replicas(list(grads)))

    def _all_reduce_sum_gradients(self, grads_and_vars):
        return grads_and_vars  # summed before they were clipped

    def _update_model_variables_moving_average(self, trainable_variables):
        if not self.use_ema:
            return
        batches = ops.cast(self.iterations, "float32")  # before this one
        growing = ops.minimum(self.ema_momentum, (1.0 + batches) / (10.0 + batches))
        momentum = ops.where(batches > 0, growing, 0.0)  # the first average is the first weights
        averages = self._model_variables_moving_average
        for variable, average in zip(trainable_variables, averages, strict=True):
            if average is not None:
                own = ops.cast(momentum, variable.dtype)
                average.assign(own * average + (1 - own) * variable)

    def update_step(self, gradient: Tensor, variable: Any, learning_rate: Tensor) -> None:
        """Updates one variable."""
        if keras.backend.backend() != "tensorflow" or self.amsgrad:
            super().update_step(gradient, variable, learning_rate)
            return
        import tensorflow as tf

        if isinstance(gradient, tf.IndexedSlices) or variable.dtype != tf.float32:
            super().update_step(gradient, variable, learning_rate)
            return
        index = self._get_variable_index(variable)
        step = tf.cast(self.iterations + 1, tf.float32)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=self.beta_1**step,
            beta2_power=self.beta_2**step,
            lr=tf.cast(learning_rate, tf.float32),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=tf.cast(gradient, tf.float32),
        )


@keras.saving.register_keras_serializable("rnnzoo")
class LayerwiseAdam(FusedAdam):
    """`FusedAdam` whose learning rate is multiplied by a factor of the part that a weight is in.

    A part with the factor 0 stands still, to the last bit; its moments go on, so that it starts
    smoothly when it is let go. The factors may change at any time without compiling anything anew:
    `optimizer.factors.assign(...)`, which `rnnzoo.callbacks.GradualUnfreezing` does.

    Args:
        *args: What `keras.optimizers.Adam` takes, such as `learning_rate` (0.001).
        parts: Names that stand in the paths of weights, such as `("head", "recurrent/lstm_0",
            "embedding")`; a weight belongs to the first that its path has.
        **kwargs: As for `FusedAdam`, but for `weight_decay`, which would move parts that wait.

    Attributes:
        factors: A variable, float32 `(parts,)`, ones at first.

    Raises:
        InputError: If `parts` is empty, a weight is in none of them, or there is a weight decay.

    Example:
        >>> from rnnzoo import char_lstm
        >>> model = char_lstm(65, units=16)
        >>> model.compile(LayerwiseAdam(2e-3, parts=("head", "recurrent", "embedding")))
        >>> _ = model.optimizer.factors.assign([1.0, 0.4, 0.0])

    Reference:
        Howard and Ruder, "Universal Language Model Fine-tuning for Text Classification", ACL 2018
        (arXiv:1801.06146), section 3.2: discriminative fine-tuning.
    """

    def __init__(self, *args: Any, parts: Sequence[str], **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.parts = tuple(parts)
        if not self.parts or isinstance(parts, str):
            raise InputError(f"`parts` must be a list of at least one name, not {parts!r}.")
        if self.weight_decay:
            raise InputError(
                f"LayerwiseAdam has no weight decay ({self.weight_decay}), which would move parts "
                "that wait; leave out `weight_decay`."
            )

    def build(self, variables: list[Any]) -> None:
        """Makes the moments, and the factors of the parts."""
        if self.built:
            return
        super().build(variables)
        self._part_of = [self._find_part(variable.path) for variable in variables]
        with keras.name_scope(self.name):
            self.factors = self.add_variable(
                (len(self.parts),), initializer="ones", dtype="float32", name="factors"
            )

    def _find_part(self, path):
        for index, part in enumerate(self.parts):
            if f"/{part}/" in f"/{path}/":
                return index
        raise InputError(
            f"The weight {path!r} is in none of the parts {', '.join(self.parts)}; name its part "
            "too."
        )

    def update_step(self, gradient: Tensor, variable: Any, learning_rate: Tensor) -> None:
        """Updates one variable, at the rate of its part."""
        part = self._part_of[self._get_variable_index(variable)]
        factor = ops.convert_to_tensor(self.factors)[part]
        rate = ops.cast(ops.convert_to_tensor(learning_rate), "float32") * factor
        super().update_step(gradient, variable, rate)

    def get_config(self) -> dict[str, Any]:
        """The arguments that remake the optimizer."""
        return {**super().get_config(), "parts": list(self.parts)}


def adam(learning_rate: Any, **kwargs: Any) -> keras.optimizers.Adam:
    """Makes the Adam that is fast on this backend: what `compile` and recipes take.

    Args:
        learning_rate: As for `keras.optimizers.Adam`.
        **kwargs: The same.

    Returns:
        A `FusedAdam` on TensorFlow, and wherever weights are averaged (`use_ema`). Elsewhere
        `keras.optimizers.Adam`, whose updates JAX compiles and Keras gives to torch all at once.

    Example:
        >>> float(adam(2e-3, global_clipnorm=1.0).global_clipnorm)
        1.0
    """
    fused = keras.backend.backend() == "tensorflow" or kwargs.get("use_ema")
    return (FusedAdam if fused else keras.optimizers.Adam)(learning_rate, **kwargs)
