"""State carried over the batches of a stream, through plain fit and evaluate."""

import keras
import numpy as np
import pytest
from keras import ops

import rnnzoo
from rnnzoo.data import StreamDataset, random_resets, stream_batches
from rnnzoo.errors import InputError
from rnnzoo.models.carried_state import CarriedState

IDS = np.random.default_rng(0).integers(0, 9, 61).astype("int32")
ON_TENSORFLOW = keras.config.backend() == "tensorflow"
needs_tensorflow = pytest.mark.skipif(not ON_TENSORFLOW, reason="tf.data into a TensorFlow model")


def make_model(cell="lstm", units=(5,), **options):
    keras.utils.set_random_seed(0)
    model = rnnzoo.LanguageModel(9, units=list(units), cell=cell, **options)
    model.compile()
    return model


class Batches(keras.utils.PyDataset):
    """Stream batches of any rows and reset flags."""

    def __init__(self, tokens, targets, resets):
        super().__init__()
        self.batches = list(zip(tokens, targets, resets, strict=True))

    @property
    def num_batches(self):
        return len(self.batches)

    def __getitem__(self, index):
        tokens, targets, reset = self.batches[index]
        return {"tokens": tokens, "reset": np.asarray(reset, "int32")}, targets


def rows_of(count, length=4):
    return np.ones((count, length), "int32")


def carried(stream_state):
    return [ops.convert_to_numpy(variable) for variable in stream_state.state]


@pytest.mark.parametrize("cell", ["lstm", "gru", "simple_rnn"])
def test_two_halves_with_state_are_one_whole(cell):
    model = make_model(cell, units=(5, 4))
    tokens = IDS[:30].reshape(3, 10)
    whole, final = model(tokens, return_state=True)
    first, state = model(tokens[:, :4], return_state=True)
    second, state = model(tokens[:, 4:], initial_state=state, return_state=True)
    halves = np.concatenate([ops.convert_to_numpy(first), ops.convert_to_numpy(second)], 1)
    np.testing.assert_allclose(halves, ops.convert_to_numpy(whole), atol=1e-5)
    for mine, its in zip(state, final, strict=True):
        np.testing.assert_allclose(ops.convert_to_numpy(mine), ops.convert_to_numpy(its), atol=1e-5)


@pytest.mark.parametrize("cell", ["lstm", "gru", "simple_rnn"])
def test_short_batches_evaluate_as_one_long_batch(cell):
    model = make_model(cell, units=(5, 4))
    whole = model.evaluate(StreamDataset(IDS, 3, 20), verbose=0)
    np.testing.assert_allclose(
        model.evaluate(StreamDataset(IDS, 3, 4), verbose=0), whole, rtol=1e-5
    )


def test_padding_and_plain_batches_are_told_apart():
    model = make_model()
    model.set_weights([4 * weight for weight in model.get_weights()])
    whole = model.evaluate(StreamDataset(IDS, 3, 20), verbose=0)
    uneven = StreamDataset(IDS, 3, 6)  # the last batch has padding
    assert [uneven[i][2].sum() for i in range(4)] == [18, 18, 18, 6]
    perplexity = model.evaluate(uneven, verbose=0)[1]
    np.testing.assert_allclose(perplexity, whole[1], rtol=1e-5)
    stateless = model.evaluate(IDS[:60].reshape(15, 4), IDS[1:].reshape(15, 4), verbose=0)
    assert abs(stateless[1] - whole[1]) > 1e-4  # so the tests can tell the difference


def test_reset_flags_start_single_rows_anew():
    model = make_model()
    tokens = IDS[:24].reshape(2, 12)
    targets = IDS[1:25].reshape(2, 12)
    resets = [[1, 1], [0, 1], [0, 0]]
    pieces = [np.split(each, 3, axis=1) for each in (tokens, targets)]
    perplexity = model.evaluate(Batches(*pieces, resets), verbose=0)[1]
    # row 0 is one sequence of 12, row 1 is one of 4 and one of 8
    nats = 0.0
    for row, start, end in [(0, 0, 12), (1, 0, 4), (1, 4, 12)]:
        logits = ops.convert_to_numpy(model(tokens[row : row + 1, start:end]))[0]
        log_sum = np.log(np.exp(logits).sum(-1))
        nats += (log_sum - logits[np.arange(end - start), targets[row, start:end]]).sum()
    np.testing.assert_allclose(perplexity, np.exp(nats / 24), rtol=1e-5)


