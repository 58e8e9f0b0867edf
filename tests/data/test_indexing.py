"""The index arithmetic against brute force; none of this needs TensorFlow."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnzoo.data import indexing, sequences
from rnnzoo.errors import InputError

documents_strategy = st.lists(st.integers(2, 20), min_size=1, max_size=12).map(
    lambda lengths: [100 * d + np.arange(length) for d, length in enumerate(lengths)]
)


# --- What comes in -----------------------------------------------------------------------------


def test_flat_ids_takes_arrays_lists_and_ranges():
    for ids in (range(5), [0, 1, 2, 3, 4], np.arange(5), np.arange(5, dtype=np.uint16)):
        result = sequences.flat_ids(ids)
        assert result.dtype == np.int32
        assert result.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    "ids, words",
    [
        ("some text", "not a string: encode"),
        ([[1, 2], [3, 4]], "document_batches"),
        ([], "there are none"),
        (np.ones((2, 3), int), r"shape \(2, 3\)"),
        ([0.5, 1.0], "float64"),
        ([True, False], "bool"),
        (["a", "b"], "vocabulary.encode"),
        ([1, [2, 3]], "type object"),
        ([3, -1, 5], "from -1 to 5"),
        ([1, 2**31], "2147483648"),
    ],
)
def test_flat_ids_refuses(ids, words):
    with pytest.raises(InputError, match=words):
        sequences.flat_ids(ids)


@pytest.mark.parametrize(
    "documents, words",
    [
        ([], "no document"),
        ([[1, 2], [3]], "Document 1 has length 1"),
        ([[1, 2], []], "Document 1 has length 0"),
        ([[1, 2], [0.5, 1.0]], "Document 1 must be .* float64"),
        ([[1, 2], "ab"], "Document 1 must be"),
        ([[1, 2], [[3, 4]]], r"Document 1 must be .* \(1, 2\)"),
        ([[1, 2], [3, [4, 5]]], "Document 1 must be .* object"),
        ([[1, 2], [-3, 4]], "from -3 to 4"),
    ],
)
def test_lay_out_refuses(documents, words):
    with pytest.raises(InputError, match=words):
        sequences.lay_out(documents, "document", minimum=2)


def test_lay_out():
    chunks = sequences.lay_out([[1, 2, 3], np.array([4, 5])], "document", minimum=2)
    assert chunks.ids.tolist() == [1, 2, 3, 4, 5] and chunks.ids.dtype == np.int32
    assert chunks.starts.tolist() == [0, 3] and chunks.counts.tolist() == [3, 2]


def test_is_documents_knows_keras_lists():
    keras_lists = np.empty(2, object)
    keras_lists[:] = [[1, 2], [3, 4, 5]]
    assert sequences.is_documents(keras_lists)
    assert sequences.is_documents([[1, 2], [3, 4]])
    assert not sequences.is_documents([1, 2]) and not sequences.is_documents(np.arange(3))


def test_split_is_nano_gpt_s():
    train, valid = sequences.split(np.arange(1_115_394), 0.1)
    assert len(train) == int(1_115_394 * 0.9) == 1_003_854
    assert valid[0] == 1_003_854 and valid[-1] == 1_115_393
    assert len(sequences.split(range(100), 0.9)[0]) == 10  # though 100 * (1 - 0.9) is below 10


@pytest.mark.parametrize("share", [0, 1, -0.1, 1.5, "0.1", True])
def test_split_refuses(share):
    with pytest.raises(InputError, match="above 0 and below 1"):
        sequences.split(np.arange(10), share)


# --- Streams -----------------------------------------------------------------------------------


@given(st.integers(1, 6), st.integers(1, 7), st.integers(0, 40))
def test_stream_targets_are_each_id_once(batch_size, sequence_length, extra):
    num_ids = batch_size * sequence_length + 1 + extra
    length = indexing.row_length(num_ids, batch_size=batch_size, sequence_length=sequence_length)
    batches = [
        indexing.text_rows(k, length=length, batch_size=batch_size, sequence_length=sequence_length)
        for k in range(-(-length // sequence_length))
    ]
    for row in range(batch_size):
        read = [np.arange(count[row]) + start[row] for start, count, _ in batches]
        assert (np.concatenate(read) == row * length + np.arange(length)).all()
    assert [reset.tolist() for _, _, reset in batches] == [
        [int(k == 0)] * batch_size for k in range(len(batches))
    ]
    assert 0 <= num_ids - 1 - batch_size * length < batch_size
    assert all((counts == sequence_length).all() for _, counts, _ in batches[:-1])


def test_row_length_names_the_largest_that_fits():
    with pytest.raises(
        InputError, match="sequence_length of at most 9 or a batch_size of at most 4"
    ):
        indexing.row_length(100, batch_size=10, sequence_length=20)
    assert (
        indexing.row_length(100, batch_size=10, sequence_length=9) == 9
        and indexing.row_length(100, batch_size=4, sequence_length=20) == 24
    )
    with pytest.raises(InputError, match="use a batch_size of at most 1"):
        indexing.row_length(5, batch_size=8, sequence_length=4)
    with pytest.raises(InputError, match="batch_size=1 with a sequence_length of at most 2"):
        indexing.row_length(3, batch_size=8, sequence_length=4)
    with pytest.raises(InputError, match="the text has 1: use a longer text"):
        indexing.row_length(1, batch_size=1, sequence_length=1)
    for sizes in ((0, 4), (4, -1), (2.5, 4)):
        with pytest.raises(InputError, match="at least 1"):
            indexing.row_length(100, batch_size=sizes[0], sequence_length=sizes[1])


@given(documents_strategy, st.integers(1, 7) | st.none())
def test_cut_has_each_target_once(documents, max_length):
    chunks, document = indexing.cut(sequences.lay_out(documents, "document", 2), max_length)
    expected = [
        (d, doc[at : at + size + 1].tolist())
        for d, doc in enumerate(documents)
        for size in [max_length or len(doc)]
        for at in range(0, len(doc) - 1, size)
    ]
    got = [
        (d, chunks.ids[start : start + count + 1].tolist())
        for d, start, count in zip(document, chunks.starts, chunks.counts, strict=True)
    ]
    assert got == expected


@given(documents_strategy, st.integers(1, 4), st.integers(1, 7))
def test_document_rows_walk_through_whole_documents(documents, batch_size, sequence_length):
    laid = sequences.lay_out(documents, "document", 2)
    if batch_size > len(documents):
        with pytest.raises(InputError, match=f"batch_size that fits is {len(documents)}"):
            indexing.document_rows(laid, batch_size=batch_size, sequence_length=sequence_length)
        return
    rows = indexing.document_rows(laid, batch_size=batch_size, sequence_length=sequence_length)
    assert rows.starts.shape[1] == batch_size and rows.reset.dtype == np.int32
    assert (rows.reset[0] == 1).all()
    seen = []
    for row in range(batch_size):
        used = rows.counts[:, row] > 0
        assert (np.diff(used.astype(int)) <= 0).all()  # padding only after the last document
        assert not rows.reset[~used, row].any()
        read = []
        for start, count, reset in zip(
            rows.starts[used, row], rows.counts[used, row], rows.reset[used, row], strict=True
        ):
            assert count <= sequence_length
            if reset:
                read.append(laid.ids[start : start + 1].tolist())
            assert read[-1][-1] == laid.ids[start]  # goes on where it ended
            read[-1] += laid.ids[start + 1 : start + count + 1].tolist()
        seen += read
        assert [document[0] for document in read] == sorted(document[0] for document in read)
    assert sorted(seen) == [document.tolist() for document in documents]


def test_document_rows_are_balanced():
    lengths = np.random.default_rng(0).integers(10, 500, 400)
    laid = sequences.lay_out([np.zeros(n, int) for n in lengths], "document", 2)
    rows = indexing.document_rows(laid, batch_size=8, sequence_length=16)
    batches_of_row = (rows.counts > 0).sum(axis=0)
    assert batches_of_row.max() - batches_of_row.min() <= 1


# --- Reading -----------------------------------------------------------------------------------


def test_take_reads_a_memmap_and_its_slices(tmp_path):
    np.arange(5000, dtype=np.uint16).tofile(tmp_path / "ids.bin")
    for mode in ("r", "r+", "c"):
        ids = np.memmap(tmp_path / "ids.bin", np.uint16, mode)
        positions = np.array([[0, 4999], [17, 3]])
        for _ in range(2):  # also after its pages were handed back
            got = indexing.take(ids, positions)
            assert type(got) is np.ndarray and got.dtype == np.int32
            assert got.tolist() == positions.tolist()
        assert indexing.take(ids[100:], np.array([1])).tolist() == [101]


def test_take_keeps_the_changes_of_a_copy_on_write_memmap(tmp_path):
    np.zeros(10, np.int32).tofile(tmp_path / "ids.bin")
    ids = np.memmap(tmp_path / "ids.bin", np.int32, "c")
    ids[3] = 7
    for _ in range(2):
        assert indexing.take(ids, np.array([3])).tolist() == [7]


# --- Shuffled batches --------------------------------------------------------------------------


@given(st.integers(2, 60), st.integers(1, 12), st.integers(1, 9))
def test_window_count_equals_brute_force(num_ids, length, stride):
    starts = [s for s in range(0, num_ids, stride) if s + length + 1 <= num_ids]
    if not starts:
        with pytest.raises(InputError, match=f"largest that fits is {num_ids - 1}"):
            indexing.window_count(num_ids, length=length, stride=stride, batch_size=1)
        return
    assert indexing.window_count(
        num_ids, length=length, stride=stride, batch_size=len(starts)
    ) == len(starts)
    with pytest.raises(InputError, match=f"largest that fits is {len(starts)}"):
        indexing.window_count(num_ids, length=length, stride=stride, batch_size=len(starts) + 1)


@settings(max_examples=50)
@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=60),
    st.integers(1, 9),
    st.integers(0, 3) | st.none(),
)
def test_epoch_order_is_a_permutation_sorted_within_batches(lengths, batch_size, epoch):
    keys = tuple(np.array(lengths).T)
    order = indexing.epoch_order(keys, batch_size=batch_size, seed=5, epoch=epoch)
    assert sorted(order) == list(range(len(lengths)))
    assert (order == indexing.epoch_order(keys, batch_size=batch_size, seed=5, epoch=epoch)).all()
    for at in range(0, len(order), batch_size):
        batch = [lengths[i] for i in order[at : at + batch_size]]
        assert batch == sorted(batch)  # by the first key, then the second
    if epoch is None:
        assert [lengths[i] for i in order] == sorted(lengths)


def test_epochs_and_seeds_have_their_own_order():
    keys = (np.arange(1000),)
    orders = [
        indexing.epoch_order(keys, batch_size=10, seed=seed, epoch=epoch)
        for seed in range(2)
        for epoch in (0, 1, 2)
    ]
    assert len({order.tobytes() for order in orders}) == 6


def test_batches_have_little_padding():
    lengths = np.random.default_rng(0).geometric(1 / 200, 20_000)
    order = indexing.epoch_order((lengths,), batch_size=32, seed=0, epoch=0)
    used = lengths.sum() / (32 * lengths[order].reshape(-1, 32).max(axis=1).sum())
    used_in_any_order = lengths.sum() / (32 * lengths.reshape(-1, 32).max(axis=1).sum())
    assert used > 0.9 and used_in_any_order < 0.3


def test_pair_pieces_frame_and_cut_targets():
    source, target = sequences.pair_chunks(
        [[5, 6, 7], [8]], [[10, 11], [12, 13, 14]], start_id=1, end_id=2, max_length=None
    )
    assert target.ids.tolist() == [1, 10, 11, 2, 1, 12, 13, 14, 2]
    assert target.starts.tolist() == [0, 4] and target.counts.tolist() == [3, 4]
    assert source.counts.tolist() == [3, 1]
    source, target = sequences.pair_chunks(
        [[5, 6, 7], [8]], [[10, 11], [12, 13, 14]], start_id=1, end_id=2, max_length=2
    )
    assert source.counts.tolist() == [2, 1] and target.counts.tolist() == [2, 2]


@pytest.mark.parametrize(
    "change, words",
    [
        ({"targets": [[1]]}, "2 sources but 1 targets"),
        ({"sources": [[1], []]}, "Source 1 has length 0"),
        ({"targets": [[], [1]]}, "Target 0 has length 0"),
        ({"start_id": None}, "`start_id` must be"),
        ({"end_id": -1}, "`end_id` must be"),
        ({"max_length": 0}, "`max_length` must be"),
        ({"sources": [], "targets": []}, "no source"),
        ({"sources": ["a", "b"]}, "Source 0 must be"),
    ],
)
def test_pair_pieces_refuses(change, words):
    arguments = {"sources": [[1], [2]], "targets": [[3], [4]], "start_id": 1, "end_id": 2}
    with pytest.raises(InputError, match=words):
        sequences.pair_chunks(**{**arguments, "max_length": None, **change})
