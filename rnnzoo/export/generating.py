"""The endpoints of language models: `generate`, `next_tokens` and `score`."""

from collections.abc import Callable

import tensorflow as tf

from rnnzoo.export.sampling import (
    SAMPLING_DEFAULTS,
    SAMPLING_SPECS,
    check_sampling,
    draw_uniforms,
    sampled,
)
from rnnzoo.export.shared import Shared
from rnnzoo.export.signatures import TEXTS, endpoint, signature_of
from rnnzoo.export.text import (
    all_rows,
    generated_text,
    prompt_ids,
    require,
    summed,
    with_special_tokens,
)
from rnnzoo.vocabulary.graph_vocabulary import GraphVocabulary


def generate(shared: Shared, vocabulary: GraphVocabulary) -> tuple[Callable, dict[str, Callable]]:
    """Makes `generate` of a language model; every sampler can be chosen at call time."""
    decodable = shared.decodable

    def generate(prompt, max_new_tokens=100, temperature=1.0, seed=0, **sampling):
        sampling = {**SAMPLING_DEFAULTS, **sampling, "temperature": temperature}
        ids = prompt_ids(vocabulary, prompt, start_id=decodable.rules.start_id)
        checks = [
            require(
                max_new_tokens >= 1, "`max_new_tokens` must be at least 1, not", max_new_tokens
            ),
            *check_sampling(sampling),
        ]
        with tf.control_dependencies(checks):
            inputs = ids.to_tensor(), tf.cast(ids.row_lengths(), tf.int32)
            max_new_tokens = tf.identity(max_new_tokens)  # the first is chosen without asking
        rows = tf.shape(prompt)[0]
        uniforms = draw_uniforms(seed, max_new_tokens, rows)
        limits = tf.fill([rows], max_new_tokens)
        tokens = sampled(decodable, inputs, uniforms, limits=limits, sampling=sampling)
        return generated_text(vocabulary, tokens, prompt=prompt, before=ids)

    numbers = {
        "max_new_tokens": tf.TensorSpec([], tf.int32),
        "temperature": tf.TensorSpec([], tf.float32),
        "seed": tf.TensorSpec([], tf.int64),
    }
    method = endpoint(_with_defaults(generate), prompt=TEXTS, **numbers, **SAMPLING_SPECS)
    return method, {
        "serving_default": signature_of("text", method, prompt=TEXTS),
        "generate": signature_of("text", method, prompt=TEXTS, **numbers),
        "sample": signature_of("text", method, prompt=TEXTS, **numbers, **SAMPLING_SPECS),
    }


def next_tokens(
    shared: Shared, vocabulary: GraphVocabulary
) -> tuple[Callable, dict[str, Callable]]:
    """Makes `next_tokens`: the likeliest tokens after each prompt, with their probabilities."""
    decodable = shared.decodable
    size = decodable.rules.size

    def next_tokens(prompt, k=10):
        allowed = require((k >= 1) & (k <= size), f"`k` must be from 1 to {size}, not", k)
        ids = prompt_ids(vocabulary, prompt, start_id=decodable.rules.start_id)
        logits, _ = decodable.start((ids.to_tensor(), tf.cast(ids.row_lengths(), tf.int32)))
        with tf.control_dependencies([allowed]):
            k = tf.identity(k)
        found = tf.math.top_k(tf.nn.softmax(decodable.rules.suppress(logits)), k)  # (B, k)
        return {"tokens": vocabulary.tokens_of(found.indices), "probabilities": found.values}

    method = endpoint(next_tokens, prompt=TEXTS, k=tf.TensorSpec([], tf.int32))
    return method, {"next_tokens": method}


def score_texts(
    shared: Shared, vocabulary: GraphVocabulary
) -> tuple[Callable, dict[str, Callable]]:
    """Makes `score` of a language model."""
    decodable = shared.decodable

    def score(text):
        rules = decodable.rules
        ids = with_special_tokens(vocabulary.encode(text), rules.start_id, rules.end_id)
        counts = ids.row_lengths() - 1  # what comes first is not predicted
        long_enough = require(
            all_rows(counts > 0),
            "A text to score is too short: without a start token in the vocabulary its first "
            "symbol is not predicted, so give at least two.",
        )
        with tf.control_dependencies([long_enough]):
            padded = ids.to_tensor()  # (B, T + 1)
        return summed(decodable, (padded[:, :-1],), padded[:, 1:], counts=counts)

    method = endpoint(score, text=TEXTS)
    return method, {"score": method}


def _with_defaults(generate):
    """The function with every argument written out, as TensorFlow keeps names and defaults."""

    def function(
        prompt, max_new_tokens=100, temperature=1.0, seed=0, sampler="temperature", k=40, p=0.0,
        repetition_penalty=1.0, no_repeat_ngram=0,
    ):  # fmt: skip
        return generate(
            prompt, max_new_tokens, temperature, seed=seed, sampler=sampler, k=k, p=p,
            repetition_penalty=repetition_penalty, no_repeat_ngram=no_repeat_ngram,
        )  # fmt: skip

    return function
