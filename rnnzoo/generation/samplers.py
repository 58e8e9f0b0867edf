"""Samplers: how the next token is chosen from the logits."""

import math
from collections.abc import Callable
from typing import Any, Self

import keras
from keras import ops

from rnnzoo.errors import InputError, check_positive, unknown_name
from rnnzoo.typing import Tensor


class Sampler:
    """A sampler maps logits and one uniform number for each row to token ids.

    The random numbers come from outside, drawn before the loop that generates, so a sampler holds
    no state: it runs inside `tf.function`, `jax.jit` and an exported graph, and one seed gives the
    same text in all of them.

    Example:
        >>> sampler = TemperatureSampler(temperature=0.8)
        >>> ids = sampler(ops.array([[0.0, 9.0, 0.0]]), ops.array([0.5]))
        >>> int(ids[0])
        1
    """

    def __call__(self, logits: Tensor, uniform: Tensor) -> Tensor:
        """Chooses a token for each row.

        Args:
            logits: Float tensor of shape (B, V), any float dtype. `-inf` forbids a token.
            uniform: Float tensor of shape (B,), uniform on [0, 1).

        Returns:
            Token ids, an int32 tensor of shape (B,).
        """
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal sampler."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Makes the sampler that `get_config` described."""
        return cls(**config)

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value}" for name, value in self.get_config().items())
        return f"{type(self).__name__}({arguments})"


@keras.saving.register_keras_serializable("rnnzoo")
class GreedySampler(Sampler):
    """Always the likeliest token; the uniform numbers go unused.

    Example:
        >>> int(GreedySampler()(ops.array([[0.0, 2.0, 1.0]]), ops.array([0.9]))[0])
        1
    """

    def __call__(self, logits: Tensor, uniform: Tensor | None = None) -> Tensor:  # noqa: D102 (Sampler says it)
        return ops.cast(ops.argmax(logits, axis=-1), "int32")


@keras.saving.register_keras_serializable("rnnzoo")
class TemperatureSampler(Sampler):
    """Draws from softmax(logits / temperature).

    The draw is by the inverse of the cumulative distribution: the first token at which the
    cumulative sum reaches the uniform number. All of it is done in float32.

    Args:
        temperature: 1 is the model's own distribution, less is more careful, more is wilder.
            Defaults to 1.

    Raises:
        InputError: If `temperature` is not a finite number of at least 1e-6.

    Example:
        >>> TemperatureSampler(temperature=0.8)
        TemperatureSampler(temperature=0.8)
    """

    def __init__(self, temperature: float = 1.0):
        number = isinstance(temperature, int | float) and not isinstance(temperature, bool)
        if not number or not 1e-6 <= temperature < math.inf:
            raise InputError(
                "`temperature` must be a finite number of at least 1e-6 (1 is the model's own "
                f"distribution, less is more careful), not {temperature!r}; for always the "
                "likeliest token use the sampler 'greedy'."
            )
        self.temperature = float(temperature)

    def probabilities(self, logits: Tensor) -> Tensor:
        """The distribution that is drawn from; it need not sum to one, only its ratios count.

        Args:
            logits: Float tensor of shape (B, V).

        Returns:
            Float32 tensor of shape (B, V), not negative.
        """
        logits = ops.cast(logits, "float32")
        # the largest becomes 0 first, lest a small temperature overflow
        return ops.softmax((logits - ops.max(logits, axis=-1, keepdims=True)) / self.temperature)

    def __call__(self, logits: Tensor, uniform: Tensor) -> Tensor:  # noqa: D102 (Sampler says it)
        probabilities = self.probabilities(logits)  # (B, V)
        cumulative = ops.cumsum(probabilities, axis=-1)
        # Rounding must never draw a token of probability zero. Parallel cumulative sums may rise
        # by a last bit across one, and `uniform` may be 0 or have been rounded up to 1: so only
        # possible tokens are asked, and the largest sum among them always answers.
        possible = probabilities > 0
        total = ops.max(ops.where(possible, cumulative, 0.0), axis=-1, keepdims=True)  # (B, 1)
        uniform = ops.expand_dims(ops.cast(uniform, "float32"), -1)  # (B, 1)
        reached = ops.logical_and(possible, cumulative >= uniform * total)
        size = logits.shape[-1]
        # the least index rather than argmax, whose choice among equals differs by backend
        return ops.min(ops.where(reached, ops.arange(size, dtype="int32"), size - 1), axis=-1)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal sampler."""
        return {"temperature": self.temperature}


@keras.saving.register_keras_serializable("rnnzoo")
class TopKSampler(TemperatureSampler):
    """Draws among the k likeliest tokens (Fan et al. 2018, arXiv:1805.04833).

    Args:
        k: How many tokens may be drawn; ties with the k-th are kept, and a k above the size of
            the vocabulary keeps all. Defaults to 40.
        temperature: As for `TemperatureSampler`. Defaults to 1.

    Raises:
        InputError: If `k` is not a whole number of at least 1, or the temperature is wrong.

    Example:
        >>> int(TopKSampler(k=1)(ops.array([[0.0, 2.0, 1.0]]), ops.array([0.99]))[0])
        1
    """

    def __init__(self, k: int = 40, temperature: float = 1.0):
        super().__init__(temperature)
        check_positive(k=k)
        self.k = int(k)

    def probabilities(self, logits: Tensor) -> Tensor:  # noqa: D102 (TemperatureSampler says it)
        probabilities = super().probabilities(logits)
        likeliest, _ = ops.top_k(probabilities, min(self.k, logits.shape[-1]))  # (B, k), falling
        return ops.where(probabilities >= likeliest[:, -1:], probabilities, 0.0)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal sampler."""
        return {"k": self.k, **super().get_config()}


