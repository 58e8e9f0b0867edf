"""tf.data pipelines against brute force."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnzoo.data import (
    document_batches,
    pair_batches,
    random_resets,
    stream_batches,
    window_batches,
)
from rnnzoo.errors import InputError

tf = pytest.importorskip("tensorflow")

PAIRS = dict(
    sources=[[5 + i] * (1 + i % 5) for i in range(23)],
    targets=[[50 + i] * (1 + i % 3) for i in range(23)],
    start_id=1,
    end_id=2,
)
DOCUMENTS = [100 * d + np.arange(2 + 7 * d % 11) for d in range(1, 20)]


def numpy(batches):
    return list(batches.as_numpy_iterator())


def equal(a, b):
    a, b = tf.nest.flatten(a), tf.nest.flatten(b)
    return len(a) == len(b) and all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


# --- Streams -----------------------------------------------------------------------------------


STREAM_SPEC = (
    {"tokens": tf.TensorSpec((2, 3), tf.int32), "reset": tf.TensorSpec((2,), tf.int32)},
    tf.TensorSpec((2, 3), tf.int32),
    tf.TensorSpec((2, 3), tf.float32),
)


def test_stream_exactly():
    batches = stream_batches(np.arange(16), batch_size=2, sequence_length=3)
    assert batches.element_spec == STREAM_SPEC  # one shape: a step is compiled once
    assert batches.cardinality() == 3
    for _ in range(2):  # the second epoch is the first again, resets and all
        got = numpy(batches)
        assert [i["tokens"].tolist() for i, _, _ in got] == [
            [[0, 1, 2], [7, 8, 9]],
            [[3, 4, 5], [10, 11, 12]],
            [[6, 0, 0], [13, 0, 0]],
        ]
        assert [weights.tolist() for _, _, weights in got] == [
            [[1, 1, 1], [1, 1, 1]],
            [[1, 1, 1], [1, 1, 1]],
            [[1, 0, 0], [1, 0, 0]],
        ]
        for inputs, targets, weights in got:
            assert (targets == (inputs["tokens"] + 1) * (weights > 0)).all()
        assert [i["reset"].tolist() for i, _, _ in got] == [[1, 1], [0, 0], [0, 0]]


def test_random_resets_change_the_flags_alone_and_come_anew_each_epoch():
    stream = stream_batches(np.arange(4001), batch_size=4, sequence_length=5)
    batches = random_resets(stream, 0.25, seed=3)
    assert batches.element_spec == stream.element_spec
    assert batches.cardinality() == stream.cardinality() == 200
    epochs = [numpy(batches) for _ in range(2)]
    for got in epochs:
        for (inputs, *rest), (before, *rest_before) in zip(got, numpy(stream), strict=True):
            np.testing.assert_array_equal(inputs["tokens"], before["tokens"])
            assert (inputs["reset"] >= before["reset"]).all()
            for one, other in zip(rest, rest_before, strict=True):
                np.testing.assert_array_equal(one, other)
    flags = [np.array([inputs["reset"] for inputs, *_ in got]) for got in epochs]
    for drawn in flags:  # 796 draws of 0.25: the mean is within five deviations
        assert drawn[0].all() and 0.17 < drawn[1:].mean() < 0.33
        assert (drawn[1:].mean(axis=0) > 0.1).all()  # in every row
    assert (flags[0] != flags[1]).any()
    again = random_resets(stream, 0.25, seed=3)
    np.testing.assert_array_equal([i["reset"] for i, *_ in numpy(again)], flags[0])
    later = random_resets(stream, 0.25, seed=3, initial_epoch=1)
    np.testing.assert_array_equal([i["reset"] for i, *_ in numpy(later)], flags[1])
    other = random_resets(stream, 0.25, seed=4)
    assert (np.array([i["reset"] for i, *_ in numpy(other)]) != flags[0]).any()


@pytest.mark.parametrize("probability", [0, -0.1, 1.1, float("nan"), "half", None])
def test_random_resets_refuse_what_is_no_probability(probability):
    stream = stream_batches(np.arange(40), 2, 5)
    with pytest.raises(InputError, match="above 0 and at most 1"):
        random_resets(stream, probability)


def test_stream_has_no_shuffle():
    def operations(dataset):
        yield type(dataset).__name__
        for source in dataset._inputs():
            yield from operations(source)

    for ids in (np.arange(100), DOCUMENTS):
        assert not any("Shuffle" in name for name in operations(stream_batches(ids, 2, 3)))


def test_stream_validation_is_the_end_of_the_text():
    train, valid = stream_batches(np.arange(1010), 2, 5, validation_split=0.1)
    assert min(targets[weights > 0].min() for _, targets, weights in numpy(valid)) == 910
    assert max(targets.max() for _, targets, _ in numpy(train)) == 908
    parts = stream_batches(DOCUMENTS, 2, 5, validation_split=0.2)  # 15 and 4 documents
    for part, documents in zip(parts, (DOCUMENTS[:15], DOCUMENTS[15:]), strict=True):
        targets = np.concatenate([targets[weights == 1] for _, targets, weights in numpy(part)])
        assert sorted(targets) == sorted(np.concatenate([document[1:] for document in documents]))


def test_stream_of_a_memmap(tmp_path):
    np.arange(1000, dtype=np.uint16).tofile(tmp_path / "ids.bin")
    ids = np.memmap(tmp_path / "ids.bin", np.uint16, "r")
    for a, b in zip(
        stream_batches(ids, 3, 7, validation_split=0.3),
        stream_batches(np.arange(1000), 3, 7, validation_split=0.3),
        strict=True,
    ):
        assert a.element_spec == b.element_spec
        assert equal(numpy(a), numpy(b))


def test_document_stream_exactly():
    documents = [[1, 2, 3, 4], [5, 6], [7, 8, 9]]  # 2, 1 and 1 batches of 2
    batches = stream_batches(documents, batch_size=2, sequence_length=2)
    assert stream_batches(documents, 2, 3).element_spec == STREAM_SPEC
    (first, first_targets, first_weights), (second, second_targets, second_weights) = numpy(batches)
    assert first["tokens"].tolist() == [[1, 2], [5, 0]]
    assert first_targets.tolist() == [[2, 3], [6, 0]]
    assert first_weights.tolist() == [[1, 1], [1, 0]]
    assert first["reset"].tolist() == [1, 1]
    assert second["tokens"].tolist() == [[3, 0], [7, 8]]
    assert second_targets.tolist() == [[4, 0], [8, 9]]
    assert second_weights.tolist() == [[1, 0], [1, 1]]
    assert second["reset"].tolist() == [0, 1]


def test_document_stream_takes_keras_lists():
    keras_lists = np.empty(2, object)
    keras_lists[:] = [[1, 14, 22], [1, 9, 9, 9]]
    assert equal(
        numpy(stream_batches(keras_lists, 2, 3)), numpy(stream_batches(list(keras_lists), 2, 3))
    )


@pytest.mark.parametrize(
    "arguments, words",
    [
        ((np.arange(100), 0, 5), "`batch_size` must be"),
        ((np.arange(100), 5, -5), "`sequence_length` must be"),
        ((np.arange(100), 10, 20), "sequence_length of at most 9 or a batch_size of at most 4"),
        (([], 1, 1), "there are none"),
        (("text", 1, 1), "vocabulary.encode"),
        (([[1, 2], [3]], 1, 1), "Document 1 has length 1"),
        (([[1, 2], [3, 4]], 3, 1), "batch_size that fits is 2"),
    ],
)
def test_stream_refuses(arguments, words):
    with pytest.raises(InputError, match=words):
        stream_batches(*arguments)


def test_stream_says_which_part_is_too_short():
    with pytest.raises(InputError, match="the validation part has 10"):
        stream_batches(np.arange(100), 4, 5, validation_split=0.1)
    with pytest.raises(InputError, match="the training part has 10"):
        stream_batches(np.arange(100), 4, 5, validation_split=0.9)
    with pytest.raises(InputError, match="the validation part has 2"):
        stream_batches([[1, 2]] * 20, 4, 5, validation_split=0.1)


# --- Windows -----------------------------------------------------------------------------------


@settings(max_examples=10, deadline=None)
@given(
    st.integers(2, 50), st.integers(1, 10), st.integers(1, 6), st.booleans(), st.booleans(),
    st.integers(1, 5),
)  # fmt: skip
def test_windows_equal_brute_force(num_ids, length, stride, many_to_one, shuffle, batch_size):
    ids = np.random.default_rng(0).integers(0, 9, num_ids)
    expected = [
        (*ids[s : s + length], *(ids[[s + length]] if many_to_one else ids[s + 1 : s + length + 1]))
        for s in range(0, num_ids - length, stride)
    ]
    if not expected or len(expected) < batch_size:
        with pytest.raises(InputError, match="largest that fits"):
            window_batches(ids, batch_size, length, stride=stride)
        return
    batches = window_batches(
        ids, batch_size, length, stride=stride, many_to_one=many_to_one, shuffle=shuffle
    )
    assert batches.element_spec == (
        tf.TensorSpec((None, length), tf.int32),
        tf.TensorSpec((None,) if many_to_one else (None, length), tf.int32),
    )
    got = [
        (*tokens, *np.atleast_1d(target))
        for batch in numpy(batches)
        for tokens, target in zip(*batch, strict=True)
    ]
    assert len(numpy(batches)) == batches.cardinality() == -(-len(expected) // batch_size)
    assert (sorted(got) == sorted(expected)) if shuffle else (got == expected)


def test_windows_of_a_memmap(tmp_path):
    np.arange(100, dtype=np.int32).tofile(tmp_path / "ids.bin")
    ids = np.memmap(tmp_path / "ids.bin", np.int32, "r")
    a, b = window_batches(ids, 8, 5), window_batches(np.arange(100), 8, 5)
    assert a.element_spec == b.element_spec
    assert equal(numpy(a), numpy(b))


# --- Documents ---------------------------------------------------------------------------------


def test_documents_exactly():
    batches = document_batches([[1, 2, 3, 4, 5, 6], [7, 8]], 2, max_length=3, shuffle=False)
    assert batches.element_spec == (
        tf.TensorSpec((None, None), tf.int32),
        tf.TensorSpec((None, None), tf.int32),
        tf.TensorSpec((None, None), tf.float32),
    )
    (tokens, targets, weights), (last, last_targets, last_weights) = numpy(batches)
    assert tokens.tolist() == [[7, 0], [4, 5]]
    assert targets.tolist() == [[8, 0], [5, 6]]
    assert weights.tolist() == [[1, 0], [1, 1]]
    assert last.tolist() == [[1, 2, 3]] and last_targets.tolist() == [[2, 3, 4]]
    assert last_weights.tolist() == [[1, 1, 1]]


@settings(max_examples=10, deadline=None)
@given(
    st.lists(st.integers(2, 15), min_size=1, max_size=20), st.integers(1, 6),
    st.integers(1, 6) | st.none(), st.booleans(),
)  # fmt: skip
def test_documents_have_each_target_once(lengths, batch_size, max_length, shuffle):
    documents = [100 * (d + 1) + np.arange(length) for d, length in enumerate(lengths)]
    batches = document_batches(documents, batch_size, max_length=max_length, shuffle=shuffle)
    got = numpy(batches)
    assert len(got) == batches.cardinality()
    seen = []
    for tokens, targets, weights in got:
        assert tokens.shape == targets.shape == weights.shape
        assert tokens.shape[1] <= (max_length or 15)
        assert ((tokens > 0) == (weights == 1)).all() and ((targets > 0) == (weights == 1)).all()
        assert (targets[weights == 1] == tokens[weights == 1] + 1).all()
        seen += targets[weights == 1].tolist()
    assert sorted(seen) == sorted(np.concatenate([document[1:] for document in documents]))


def test_documents_refuse():
    for documents, words in (([], "no document"), ([[1, 2], [1]], "Document 1 has length 1")):
        with pytest.raises(InputError, match=words):
            document_batches(documents, 2)
    with pytest.raises(InputError, match="`max_length` must be"):
        document_batches([[1, 2]], 2, max_length=0)
    with pytest.raises(InputError, match="`seed` must be"):
        document_batches([[1, 2]], 2, seed=-1)


# --- Pairs -------------------------------------------------------------------------------------


def test_pairs_are_framed_for_teacher_forcing():
    batches = pair_batches(**PAIRS, batch_size=4)
    ids, floats = tf.TensorSpec((None, None), tf.int32), tf.TensorSpec((None, None), tf.float32)
    assert batches.element_spec == ({"source": ids, "target": ids}, ids, floats)
    assert batches.cardinality() == 6
    seen = []
    for inputs, labels, weights in numpy(batches):
        for source, target, label, weight in zip(
            inputs["source"], inputs["target"], labels, weights, strict=True
        ):
            steps = int(weight.sum())
            assert (weight[:steps] == 1).all() and not target[steps:].any()
            assert not label[steps:].any()
            assert target[0] == 1 and label[steps - 1] == 2
            assert (target[1:steps] == label[: steps - 1]).all()
            seen.append((source[source > 0].tolist(), label[: steps - 1].tolist()))
    assert sorted(seen) == sorted(zip(PAIRS["sources"], PAIRS["targets"], strict=True))


def test_pairs_are_cut_without_an_end():
    (inputs, labels, weights), = numpy(
        pair_batches([[5, 6, 7]], [[8, 9, 10]], 1, start_id=1, end_id=2, max_length=2)
    )  # fmt: skip
    assert inputs["source"].tolist() == [[5, 6]] and inputs["target"].tolist() == [[1, 8]]
    assert labels.tolist() == [[8, 9]] and weights.tolist() == [[1, 1]]


# --- Order -------------------------------------------------------------------------------------

SHUFFLED = {
    "windows": lambda **options: window_batches(np.arange(60), 4, 5, **options),
    "documents": lambda **options: document_batches(DOCUMENTS, 4, **options),
    "pairs": lambda **options: pair_batches(**PAIRS, batch_size=4, **options),
}


@pytest.mark.parametrize("name", SHUFFLED)
def test_epochs_differ_and_repeat_with_the_seed(name):
    make = SHUFFLED[name]
    one, other, third = make(seed=1), make(seed=1), make(seed=2)
    first, second = numpy(one), numpy(one)
    assert not equal(first, second)
    assert equal(first, numpy(other)) and equal(second, numpy(other))
    assert not equal(first, numpy(third))
    unshuffled = make(shuffle=False)
    assert equal(numpy(unshuffled), numpy(unshuffled))
    later = make(seed=1, initial_epoch=1)
    assert equal(second, numpy(later)) and equal(numpy(one), numpy(later))
    with pytest.raises(InputError, match="`initial_epoch` must be a whole number"):
        make(initial_epoch=-1)


def test_fit_sees_one_epoch_after_the_other():
    """Keras makes more iterators than it uses; none of them may use up an epoch."""
    import keras

    seen = []

    class Spy(keras.layers.Layer):
        def call(self, tokens):
            tf.py_function(lambda t: seen.append(t.numpy()), [tokens], [])
            return keras.ops.cast(tokens, "float32")

    if keras.backend.backend() != "tensorflow":
        pytest.skip("looks into TensorFlow's training step")
    model = keras.Sequential([keras.Input((5,), dtype="int32"), Spy()])
    model.compile(loss="mse")
    model.fit(window_batches(np.arange(60), 4, 5), epochs=3, verbose=0)
    again = window_batches(np.arange(60), 4, 5)
    expected = [tokens for _ in range(3) for tokens, _ in numpy(again)]
    assert equal(seen, expected)


def test_no_pipeline_is_tuned():
    # The tuner of tf.data can let the end of an epoch wait for seconds (`in_background`).
    for dataset in (
        stream_batches(np.arange(100), 2, 3),
        stream_batches(DOCUMENTS, 2, 3),
        window_batches(np.arange(100), 2, 3),
        document_batches(DOCUMENTS, 2),
        pair_batches([[5]], [[6]], 1, start_id=1, end_id=2),
    ):
        assert dataset.options().autotune.enabled is False
        assert dataset.map(lambda *parts: parts).options().autotune.enabled is False
