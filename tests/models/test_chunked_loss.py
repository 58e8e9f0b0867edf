"""Training on a large vocabulary is what plain training is, without the logits."""

import keras
import numpy as np
import pytest
from keras import ops

import rnnzoo
from rnnzoo.errors import InputError
from rnnzoo.models import chunked_loss
from rnnzoo.models.chunked_loss import SmoothedCrossEntropy
from tests import runners

MODELS = ["word_lm", "word_lm-untied", "gru_seq2seq", "gru_seq2seq-tied"]
if not runners.UNTRACED:  # the models that JAX has
    MODELS = ["word_lm-gru", "gru_seq2seq"]


def trained(name, large, monkeypatch, **options):
    """Losses, metrics and weights after three steps, with chunks or without."""
    monkeypatch.setattr(chunked_loss, "LARGE", 1 if large else 10**6)
    model = runners.MODELS[name](**options)
    if "dropout" not in options:
        for layer in model._flatten_layers():
            if isinstance(layer, keras.layers.Dropout):
                layer.rate = 0.0
    model.compile(keras.optimizers.SGD(0.1))
    inputs, targets, weights = runners.batch(model)
    weights[0] = 0.5
    logs = [model.train_on_batch(inputs, targets, weights, return_dict=True) for _ in range(3)]
    logs.append(model.test_on_batch(inputs, targets, weights, return_dict=True))
    return logs, model


@pytest.mark.parametrize("name", MODELS)
def test_same_losses_metrics_and_weights(name, monkeypatch):
    plain, plain_model = trained(name, False, monkeypatch)
    chunked, chunked_model = trained(name, True, monkeypatch)
    for mine, its in zip(chunked, plain, strict=True):
        assert mine.keys() == its.keys()
        for key in mine:
            assert float(mine[key]) == pytest.approx(float(its[key]), rel=1e-4)
    for mine, its in zip(chunked_model.weights, plain_model.weights, strict=True):
        np.testing.assert_allclose(
            ops.convert_to_numpy(mine), ops.convert_to_numpy(its), atol=2e-5, err_msg=mine.path
        )


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"][: 1 + runners.UNTRACED])
def test_mixed_precision(dtype, monkeypatch):
    logs, model = trained(MODELS[0], True, monkeypatch, dtype=dtype)
    plain, _ = trained(MODELS[0], True, monkeypatch)
    assert float(logs[-1]["loss"]) == pytest.approx(float(plain[-1]["loss"]), rel=0.03)
    assert all(np.isfinite(ops.convert_to_numpy(weight)).all() for weight in model.weights)


def seen_keys(model, monkeypatch):
    """The keys of what the model is called with in one training step."""
    keys = []
    call = type(model).call

    def watched(self, inputs, *args, **kwargs):
        keys.append(set(inputs) if isinstance(inputs, dict) else {"ids"})
        return call(self, inputs, *args, **kwargs)

    monkeypatch.setattr(type(model), "call", watched)
    inputs, targets, weights = runners.batch(model)
    model.train_on_batch(inputs, targets, weights)
    return keys[-1]


def test_only_where_nothing_needs_the_logits(monkeypatch):
    monkeypatch.setattr(chunked_loss, "LARGE", 1)
    model = runners.MODELS["word_lm-gru"]()
    model.compile()
    assert seen_keys(model, monkeypatch) == {"tokens", "labels", "weights"}
    for options in (
        {"metrics": ["accuracy"]},
        {"weighted_metrics": ["accuracy"]},
        {"loss": keras.losses.SparseCategoricalCrossentropy(from_logits=True)},
        {"loss_weights": 2.0},
    ):
        model.compile(**options)
        assert seen_keys(model, monkeypatch) == {"ids"}, options
    monkeypatch.setattr(chunked_loss, "LARGE", 10**6)
    model.compile()
    assert seen_keys(model, monkeypatch) == {"ids"}


def test_streams_carry_their_state(monkeypatch):
    """The loss over a stream in short pieces is that of the text in one piece."""
    from rnnzoo.data.pydatasets import StreamDataset

    ids = np.arange(81) * 7 % 13
    model = rnnzoo.word_lm(13, units=6, embedding_dim=5)
    model.compile()
    short = StreamDataset(ids, 2, 5)
    found = []
    for large in (1, 10**6):
        monkeypatch.setattr(chunked_loss, "LARGE", large)
        model.test_function = None
        found.append(model.evaluate(short, verbose=0, return_dict=True)["perplexity"])
    assert found[0] == pytest.approx(found[1], rel=1e-5)


