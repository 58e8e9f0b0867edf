"""What every builder must stand, whatever its options: one check a function.

Shared by the tests of all models; the sizes are tiny.
"""

import json

import keras
import numpy as np
from keras import ops

import rnnzoo

# Tracing takes most of a short test's time on TensorFlow; JAX is slower without.
UNTRACED = keras.config.backend() == "tensorflow"
MARKS = ("<pad>", "<start>", "<unk>", "<end>")
CHARACTERS = rnnzoo.Vocabulary.from_text("to be or not to be")
WORDS = rnnzoo.Vocabulary.from_text("no, it is not. it is so, or is it?", level="word")
NUMBERS = rnnzoo.Vocabulary.from_text("one two", special_tokens=MARKS)
DIGITS = rnnzoo.Vocabulary.from_text("12", special_tokens=MARKS)


def language_model(builder=rnnzoo.char_lstm, **options):
    """Makes a maker of language models."""
    vocabulary = CHARACTERS if builder is rnnzoo.char_lstm else WORDS
    options = {"units": 5, "embedding_dim": 4, **options}
    return lambda **more: _seeded(builder, vocabulary, **options, **more)


def seq2seq(source=NUMBERS, **options):
    """Makes a maker of encoder-decoders."""
    options = {"units": 5, "embedding_dim": 4, **options}
    return lambda **more: _seeded(rnnzoo.gru_seq2seq, source, DIGITS, **options, **more)


def _seeded(builder, *vocabularies, **options):
    keras.utils.set_random_seed(0)
    return builder(*vocabularies, **options)


LANGUAGE_MODELS = {
    "char_lstm": language_model(num_layers=2, dropout=0.3),
    "char_lstm-gru": language_model(cell="gru", num_layers=1),
    "char_lstm-simple_rnn": language_model(cell="simple_rnn", num_layers=2),
    "char_lstm-sizes": language_model(units=[6, 4], tie_embedding_weights=True),
    "word_lm": language_model(rnnzoo.word_lm, dropout=0.3),
    "word_lm-gru": language_model(rnnzoo.word_lm, cell="gru", num_layers=2, embedding_dim=5),
    "word_lm-simple_rnn": language_model(rnnzoo.word_lm, cell="simple_rnn"),
    "word_lm-untied": language_model(rnnzoo.word_lm, tie_embedding_weights=False),
    "word_lm-awd": language_model(
        rnnzoo.word_lm,
        num_layers=2,
        dropout=0.3,
        locked_dropout=True,
        weight_drop=0.3,
        embedding_dropout=0.2,
        sampled_softmax=4,
    ),
    "word_lm-residual": language_model(
        rnnzoo.word_lm, num_layers=2, dropout=0.3, block="residual", expansion=2
    ),
}
ENCODER_DECODERS = {
    "gru_seq2seq": seq2seq(dropout=0.3),
    "gru_seq2seq-lstm": seq2seq(cell="lstm", num_layers=2, bidirectional="sum"),
    "gru_seq2seq-simple_rnn": seq2seq(cell="simple_rnn", bidirectional=False, num_layers=2),
    "gru_seq2seq-after": seq2seq(attention_position="after_cell", num_layers=2),
    "gru_seq2seq-after-lstm": seq2seq(
        attention_position="after_cell", cell="lstm", bidirectional=False
    ),
    "gru_seq2seq-after-simple_rnn": seq2seq(
        attention_position="after_cell", cell="simple_rnn", bidirectional="mul"
    ),
    "gru_seq2seq-tied": seq2seq(tie_embedding_weights=True, dropout=0.3, locked_dropout=True),
    "gru_seq2seq-all_tied": seq2seq(DIGITS, num_layers=2, tie_embedding_weights="all"),
    "gru_seq2seq-no_attention": seq2seq(attention=None, bidirectional=False),
    "gru_seq2seq-no_attention-lstm": seq2seq(attention=None, cell="lstm", num_layers=2),
    "gru_seq2seq-no_attention-simple_rnn": seq2seq(attention=None, cell="simple_rnn"),
    "gru_seq2seq-residual": seq2seq(num_layers=2, dropout=0.3, block="residual"),
    "gru_seq2seq-after-residual": seq2seq(
        attention_position="after_cell", block="residual", bidirectional=False
    ),
}
if keras.config.backend() != "tensorflow":  # which compiles each for seconds: one of a kind
    LANGUAGE_MODELS = {
        name: LANGUAGE_MODELS[name]
        for name in ("char_lstm", "word_lm-gru", "word_lm-awd", "word_lm-residual")
    }
    chosen = ("gru_seq2seq", "gru_seq2seq-after-lstm", "gru_seq2seq-no_attention")
    chosen += ("gru_seq2seq-all_tied",)
    ENCODER_DECODERS = {name: ENCODER_DECODERS[name] for name in chosen}
MODELS = LANGUAGE_MODELS | ENCODER_DECODERS
# One of each builder, cell and position of attention: an export takes seconds.
EXPORTED = [
    "char_lstm",
    "char_lstm-simple_rnn",
    "word_lm-gru",
    "gru_seq2seq",
    "gru_seq2seq-after-lstm",
    "gru_seq2seq-all_tied",
    "gru_seq2seq-residual",
    "gru_seq2seq-no_attention-simple_rnn",
]


