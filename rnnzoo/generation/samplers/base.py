"""What every sampler is."""

from collections.abc import Hashable
from typing import Any, Self

import numpy as np

from rnnzoo.typing import Tensor

# Values whose text tells all of them: an array's text leaves out the middle of a long one.
_PLAIN = (bool, int, float, complex, str, bytes, type(None))


class Sampler:
    """A sampler maps logits and one uniform number for each row to token ids.

    The random numbers come from outside, drawn before the loop that generates: it runs inside
    `tf.function`, `jax.jit` and an exported graph, and one seed gives the same text in all of them.
    A sampler that remembers what it has chosen keeps it in a state that goes in and comes out.

    Example:
        >>> from keras import ops
        >>> from rnnzoo.generation.samplers import TemperatureSampler
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

    def start(self, batch_size: Tensor, vocabulary_size: int, capacity: Tensor) -> Any:
        """Makes the state before anything is chosen, a structure of tensors; there is none here."""
        return ()

    def sample(
        self, logits: Tensor, uniform: Tensor, state: Any, numbers: dict[str, Tensor]
    ) -> tuple[Tensor, Any]:
        """Chooses a token for each row, as the loop asks for it.

        Args:
            logits: Float tensor `(B, V)`.
            uniform: Float tensor `(B,)`.
            state: What `start` or the last `sample` returned.
            numbers: Those of `numbers` as scalar tensors, by name.

        Returns:
            Token ids, int32 `(B,)`, and the new state.
        """
        return self(logits, uniform, **numbers), state

    def numbers(self) -> dict[str, float]:
        """Returns the numbers that `sample` takes as tensors: a new one compiles nothing."""
        return {}

    def key(self) -> Hashable:
        """Returns what samplers have in common that may share a compiled function.

        Where `get_config` does not tell what its class's constructor was given, or tells it by
        other values than numbers, texts, and lists and tuples of these, each object is one of its
        own. What it has at its first call stays; to change it, make another.
        """
        kind = type(self)
        depth = {
            name: next(n for n, each in enumerate(kind.__mro__) if name in vars(each))
            for name in ("get_config", "__init__")
        }
        config = self.get_config()
        told = depth["get_config"] <= depth["__init__"] and _is_plain(list(config.values()))
        return kind, repr(config) if told else id(self)  # the compiled function keeps the object

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that make an equal sampler."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Makes the sampler that `get_config` described."""
        return cls(**config)

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value}" for name, value in self.get_config().items())
        return f"{type(self).__name__}({arguments})"


def _is_plain(value):
    """Whether the text of a value tells all of it."""
    if type(value) in (list, tuple):
        return all(map(_is_plain, value))
    return type(value) in _PLAIN or isinstance(value, (np.number, np.bool_))