def test_state_is_exact_in_mixed_precision():
    model = make_model(dtype="mixed_bfloat16")
    whole = model.evaluate(StreamDataset(IDS, 3, 20), verbose=0)
    short = model.evaluate(StreamDataset(IDS, 3, 5), verbose=0)
    np.testing.assert_allclose(short, whole, rtol=1e-5)


def test_training_carries_its_own_state_through_validation():
    train, validation = StreamDataset(IDS, 3, 5), StreamDataset(IDS[::-1].copy(), 2, 6)
    model, alone = make_model(), make_model()
    history = model.fit(
        train, validation_data=validation, epochs=2, shuffle=False, verbose=0
    ).history
    only = alone.fit(train, epochs=2, shuffle=False, verbose=0).history
    np.testing.assert_allclose(history["loss"], only["loss"], rtol=1e-5)
    for mine, its in zip(model.get_weights(), alone.get_weights(), strict=True):
        np.testing.assert_allclose(mine, its, atol=1e-6)
    assert carried(model._training_state)[0].shape == (3, 5)
    assert carried(model._evaluation_state)[0].shape == (2, 5)
    assert any(np.abs(state).max() > 0 for state in carried(model._training_state))
    result = model.evaluate(validation, verbose=0, return_dict=True)
    np.testing.assert_allclose(result["perplexity"], history["val_perplexity"][-1], rtol=1e-5)


def test_training_reads_the_state_of_the_batch_before():
    """With the rate at zero, the second batch must score as the second half of a sequence does."""
    model = make_model()
    model.compile(optimizer=keras.optimizers.SGD(0.0))
    history = model.fit(StreamDataset(IDS, 3, 10), shuffle=False, verbose=0).history
    whole = model.evaluate(StreamDataset(IDS, 3, 20), verbose=0)
    np.testing.assert_allclose(history["perplexity"][0], whole[1], rtol=1e-5)


