"""The endpoints of exported models, out of stock TensorFlow operations."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from rnnzoo.export.text import require, summed_nats, with_marks, written_text
from rnnzoo.generation.beam import beam_search
from rnnzoo.generation.generate import never_written
from rnnzoo.generation.loop import generation_loop
from rnnzoo.generation.samplers import GreedySampler, TemperatureSampler
from rnnzoo.generation.translate import greedy_search
from rnnzoo.models.base import ZooModel
from rnnzoo.models.language_model import LanguageModel
from rnnzoo.models.seq2seq import Seq2Seq
from rnnzoo.vocabulary.graph_vocabulary import GraphVocabulary

TEXTS = tf.TensorSpec([None], tf.string)
SMALLEST_TEMPERATURE = 1e-6  # as for TemperatureSampler


def id_endpoints(
    model: ZooModel, serve_signature: list[Any]
) -> tuple[tf.Module, dict[str, Callable]]:
    """Makes `serve` alone, of a model without vocabularies.

    Args:
        model: The model.
        serve_signature: Shapes and dtypes of the inputs of `serve`.

    Returns:
        A `tf.Module` with the endpoint as a method, and the signatures for a SavedModel.
    """
    module = _module(model, serve_signature)
    return module, {"serving_default": module.serve, "serve": module.serve}


def language_model_endpoints(
    model: LanguageModel, serve_signature: list[Any]
) -> tuple[tf.Module, dict[str, Callable]]:
    """Makes `generate`, `score` and `serve` of a language model.

    Args:
        model: The `LanguageModel`, with a vocabulary.
        serve_signature: Shapes and dtypes of the inputs of `serve`.

    Returns:
        A `tf.Module` with the endpoints as methods, and the signatures for a SavedModel.
    """
    vocabulary, texts = model.vocabulary, GraphVocabulary(model.vocabulary)
    banned = never_written(vocabulary, model.vocabulary_size)

    def step(token, state):
        logits, state = model.step(token, state)
        return logits + banned, state

    def generate(prompt, max_new_tokens=100, temperature=1.0, seed=0):
        ids = with_marks(texts.encode(prompt), vocabulary.start_id)
        checks = [
            require(
                _all_rows(ids.row_lengths() > 0),
                "A prompt is empty; give at least one symbol for the model to go on from.",
            ),
            require(
                max_new_tokens >= 1, "`max_new_tokens` must be at least 1, not", max_new_tokens
            ),
            require(
                tf.equal(temperature, 0.0)
                | (tf.math.is_finite(temperature) & (temperature >= SMALLEST_TEMPERATURE)),
                "`temperature` must be 0 (always the likeliest token) or a finite number of at "
                "least 1e-6, not",
                temperature,
            ),
        ]
        with tf.control_dependencies(checks):
            tokens, lengths = ids.to_tensor(), ids.row_lengths()
            max_new_tokens = tf.identity(max_new_tokens)  # the first is written without asking
        # Step-major, so that a longer text begins like a shorter one; Philox on every device.
        uniforms = tf.random.stateless_uniform(
            [max_new_tokens, tf.shape(prompt)[0]], tf.stack([seed, 0]), alg="philox"
        )

        def sampler(logits, uniform):
            scaled = logits - tf.reduce_max(logits, axis=-1, keepdims=True)
            scaled /= tf.maximum(temperature, SMALLEST_TEMPERATURE)
            drawn = TemperatureSampler()(scaled, uniform)
            return tf.where(tf.equal(temperature, 0.0), GreedySampler()(logits), drawn)

        logits, state = model.prefill(tokens, lengths)
        written = generation_loop(
            step, sampler, logits + banned, state, uniforms, max_new_tokens, vocabulary.end_id
        )
        return written_text(texts, written)

    def score(text):
        ids = with_marks(texts.encode(text), vocabulary.start_id, vocabulary.end_id)
        counts = ids.row_lengths() - 1  # what comes first is not foretold
        long_enough = require(
            _all_rows(counts > 0),
            "A text to score is too short: without a start token in the vocabulary its first "
            "symbol is not foretold, so give at least two.",
        )
        with tf.control_dependencies([long_enough]):
            padded = ids.to_tensor()  # (B, T + 1)
        return summed_nats(model(padded[:, :-1], training=False), padded[:, 1:], counts)

    numbers = {
        "max_new_tokens": tf.TensorSpec([], tf.int32),
        "temperature": tf.TensorSpec([], tf.float32),
        "seed": tf.TensorSpec([], tf.int64),
    }
    module = _module(model, serve_signature, texts)
    module.generate = _endpoint(generate, prompt=TEXTS, **numbers)
    module.score = _endpoint(score, text=TEXTS)
    signatures = {
        "serving_default": _named("text", module.generate, prompt=TEXTS),
        "generate": _named("text", module.generate, prompt=TEXTS, **numbers),
        "score": module.score,
        "serve": module.serve,
    }
    return module, signatures


def seq2seq_endpoints(
    model: Seq2Seq, serve_signature: list[Any], beam_width: int = 1, length_penalty: float = 0.6
) -> tuple[tf.Module, dict[str, Callable]]:
    """Makes `translate`, `score` and `serve` of an encoder-decoder.

    Args:
        model: The `Seq2Seq`, with both vocabularies.
        serve_signature: Shapes and dtypes of the inputs of `serve`.
        beam_width: How many hypotheses `translate` follows; 1 is greedy search.
        length_penalty: The exponent of its length penalty.

    Returns:
        A `tf.Module` with the endpoints as methods, and the signatures for a SavedModel.
    """
    source_texts = GraphVocabulary(model.source_vocabulary)
    target_texts = GraphVocabulary(model.target_vocabulary)
    marks = model.target_vocabulary.start_id, model.target_vocabulary.end_id

    def read(texts):
        ids = with_marks(source_texts.encode(texts), end_id=model.source_vocabulary.end_id)
        not_blank = tf.logical_not(tf.strings.regex_full_match(texts, r"[\s\p{Z}]*"))
        not_empty = require(
            _all_rows(not_blank & (ids.row_lengths() > 0)),
            "A text to translate is empty; give at least one symbol.",
        )
        with tf.control_dependencies([not_empty]):
            return ids.to_tensor()  # (B, S)

    def translate(text):
        source = read(text)
        capacity = 2 * tf.shape(source)[1] + 10  # as Seq2Seq.translate
        room = tf.zeros([capacity], tf.int32)
        if beam_width == 1:
            written, _ = greedy_search(model, source, room, capacity)
        else:
            alpha = tf.constant(length_penalty, tf.float32)
            written, _ = beam_search(model, source, room, capacity, alpha, beam_width)
        return written_text(target_texts, written)

    def score(source, target):
        same = tf.equal(tf.size(source), tf.size(target))
        pairs = require(same, "There must be one target for each source.")
        with tf.control_dependencies([pairs]):
            ids = with_marks(target_texts.encode(target), *marks)
        padded = ids.to_tensor()  # (B, T + 1)
        inputs = {"source": read(source), "target": padded[:, :-1]}
        return summed_nats(model(inputs, training=False), padded[:, 1:], ids.row_lengths() - 1)

    module = _module(model, serve_signature, source_texts, target_texts)
    module.translate = _endpoint(translate, text=TEXTS)
    module.score = _endpoint(score, source=TEXTS, target=TEXTS)
    translate_by_name = _named("translation", module.translate, text=TEXTS)
    signatures = {
        "serving_default": translate_by_name,
        "translate": translate_by_name,
        "score": module.score,
        "serve": module.serve,
    }
    return module, signatures


def _module(model, serve_signature, *graph_vocabularies):
    """A module with the weights, the tables and `serve`: ids to logits, as Keras exports it."""
    module = tf.Module()
    module.weights = [variable.value for variable in model.weights]
    module.graph_vocabularies = list(graph_vocabularies)
    specs = tf.nest.map_structure(
        lambda spec: tf.TensorSpec(spec.shape, spec.dtype, getattr(spec, "name", None)),
        serve_signature,
    )

    def serve(tokens):
        return model(tokens, training=False)

    module.serve = tf.function(serve, autograph=False, input_signature=specs)
    return module


def _all_rows(conditions):
    """Whether there are rows and the condition holds for all."""
    return (tf.size(conditions) > 0) & tf.reduce_all(conditions)


def _endpoint(function, **inputs):
    """Compiles a function for inputs of these names, shapes and dtypes."""
    specs = [tf.TensorSpec(spec.shape, spec.dtype, name) for name, spec in inputs.items()]
    return tf.function(function, autograph=False, input_signature=specs)


def _named(output, function, **inputs):
    """The endpoint as a signature whose one output has a name."""
    return _endpoint(lambda *arguments: {output: function(*arguments)}, **inputs)
