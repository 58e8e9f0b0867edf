"""The endpoints of encoder-decoders: `translate`, `translate_n_best` and `score`."""

from collections.abc import Callable

import tensorflow as tf

from rnnzoo.export.shared import Shared
from rnnzoo.export.signatures import TEXTS, endpoint, signature_of
from rnnzoo.export.text import generated_text, require, source_ids, summed, with_special_tokens
from rnnzoo.generation.attention import attention_weights
from rnnzoo.generation.beam import beam_search
from rnnzoo.generation.loop import decoding_loop
from rnnzoo.generation.protocol import NEVER
from rnnzoo.generation.samplers import GreedySampler
from rnnzoo.vocabulary.graph_vocabulary import GraphVocabulary


def translate(
    shared: Shared,
    source_vocabulary: GraphVocabulary,
    target_vocabulary: GraphVocabulary,
    *,
    beam_width: int = 1,
    length_penalty: float = 0.6,
) -> tuple[Callable, dict[str, Callable]]:
    """Makes `translate` of an encoder-decoder, with greedy or beam search."""
    decodable = shared.decodable

    def translate(text):
        ids = source_ids(source_vocabulary, text)
        limits, capacity = _limits(ids)
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

    method = endpoint(translate, text=TEXTS)
    return method, {"translate": signature_of("translation", method, text=TEXTS)}


def translate_n_best(
    shared: Shared,
    source_vocabulary: GraphVocabulary,
    target_vocabulary: GraphVocabulary,
    *,
    beam_width: int = 5,
) -> tuple[Callable, dict[str, Callable]]:
    """Makes `translate_n_best`: all hypotheses of a beam, with scores and attention weights."""
    decodable = shared.decodable

    def translate_n_best(text, length_penalty=0.6):
        usable = require(
            tf.math.is_finite(length_penalty) & (length_penalty >= 0.0),
            "`length_penalty` must be a finite number of at least 0, not",
            length_penalty,
        )
        ids = source_ids(source_vocabulary, text)
        limits, capacity = _limits(ids)
        source = ids.to_tensor()  # (B, S)
        with tf.control_dependencies([usable]):
            length_penalty = tf.identity(length_penalty)
        tokens, scores = beam_search(
            decodable, (source,), limits=limits, buffer=tf.zeros([capacity], tf.int32),
            alpha=length_penalty, width=beam_width, n_best=beam_width,
        )  # fmt: skip
        # A text that was cut off at its limit may stand behind worse ones that ended.
        order = tf.argsort(scores, axis=-1, direction="DESCENDING", stable=True)
        scores = tf.gather(scores, order, batch_dims=1)  # (B, n)
        tokens = tf.gather(tokens, order, batch_dims=1)  # (B, n, N)
        found = scores > NEVER / 2
        # 0, padding, is never written: it stands behind the end.
        written = (tokens > 0) & found[..., tf.newaxis]
        steps = tf.reduce_max(tf.reduce_sum(tf.cast(written, tf.int32), axis=-1))  # T
        tokens, written = tokens[..., :steps], written[..., :steps]
        shape = tf.shape(tokens)
        flat = tf.reshape(tf.where(written, tokens, 0), [-1, steps])  # (B * n, T)
        texts = generated_text(target_vocabulary, flat)
        answer = {
            "translations": tf.where(found, tf.reshape(texts, shape[:2]), ""),
            "scores": scores,
            "source_tokens": tf.where(source > 0, source_vocabulary.tokens_of(source), ""),
            "target_tokens": tf.where(written, target_vocabulary.tokens_of(tokens), ""),
        }
        if decodable.has_attention:
            sources = tf.repeat(source, beam_width, axis=0)  # (B * n, S)
            weights = attention_weights(decodable, (sources,), tokens=flat)
            weights = tf.reshape(weights, [shape[0], beam_width, steps, -1])  # (B, n, T, S)
            answer["attention"] = tf.where(written[..., tf.newaxis], weights, 0.0)
        return answer

    method = endpoint(translate_n_best, text=TEXTS, length_penalty=tf.TensorSpec([], tf.float32))
    return method, {"translate_n_best": method}


def score_pairs(
    shared: Shared, source_vocabulary: GraphVocabulary, target_vocabulary: GraphVocabulary
) -> tuple[Callable, dict[str, Callable]]:
    """Makes `score` of an encoder-decoder."""
    decodable = shared.decodable

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
        inputs = source_ids(source_vocabulary, source).to_tensor(), padded[:, :-1]
        return summed(decodable, inputs, padded[:, 1:], counts=ids.row_lengths() - 1)

    method = endpoint(score, source=TEXTS, target=TEXTS)
    return method, {"score": method}


def _limits(ids):
    """The most tokens of each translation (B,), as `Seq2Seq.translate`, and of all of them."""
    limits = 2 * tf.cast(ids.row_lengths(), tf.int32) + 10
    return limits, tf.maximum(tf.reduce_max(limits), 0)  # of no text: the check tells
