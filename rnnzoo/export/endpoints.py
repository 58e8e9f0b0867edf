"""The endpoints of exported models, out of stock TensorFlow operations.

`ENDPOINTS` has one maker for each name that a model's `export_endpoints` may give.
"""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from rnnzoo.export.sampling import (
    SAMPLING_DEFAULTS,
    SAMPLING_SPECS,
    check_sampling,
    draw_uniforms,
    sampled,
)
from rnnzoo.export.text import generated_text, require, with_special_tokens
from rnnzoo.generation.beam import beam_search
from rnnzoo.generation.loop import decoding_loop
from rnnzoo.generation.protocol import Decodable
from rnnzoo.generation.samplers import GreedySampler
from rnnzoo.generation.scoring import summed_nats
from rnnzoo.vocabulary import Vocabulary
from rnnzoo.vocabulary.graph_vocabulary import GraphVocabulary

TEXTS = tf.TensorSpec([None], tf.string)


def make_endpoints(
    model: keras.Model, endpoints: dict[str, dict[str, Any]]
) -> tuple[tf.Module, dict[str, Callable]]:
    """Makes the endpoints of a model.

    Args:
        model: The model, whose weights go into the module.
        endpoints: What each endpoint is made of, by its name; the first is the default.

    Returns:
        A `tf.Module` with the endpoints as methods, and the signatures for a SavedModel.
    """
    module = tf.Module()
    module.weights = [variable.value for variable in model.weights]
    module.graph_vocabularies, signatures = [], {}
    for name, parts in endpoints.items():
        parts = {
            part: GraphVocabulary(value) if isinstance(value, Vocabulary) else value
            for part, value in parts.items()
        }
        module.graph_vocabularies += [
            value for value in parts.values() if isinstance(value, GraphVocabulary)
        ]
        method, its_signatures = ENDPOINTS[name](model, **parts)
        setattr(module, name, method)
        signatures |= its_signatures
    return module, {"serving_default": next(iter(signatures.values())), **signatures}


def serve(model: keras.Model, inputs: list[Any]) -> tuple[Callable, dict[str, Callable]]:
    """Makes `serve`: ids to logits, as Keras exports it."""
    specs = tf.nest.map_structure(
        lambda spec: tf.TensorSpec(spec.shape, spec.dtype, getattr(spec, "name", None)), inputs
    )

    def serve(tokens):
        return model(tokens, training=False)

    function = tf.function(serve, autograph=False, input_signature=specs)
    return function, {"serve": function}


def generate(
    model: keras.Model, vocabulary: GraphVocabulary
) -> tuple[Callable, dict[str, Callable]]:
    """Makes `generate` of a language model; every sampler can be chosen at call time."""
    decodable: Decodable = model.decodable()

    def generate(prompt, max_new_tokens=100, temperature=1.0, seed=0, **sampling):
        ids = with_special_tokens(vocabulary.encode(prompt), decodable.rules.start_id)
        sampling = {**SAMPLING_DEFAULTS, **sampling, "temperature": temperature}
        checks = [
            require(
                _all_rows(ids.row_lengths() > 0),
                "A prompt is empty; give at least one symbol for the model to go on from.",
            ),
            require(
                max_new_tokens >= 1, "`max_new_tokens` must be at least 1, not", max_new_tokens
            ),
            *check_sampling(sampling),
        ]
        with tf.control_dependencies(checks):
            inputs = ids.to_tensor(), ids.row_lengths()
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
    method = _endpoint(_with_defaults(generate), prompt=TEXTS, **numbers, **SAMPLING_SPECS)
    return method, {
        "serving_default": _named("text", method, prompt=TEXTS),
        "generate": _named("text", method, prompt=TEXTS, **numbers),
        "sample": _named("text", method, prompt=TEXTS, **numbers, **SAMPLING_SPECS),
    }


