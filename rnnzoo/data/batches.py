"""tf.data pipelines: ids in, batches of int32 ids out, never one-hot.

Batches are made by TensorFlow operations from index arithmetic (`indexing.py`), in the background
(`in_background`). Python runs once an epoch, to draw the order of documents and pairs, and for a
text in an `np.memmap` once a batch, to read it from the file.

Every shuffled pipeline shuffles anew in each epoch: the e-th iteration over a data set of one seed
has always the same order. A training that is resumed in epoch e gives `initial_epoch=e`, and goes
on with the orders that it would have had.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from rnnzoo.data import indexing, sequences
from rnnzoo.data.tensor_indexing import constant, gather, padded, rows_of
from rnnzoo.errors import check_positive

if TYPE_CHECKING:
    import tensorflow as tf


def stream_batches(
    ids, batch_size: int, sequence_length: int, *, validation_split: float | None = None
) -> tf.data.Dataset | tuple[tf.data.Dataset, tf.data.Dataset]:
    """Batches a text as contiguous streams, for truncated back-propagation through time.

    The text is cut into `batch_size` rows of equal length, and batch k goes on in each row where
    batch k - 1 ended, so that a model can carry its state from batch to batch. Each id but the
    very first is a target exactly once in an epoch; only the last `(n - 1) % batch_size` of n ids
    are left over. The last batch is padded when the rows are no multiple of `sequence_length`:
    every batch has the same shape, for which a training step is compiled once.

    Of a list of documents, each row reads its own share, one document after the other. A document
    starts in a new batch, with `reset` 1, and its last chunk is padded; a row that has run out of
    documents before the others is all padding. The documents are shared out so that the rows need
    about the same number of batches.

    The batches must be used in order: the pipeline does not shuffle, and a model that carries
    state refuses a pipeline that was shuffled afterwards.

    Args:
        ids: One flat text of ids (1-D whole numbers >= 0: an array, a list, or an `np.memmap`,
            which is read batch by batch and never held in memory), or a list of documents, each of
            at least 2 ids (the lists of `keras.datasets.imdb` are such).
        batch_size: The rows, B.
        sequence_length: The ids of a row in one batch, T.
        validation_split: The share of the text's end (or of the last documents) that becomes a
            validation stream: the text is split at `int(n * (1 - validation_split))`.

    Returns:
        A data set whose elements are `({"tokens": (B, T) int32, "reset": (B,) int32}, targets
        (B, T) int32, weights (B, T) float32)`. `reset` is 1 where a row starts anew: everywhere in
        the first batch of a text, 0 after. Padding is 0 and has weight 0. With `validation_split`
        the pair (training, validation).

    Raises:
        InputError: If a size is not positive, the text has no full batch of that size, there are
            fewer documents than rows, or the ids are not whole numbers >= 0.

    Example:
        >>> batches = stream_batches(range(12), batch_size=2, sequence_length=3)
        >>> for inputs, targets, weights in batches:
        ...     print(inputs["tokens"].numpy().tolist(), targets.numpy().tolist())
        [[0, 1, 2], [5, 6, 7]] [[1, 2, 3], [6, 7, 8]]
        [[3, 4, 0], [8, 9, 0]] [[4, 5, 0], [9, 10, 0]]
    """
    if validation_split is None:
        return _stream(ids, batch_size=batch_size, sequence_length=sequence_length, what="the text")
    ids = ids if sequences.is_documents(ids) else sequences.flat_ids(ids)
    train, valid = sequences.split(ids, validation_split)
    return (
        _stream(
            train, batch_size=batch_size, sequence_length=sequence_length, what="the training part"
        ),
        _stream(
            valid,
            batch_size=batch_size,
            sequence_length=sequence_length,
            what="the validation part",
        ),
    )


def _stream(ids, *, batch_size, sequence_length, what):
    import tensorflow as tf

    if sequences.is_documents(ids):
        chunks = sequences.lay_out(ids, "document", minimum=2)
        ids = chunks.ids
        rows = tf.data.Dataset.from_tensor_slices(
            tuple(
                indexing.document_rows(
                    chunks, batch_size=batch_size, sequence_length=sequence_length, what=what
                )
            )
        )
    else:
        ids = sequences.flat_ids(ids)
        rows = _text_rows(
            len(ids), batch_size=batch_size, sequence_length=sequence_length, what=what
        )
    take = gather(ids)

    def batch(starts, counts, reset):
        tokens, weights = padded(take, starts, counts, width=sequence_length)
        targets, _ = padded(take, starts + 1, counts, width=sequence_length)
        return {"tokens": tokens, "reset": reset}, targets, weights

    return in_background(rows.map(batch))


def _text_rows(num_ids, *, batch_size, sequence_length, what):
    """The twin of `indexing.text_rows` for every batch, which takes no memory."""
    import tensorflow as tf

    length = indexing.row_length(
        num_ids, batch_size=batch_size, sequence_length=sequence_length, what=what
    )

    def rows(batch):
        first = batch * sequence_length
        starts = tf.range(batch_size, dtype=tf.int64) * length + first
        counts = tf.fill([batch_size], tf.minimum(length - first, sequence_length))
        return starts, counts, tf.fill([batch_size], tf.cast(batch == 0, tf.int32))

    return tf.data.Dataset.range(-(-length // sequence_length)).map(rows)


def window_batches(
    ids,
    batch_size: int,
    length: int,
    *,
    stride: int = 1,
    many_to_one: bool = False,
    shuffle: bool = True,
    seed: int = 0,
    initial_epoch: int = 0,
) -> tf.data.Dataset:
    """Batches the windows of a text: `length` ids, and the ids that follow them.

    Args:
        ids: One flat text of ids, as for `stream_batches`.
        batch_size: The windows of a batch, B; the last batch may have fewer.
        length: The ids of a window, T.
        stride: From one window's start to the next.
        many_to_one: The target is only the id after the window, not one for each step. A
            `LanguageModel` then trains on its last step alone.
        shuffle: In a new order each epoch; otherwise in the order of the text. The order is
            computed window by window, so that it takes no memory.
        seed: A whole number >= 0.
        initial_epoch: The epoch that the first iteration is, as for `fit`.

    Returns:
        A data set whose elements are `(tokens (B, T) int32, targets)`, targets being (B, T) int32,
        or (B,) int32 with `many_to_one`.

    Raises:
        InputError: If a size is not positive or larger than the text allows, or the ids are not
            whole numbers >= 0.

    Example:
        >>> windows = window_batches(range(6), 2, length=3, many_to_one=True, shuffle=False)
        >>> for tokens, targets in windows:
        ...     print(tokens.numpy().tolist(), targets.numpy().tolist())
        [[0, 1, 2], [1, 2, 3]] [3, 4]
        [[2, 3, 4]] [5]
    """
    ids = sequences.flat_ids(ids)
    count = indexing.window_count(len(ids), length=length, stride=stride, batch_size=batch_size)
    sequences.check_whole(seed=seed, initial_epoch=initial_epoch)
    import tensorflow as tf

    take = gather(ids)
    steps = np.arange(length + 1)

    def epoch_batches(epoch):
        def batch(number):
            windows = tf.range(number, tf.minimum(number + batch_size, count))
            if shuffle:
                windows = tf.random.experimental.index_shuffle(windows, [seed, epoch], count - 1)
            chunk = take(windows[:, None] * stride + steps)  # (B, T + 1)
            return chunk[:, :-1], chunk[:, -1] if many_to_one else chunk[:, 1:]

        return tf.data.Dataset.range(0, count, batch_size).map(batch)

    epochs = each_epoch(lambda epoch: epoch, tf.TensorSpec((), tf.int64), initial_epoch)
    return _finish(epochs.flat_map(epoch_batches), count, batch_size)


def document_batches(
    documents,
    batch_size: int,
    *,
    max_length: int | None = None,
    shuffle: bool = True,
    seed: int = 0,
    initial_epoch: int = 0,
) -> tf.data.Dataset:
    """Batches padded documents of similar length.

    Nothing is left out. A document of more than `max_length` targets is cut into consecutive
    chunks of at most that many, of which each starts with the last target of the one before, so
    that each id but a document's first is a target exactly once in an epoch.

    Args:
        documents: Lists or arrays of ids, each of at least 2.
        batch_size: The documents (or chunks) of a batch, B; the last batch may have fewer.
        max_length: The most steps T of a batch.
        shuffle: New batches in a new order each epoch; otherwise always the same batches. Either
            way a batch holds documents of similar length, not neighbours in the list.
        seed: A whole number >= 0.
        initial_epoch: The epoch that the first iteration is, as for `fit`.

    Returns:
        A data set whose elements are `(tokens (B, T) int32, targets (B, T) int32, weights (B, T)
        float32)`, T being the longest of the batch. Padding is 0 and has weight 0.

    Raises:
        InputError: If a size is not positive, there is no document, or one has fewer than 2 ids or
            not whole numbers >= 0.

    Example:
        >>> batch, = document_batches([[5, 6, 7, 8], [5, 9]], 2, shuffle=False)
        >>> [part.numpy().tolist() for part in batch]
        [[[5, 0, 0], [5, 6, 7]], [[9, 0, 0], [6, 7, 8]], [[1.0, 0.0, 0.0], [1.0, 1.0, 1.0]]]
    """
    check_positive(batch_size=batch_size, max_length=max_length)
    sequences.check_whole(seed=seed, initial_epoch=initial_epoch)
    chunks, _ = indexing.cut(sequences.lay_out(documents, "document", minimum=2), max_length)
    take, starts, counts = gather(chunks.ids), constant(chunks.starts), constant(chunks.counts)

    def batch(rows):
        (start, count), (tokens, weights) = rows_of(take, (starts, counts), rows)
        targets, _ = padded(take, start + 1, count)
        return tokens, targets, weights

    return _bucketed(
        batch,
        (chunks.counts,),
        batch_size=batch_size,
        shuffle=shuffle,
        seed=seed,
        initial_epoch=initial_epoch,
    )


def pair_batches(
    sources,
    targets,
    batch_size: int,
    *,
    start_id: int,
    end_id: int,
    max_length: int | None = None,
    shuffle: bool = True,
    seed: int = 0,
    initial_epoch: int = 0,
) -> tf.data.Dataset:
    """Batches pairs of similar length for teacher forcing.

    A target y becomes the decoder's input `start y` and the labels `y end`. A source is used as it
    is given: put start and end ids in it where the model wants them.

    Args:
        sources: Lists or arrays of ids, each of at least 1.
        targets: As many, each of at least 1 id, without start and end.
        batch_size: The pairs of a batch, B; the last batch may have fewer.
        start_id: The id that starts the decoder's input.
        end_id: The id that ends the labels.
        max_length: Cuts off what a source has beyond so many ids, and a target beyond so many
            steps (a target that is cut has no end label). `None`: nothing is cut.
        shuffle: New batches in a new order each epoch; otherwise always the same batches. Either
            way a batch holds pairs of similar target length, and among those of similar source
            length, not neighbours in the list.
        seed: A whole number >= 0.
        initial_epoch: The epoch that the first iteration is, as for `fit`.

    Returns:
        A data set whose elements are `({"source": (B, S) int32, "target": (B, T) int32}, labels
        (B, T) int32, weights (B, T) float32)`, padded on the right with 0, weight 0.

    Raises:
        InputError: If there are not as many sources as targets, one is empty or not of whole
            numbers >= 0, or a size is not positive.

    Example:
        >>> batch, = pair_batches([[5, 6], [7]], [[8], [9, 9]], 2, start_id=1, end_id=2,
        ...                       shuffle=False)
        >>> inputs, labels, weights = batch
        >>> inputs["source"].numpy().tolist(), inputs["target"].numpy().tolist()
        ([[5, 6], [7, 0]], [[1, 8, 0], [1, 9, 9]])
        >>> labels.numpy().tolist(), weights.numpy().tolist()
        ([[8, 2, 0], [9, 9, 2]], [[1.0, 1.0, 0.0], [1.0, 1.0, 1.0]])
    """
    check_positive(batch_size=batch_size)
    sequences.check_whole(seed=seed, initial_epoch=initial_epoch)
    source, target = sequences.pair_chunks(
        sources, targets, start_id=start_id, end_id=end_id, max_length=max_length
    )
    take_source, take_target = gather(source.ids), gather(target.ids)
    source_at = constant(source.starts), constant(source.counts)
    target_at = constant(target.starts), constant(target.counts)

    def batch(rows):
        _, (source_ids, _) = rows_of(take_source, source_at, rows)
        (start, count), (target_ids, weights) = rows_of(take_target, target_at, rows)
        labels, _ = padded(take_target, start + 1, count)
        return {"source": source_ids, "target": target_ids}, labels, weights

    return _bucketed(
        batch,
        (target.counts, source.counts),
        batch_size=batch_size,
        shuffle=shuffle,
        seed=seed,
        initial_epoch=initial_epoch,
    )


def labelled_batches(
    documents,
    labels,
    batch_size: int,
    *,
    max_length: int | None = None,
    shuffle: bool = True,
    seed: int = 0,
    initial_epoch: int = 0,
) -> tf.data.Dataset:
    """Batches documents of similar length, with a label for each.

    Args:
        documents: Lists or arrays of ids, each of at least 1.
        labels: As many whole numbers >= 0, one a document.
        batch_size: The documents of a batch, B; the last batch may have fewer.
        max_length: Cuts off what a document has before its last so many ids: where it ends, a
            review says what it comes to. `None`: nothing is cut.
        shuffle: New batches in a new order each epoch; otherwise always the same batches.
        seed: A whole number >= 0.
        initial_epoch: The epoch that the first iteration is, as for `fit`.

    Returns:
        A data set whose elements are `(tokens (B, T) int32, labels (B,) int32)`, padded on the
        right with 0.

    Raises:
        InputError: If there are not as many documents as labels, one is empty or not of whole
            numbers >= 0, or a size is not positive.

    Example:
        >>> batch, = labelled_batches([[5, 6, 7], [8]], [1, 0], 2, max_length=2, shuffle=False)
        >>> [part.numpy().tolist() for part in batch]
        [[[8, 0], [6, 7]], [0, 1]]
    """
    check_positive(batch_size=batch_size)
    sequences.check_whole(seed=seed, initial_epoch=initial_epoch)
    chunks, labels = sequences.labelled_chunks(documents, labels, max_length=max_length)
    take, at = gather(chunks.ids), (constant(chunks.starts), constant(chunks.counts))
    take_labels = gather(labels)

    def batch(rows):
        _, (tokens, _) = rows_of(take, at, rows)
        return tokens, take_labels(rows)

    return _bucketed(
        batch,
        (chunks.counts,),
        batch_size=batch_size,
        shuffle=shuffle,
        seed=seed,
        initial_epoch=initial_epoch,
    )


# --- Parts -------------------------------------------------------------------------------------


def each_epoch(make, spec, initial_epoch):
    """A data set of one element, which Python makes anew at the start of every epoch."""
    import tensorflow as tf

    epochs = itertools.count(initial_epoch)
    return tf.data.Dataset.from_generator(lambda: iter([make(next(epochs))]), output_signature=spec)


def _bucketed(batch, keys, *, batch_size, shuffle, seed, initial_epoch):
    """Maps `batch` over the numbers of the sequences of each batch, by length."""
    import tensorflow as tf

    number = len(keys[0])

    def order(epoch):
        return indexing.epoch_order(
            keys, batch_size=batch_size, seed=seed, epoch=epoch if shuffle else None
        )

    def epoch_batches(rows):
        starts = tf.data.Dataset.range(0, number, batch_size)
        return starts.map(lambda at: batch(rows[at : at + batch_size]))

    epochs = each_epoch(order, tf.TensorSpec((number,), tf.int64), initial_epoch)
    return _finish(epochs.flat_map(epoch_batches), number, batch_size)


def _finish(batches, number, batch_size):
    import tensorflow as tf

    known = tf.data.experimental.assert_cardinality(-(-number // batch_size))
    return in_background(batches.apply(known))


def skip_batches(batches: tf.data.Dataset, count: int) -> tf.data.Dataset:
    """Leaves out the first batches of an epoch, which a training has seen already.

    Args:
        batches: A data set, whose next iteration is the epoch to go on with.
        count: How many batches.

    Returns:
        A data set for one iteration. It counts as one of `batches`, whose next is the next epoch.
    """
    return in_background(batches.skip(count))


def in_background(batches: tf.data.Dataset) -> tf.data.Dataset:
    """Makes batches in the background, two ahead of the model.

    Nothing here is left for tf.data to tune, and its tuning costs: with TensorFlow 2.21 the end of
    an iterator waited, 3.8 s after 32 batches of 0.2 s and 9.6 s after 30 of 0.36 s, and with the
    tuner off it did not. The waits fit a nap of the tuner that doubles each time and that nothing
    wakes it from; that cause is inferred, not traced.

    Args:
        batches: A data set.

    Returns:
        The same data set, made ahead.
    """
    import tensorflow as tf

    options = tf.data.Options()
    options.autotune.enabled = False
    return batches.prefetch(2).with_options(options)
