"""All samplers in one, for rows that are drawn side by side, each by a sampler of its own."""

from collections.abc import Hashable
from typing import Any

from keras import ops

from rnnzoo.errors import InputError
from rnnzoo.generation.samplers.base import Sampler
from rnnzoo.generation.samplers.choose import PENALTIES, SAMPLERS, Penalized
from rnnzoo.generation.samplers.greedy import GreedySampler
from rnnzoo.generation.samplers.temperature import draw
from rnnzoo.typing import Tensor

_KINDS = list(SAMPLERS.values())
_DRAWING = [kind for kind in _KINDS if kind is not GreedySampler]


class MixedSampler(Sampler):
    """Draws each row by the sampler and the penalties that its numbers name.

    The numbers are one for each row, `(B, 1)`: `kind`, the place of the sampler in `SAMPLERS`;
    its `temperature`, `k` and `p`; and the penalties. What no row asks for is not computed, and
    another mixture compiles nothing.

    Example:
        >>> numbers = MixedSampler.numbers_of(GreedySampler())
        >>> numbers["kind"], numbers["repetition_penalty"]
        (0.0, 1.0)
    """

    def start(self, *sizes: Any) -> list[Any]:
        """Makes the states of all penalties."""
        return [penalty.start(*sizes) for penalty in PENALTIES.values()]

    def sample(
        self, logits: Tensor, uniform: Tensor, state: list[Any], numbers: dict[str, Tensor]
    ) -> tuple[Tensor, list[Any]]:
        """Chooses a token for each row; see `Sampler.sample`."""
        logits = ops.cast(logits, "float32")
        in_use = {name: ops.any(numbers[name] != PENALTIES[name].off) for name in PENALTIES}
        for (name, penalty), its in zip(PENALTIES.items(), state, strict=True):
            logits = ops.cond(
                in_use[name],
                lambda penalty=penalty, its=its, name=name, logits=logits: penalty.apply(
                    logits, its, numbers[name]
                ),
                lambda logits=logits: logits,
            )
        token = _draw(logits, uniform, numbers)
        state = [
            ops.cond(
                in_use[name],
                lambda penalty=penalty, its=its: penalty.update(its, token),
                lambda its=its: its,
            )
            for (name, penalty), its in zip(PENALTIES.items(), state, strict=True)
        ]
        return token, state

    def numbers(self) -> dict[str, float]:
        """Returns all numbers, those of a row that draws as the model says."""
        return self.numbers_of(SAMPLERS["temperature"]())

    def key(self) -> Hashable:
        """Returns the class: there is one compiled function for all mixtures."""
        return type(self)

    @staticmethod
    def numbers_of(sampler: Sampler) -> dict[str, float]:
        """Returns the numbers of a row.

        Args:
            sampler: What `with_penalties` returned for a sampler of `SAMPLERS`.

        Raises:
            InputError: If it is a sampler of one's own.
        """
        bare = sampler.sampler if isinstance(sampler, Penalized) else sampler
        if type(bare) not in _KINDS:
            raise InputError(
                f"Requests that are drawn side by side take a sampler of rnnzoo's, "
                f"{', '.join(SAMPLERS)}, not {bare!r}."
            )
        defaults = {"kind": float(_KINDS.index(type(bare))), "temperature": 1.0, "k": 1.0, "p": 1.0}
        defaults |= {name: float(penalty.off) for name, penalty in PENALTIES.items()}
        return defaults | {name: float(value) for name, value in sampler.numbers().items()}


def _draw(logits, uniform, numbers):
    """Computes the probabilities of each sampler that is in use, and draws from the row's own."""
    kinds = ops.cast(numbers["kind"], "int32")  # (B, 1)
    probabilities = SAMPLERS["temperature"]().probabilities(
        logits, temperature=numbers["temperature"]
    )  # (B, V)
    for kind in _DRAWING:
        names = kind().numbers()
        if set(names) == {"temperature"}:
            continue  # that is what is there
        its = ops.equal(kinds, _KINDS.index(kind))  # (B, 1)
        given = {name: numbers[name] for name in names}
        probabilities = ops.cond(
            ops.any(its),
            lambda kind=kind, its=its, given=given, other=probabilities: ops.where(
                its, kind().probabilities(logits, **given), other
            ),
            lambda other=probabilities: other,
        )
    likeliest = GreedySampler()(logits)
    greedy = ops.equal(kinds[:, 0], _KINDS.index(GreedySampler))
    return ops.where(greedy, likeliest, draw(probabilities, uniform))
