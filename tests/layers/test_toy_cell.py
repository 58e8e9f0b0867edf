"""A cell of a user: its state is a matrix, starts elsewhere than zero, and is not its output."""

import keras
import numpy as np
import pytest
from keras import ops

import rnnzoo
from rnnzoo.data import StreamDataset
from rnnzoo.errors import InputError
from rnnzoo.layers import register_cell
from tests import runners

IDS = np.random.default_rng(0).integers(0, 7, 61).astype("int32")
SMALL = {"cell": "toy", "units": 4, "embedding_dim": 3}


@register_cell("toy")
class Toy(keras.layers.Layer):
    """A fast-weight memory: writes the outer product of key and value, reads with a query."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.output_size = units
        self.state_size = [(units, 2), 3]

    def build(self, shape):
        self.kernel = self.add_weight((shape[-1], 2 * self.units + 7), name="kernel")

    def get_initial_state(self, batch_size):
        return [ops.full((batch_size, self.units, 2), 0.5), ops.full((batch_size, 3), 2.0)]

    def call(self, inputs, states):
        memory, trace = states
        u = self.units
        x = ops.matmul(inputs, self.kernel)
        value, gate, key = x[:, :u], ops.sigmoid(x[:, u : 2 * u]), ops.tanh(x[:, 2 * u : 2 * u + 2])
        trace = 0.5 * trace + x[:, 2 * u + 4 :]
        memory = 0.9 * memory + ops.expand_dims(value, 2) * ops.expand_dims(key, 1)
        query = ops.expand_dims(x[:, 2 * u + 2 : 2 * u + 4], 1)
        output = gate * ops.tanh(ops.sum(memory * query, -1)) + 0.1 * trace[:, :1]
        return output, [memory, trace]


def make(**options):
    keras.utils.set_random_seed(0)
    return rnnzoo.char_lstm(runners.CHARACTERS, num_layers=2, **SMALL, **options)


def translator(**options):
    keras.utils.set_random_seed(0)
    return rnnzoo.gru_seq2seq(runners.NUMBERS, runners.DIGITS, **SMALL, **options)


def to_numpy(tensors):
    return [ops.convert_to_numpy(ops.cast(t, "float32")) for t in tensors]


@pytest.mark.parametrize("trainable", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_it_trains_saves_and_loads(trainable, dtype, tmp_path):
    model = make(trainable_initial_state=trainable, dtype=dtype)
    runners.check_config(model)
    runners.check_training_and_saving(model, tmp_path / "toy.keras")
    starts = [w for w in model.trainable_variables if "initial_state" in w.path]
    assert len(starts) == 4 * trainable
    for start in starts:  # they start at the cell's own state and have moved
        value = ops.convert_to_numpy(start)
        assert np.abs(value - (0.5 if value.ndim == 3 else 2)).max() > 0
    assert model.recurrent.state_shapes == [(4, 2), (3,)] * 2


def test_gradients_reach_every_weight():
    runners.check_gradients(make(trainable_initial_state=True))
    runners.check_gradients(translator(trainable_initial_state=True))


@pytest.mark.parametrize("trainable", [False, True])
def test_short_batches_of_a_stream_are_one_whole_sequence(trainable):
    model = make(trainable_initial_state=trainable)
    model.compile()
    whole = model.evaluate(StreamDataset(IDS, 3, 20), verbose=0)
    short = model.evaluate(StreamDataset(IDS, 3, 4), verbose=0)
    np.testing.assert_allclose(short, whole, rtol=1e-5)
    losses = model.fit(StreamDataset(IDS, 3, 4), shuffle=False, epochs=3, verbose=0).history["loss"]
    assert losses[-1] < losses[0]


def test_masks_leave_matrices_as_they_were():
    model = make()
    tokens = IDS[:18].reshape(3, 6)
    logits, state = model.prefill(tokens, np.array([6, 3, 1]))
    for row, length in enumerate((6, 3, 1)):
        alone, its = model(tokens[row : row + 1, :length], return_state=True)
        np.testing.assert_allclose(
            to_numpy([logits])[0][row], to_numpy([alone])[0][0, -1], atol=1e-5
        )
        for mine, other in zip(to_numpy(state), to_numpy(its), strict=True):
            np.testing.assert_allclose(mine[row], other[0], atol=1e-5)


def test_steps_are_the_whole_and_it_writes():
    model = make()
    tokens, state = IDS[:10].reshape(2, 5), model.get_initial_state(2)
    whole = to_numpy([model(tokens)])[0]
    for time in range(5):
        logits, state = model.step(tokens[:, time], state)
        np.testing.assert_allclose(to_numpy([logits])[0], whole[:, time], atol=1e-5)
    assert len(model.generate("to be", 6, seed=1)) == 6


TRANSLATORS = {
    "before": {},
    "before, two layers": {"num_layers": 2, "trainable_initial_state": True},
    "after": {"attention_position": "after_cell"},
    "forwards only": {"bidirectional": False, "trainable_initial_state": True},
    "no attention": {"attention": None},
}


@pytest.mark.parametrize("options", TRANSLATORS.values(), ids=TRANSLATORS)
def test_it_translates(options, tmp_path):
    model = translator(**options)
    runners.check_config(model)
    runners.check_training_and_saving(model, tmp_path / "toy.keras")
    texts = model.translate(["one two", "two"])
    assert texts == rnnzoo.load(tmp_path / "toy.keras").translate(["one two", "two"])
    inputs, _, _ = runners.batch(model, batch_size=2, length=4)
    whole = to_numpy([model(inputs)])[0]
    memory, state = model.encode(inputs["source"])
    for time in range(4):
        logits, state, _ = model.step(inputs["target"][:, time], state, memory)
        np.testing.assert_allclose(to_numpy([logits])[0], whole[:, time], atol=1e-5)


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="SavedModels need TensorFlow")
@pytest.mark.parametrize("build", [make, translator])
def test_it_exports(build, tmp_path):
    runners.check_export(build(trainable_initial_state=True), str(tmp_path / "toy"))


def test_what_it_has_not_is_said():
    with pytest.raises(InputError, match="'toy' has none"):
        make(weight_drop=0.5)
    with pytest.raises(InputError, match="No cell is called 'toi'"):
        rnnzoo.char_lstm(9, units=4, cell="toi")
    with pytest.raises(InputError, match="registered already"):
        register_cell("toy")(runners.seq2seq)
    row = rnnzoo.kernels(make())[0]
    assert row.training.name == "generic" and row.generation.name == "cell"
    (*_, attending) = rnnzoo.kernels(translator())
    assert attending.layer == "decoder/attending_cell"
