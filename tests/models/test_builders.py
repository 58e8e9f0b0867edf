"""Every builder with every cell, through the shared runners."""

import keras
import numpy as np
import pytest

import rnnzoo
from rnnzoo.errors import InputError
from tests import runners

every_model = pytest.mark.parametrize("name", runners.MODELS)


@every_model
def test_outputs(name):
    model = runners.MODELS[name]()
    runners.check_outputs(model, batch_size=1, length=6)
    runners.check_outputs(model, batch_size=3, length=1)


@every_model
def test_gradients_reach_every_weight(name):
    runners.check_gradients(runners.MODELS[name]())


@every_model
def test_configuration_is_json(name):
    runners.check_config(runners.MODELS[name]())


@every_model
def test_trains_saves_and_reloads(name, tmp_path):
    runners.check_training_and_saving(runners.MODELS[name](), tmp_path / "model.keras")


@pytest.mark.skipif(not runners.UNTRACED, reason="text endpoints need TensorFlow")
@pytest.mark.parametrize("name", runners.EXPORTED)
def test_exports(name, tmp_path):
    runners.check_export(runners.MODELS[name](), str(tmp_path / "exported"))


def seq2seq_start(shared):
    tied = "all" if shared else True  # those of one side alone start as Keras has it
    model = rnnzoo.gru_seq2seq(50, 50, units=8, tie_embedding_weights=tied)
    return model.encoder.embedding.embeddings


def language_model_start(shared):
    return rnnzoo.word_lm(
        50, units=8, embedding_dim=8, tie_embedding_weights=shared
    ).embedding.embeddings


@pytest.mark.parametrize("start, within", [(seq2seq_start, 0.4), (language_model_start, 0.1)])
def test_shared_embeddings_start_larger_and_by_the_seed(start, within):
    def drawn(seed, shared):
        keras.utils.set_random_seed(seed)
        return keras.ops.convert_to_numpy(start(shared))

    shared = drawn(0, True)
    assert 0.9 * within < abs(shared).max() <= within and abs(drawn(0, False)).max() <= 0.05
    np.testing.assert_array_equal(shared, drawn(0, True))
    assert not np.array_equal(shared, drawn(1, True))


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"][: 1 + runners.UNTRACED])
@pytest.mark.parametrize("name", ["char_lstm", "word_lm-gru", "gru_seq2seq"])
def test_mixed_precision(name, dtype):
    runners.check_mixed_precision(runners.MODELS[name](dtype=dtype))


@pytest.mark.parametrize(
    ("name", "dtype"), [("char_lstm", "mixed_bfloat16"), ("gru_seq2seq", "float32")]
)
def test_compiled_training_learns(name, dtype):
    model = runners.MODELS[name](dtype=dtype)
    model.compile(keras.optimizers.Adam(0.05))
    inputs, targets, weights = runners.batch(model)
    losses = [float(model.train_on_batch(inputs, targets, weights)[0]) for _ in range(20)]
    # the metrics are running means, so the last loss is behind the mean
    assert losses[-1] < losses[0] - 0.1


def test_a_save_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "model.keras"
    runners.MODELS["char_lstm"]().save(path)
    before = path.read_bytes()

    def full(*_, **__):
        (tmp_path / "half").write_text("")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(keras.Model, "save", full)
    with pytest.raises(InputError, match=r"cannot be saved to .*No space left on device"):
        runners.MODELS["char_lstm"]().save(path)
    assert path.read_bytes() == before
    monkeypatch.undo()
    with pytest.raises(InputError, match="give a file in a folder that exists"):
        runners.MODELS["char_lstm"]().save(tmp_path / "absent" / "model.keras")
    runners.MODELS["char_lstm"]().save(path)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["half", "model.keras"]


def test_a_language_model_refuses_other_dictionaries():
    with pytest.raises(InputError, match="not on a dictionary of"):
        runners.MODELS["char_lstm"]()({"ids": np.ones((2, 3), "int32")})