def test_numbers_of_rows_may_change_between_calls():
    model = make_model()
    for rows in (3, 2):
        model.fit(StreamDataset(IDS, rows, 5), shuffle=False, verbose=0)
        assert carried(model._training_state)[0].shape == (rows, 5)
        short = model.evaluate(StreamDataset(IDS, 6 - rows, 5), verbose=0)
        whole = model.evaluate(StreamDataset(IDS, 6 - rows, 60 // (6 - rows)), verbose=0)
        np.testing.assert_allclose(short[1], whole[1], rtol=1e-5)


def test_streams_and_plain_batches_take_turns():
    model = make_model()
    tokens, targets = IDS[:30].reshape(3, 10), IDS[1:31].reshape(3, 10)
    stream = StreamDataset(IDS, 3, 5)
    before = model.evaluate(tokens, targets, verbose=0)
    model.evaluate(stream, verbose=0)
    np.testing.assert_allclose(model.evaluate(tokens, targets, verbose=0), before, rtol=1e-6)
    model.fit(stream, validation_data=(tokens, targets), shuffle=False, verbose=0)
    model.fit(tokens, targets, verbose=0)
    assert model._stream_state is None


def test_state_is_no_weight_and_in_no_file(tmp_path):
    model = make_model()
    count, names = model.count_params(), [weight.path for weight in model.weights]
    model.save(tmp_path / "before.keras")
    model.fit(StreamDataset(IDS, 3, 5), shuffle=False, verbose=0)
    model.evaluate(StreamDataset(IDS, 2, 5), verbose=0)
    assert model.count_params() == count
    assert [weight.path for weight in model.weights] == names
    model.save(tmp_path / "after.keras")
    again = keras.saving.load_model(tmp_path / "after.keras")
    assert again._training_state.rows is None and again._training_state.variables == []
    inputs = IDS[:30].reshape(3, 10)
    np.testing.assert_array_equal(
        ops.convert_to_numpy(again(inputs)), ops.convert_to_numpy(model(inputs))
    )
    history = again.fit(StreamDataset(IDS, 4, 5), shuffle=False, verbose=0).history
    assert np.isfinite(history["loss"]).all()


@pytest.mark.parametrize("counts", [[3, 3, 3, 2], [3, 1]])
def test_unequal_rows_are_refused(counts):
    pieces = [rows_of(count) for count in counts]
    stream = Batches(pieces, pieces, [[0] * count for count in counts])
    model = make_model(units=(4,))
    other = next(count for count in counts if count != counts[0])
    message = f"A batch of {other} rows does not fit the carried state of {counts[0]} rows"
    with pytest.raises(InputError, match=message):
        model.fit(stream, shuffle=False, verbose=0)
    assert model._stream_state is None
    with pytest.raises(InputError, match=message):
        make_model(units=(4,)).evaluate(stream, verbose=0)


def test_unequal_rows_are_refused_in_the_validation_of_fit():
    pieces = [rows_of(2), rows_of(2), rows_of(2), rows_of(1)]
    stream = Batches(pieces, pieces, [[0] * len(piece) for piece in pieces])
    with pytest.raises(InputError, match="A batch of 1 rows does not fit"):
        make_model(units=(4,)).fit(
            StreamDataset(IDS, 3, 5), validation_data=stream, shuffle=False, verbose=0
        )


def test_shuffled_pydataset_is_refused():
    with pytest.raises(InputError, match="must be read in order"):
        make_model().fit(StreamDataset(IDS, 3, 5), verbose=0)


@needs_tensorflow
def test_shuffled_pipelines_are_refused():
    from rnnzoo.data import stream_batches

    model, stream = make_model(units=(4,)), stream_batches(IDS, 3, 5)
    for shuffled in (
        stream.shuffle(4),
        stream.shuffle(4).prefetch(1),
        stream.map(lambda *batch: batch).shuffle(2).take(3).repeat(),
    ):
        with pytest.raises(InputError, match="must be read in order"):
            model.fit(shuffled, verbose=0)
        with pytest.raises(InputError, match="must be read in order"):
            model.evaluate(shuffled, verbose=0)


@needs_tensorflow
def test_pipelines_without_fixed_rows_are_refused():
    from rnnzoo.data import stream_batches

    stream = stream_batches(IDS, 3, 5).unbatch().batch(2)  # the last batch has one row
    with pytest.raises(InputError, match="no fixed number of rows"):
        make_model(units=(4,)).fit(stream, verbose=0)
    with pytest.raises(InputError, match="no fixed number of rows"):
        make_model(units=(4,)).evaluate(stream, verbose=0)


@needs_tensorflow
def test_pipelines_train_like_their_twins():
    from rnnzoo.data import stream_batches

    train, validation = stream_batches(IDS, 2, 5, validation_split=0.3)
    model = make_model(units=(4,))
    model.fit(train, validation_data=validation, epochs=2, verbose=0)
    one, twin = make_model(units=(4,)), make_model(units=(4,))
    of_pipeline = one.fit(stream_batches(IDS, 3, 5), epochs=2, verbose=0).history
    of_twin = twin.fit(StreamDataset(IDS, 3, 5), epochs=2, shuffle=False, verbose=0).history
    np.testing.assert_allclose(of_pipeline["loss"], of_twin["loss"], rtol=1e-5)


def test_flags_outside_fit_and_evaluate_are_refused():
    model, (inputs, targets, _) = make_model(units=(4,)), StreamDataset(IDS, 3, 5)[0]
    with pytest.raises(InputError, match="call the model on the tokens"):
        model(inputs)
    with pytest.raises(InputError, match="fit and evaluate alone"):
        model.predict(StreamDataset(IDS, 3, 5), verbose=0)
    with pytest.raises(InputError, match="fit and evaluate alone"):
        model.fit(inputs, targets, verbose=0)  # arrays: Keras would cut and shuffle them


def test_stream_state_prepares_only_when_the_rows_change():
    stream_state = CarriedState([3, 2])
    assert stream_state.prepare(4) and not stream_state.prepare(4)
    stream_state.write([np.ones((4, 3), "float32"), np.ones((4, 2), "float32")])
    kept = stream_state.read(np.array([0, 1, 0, 1]))
    assert ops.convert_to_numpy(kept[1])[:, 0].tolist() == [1, 0, 1, 0]
    assert stream_state.prepare(2) and len(stream_state.variables) == 2
    assert stream_state.weights == []


def test_a_nan_is_forgotten_at_a_reset():
    model = make_model(units=(5, 4), trainable_initial_state=True)
    stream = StreamDataset(IDS, 3, 5)
    before = model.evaluate(stream, verbose=0)
    for variable in model._evaluation_state.state:
        variable.assign(np.full(variable.shape, np.nan, "float32"))
    np.testing.assert_allclose(model.evaluate(stream, verbose=0), before, rtol=1e-6)


def test_a_nan_is_forgotten_in_the_row_that_a_training_batch_resets():
    model = make_model(trainable_initial_state=True)
    model.compile(optimizer=keras.optimizers.SGD(0.1))
    tokens, targets = IDS[:24].reshape(2, 12), IDS[1:25].reshape(2, 12)
    pieces = [np.split(each, 3, axis=1) for each in (tokens, targets)]

    class Spoil(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            for variable in self.model._training_state.state:
                variable.assign(np.full(variable.shape, np.nan, "float32"))

    batches = Batches(*pieces, [[1, 1], [0, 1], [1, 0]])
    history = model.fit(batches, epochs=2, shuffle=False, verbose=0, callbacks=[Spoil()]).history
    assert np.isfinite(history["loss"]).all()
    assert all(np.isfinite(weight).all() for weight in model.get_weights())
    kept = CarriedState([(2, 3), 4])
    kept.prepare(2)
    kept.write([np.full((2, 2, 3), np.nan, "float32"), np.full((2, 4), np.inf, "float32")])
    matrix, vector = kept.read(np.array([1, 0]), [np.full((2, 2, 3), 7.0), np.zeros((2, 4))])
    matrix, vector = ops.convert_to_numpy(matrix), ops.convert_to_numpy(vector)
    assert (matrix[0] == 7).all() and np.isnan(matrix[1]).all()
    assert (vector[0] == 0).all() and np.isinf(vector[1]).all()


@needs_tensorflow
def test_a_nan_is_forgotten_where_rows_start_anew_at_random():
    model = make_model()
    stream = stream_batches(IDS, 3, 5)
    model.fit(stream, verbose=0)
    before = [np.array(weight) for weight in model.get_weights()]
    for variable in model._training_state.state:
        variable.assign(np.full(variable.shape, np.nan, "float32"))
    keep_on = stream.skip(1).take(1)  # no row starts anew here by itself
    assert not next(iter(keep_on))[0]["reset"].numpy().any()
    anew = random_resets(keep_on, 1.0)
    model.fit(anew, verbose=0)
    assert all(np.isfinite(weight).all() for weight in model.get_weights())
    model.set_weights(before)
    for variable in model._training_state.state:
        variable.assign(np.full(variable.shape, np.nan, "float32"))
    model.fit(keep_on, verbose=0)
    assert not all(np.isfinite(weight).all() for weight in model.get_weights())


def test_a_callback_inside_fit_leaves_the_training_state():
    """Whatever it does with a stream: predict, evaluate, single batches, a plain call."""
    stream, other = StreamDataset(IDS, 3, 5), StreamDataset(IDS[::-1].copy(), 3, 5)
    seen = []

    class Meddle(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            before = carried(self.model._training_state)
            inputs, targets, _ = other[0]
            for call in (
                lambda: self.model.predict(other, verbose=0),
                lambda: self.model.predict_on_batch(inputs),
                lambda: self.model.test_on_batch(inputs, targets),
            ):
                with pytest.raises(InputError, match="fit and evaluate alone"):
                    call()
            self.model(inputs)
            self.model.predict(inputs["tokens"], verbose=0)
            seen.append(self.model.evaluate(other, verbose=0)[0])
            seen.append(self.model.evaluate(inputs["tokens"], targets, verbose=0)[0])
            for mine, its in zip(carried(self.model._training_state), before, strict=True):
                np.testing.assert_array_equal(mine, its)

    model, alone = make_model(), make_model()
    options = {"epochs": 2, "shuffle": False, "verbose": 0}
    losses = model.fit(stream, callbacks=[Meddle()], **options).history["loss"]
    np.testing.assert_allclose(losses, alone.fit(stream, **options).history["loss"], rtol=1e-6)
    assert np.isfinite(seen).all() and len(seen) == 4
