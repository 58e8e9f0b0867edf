"""The endpoints that go on from a state, `next_tokens` and `translate_n_best`."""

import collections
import re

import keras
import numpy as np
import pytest

if keras.config.backend() != "tensorflow":
    pytest.skip("text endpoints are exported on TensorFlow", allow_module_level=True)

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from rnnzoo.generation.attention import attention_weights
from rnnzoo.generation.protocol import NEVER
from tests.export.models import PROMPTS, SENTENCE, SOURCES, decoded


def split(answer):
    """Logits, attention weights if any, and the state of what `start` or `step` returned."""
    return answer.pop("logits"), answer.pop("attention", None), answer


def greedy(loaded, started, steps):
    """What the endpoint `step` writes when the likeliest token is read each time, (B, steps)."""
    logits, _, state = split(started)
    ids = []
    for _ in range(steps):
        ids.append(tf.argmax(logits, axis=-1, output_type=tf.int32))
        logits, _, changed = split(loaded.step(ids[-1], state))
        state |= changed
    return tf.stack(ids, axis=1)


def check_logits(logits, expected, never):
    """Logits are those of the model, but for tokens that are never written."""
    allowed = np.delete(np.arange(expected.shape[-1]), never)
    np.testing.assert_allclose(logits.numpy()[:, allowed], expected[:, allowed], atol=1e-5)
    assert (logits.numpy()[:, list(never)] < NEVER / 2).all()


@pytest.mark.parametrize("level", ["character", "word"])
def test_steps_over_a_text_give_the_logits_of_the_model(level, request):
    model = request.getfixturevalue(f"{level}_model")
    loaded = request.getfixturevalue(f"{level}_export")
    start = level == "word"
    ids = model.vocabulary.encode_documents([SENTENCE], start=start, end=False)[0][None]
    expected, never = np.asarray(model(ids))[0], model.decodable().rules.suppressed_ids
    lengths = np.array([1, 1], "int32")
    twice = np.repeat(ids, 2, axis=0)
    logits, _, state = split(loaded.start_tokens(twice[:, :1], lengths))
    for place in range(ids.shape[1]):
        check_logits(logits, np.stack([expected[place]] * 2), never)
        if place + 1 < ids.shape[1]:
            logits, _, state = split(loaded.step(twice[:, place + 1], state))
    logits, _, again = split(loaded.start([SENTENCE]))
    check_logits(logits, expected[-1:], never)
    for name, part in again.items():
        np.testing.assert_allclose(part, state[name][:1], atol=1e-5)


@pytest.mark.parametrize("level", ["character", "word"])
def test_a_streamed_text_equals_a_generated_one(level, request):
    model = request.getfixturevalue(f"{level}_model")
    loaded = request.getfixturevalue(f"{level}_export")
    prompts = PROMPTS if level == "character" else ["to be", "question", "is"]
    ids = greedy(loaded, loaded.start(prompts), 20)
    for row, text in zip(ids, model.generate(prompts, 20, sampler="greedy"), strict=True):
        written = row.numpy().tolist()
        if level == "word":
            end = model.vocabulary.end_id
            written = written[: written.index(end)] if end in written else written
        assert decoded(loaded.decode([written])["text"]) == [text.strip()]


def test_the_step_is_a_signature_with_named_state(character_export):
    signature = character_export.signatures["step"]
    state = {f"state_{index}" for index in range(4)}  # two layers of LSTM
    assert set(signature.structured_input_signature[1]) == {"tokens", *state}
    assert set(signature.structured_outputs) == {"logits", *state}
    start = character_export.signatures["start"](prompt=tf.constant(PROMPTS))
    logits = start.pop("logits")
    tokens = tf.argmax(logits, axis=-1, output_type=tf.int32)
    by_name = signature(tokens=tokens, **start)
    np.testing.assert_array_equal(
        by_name["logits"], character_export.step(tokens, dict(start))["logits"]
    )


