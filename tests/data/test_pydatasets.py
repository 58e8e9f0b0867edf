"""The PyDataset twins: the same batches as tf.data, on any backend, without TensorFlow."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnzoo.data import PairDataset, StreamDataset
from rnnzoo.errors import InputError

DOCUMENTS = [100 * d + np.arange(2 + 7 * d % 11) for d in range(1, 20)]
PAIRS = dict(
    sources=[[5 + i] * (1 + i % 5) for i in range(23)],
    targets=[[50 + i] * (1 + i % 3) for i in range(23)],
    batch_size=4,
    start_id=1,
    end_id=2,
)


def assert_same(got, expected):
    got, expected = list(got), list(expected)
    assert len(got) == len(expected)
    for one, other in zip(got, expected, strict=True):
        keras.tree.assert_same_structure(one, other)
        for a, b in zip(keras.tree.flatten(one), keras.tree.flatten(other), strict=True):
            assert a.dtype == b.dtype
            assert np.array_equal(a, b)


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 5), st.integers(1, 6), st.integers(0, 30))
def test_text_stream_equals_tf_data(batch_size, sequence_length, extra):
    pytest.importorskip("tensorflow")
    from rnnzoo.data import stream_batches

    ids = np.random.default_rng(0).integers(0, 99, batch_size * sequence_length + 1 + extra)
    twin = StreamDataset(ids, batch_size, sequence_length)
    assert_same(twin, stream_batches(ids, batch_size, sequence_length).as_numpy_iterator())


def test_document_stream_equals_tf_data():
    pytest.importorskip("tensorflow")
    from rnnzoo.data import stream_batches

    for sizes in ((1, 3), (3, 4), (5, 20)):
        twin = StreamDataset(DOCUMENTS, *sizes)
        assert_same(twin, stream_batches(DOCUMENTS, *sizes).as_numpy_iterator())


@pytest.mark.parametrize("options", [{}, {"seed": 3, "max_length": 2}, {"shuffle": False}])
def test_pairs_equal_tf_data_in_each_epoch(options):
    pytest.importorskip("tensorflow")
    from rnnzoo.data import pair_batches

    twin, batches = PairDataset(**PAIRS, **options), pair_batches(**PAIRS, **options)
    for _ in range(3):
        assert_same(twin, batches.as_numpy_iterator())
        twin.on_epoch_end()


def test_pairs_are_reshuffled():
    twin = PairDataset(**PAIRS)
    first = np.concatenate([labels[:, 0] for _, labels, _ in twin])
    twin.on_epoch_end()
    second = np.concatenate([labels[:, 0] for _, labels, _ in twin])
    assert sorted(first) == sorted(second) == list(range(50, 73))
    assert first.tolist() != second.tolist()


def test_stream_of_a_memmap(tmp_path):
    np.arange(1000, dtype=np.uint16).tofile(tmp_path / "ids.bin")
    ids = np.memmap(tmp_path / "ids.bin", np.uint16, "r")
    assert_same(StreamDataset(ids[10:], 3, 7), StreamDataset(np.arange(10, 1000), 3, 7))


def test_stream_resets_in_its_first_batch_alone():
    twin = StreamDataset(range(12), 2, 3)
    assert twin.num_batches == 2
    assert [inputs["reset"].tolist() for inputs, _, _ in twin] == [[1, 1], [0, 0]]


def test_refusals():
    with pytest.raises(InputError, match="batch_size of at most 3"):
        StreamDataset(range(12), 6, 3)
    with pytest.raises(InputError, match="Source 0 has length 0"):
        PairDataset([[]], [[1]], 1, start_id=1, end_id=2)
    with pytest.raises(InputError, match="`batch_size` must be"):
        PairDataset([[1]], [[1]], 0, start_id=1, end_id=2)


def test_trains_on_jax_without_tensorflow():
    pytest.importorskip("jax")
    code = """
import sys, keras, numpy as np
from rnnzoo.data import PairDataset, StreamDataset
source = keras.Input((None,), dtype="int32", name="source")
target = keras.Input((None,), dtype="int32", name="target")
context = keras.layers.GlobalAveragePooling1D(keepdims=True)(keras.layers.Embedding(9, 4)(source))
logits = keras.layers.Dense(9)(keras.layers.Embedding(9, 4)(target) + context)
model = keras.Model({"source": source, "target": target}, logits)
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
model.compile(optimizer="adam", loss=loss)
pairs = PairDataset([[1, 2], [3], [4]], [[5], [6, 7], [8]], 2, start_id=1, end_id=2)
history = model.fit(pairs, epochs=2, verbose=0)
assert np.isfinite(history.history["loss"]).all()
list(StreamDataset(range(12), 2, 3))
assert "tensorflow" not in sys.modules
"""
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