def test_sampled_softmax_trains_and_evaluates_exactly(monkeypatch):
    keras.utils.set_random_seed(0)
    model = rnnzoo.word_lm(50, units=8, embedding_dim=8, sampled_softmax=10)
    model.compile(keras.optimizers.Adam(0.01))  # with 0.02 the draws' noise wins on some seeds
    inputs, targets, _ = runners.batch(model)
    before = model.test_on_batch(inputs, targets, return_dict=True)["perplexity"]
    for _ in range(40):
        model.train_on_batch(inputs, targets)
    after = model.test_on_batch(inputs, targets, return_dict=True)["perplexity"]
    logits = runners.logits_of(model, inputs)
    nats = keras.losses.sparse_categorical_crossentropy(targets, logits, from_logits=True)
    assert after == pytest.approx(float(ops.exp(ops.mean(nats))), rel=1e-4)
    assert after < before / 2
    with pytest.raises(InputError, match="sampled_softmax"):
        rnnzoo.word_lm(50, units=8, sampled_softmax=0)


def test_called_by_hand_it_gives_the_nats_of_the_labels():
    model = rnnzoo.word_lm(50, units=8, embedding_dim=8)
    inputs, targets, _ = runners.batch(model)
    result = model({"tokens": inputs, "labels": targets})
    nats = keras.losses.sparse_categorical_crossentropy(targets, model(inputs), from_logits=True)
    np.testing.assert_allclose(
        ops.convert_to_numpy(result["nats"]), ops.convert_to_numpy(nats), atol=1e-5
    )
    assert float(result["mean"]) == pytest.approx(float(ops.mean(nats)), rel=1e-5)


@pytest.mark.parametrize("name", ["word_lm-gru", "gru_seq2seq"])
def test_smoothed_labels_train_and_plain_ones_validate(name):
    def fresh():
        model = runners.MODELS[name]()
        for layer in model._flatten_layers():
            if isinstance(layer, keras.layers.Dropout):
                layer.rate = 0.0
        for weight in model.trainable_variables:
            weight.assign(15 * weight)  # far from the uniform, which smoothing leaves as it is
        return model

    model, size = fresh(), fresh().output_size
    inputs, targets, weights = runners.batch(model)
    logits = ops.convert_to_numpy(model(inputs))
    one_hot = keras.losses.CategoricalCrossentropy(
        from_logits=True, label_smoothing=0.2, reduction="mean_with_sample_weight"
    )
    smoothed = float(one_hot(ops.one_hot(targets, size), logits, weights))
    loss = SmoothedCrossEntropy(0.2)
    assert float(loss(targets, logits, weights)) == pytest.approx(smoothed, rel=1e-5)
    model.compile(keras.optimizers.SGD(0.0), loss=loss)
    assert seen_labels(model, inputs, targets, weights)
    found = model.test_on_batch(inputs, targets, weights, return_dict=True)
    assert found["loss"] == pytest.approx(np.log(found["perplexity"]), rel=1e-5)
    assert found["loss"] != pytest.approx(smoothed, rel=1e-4)
    found = model.train_on_batch(inputs, targets, weights, return_dict=True)
    assert found["loss"] == pytest.approx(smoothed, rel=1e-5)
    # With a metric that needs the logits Keras computes the loss, and the step is the same.
    weights_after = []
    for metrics in ([], ["accuracy"]):
        model = fresh()
        model.compile(keras.optimizers.SGD(0.5), loss=SmoothedCrossEntropy(0.2), metrics=metrics)
        assert seen_labels(model, inputs, targets, weights) is not bool(metrics)
        weights_after.append(model.get_weights())
    for mine, its in zip(*weights_after, strict=True):
        np.testing.assert_allclose(mine, its, rtol=1e-5, atol=1e-5)


def seen_labels(model, inputs, targets, weights):
    """Whether the labels go into the model, which makes a step of training to find out."""
    with pytest.MonkeyPatch.context() as patch:
        seen = []
        token_losses = type(model)._token_losses

        def watched(self, *args, **options):
            seen.append(True)
            return token_losses(self, *args, **options)

        patch.setattr(type(model), "_token_losses", watched)
        model.train_on_batch(inputs, targets, weights)
    return bool(seen)


def test_smoothed_labels_survive_saving(tmp_path):
    model = runners.MODELS["gru_seq2seq"]()
    model.compile(loss=SmoothedCrossEntropy(0.3))
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.loss.get_config() == model.loss.get_config()
    assert again._label_smoothing == 0.3


def test_smoothing_that_cannot_be():
    for share in (1.0, -0.1, "much"):
        with pytest.raises(InputError, match="`label_smoothing` must be at least 0 and below 1"):
            SmoothedCrossEntropy(share)
    model = rnnzoo.word_lm(50, units=8, sampled_softmax=10)
    with pytest.raises(InputError, match="`sampled_softmax` scores 10 of them"):
        model.compile(loss=SmoothedCrossEntropy())