def test_dtype_policy_survives_saving(tmp_path):
    model = runners.MODELS["char_lstm"](dtype="mixed_bfloat16")
    model.save(tmp_path / "model.keras")
    assert keras.saving.load_model(tmp_path / "model.keras").compute_dtype == "bfloat16"


def test_default_metric_follows_the_vocabulary():
    assert rnnzoo.char_lstm(runners.CHARACTERS, units=4).default_metric().name == (
        "bits_per_character"
    )
    assert rnnzoo.word_lm(runners.WORDS, units=4).default_metric().name == "perplexity"
    assert rnnzoo.char_lstm(9, units=4).default_metric().name == "perplexity"


def test_compile_keeps_what_it_is_given():
    model = rnnzoo.char_lstm(9, units=4, num_layers=1)
    model.compile(optimizer=keras.optimizers.SGD(0.5), loss="sparse_categorical_crossentropy")
    assert isinstance(model.optimizer, keras.optimizers.SGD) and model.optimizer.built
    assert model.loss.name == "sparse_categorical_crossentropy"
    assert model.loss.get_config()["from_logits"] is True  # a string reads logits
    model.compile(weighted_metrics=[])
    assert isinstance(model.optimizer, keras.optimizers.Adam)
    inputs, targets, weights = runners.batch(model)
    assert set(model.test_on_batch(inputs, targets, weights, return_dict=True)) == {"loss"}


def test_a_reloaded_model_compiles_for_the_backend_that_runs_it():
    config = {"optimizer": "adam", "jit_compile": keras.config.backend() != "jax"}
    model = rnnzoo.char_lstm(9, units=4, num_layers=1)
    model.compile_from_config(config)
    assert model.jit_compile is (keras.config.backend() == "jax")


def test_padding_weighs_nothing_in_the_loss():
    model = runners.MODELS["gru_seq2seq"]()
    model.compile()
    inputs, targets, weights = runners.batch(model, length=5)
    more = {name: np.pad(ids, ((0, 0), (0, 4))) for name, ids in inputs.items()}
    padded = model.test_on_batch(
        more, np.pad(targets, ((0, 0), (0, 4))), np.pad(weights, ((0, 0), (0, 4)))
    )
    np.testing.assert_allclose(padded, model.test_on_batch(inputs, targets, weights), rtol=1e-5)


def test_sizes_may_be_numpy_numbers():
    model = rnnzoo.LanguageModel(
        np.int64(9), units=np.int64(4), num_layers=np.int64(2), embedding_dim=np.int32(3)
    )
    runners.check_config(model)
    assert rnnzoo.LanguageModel(9, units=np.int64(4)).embedding_dim == 4
    runners.check_config(
        rnnzoo.gru_seq2seq(np.int64(9), np.int64(8), units=np.int64(4), dropout=np.float32(0.5))
    )


def test_units_may_be_a_list():
    model = rnnzoo.char_lstm(9, units=[6, 5, 4])
    assert [state.shape[-1] for state in model.get_initial_state(2)] == [6, 6, 5, 5, 4, 4]
    assert model.embedding_dim == 6
    assert rnnzoo.char_lstm(9, units=[130, 4]).embedding_dim == 128


