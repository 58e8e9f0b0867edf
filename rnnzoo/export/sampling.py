"""Samplers in a graph, chosen by name when it is called."""

from typing import Any

import tensorflow as tf

from rnnzoo.export.text import require
from rnnzoo.generation.loop import decoding_loop
from rnnzoo.generation.protocol import Decodable
from rnnzoo.generation.samplers import SAMPLERS, Penalized, Sampler
from rnnzoo.generation.samplers.checks import LARGEST, SMALLEST

SAMPLING_DEFAULTS = {
    "sampler": "temperature",
    "k": 40,
    "p": 0.0,  # the sampler's own
    "repetition_penalty": 1.0,
    "no_repeat_ngram": 0,
}
SAMPLING_SPECS = {
    "sampler": tf.TensorSpec([], tf.string),
    "k": tf.TensorSpec([], tf.int32),
    "p": tf.TensorSpec([], tf.float32),
    "repetition_penalty": tf.TensorSpec([], tf.float32),
    "no_repeat_ngram": tf.TensorSpec([], tf.int32),
}
NAMES = list(SAMPLERS)


def check_sampling(sampling: dict[str, Any]) -> list[tf.Operation]:
    """Makes the operations that refuse numbers and names that are not allowed."""
    temperature, p, penalty = (sampling[x] for x in ("temperature", "p", "repetition_penalty"))
    return [
        require(
            tf.equal(temperature, 0.0) | ((temperature >= SMALLEST) & (temperature <= LARGEST)),
            "`temperature` must be 0 (always the likeliest token) or a number from 1e-6 to 1e6, "
            "not",
            temperature,
        ),
        require(
            tf.reduce_any(tf.equal(tf.constant(NAMES), sampling["sampler"])),
            f"`sampler` must be one of {', '.join(NAMES)}, not",
            sampling["sampler"],
        ),
        require(sampling["k"] >= 1, "`k` must be at least 1, not", sampling["k"]),
        require(
            (p >= 0.0) & (p <= 1.0),
            "`p` must be above 0 and at most 1, or 0 for the sampler's own, not",
            p,
        ),
        require(
            (penalty >= SMALLEST) & (penalty <= LARGEST),
            "`repetition_penalty` must be a number from 1e-6 to 1e6, not",
            penalty,
        ),
        require(
            sampling["no_repeat_ngram"] >= 0,
            "`no_repeat_ngram` must be at least 1, or 0 for none, not",
            sampling["no_repeat_ngram"],
        ),
    ]


def draw_uniforms(seed: tf.Tensor, capacity: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """Draws the chances of every draw; a row's depend on the seed and its own index alone.

    Args:
        seed: An int64 scalar.
        capacity: The maximum number of tokens of a row.
        rows: The number of rows.

    Returns:
        Numbers in [0, 1), float32 `(capacity, rows)`.
    """

    def of_row(row):
        # Philox on every device; a longer text begins like a shorter one.
        return tf.random.stateless_uniform([capacity], tf.stack([seed, row]), alg="philox")

    indices = tf.range(tf.cast(tf.maximum(rows, 1), tf.int64))  # a map of nothing has no shape
    drawn = tf.map_fn(of_row, indices, fn_output_signature=tf.float32)
    return tf.transpose(drawn[:rows])


def sampled(
    model: Decodable, inputs: Any, uniforms: tf.Tensor, limits: tf.Tensor, sampling: dict[str, Any]
) -> tf.Tensor:
    """Generates with the sampler that the numbers and the name say.

    Args:
        model: What is decoded.
        inputs: What it starts from.
        uniforms: As for `decoding_loop`.
        limits: As for `decoding_loop`.
        sampling: The temperature and what `SAMPLING_DEFAULTS` has; numbers, texts or tensors.

    Returns:
        Tokens, int32 `(batch, capacity)`.
    """
    tensors = {
        name: tf.convert_to_tensor(
            value, None if name not in SAMPLING_SPECS else SAMPLING_SPECS[name].dtype
        )
        for name, value in sampling.items()
    }
    temperature = tf.cast(tensors["temperature"], tf.float32)
    chosen = tf.argmax(tf.equal(tf.constant(NAMES), tensors["sampler"]), output_type=tf.int32)
    # Temperature 0 always takes the likeliest token.
    chosen = tf.where(tf.equal(temperature, 0.0), NAMES.index("greedy"), chosen)
    by_name = _ByName(chosen, {**tensors, "temperature": temperature})
    numbers = {name: tensors[name] for name in ("repetition_penalty", "no_repeat_ngram")}
    penalized = tf.not_equal(numbers["repetition_penalty"], 1.0) | (numbers["no_repeat_ngram"] > 0)

    def loop(sampler, numbers):
        return decoding_loop(
            model, inputs, sampler, uniforms=uniforms, limits=limits, numbers=numbers
        )

    return tf.cond(
        penalized,
        lambda: loop(Penalized(by_name, dict.fromkeys(numbers)), numbers),
        lambda: loop(by_name, {}),
    )


class _ByName(Sampler):
    """All samplers in one; at every step only the chosen one is computed."""

    def __init__(self, chosen, numbers):
        self.chosen, self.given = chosen, numbers

    def __call__(self, logits, uniform):
        return tf.switch_case(
            self.chosen, [self._branch(SAMPLERS[name](), logits, uniform) for name in NAMES]
        )

    def _branch(self, sampler, logits, uniform):
        own = sampler.numbers()
        numbers = {name: self.given[name] for name in own}
        if "p" in own:
            numbers["p"] = tf.where(tf.equal(numbers["p"], 0.0), own["p"], numbers["p"])
        return lambda: sampler(logits, uniform, **numbers)