@keras.saving.register_keras_serializable("rnnzoo")
class TopPSampler(TemperatureSampler):
    """Nucleus sampling (Holtzman et al. 2020, arXiv:1904.09751).

    Draws among the likeliest tokens whose probabilities, after the temperature, first sum to p.

    Args:
        p: The mass kept, above 0 and at most 1; ties with the last token kept are kept too.
            Defaults to 0.9.
        temperature: As for `TemperatureSampler`. Defaults to 1.

    Raises:
        InputError: If `p` is not above 0 and at most 1, or the temperature is wrong.

    Example:
        >>> int(TopPSampler(p=0.5)(ops.array([[0.0, 2.0, 1.0]]), ops.array([0.99]))[0])
        1
    """

    def __init__(self, p: float = 0.9, temperature: float = 1.0):
        super().__init__(temperature)
        if isinstance(p, bool) or not isinstance(p, int | float) or not 0 < p <= 1:
            raise InputError(f"`p` must be a number above 0 and at most 1, not {p!r}.")
        self.p = float(p)

    def probabilities(self, logits: Tensor) -> Tensor:  # noqa: D102 (TemperatureSampler says it)
        probabilities = super().probabilities(logits)
        falling = ops.flip(ops.sort(probabilities, axis=-1), axis=-1)
        before = ops.cumsum(falling, axis=-1) - falling  # the mass of all likelier tokens
        least = ops.min(ops.where(before < self.p, falling, 1.0), axis=-1, keepdims=True)  # (B, 1)
        return ops.where(probabilities >= least, probabilities, 0.0)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal sampler."""
        return {"p": self.p, **super().get_config()}


_SAMPLERS = {
    "greedy": GreedySampler,
    "temperature": TemperatureSampler,
    "top_k": TopKSampler,
    "top_p": TopPSampler,
}


def get_sampler(
    sampler: str | Callable | None = None, temperature: float | None = None
) -> Callable:
    """Gives the sampler that a name, an object or a temperature stands for.

    Args:
        sampler: `"greedy"`, `"temperature"`, `"top_k"`, `"top_p"`, or any callable that acts as
            `Sampler.__call__` does. Defaults to `"temperature"`.
        temperature: Temperature of a sampler given by name. Defaults to 1.

    Returns:
        The sampler.

    Raises:
        InputError: If the name is unknown, the temperature is not positive, or a temperature is
            given with `"greedy"` or with an object, which has its own.

    Example:
        >>> get_sampler(temperature=0.5)
        TemperatureSampler(temperature=0.5)
        >>> get_sampler("greedy")
        GreedySampler()
    """
    if sampler is None:
        sampler = "temperature"
    if not isinstance(sampler, str):
        if isinstance(sampler, type) or not callable(sampler):
            raise InputError(
                f"`sampler` must be a name ({', '.join(_SAMPLERS)}) or a sampler object, "
                f"not {sampler!r}."
            )
        if temperature is not None:
            raise InputError(
                f"`temperature` ({temperature!r}) goes with a sampler's name: {sampler!r} is an "
                "object already, so give it its temperature when you make it."
            )
        return sampler
    if sampler not in _SAMPLERS:
        raise unknown_name("sampler", sampler, _SAMPLERS)
    if temperature is None:
        return _SAMPLERS[sampler]()
    if sampler == "greedy":
        raise InputError(
            f"The sampler 'greedy' takes no temperature, but {temperature!r} was given: "
            "leave it out, or use the sampler 'temperature'."
        )
    return _SAMPLERS[sampler](temperature=temperature)