def test_next_tokens_equal_the_softmax_of_the_model(character_model, character_export):
    vocabulary = character_model.vocabulary
    found = character_export.next_tokens(PROMPTS, 5)
    for row, prompt in enumerate(PROMPTS):
        logits = character_model(vocabulary.encode(prompt)[None])[0, -1]
        expected = keras.ops.convert_to_numpy(keras.ops.softmax(logits))
        order = np.argsort(-expected)[:5]
        assert decoded(found["tokens"][row]) == [vocabulary.tokens[index] for index in order]
        np.testing.assert_allclose(found["probabilities"][row], expected[order], atol=1e-6)
    assert character_export.next_tokens(PROMPTS)["tokens"].shape == (3, 10)
    everything = character_export.next_tokens(["t"], len(vocabulary))
    assert float(tf.reduce_sum(everything["probabilities"])) == pytest.approx(1, abs=1e-5)
    for k in (0, len(vocabulary) + 1):
        with pytest.raises(tf.errors.InvalidArgumentError, match=f"`k` must be from 1 .*{k}"):
            character_export.next_tokens(["t"], k)


def test_next_tokens_leave_out_what_is_never_written(word_model, word_export):
    found = word_export.next_tokens(["to be"], len(word_model.vocabulary))
    probabilities = dict(zip(decoded(found["tokens"][0]), found["probabilities"][0], strict=True))
    assert {name for name, p in probabilities.items() if p == 0} == {"<pad>", "<start>", "<unk>"}
    assert probabilities["<end>"] > 0 and word_export.next_tokens([""])["tokens"].shape == (1, 10)


def test_a_streamed_translation_equals_a_translated_one(translator_model, translator_export):
    model, loaded = translator_model, translator_export
    texts, attention = model.translate(SOURCES, return_attention=True)
    logits, weights, state = split(loaded.start(SOURCES))
    memory = {name for name in state if name.startswith("memory")}
    assert len(memory) == 3
    for step in range(max(len(each) for each in attention)):
        for row, expected in enumerate(attention):
            if step < len(expected):
                found = weights[row, : expected.shape[1]]
                np.testing.assert_allclose(found, expected[step], atol=1e-5)
        tokens = tf.argmax(logits, axis=-1, output_type=tf.int32)
        logits, weights, changed = split(loaded.step(tokens, state))
        assert not memory & set(changed)  # it stays as it is
        state |= changed
    ids = greedy(loaded, loaded.start(SOURCES), 46).numpy()
    for row, source, text in zip(ids, SOURCES, texts, strict=True):
        limit = 2 * (len(source) + 1) + 10
        end = [*row[:limit], model.end_id].index(model.end_id)
        assert decoded(loaded.decode(row[None, :end])["text"]) == [text]
    tokens = model.source_vocabulary.encode_documents(SOURCES[:1], start=False)[0]
    again = loaded.start_tokens(tokens[None])
    np.testing.assert_allclose(again["logits"], loaded.start(SOURCES[:1])["logits"], atol=1e-5)


def test_the_attention_of_n_best_translations(translator_model, translator_export):
    model = translator_model
    found = translator_export.translate_n_best(SOURCES)
    for row, text in enumerate(SOURCES):
        source = model.source_vocabulary.encode_documents([text], start=False)
        assert len("".join(decoded(found["source_tokens"][row]))) == len(text) + len("<end>")
        for place in (0, 4):
            tokens = [token for token in decoded(found["target_tokens"][row, place]) if token]
            written = "".join(tokens).removesuffix("<end>")
            assert written.encode() == found["translations"][row, place]
            ids = np.array([[model.target_vocabulary.tokens.index(token) for token in tokens]])
            expected = attention_weights(model.decodable(), (source[0][None],), tokens=ids)[0]
            weights = found["attention"][row, place].numpy()
            steps, places = expected.shape
            np.testing.assert_allclose(weights[:steps, :places], expected, atol=1e-5)
            assert not weights[steps:].any() and not weights[:, places:].any()
    for penalty in (-1.0, float("nan")):
        with pytest.raises(tf.errors.InvalidArgumentError, match="`length_penalty` must be"):
            translator_export.translate_n_best(["one"], penalty)


def test_every_graph_is_stored_once(translator_export, character_export, folder):
    for name, vocabularies in (("translator", 2), ("characters", 1)):
        file = folder / name / "saved_model.pb"
        proto = saved_model_pb2.SavedModel.FromString(file.read_bytes())
        functions = proto.meta_graphs[0].graph_def.library.function
        counts = collections.Counter(
            re.sub(r"^__inference_|_\d+$", "", function.signature.name) for function in functions
        )
        assert counts["encode"] == vocabularies
        assert counts["start"] == counts["score"] == counts["serve"] == 1
        assert counts["step"] == 2  # the one that all share, and the endpoint, which calls it