def batch(model, batch_size=3, length=6, seed=0):
    """Inputs, targets and weights that suit a model; for pairs the last row has padding."""
    draw = np.random.default_rng(seed).integers
    if isinstance(model, rnnzoo.LanguageModel):
        lowest = 0 if model.padding_id is None else 1  # padding would not count
        ids = draw(lowest, model.vocabulary_size, (batch_size, length + 1)).astype("int32")
        return ids[:, :-1], ids[:, 1:], np.ones((batch_size, length), "float32")
    source = draw(1, model.source_vocabulary_size, (batch_size, length)).astype("int32")
    ids = draw(1, model.target_vocabulary_size, (batch_size, length + 1)).astype("int32")
    ids[:, 0] = model.start_id
    weights = np.ones((batch_size, length), "float32")
    if length > 2:
        source[-1, 2:], ids[-1, 3:], weights[-1, 2:] = 0, 0, 0
    return {"source": source, "target": ids[:, :-1]}, ids[:, 1:], weights


def logits_of(model, inputs):
    """The model's logits as a NumPy array."""
    return ops.convert_to_numpy(model(inputs))


def gradients(function, variables):
    """The gradients of a scalar `function()` by each variable, on whichever backend runs."""
    backend = keras.config.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            loss = function()
        found = tape.gradient(loss, [variable.value for variable in variables])
        found = [None if each is None else tf.convert_to_tensor(each) for each in found]
    elif backend == "jax":
        import jax

        def stateless(values):
            with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
                return function()

        found = jax.grad(stateless)([variable.value for variable in variables])
    else:
        for variable in variables:
            variable.value.grad = None
        function().backward()
        found = [variable.value.grad for variable in variables]
    return [None if each is None else ops.convert_to_numpy(each) for each in found]


def check_outputs(model, batch_size, length):
    """Logits have the right shape, are float32 and finite, and carry no mask into the loss."""
    inputs, targets, _ = batch(model, batch_size, length)
    logits = model(inputs)
    size = getattr(model, "vocabulary_size", None) or model.target_vocabulary_size
    assert tuple(logits.shape) == (*targets.shape, size)
    assert keras.backend.standardize_dtype(logits.dtype) == "float32"
    assert np.isfinite(ops.convert_to_numpy(logits)).all()
    assert getattr(logits, "_keras_mask", None) is None


def check_gradients(model):
    """The loss has a gradient by every trainable weight that is not all zero."""
    inputs, targets, weights = batch(model)
    loss = keras.losses.SparseCategoricalCrossentropy(
        from_logits=True, reduction="mean_with_sample_weight"
    )
    found = gradients(
        lambda: loss(targets, model(inputs, training=True), weights), model.trainable_variables
    )
    for variable, gradient in zip(model.trainable_variables, found, strict=True):
        assert gradient is not None, f"no gradient reaches {variable.path}"
        assert np.isfinite(gradient).all(), variable.path
        assert np.abs(gradient).max() > 0, f"the gradient of {variable.path} is zero"


def check_config(model):
    """The configuration is JSON, and remakes a model with the same weights' shapes."""
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(model)))
    again = keras.saving.deserialize_keras_object(config)
    assert type(again) is type(model) and again.name == model.name
    assert again.get_config() == model.get_config()
    assert [w.shape for w in again.weights] == [w.shape for w in model.weights]


def check_training_and_saving(model, path):
    """A training step has a finite loss; the saved file reloads compiled, equal and trainable."""
    inputs, targets, weights = batch(model)
    model.compile(run_eagerly=UNTRACED)
    before = logits_of(model, inputs)
    assert np.isfinite(model.train_on_batch(inputs, targets, weights)).all()
    assert not np.array_equal(logits_of(model, inputs), before)
    model.save(path)
    again = keras.saving.load_model(path)
    assert type(again) is type(model)
    np.testing.assert_array_equal(logits_of(again, inputs), logits_of(model, inputs))
    assert again.compiled and type(again.optimizer) is type(model.optimizer)
    assert again.loss.get_config() == model.loss.get_config()
    for mine, its in zip(model.optimizer.variables, again.optimizer.variables, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(mine), ops.convert_to_numpy(its))
    metrics = model.test_on_batch(inputs, targets, weights, return_dict=True)
    assert set(metrics) == {"loss", model.default_metric().name}
    reloaded = again.test_on_batch(inputs, targets, weights, return_dict=True)
    assert reloaded["loss"] == metrics["loss"]


def check_mixed_precision(model):
    """In mixed precision the weights and logits stay float32, and a step of training works."""
    inputs, targets, weights = batch(model)
    assert {variable.dtype for variable in model.trainable_variables} == {"float32"}
    assert model.compute_dtype in ("bfloat16", "float16")
    check_outputs(model, batch_size=2, length=4)
    model.compile(run_eagerly=UNTRACED)
    loss, *_ = model.train_on_batch(inputs, targets, weights)
    assert np.isfinite(loss)
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


def check_export(model, path):
    """The SavedModel's ids-to-logits endpoint equals the model, and its text endpoint answers."""
    import tensorflow as tf

    inputs, _, _ = batch(model)
    model.export(path, verbose=False)
    exported = tf.saved_model.load(path)
    given = tf.nest.map_structure(tf.constant, inputs)
    np.testing.assert_allclose(exported.serve(given), logits_of(model, inputs), atol=1e-5)
    if isinstance(model, rnnzoo.LanguageModel):
        prompt = "to" if model.vocabulary.level == "character" else "it is"
        written = exported.generate(tf.constant([prompt]), 5, 0.0)[0].numpy().decode()
        assert written == model.generate(prompt, max_new_tokens=5, sampler="greedy")
    else:
        text = "12" if model.source_vocabulary == DIGITS else "one two"
        written = exported.translate(tf.constant([text]))[0].numpy().decode()
        assert written == model.translate(text)
