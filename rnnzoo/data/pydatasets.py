"""Batches without TensorFlow: the `keras.utils.PyDataset` twins of `batches.py`."""

import keras

from rnnzoo.data import indexing, sequences
from rnnzoo.errors import check_positive


class StreamDataset(keras.utils.PyDataset):
    """The batches of `stream_batches` (see there), on any Keras backend.

    `fit` shuffles the batches of a `PyDataset` unless told otherwise, and a model that carries
    state refuses that: call `fit(dataset, shuffle=False)`.

    Args:
        ids: One flat text of ids (an array, a list or an `np.memmap`), or a list of documents.
            For a validation part see `rnnzoo.data.sequences.split`.
        batch_size: The rows, B.
        sequence_length: The ids of a row in one batch, T.
        **kwargs: `workers`, `use_multiprocessing` and `max_queue_size` of `keras.utils.PyDataset`.

    Raises:
        InputError: As `stream_batches`.

    Example:
        >>> inputs, targets, _ = StreamDataset(range(12), batch_size=2, sequence_length=3)[0]
        >>> inputs["tokens"].tolist(), inputs["reset"].tolist(), targets.tolist()
        ([[0, 1, 2], [5, 6, 7]], [1, 1], [[1, 2, 3], [6, 7, 8]])
    """

    def __init__(self, ids, batch_size: int, sequence_length: int, **kwargs):
        super().__init__(**kwargs)
        self.batch_size, self.sequence_length = batch_size, sequence_length
        self._rows = None
        if sequences.is_documents(ids):
            chunks = sequences.lay_out(ids, "document", minimum=2)
            self._ids = chunks.ids
            self._rows = indexing.document_rows(
                chunks, batch_size=batch_size, sequence_length=sequence_length
            )
        else:
            self._ids = sequences.flat_ids(ids)
            self._length = indexing.row_length(
                len(self._ids), batch_size=batch_size, sequence_length=sequence_length
            )

    @property
    def num_batches(self) -> int:
        """The number of batches in an epoch."""
        if self._rows is not None:
            return len(self._rows.starts)
        return -(-self._length // self.sequence_length)

    def __getitem__(self, index: int) -> tuple:
        """Makes batch number `index`, the element of `stream_batches` in NumPy arrays."""
        if self._rows is not None:
            starts, counts, reset = (table[index] for table in self._rows)
        else:
            starts, counts, reset = indexing.text_rows(
                index,
                length=self._length,
                batch_size=self.batch_size,
                sequence_length=self.sequence_length,
            )
        tokens = indexing.take_padded(self._ids, starts, counts, width=self.sequence_length)
        targets = indexing.take_padded(self._ids, starts + 1, counts, width=self.sequence_length)
        weights = indexing.weights_of(counts, self.sequence_length)
        return {"tokens": tokens, "reset": reset}, targets, weights


class PairDataset(keras.utils.PyDataset):
    """The batches of `pair_batches` (see there), on any Keras backend.

    After each epoch it orders the pairs anew by itself; `fit` shuffles the batches on top of that,
    unless called with `shuffle=False`, which gives exactly the orders of `pair_batches`, from the
    second on: Keras calls `on_epoch_end` once before the first epoch, too.

    Args:
        sources: Lists or arrays of ids, each of at least 1.
        targets: As many, each of at least 1 id, without start and end.
        batch_size: The pairs of a batch, B; the last batch may have fewer.
        start_id: The id that starts the decoder's input.
        end_id: The id that ends the labels.
        max_length: The most ids of a source, and steps of a target.
        shuffle: New batches each epoch; otherwise always the same ones.
        seed: A whole number >= 0.
        **kwargs: `workers`, `use_multiprocessing` and `max_queue_size` of `keras.utils.PyDataset`.

    Raises:
        InputError: As `pair_batches`.

    Example:
        >>> pairs = PairDataset([[5, 6]], [[8]], 1, start_id=1, end_id=2)
        >>> inputs, labels, weights = pairs[0]
        >>> inputs["source"].tolist(), inputs["target"].tolist(), labels.tolist()
        ([[5, 6]], [[1, 8]], [[8, 2]])
    """

    def __init__(
        self,
        sources,
        targets,
        batch_size: int,
        *,
        start_id: int,
        end_id: int,
        max_length: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_positive(batch_size=batch_size)
        sequences.check_whole(seed=seed)
        self.batch_size, self.shuffle, self.seed = batch_size, shuffle, seed
        self._source, self._target = sequences.pair_chunks(
            sources, targets, start_id=start_id, end_id=end_id, max_length=max_length
        )
        self._epoch = -1
        self.on_epoch_end()

    @property
    def num_batches(self) -> int:
        """The number of batches in an epoch."""
        return -(-len(self._order) // self.batch_size)

    def on_epoch_end(self):
        """Orders the pairs for the next epoch."""
        self._epoch += 1
        self._order = indexing.epoch_order(
            (self._target.counts, self._source.counts),
            batch_size=self.batch_size,
            seed=self.seed,
            epoch=self._epoch if self.shuffle else None,
        )

    def __getitem__(self, index: int) -> tuple:
        """Makes batch number `index`, the element of `pair_batches` in NumPy arrays."""
        rows = self._order[index * self.batch_size : (index + 1) * self.batch_size]
        source = indexing.take_padded(
            self._source.ids, self._source.starts[rows], self._source.counts[rows]
        )
        starts, counts = self._target.starts[rows], self._target.counts[rows]
        target = indexing.take_padded(self._target.ids, starts, counts)
        labels = indexing.take_padded(self._target.ids, starts + 1, counts)
        return {"source": source, "target": target}, labels, indexing.weights_of(counts)


class LabelledDataset(keras.utils.PyDataset):
    """The batches of `labelled_batches` (see there), on any Keras backend.

    It orders the documents anew after each epoch, as `PairDataset` does.

    Args:
        documents: Lists or arrays of ids, each of at least 1.
        labels: As many whole numbers >= 0.
        batch_size: The documents of a batch, B; the last batch may have fewer.
        max_length: The most ids of a document, its last ones.
        shuffle: New batches each epoch; otherwise always the same ones.
        seed: A whole number >= 0.
        **kwargs: `workers`, `use_multiprocessing` and `max_queue_size` of `keras.utils.PyDataset`.

    Raises:
        InputError: As `labelled_batches`.

    Example:
        >>> tokens, labels = LabelledDataset([[5, 6], [7]], [1, 0], 2, shuffle=False)[0]
        >>> tokens.tolist(), labels.tolist()
        ([[7, 0], [5, 6]], [0, 1])
    """

    def __init__(
        self,
        documents,
        labels,
        batch_size: int,
        *,
        max_length: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_positive(batch_size=batch_size)
        sequences.check_whole(seed=seed)
        self.batch_size, self.shuffle, self.seed = batch_size, shuffle, seed
        self._chunks, self._labels = sequences.labelled_chunks(
            documents, labels, max_length=max_length
        )
        self._epoch = -1
        self.on_epoch_end()

    @property
    def num_batches(self) -> int:
        """The number of batches in an epoch."""
        return -(-len(self._order) // self.batch_size)

    def on_epoch_end(self):
        """Orders the documents for the next epoch."""
        self._epoch += 1
        self._order = indexing.epoch_order(
            (self._chunks.counts,),
            batch_size=self.batch_size,
            seed=self.seed,
            epoch=self._epoch if self.shuffle else None,
        )

    def __getitem__(self, index: int) -> tuple:
        """Makes batch number `index`, the element of `labelled_batches` in NumPy arrays."""
        rows = self._order[index * self.batch_size : (index + 1) * self.batch_size]
        starts, counts = self._chunks.starts[rows], self._chunks.counts[rows]
        tokens = indexing.take_padded(self._chunks.ids, starts, counts)
        return tokens, self._labels[rows]
