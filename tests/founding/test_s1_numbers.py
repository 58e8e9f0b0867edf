"""S1: the numbers, both networks against their equations, and whole runs of seconds."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from rnnzoo import founding
from rnnzoo.errors import InputError
from rnnzoo.founding import s1_exercises, s1_numbers
from rnnzoo.founding.s1_models import (
    FeedbackDecoder,
    TwiceClippedAdam,
    attention_decoder,
    attention_of,
    encoder_decoder,
)
from rnnzoo.founding.s1_numbers import (
    ATTENTION,
    ENCODER_DECODER,
    SYMBOLS,
    TINY,
    decode,
    encode,
    get_batch,
)
from rnnzoo.founding.s1_report import accuracies
from tests import reference
from tests.founding.conftest import rows_of, summary_of

RANDOM = np.random.default_rng(0)


def numpy_of(tensor):
    return ops.convert_to_numpy(tensor)


def called(model, numbers):
    return numpy_of(model({"inputs": numbers.inputs, "input_mask": numbers.input_mask}))


# --- The data ----------------------------------------------------------------------------------


def test_the_example_of_the_document():
    assert len(SYMBOLS) == 27
    (inputs, input_mask), (targets, mask) = encode(["nine eight"], 10), encode(["98#"], 5)
    assert "".join(SYMBOLS[index] for index in inputs[0]) == "nine eight" and input_mask.all()
    assert targets.tolist() == [[9, 8, 10, 0, 0]]
    assert mask.tolist() == [[True, True, True, False, False]]
    assert decode(targets[0]) == "98#"


@given(st.integers(1, 4), st.integers(0, 3), st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_every_batch_spells_its_targets(fewest, more, seed):
    batch = get_batch(np.random.default_rng(seed), 7, max_digits=fewest + more, min_digits=fewest)
    assert batch.inputs.shape == (7, 6 * (fewest + more) - 1)
    for row, (source, target) in enumerate(zip(batch.text_inputs, batch.text_targets, strict=True)):
        digits = [s1_numbers.WORDS.index(word) for word in source.split(" ")]
        assert target == "".join(map(str, digits)) + "#" and fewest <= len(digits) <= fewest + more
        real = batch.inputs[row][batch.input_mask[row]]
        assert "".join(SYMBOLS[index] for index in real) == source
        assert batch.input_mask[row, : len(source)].all()
        assert decode(batch.targets[row][batch.target_mask[row]]) == target


@pytest.mark.parametrize("text", ["", "twelve", "one two three"])
def test_what_cannot_be_encoded(text):
    with pytest.raises(InputError, match="cannot be encoded"):
        encode([text], 8)


def test_accuracies_count_what_is_real():
    batch = get_batch(np.random.default_rng(1), 40, max_digits=4, min_digits=1)
    written = batch.targets.copy()
    written[~batch.target_mask] = 10  # whatever stands behind the end
    wrong = np.random.default_rng(2).random(written.shape) < 0.2
    written[wrong] = (written[wrong] + 1) % 11
    found = accuracies(written, batch)
    pairs = [
        [(mine == its, its != 10) for mine, its in zip(row[:end], target[:end], strict=True)]
        for row, target, end in zip(written, batch.targets, batch.target_mask.sum(1), strict=True)
    ]
    symbols = [right for row in pairs for right, _ in row]
    digits = [right for row in pairs for right, digit in row if digit]
    thirds = [row[2][0] for row in pairs if len(row) > 2]
    assert found["accuracy"] == pytest.approx(np.mean(symbols))
    assert found["digits"] == pytest.approx(np.mean(digits))
    assert found["strings"] == pytest.approx(np.mean([all(r for r, _ in row) for row in pairs]))
    assert found["position_3"] == pytest.approx(np.mean(thirds))


# --- The networks ------------------------------------------------------------------------------


def weights(layer):
    return [numpy_of(variable).astype("float64") for variable in layer.weights]


def test_model_1_agrees_with_its_equations():
    model = encoder_decoder(11, decode_steps=3, encoder_units=4, decoder_units=5)
    batch = get_batch(np.random.default_rng(0), 6, max_digits=2, min_digits=1)
    encoder, decoder = (weights(model.get_layer(name)) for name in ("encoder", "decoder"))
    kernel, bias = weights(model.get_layer("softmax"))
    for row, logits in enumerate(called(model, batch)):
        one_hot = np.eye(27)[batch.inputs[row][batch.input_mask[row]]][None]  # without padding
        _, (state,) = reference.gru(one_hot, [np.zeros((1, 4))], *encoder)
        decoded, _ = reference.gru(np.repeat(state[:, None], 3, 1), [np.zeros((1, 5))], *decoder)
        np.testing.assert_allclose(logits, decoded[0] @ kernel + bias, atol=1e-5)
    assert len(model.trainable_weights) == 8  # two GRUs of 3 and a dense layer: no embedding


def test_the_state_handed_over_by_initialisation():
    model = encoder_decoder(
        11, decode_steps=3, encoder_units=4, decoder_units=4, bridge="initial_state"
    )
    batch = get_batch(np.random.default_rng(0), 3, max_digits=2, min_digits=2)
    encoder, decoder = (weights(model.get_layer(name)) for name in ("encoder", "decoder"))
    kernel, bias = weights(model.get_layer("softmax"))
    for row, logits in enumerate(called(model, batch)):
        one_hot = np.eye(27)[batch.inputs[row][batch.input_mask[row]]][None]
        _, state = reference.gru(one_hot, [np.zeros((1, 4))], *encoder)
        decoded, _ = reference.gru(np.zeros((1, 3, 1)), state, *decoder)
        np.testing.assert_allclose(logits, decoded[0] @ kernel + bias, atol=1e-5)


def test_the_attention_decoder_agrees_with_its_equations():
    values = RANDOM.normal(size=(3, 5, 6)).astype("float32")
    mask = np.array([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [1, 0, 0, 0, 0]], bool)
    layer = FeedbackDecoder(4, 7, steps=3)
    contexts, looked = map(numpy_of, layer(values, mask=mask))
    attention = layer.attention
    alignment = attention.query_projection.kernel, attention.key_projection.kernel
    alignment = [numpy_of(one) for one in (*alignment, attention.score_vector)]
    state = [np.zeros((3, 4))] * 2
    for step in range(3):
        context, weight = reference.additive_attention(state[0], values, mask, *alignment)
        np.testing.assert_allclose(contexts[:, step], context, atol=1e-5)
        np.testing.assert_allclose(looked[:, step], weight, atol=1e-5)
        _, state = reference.lstm(context[:, None], state, *weights(layer.cell))


@pytest.mark.parametrize("bidirectional", ["concat", "sum", "product"])
@pytest.mark.parametrize("builder", [encoder_decoder, attention_decoder])
def test_two_directions_are_merged(builder, bidirectional):
    model = builder(11, 3, 4, 4, bidirectional=bidirectional)
    batch = get_batch(np.random.default_rng(0), 2, max_digits=2, min_digits=1)
    encoder = model.get_layer("encoder")
    inputs = {"inputs": batch.inputs, "input_mask": batch.input_mask}
    merged = numpy_of(keras.Model(model.input, encoder.output)(inputs))
    one_hot = np.eye(27)[batch.inputs]
    ahead, back = weights(encoder.forward_layer), weights(encoder.backward_layer)
    merge = {
        "concat": lambda *both: np.concatenate(both, -1),
        "sum": np.add,
        "product": np.multiply,
    }[bidirectional]
    for row, length in enumerate(batch.input_mask.sum(1)):
        real, zero = one_hot[row, None, :length], [np.zeros((1, 4))]
        forwards, _ = reference.gru(real, zero, *ahead)
        backwards, _ = reference.gru(real[:, ::-1], zero, *back)
        if builder is encoder_decoder:
            expected, found = merge(forwards[0, -1], backwards[0, -1]), merged[row]
        else:
            expected, found = merge(forwards[0], backwards[0, ::-1]), merged[row, :length]
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_padding_is_not_attended():
    model = attention_decoder(
        17, decode_steps=4, encoder_units=4, decoder_units=4, alignment_units=4
    )
    batch = get_batch(np.random.default_rng(0), 5, max_digits=3, min_digits=1)
    looked = called(attention_of(model), batch)  # (5, 4, 17)
    np.testing.assert_allclose(looked.sum(-1), 1, atol=1e-5)
    assert (looked[~np.broadcast_to(batch.input_mask[:, None], looked.shape)] == 0).all()


@pytest.mark.parametrize(
    "build",
    [
        lambda: encoder_decoder(
            11,
            decode_steps=3,
            encoder_units=4,
            decoder_units=4,
            bidirectional="sum",
            bridge="initial_state",
        ),
        lambda: attention_decoder(
            11,
            decode_steps=3,
            encoder_units=4,
            decoder_units=5,
            alignment_units=6,
            trainable_embedding=True,
        ),
    ],
)
def test_models_save_and_load(build, tmp_path):
    model = build()
    model.compile(TwiceClippedAdam(clip=2.0), loss="mse")
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    batch = get_batch(np.random.default_rng(0), 3, max_digits=2, min_digits=1)
    np.testing.assert_allclose(called(loaded, batch), called(model, batch), atol=1e-6)
    assert loaded.optimizer.clip == 2.0 and loaded.optimizer.global_clipnorm == 2.0


def test_names_that_are_not_known():
    with pytest.raises(InputError, match="merge two directions"):
        encoder_decoder(11, decode_steps=3, bidirectional="mean")
    with pytest.raises(InputError, match="hand the state over"):
        encoder_decoder(11, decode_steps=3, bridge="mail")
    with pytest.raises(InputError, match="cannot start with a state of 20"):
        encoder_decoder(11, decode_steps=3, bidirectional="concat", bridge="initial_state")


def test_both_clips():
    """As plain Adam does with gradients that were clipped by hand."""
    variables = [keras.Variable(np.ones(2, "float32")), keras.Variable(np.ones(3, "float32"))]
    twins = [keras.Variable(np.ones(2, "float32")), keras.Variable(np.ones(3, "float32"))]
    ours, plain = TwiceClippedAdam(0.1, clip=3.0), keras.optimizers.Adam(0.1, epsilon=1e-8)
    for scale in (1.0, 20.0, 0.1):
        gradients = [scale * RANDOM.normal(size=2), scale * RANDOM.normal(size=3)]
        clipped = [np.clip(gradient, -3, 3) for gradient in gradients]
        norm = np.sqrt(sum((one**2).sum() for one in clipped))
        by_hand = [one * min(1, 3 / norm) for one in clipped]
        ours.apply([ops.convert_to_tensor(one, "float32") for one in gradients], variables)
        plain.apply([ops.convert_to_tensor(one, "float32") for one in by_hand], twins)
        for mine, its in zip(variables, twins, strict=True):
            np.testing.assert_allclose(numpy_of(mine), numpy_of(its), rtol=1e-5)


# --- Runs --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["s1_numbers_encoder_decoder", "s1_numbers_attention"])
def test_a_tiny_run_leaves_everything(name, tmp_path):
    folder = founding.run(name, out=tmp_path, seed=3, tiny=True, max_minutes=5)
    assert folder == tmp_path
    summary = summary_of(folder)
    assert summary["system"] == name and summary["training"]["share"] == 1
    assert summary["training"]["stopped_by"] is None
    rows = rows_of(tmp_path)
    assert [row["samples"] for row in rows] == ["200", "400"]
    assert float(rows[1]["cost"]) < float(rows[0]["cost"]) < 3
    assert summary["figures"]["accuracy"] == float(rows[1]["accuracy"])
    assert {"position_1", "position_2", "position_3"} <= set(rows[0])
    pictures = {"cost.png", "accuracy.png", "positions.png"}
    if name != "s1_numbers_encoder_decoder":
        pictures |= {"mean_attention.png", "attention.png"}
    others = {"log.csv", "samples.txt", "summary.json", "model.keras"}
    assert {path.name for path in tmp_path.iterdir()} == pictures | others
    model = keras.saving.load_model(tmp_path / "model.keras")
    held_out = get_batch(np.random.default_rng([3, 1]), 50, max_digits=2, min_digits=1)
    found = accuracies(called(model, held_out).argmax(-1), held_out)
    assert found["accuracy"] == pytest.approx(summary["figures"]["accuracy"], abs=0.01)
    assert held_out.text_inputs[0] in (tmp_path / "samples.txt").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("name", s1_exercises.CHANGES)
def test_an_exercise_runs_with_one_thing_changed(name, tmp_path):
    function = getattr(s1_exercises, name.replace("s1_numbers", "run"))
    assert function.keywords["constants"] == replace(ENCODER_DECODER, **s1_exercises.CHANGES[name])
    summary = summary_of(function(out=tmp_path, constants=s1_exercises.TINY[name]))
    assert summary["system"] == name and summary["training"]["share"] == 1
    (changed, value), *none = s1_exercises.CHANGES[name].items()
    assert summary["constants"][changed] == value and not none


@pytest.mark.slow
def test_the_better_one_runs_too(tmp_path):
    name = "s1_numbers_better"
    small = {"max_digits": 1, "samples": 200, "bidirectional": "sum", "trainable_embedding": True}
    summary = summary_of(founding.run(name, out=tmp_path, tiny=True, max_minutes=5, **small))
    assert summary["system"] == name and summary["constants"]["encoder_units"] == 64
    assert summary["constants"]["bidirectional"] == "sum" and summary["training"]["share"] == 1


def test_a_run_is_cut_by_its_minutes(tmp_path):
    constants = replace(
        TINY["s1_numbers_encoder_decoder"],
        max_digits=1,
        samples=2_000_000,
    )
    s1_numbers.run_encoder_decoder(out=tmp_path, max_minutes=0.03, constants=constants)
    summary = summary_of(tmp_path)
    assert summary["training"]["stopped_by"] == "budget"
    assert 0 < summary["figures"]["samples"] == int(rows_of(tmp_path)[-1]["samples"]) < 2_000_000
    assert (tmp_path / "model.keras").is_file()


def test_one_digit_is_learnt(tmp_path):
    """Running free in training and in the figures: nothing is whispered to the decoder."""
    constants = replace(
        TINY["s1_numbers_encoder_decoder"], max_digits=1, min_digits=1, encoder_units=24,
        decoder_units=24, learning_rate=0.02, samples=4000, validate_every=1000,
    )  # fmt: skip
    s1_numbers.run_encoder_decoder(out=tmp_path, constants=constants)
    assert summary_of(tmp_path)["figures"]["strings"] > 0.9


def test_constants_are_those_of_the_document():
    first, second = ENCODER_DECODER, ATTENTION
    for constants in (first, second):
        assert (constants.encoder_units, constants.decoder_units) == (10, 10)
        assert (constants.min_digits, constants.max_digits, constants.batch_size) == (20, 20, 100)
        assert (constants.learning_rate, constants.clip, constants.final_fraction) == (0.005, 3, 1)
        assert (constants.validate_every, constants.validation_samples) == (5000, 5000)
        assert not constants.bidirectional and not constants.trainable_embedding
    assert (first.samples, second.samples, second.alignment_units) == (300_000, 150_000, 20)
    assert (first.shape["input_length"], first.shape["decode_steps"]) == (119, 21)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"min_digits": 21}, "must not exceed"),
        ({"samples": 7_000}, "multiple of `validate_every`"),
        ({"encoder_units": 0}, "`encoder_units`"),
    ],
)
def test_constants_that_cannot_be(changes, message):
    with pytest.raises(InputError, match=message):
        replace(ATTENTION, **changes)