BAD_LANGUAGE_MODELS = [
    ({"units": 0}, "`units` must be a whole number of at least 1, not 0"),
    ({"units": -3}, "not -3"),
    ({"units": 2.5}, "not 2.5"),
    ({"units": "many"}, "not 'many'"),
    ({"units": True}, "not True"),
    ({"units": [4, 0]}, "`units` must be a whole number of at least 1, not 0"),
    ({"units": []}, "`num_layers` must be a whole number of at least 1, not 0"),
    ({"num_layers": 0}, "`num_layers` must be a whole number of at least 1, not 0"),
    ({"num_layers": 1.5}, "not 1.5"),
    ({"embedding_dim": 0}, "`embedding_dim`"),
    ({"embedding_dim": -1}, "not -1"),
    ({"dropout": 1.0}, "`dropout` must be at least 0 and below 1, not 1.0"),
    ({"dropout": -0.1}, "not -0.1"),
    ({"dropout": "half"}, "not 'half'"),
    ({"dropout": float("nan")}, "not nan"),
    ({"cell": "ltsm"}, "No cell is called 'ltsm'; did you mean 'lstm'?"),
    ({"vocabulary": 1}, "at least 2, not 1"),
    ({"vocabulary": 9.0}, "not 9.0"),
    ({"vocabulary": "abc"}, "must be an rnnzoo.Vocabulary or a number of ids"),
    ({"vocabulary": None}, "not None"),
    ({"vocabulary": rnnzoo.Vocabulary(["a"])}, "at least 2 tokens, not 1"),
]


@pytest.mark.parametrize(("options", "message"), BAD_LANGUAGE_MODELS)
@pytest.mark.parametrize("builder", [rnnzoo.char_lstm, rnnzoo.word_lm, rnnzoo.LanguageModel])
def test_bad_language_models(builder, options, message):
    with pytest.raises(InputError) as error:
        builder(**{"vocabulary": 9, "units": 4, **options})
    assert message in str(error.value)


BAD_ENCODER_DECODERS = [
    ({"units": 0}, "`units` must be"),
    ({"units": [4, 4]}, "not [4, 4]"),
    ({"num_layers": -1}, "`num_layers` must be"),
    ({"embedding_dim": 0.5}, "`embedding_dim` must be"),
    ({"dropout": 1}, "`dropout` must be"),
    ({"cell": "transformer"}, "No cell is called 'transformer'"),
    ({"attention": "luong"}, "`attention` must be \"bahdanau\" or None, not 'luong'"),
    ({"attention_position": "after"}, "No attention position is called 'after'"),
    ({"attention_position": None}, "No attention position is called None"),
    ({"attention_position": "after", "attention": None}, "No attention position"),
    ({"tie_embedding_weights": "both"}, "must be False, True or \"all\", not 'both'"),
    ({"tie_embedding_weights": "all", "source_vocabulary": 8}, "their vocabularies differ"),
    (
        {"tie_embedding_weights": "all", "source_vocabulary": runners.DIGITS},
        "give one vocabulary for both",
    ),
    ({"bidirectional": "add"}, "No merge mode is called 'add'"),
    ({"source_vocabulary": 1}, "at least 2, not 1"),
    ({"target_vocabulary": ["a", "b"]}, "must be an rnnzoo.Vocabulary"),
    ({"source_vocabulary": runners.CHARACTERS}, "The source vocabulary must have <pad>"),
    ({"target_vocabulary": runners.CHARACTERS}, "must have <pad>, <start>, <end>, and <pad> as id"),
    ({"target_vocabulary": rnnzoo.Vocabulary(["<pad>", "a"])}, "The target vocabulary"),
    ({"source_vocabulary": rnnzoo.Vocabulary(["a", "<pad>"])}, "and <pad> as id 0"),
]


@pytest.mark.parametrize(("options", "message"), BAD_ENCODER_DECODERS)
def test_bad_encoder_decoders(options, message):
    with pytest.raises(InputError) as error:
        rnnzoo.gru_seq2seq(
            **{"source_vocabulary": 9, "target_vocabulary": 9, "units": 4, **options}
        )
    assert message in str(error.value)


def test_encoder_decoder_wants_both_sides():
    model = rnnzoo.gru_seq2seq(9, 9, units=4)
    with pytest.raises(InputError, match="source"):
        model(np.ones((2, 3), "int32"))


def test_a_newer_file_is_refused():
    config = rnnzoo.char_lstm(9, units=4).get_config()
    for file_format in (99, None):
        with pytest.raises(InputError, match="upgrade it"):
            rnnzoo.LanguageModel.from_config({**config, "file_format": file_format})
