"""Samplers: how the next token is chosen from the logits. One file each.

A new sampler is a file here and a line in `SAMPLERS`; what changes logits by what was generated
before it is a file and a line in `PENALTIES`.
"""

from rnnzoo.generation.samplers.base import Sampler
from rnnzoo.generation.samplers.choose import (
    PENALTIES,
    SAMPLERS,
    Penalized,
    get_sampler,
    with_penalties,
)
from rnnzoo.generation.samplers.greedy import GreedySampler
from rnnzoo.generation.samplers.min_p import MinPSampler
from rnnzoo.generation.samplers.mixed import MixedSampler
from rnnzoo.generation.samplers.temperature import TemperatureSampler
from rnnzoo.generation.samplers.top_k import TopKSampler
from rnnzoo.generation.samplers.top_p import TopPSampler
from rnnzoo.generation.samplers.typical import TypicalSampler

__all__ = [
    "PENALTIES",
    "SAMPLERS",
    "GreedySampler",
    "MinPSampler",
    "MixedSampler",
    "Penalized",
    "Sampler",
    "TemperatureSampler",
    "TopKSampler",
    "TopPSampler",
    "TypicalSampler",
    "get_sampler",
    "with_penalties",
]