def translate(
    model: keras.Model,
    source_vocabulary: GraphVocabulary,
    target_vocabulary: GraphVocabulary,
    beam_width: int = 1,
    length_penalty: float = 0.6,
) -> tuple[Callable, dict[str, Callable]]:
    """Makes `translate` of an encoder-decoder, with greedy or beam search."""
    decodable: Decodable = model.decodable()

    def translate(text):
        ids = _sources(source_vocabulary, text)
        limits = 2 * tf.cast(ids.row_lengths(), tf.int32) + 10  # as Seq2Seq.translate
        capacity = tf.maximum(tf.reduce_max(limits), 0)  # of no text: the check tells
        inputs = (ids.to_tensor(),)
        if beam_width == 1:
            nothing_is_drawn = tf.zeros([capacity, tf.size(limits)])
            tokens = decoding_loop(
                decodable, inputs, GreedySampler(), uniforms=nothing_is_drawn, limits=limits
            )
        else:
            tokens, _ = beam_search(
                decodable, inputs, limits=limits, buffer=tf.zeros([capacity], tf.int32),
                alpha=tf.constant(length_penalty, tf.float32), width=beam_width,
            )  # fmt: skip
            tokens = tokens[:, 0]
        return generated_text(target_vocabulary, tokens)

    method = _endpoint(translate, text=TEXTS)
    return method, {"translate": _named("translation", method, text=TEXTS)}


def score_texts(
    model: keras.Model, vocabulary: GraphVocabulary
) -> tuple[Callable, dict[str, Callable]]:
    """Makes `score` of a language model."""
    decodable: Decodable = model.decodable()

    def score(text):
        rules = decodable.rules
        ids = with_special_tokens(vocabulary.encode(text), rules.start_id, rules.end_id)
        counts = ids.row_lengths() - 1  # what comes first is not predicted
        long_enough = require(
            _all_rows(counts > 0),
            "A text to score is too short: without a start token in the vocabulary its first "
            "symbol is not predicted, so give at least two.",
        )
        with tf.control_dependencies([long_enough]):
            padded = ids.to_tensor()  # (B, T + 1)
        return _summed(decodable, (padded[:, :-1],), padded[:, 1:], counts=counts)

    method = _endpoint(score, text=TEXTS)
    return method, {"score": method}


def score_pairs(
    model: keras.Model, source_vocabulary: GraphVocabulary, target_vocabulary: GraphVocabulary
) -> tuple[Callable, dict[str, Callable]]:
    """Makes `score` of an encoder-decoder."""
    decodable: Decodable = model.decodable()

    def score(source, target):
        pairs = require(
            tf.equal(tf.size(source), tf.size(target)), "There must be one target for each source."
        )
        rules = decodable.rules
        with tf.control_dependencies([pairs]):
            ids = with_special_tokens(
                target_vocabulary.encode(target), rules.start_id, rules.end_id
            )
        padded = ids.to_tensor()  # (B, T + 1)
        inputs = _sources(source_vocabulary, source).to_tensor(), padded[:, :-1]
        return _summed(decodable, inputs, padded[:, 1:], counts=ids.row_lengths() - 1)

    method = _endpoint(score, source=TEXTS, target=TEXTS)
    return method, {"score": method}


ENDPOINTS = {
    "serve": serve,
    "generate": generate,
    "translate": translate,
    "score": lambda model, **parts: (score_texts if "vocabulary" in parts else score_pairs)(
        model, **parts
    ),
}


def _sources(vocabulary, texts):
    """The ids of source texts, ragged (B, None), which must not be blank."""
    ids = with_special_tokens(vocabulary.encode(texts), end_id=vocabulary.vocabulary.end_id)
    not_blank = tf.logical_not(tf.strings.regex_full_match(texts, r"[\s\p{Z}]*"))
    not_empty = require(
        _all_rows(not_blank & (ids.row_lengths() > 0)),
        "A text to translate is empty; give at least one symbol.",
    )
    with tf.control_dependencies([not_empty]):
        return ids.with_flat_values(tf.identity(ids.flat_values))


def _summed(decodable, inputs, labels, counts):
    nats = summed_nats(decodable, inputs, labels=labels, counts=counts)
    return {"nats": nats, "tokens": tf.cast(counts, tf.int32)}


def _all_rows(conditions):
    """Whether there are rows and the condition holds for all."""
    return (tf.size(conditions) > 0) & tf.reduce_all(conditions)


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


def _endpoint(function, **inputs):
    """Compiles a function for inputs of these names, shapes and dtypes."""
    specs = [tf.TensorSpec(spec.shape, spec.dtype, name) for name, spec in inputs.items()]
    return tf.function(function, autograph=False, input_signature=specs)


def _named(output, function, **inputs):
    """The endpoint as a signature whose one output has a name; its graph is not made again."""
    names = list(inputs)

    def signature(*arguments):
        return {output: function(**dict(zip(names, arguments, strict=True)))}

    return _endpoint(signature, **inputs)
