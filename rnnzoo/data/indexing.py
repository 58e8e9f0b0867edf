"""Which ids stand where in which batch: plain NumPy index arithmetic.

The tf.data pipelines (`batches.py`) and their `keras.utils.PyDataset` twins (`pydatasets.py`)
both stand on these functions, so that both give the same batches in the same order. All sequences
of a data set lie end to end in one flat array (`sequences.py`).
"""

import heapq
import mmap
from typing import NamedTuple

import numpy as np

from rnnzoo.data.sequences import Chunks
from rnnzoo.errors import InputError, check_positive

POOL_BATCHES = 100  # sequences are sorted by length within shuffled pools of this many batches


class DocumentRows(NamedTuple):
    """Which chunk each row of a stream of documents reads in each batch.

    Attributes:
        starts: (batches, rows) int64, where the chunk starts in the flat ids.
        counts: (batches, rows) int64, its targets; 0 where the row has run out of documents.
        reset: (batches, rows) int32, 1 where a document starts.
    """

    starts: np.ndarray
    counts: np.ndarray
    reset: np.ndarray


# --- Reading -----------------------------------------------------------------------------------


def take(ids: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Reads ids at positions.

    Args:
        ids: Flat ids; an `np.memmap` is read only where needed, and its pages are handed back to
            the system after reading, so that a text larger than memory stays out of it.
        positions: Whole numbers of any shape.

    Returns:
        int32 ids, of the shape of `positions`.
    """
    values = np.asarray(ids[positions], dtype=np.int32)
    if isinstance(ids, np.memmap) and ids.mode != "c" and hasattr(mmap, "MADV_DONTNEED"):
        owner = ids.base  # slices stand on other arrays before the mapped file itself
        while isinstance(owner, np.ndarray):
            owner = owner.base
        if isinstance(owner, mmap.mmap):
            owner.madvise(mmap.MADV_DONTNEED)
    return values


def take_padded(
    ids: np.ndarray, starts: np.ndarray, counts: np.ndarray, *, width: int | None = None
) -> np.ndarray:
    """Reads chunks of different lengths into one array, padded on the right with 0.

    Args:
        ids: Flat ids, (N,) int32.
        starts: (B,) where each chunk starts.
        counts: (B,) how many ids each has.
        width: T, at least the largest count, which it is when left out.

    Returns:
        (B, T) int32.

    Example:
        >>> take_padded(np.array([5, 6, 7, 8], "int32"), np.array([0, 3]), np.array([3, 1]))
        array([[5, 6, 7],
               [8, 0, 0]], dtype=int32)
    """
    steps = np.arange(width or counts.max())
    inside = steps < counts[:, None]  # (B, T)
    return np.where(inside, take(ids, np.where(inside, starts[:, None] + steps, 0)), 0)


def weights_of(counts: np.ndarray, width: int | None = None) -> np.ndarray:
    """Makes the weights that go with `take_padded`: 1 for an id, 0 for padding.

    Args:
        counts: (B,) how many ids each row has.
        width: T, as for `take_padded`.

    Returns:
        (B, T) float32.
    """
    return (np.arange(width or counts.max()) < counts[:, None]).astype(np.float32)


# --- Streams -----------------------------------------------------------------------------------


def row_length(
    num_ids: int, *, batch_size: int, sequence_length: int, what: str = "the text"
) -> int:
    """Says how many targets each row of a stream has.

    Row b reads the ids from `b * row_length` on; the last `(num_ids - 1) % batch_size` ids, fewer
    than there are rows, are left over.

    Args:
        num_ids: The ids of the text.
        batch_size: The rows.
        sequence_length: The targets of a row in one batch.
        what: The text's name in errors.

    Returns:
        The number of targets of each row, at least `sequence_length`.

    Raises:
        InputError: If the text is too short for one full batch.

    Example:
        >>> row_length(12, batch_size=2, sequence_length=3)
        5
    """
    check_positive(batch_size=batch_size, sequence_length=sequence_length)
    if num_ids - 1 < batch_size * sequence_length:
        fits = [
            f"a {name} of at most {(num_ids - 1) // other}"
            for name, other in (("sequence_length", batch_size), ("batch_size", sequence_length))
            if num_ids > other
        ]
        smallest = f"batch_size=1 with a sequence_length of at most {num_ids - 1}"
        raise InputError(
            f"`batch_size` {batch_size} and `sequence_length` {sequence_length} take at least "
            f"{batch_size * sequence_length + 1:,} ids, but {what} has {num_ids:,}: use "
            f"{' or '.join(fits) or (smallest if num_ids > 1 else 'a longer text')}."
        )
    return (num_ids - 1) // batch_size


def text_rows(
    batch: int, *, length: int, batch_size: int, sequence_length: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Says what each row of a text's stream reads in one batch.

    Args:
        batch: The number of the batch.
        length: `row_length(...)`.
        batch_size: The rows, B.
        sequence_length: The most targets of a row in one batch; the last batch may have fewer.

    Returns:
        One row of each table of `DocumentRows`: starts, counts and reset, (B,) each.

    Example:
        >>> [part.tolist() for part in text_rows(1, length=5, batch_size=2, sequence_length=3)]
        [[3, 8], [2, 2], [0, 0]]
    """
    first = batch * sequence_length
    starts = np.arange(batch_size) * length + first
    counts = np.full(batch_size, min(sequence_length, length - first))
    return starts, counts, np.full(batch_size, batch == 0, np.int32)


def cut(documents: Chunks, max_length: int | None) -> tuple[Chunks, np.ndarray]:
    """Cuts documents into consecutive chunks of at most `max_length` targets.

    A chunk's last target is the next chunk's first input, so each target stands in exactly one
    chunk.

    Args:
        documents: Documents of at least 2 ids.
        max_length: The most targets of a chunk; `None`: one chunk each.

    Returns:
        The chunks, in order, `counts` being their targets; and the document of each, int64.

    Example:
        >>> document = Chunks(np.arange(6), np.array([0]), np.array([6]))
        >>> cut(document, 2)[0].counts
        array([2, 2, 1])
    """
    targets = documents.counts - 1
    size = max_length or int(targets.max())
    chunks = -(-targets // size)  # of each document, rounded up
    document = np.repeat(np.arange(len(targets)), chunks)
    skipped = _ranks(chunks) * size  # targets of the same document before each chunk
    starts = documents.starts[document] + skipped
    return Chunks(documents.ids, starts, np.minimum(size, targets[document] - skipped)), document


def document_rows(
    documents: Chunks, *, batch_size: int, sequence_length: int, what: str = "the list"
) -> DocumentRows:
    """Shares documents out to the rows of a stream.

    A document is read in consecutive chunks of `sequence_length` targets, and the next one starts
    in the next batch. The longest documents are placed first, each in the row that has the fewest
    batches so far, so that the rows end at about the same time; within its row a document keeps
    its place.

    Args:
        documents: Documents of at least 2 ids.
        batch_size: The rows.
        sequence_length: The most targets of a row in one batch.
        what: The list's name in errors.

    Returns:
        What each row reads in each batch.

    Raises:
        InputError: If there are fewer documents than rows.
    """
    check_positive(batch_size=batch_size, sequence_length=sequence_length)
    if len(documents.counts) < batch_size:
        raise InputError(
            f"`batch_size` {batch_size} takes at least as many documents, but {what} has "
            f"{len(documents.counts)}: the largest batch_size that fits is {len(documents.counts)}."
        )
    chunks, document = cut(documents, sequence_length)
    batches = np.bincount(document)  # of each document
    row_of = np.empty(len(batches), np.int64)
    loads = [(0, row) for row in range(batch_size)]
    for longest in np.argsort(-batches, kind="stable"):
        load, row = loads[0]
        row_of[longest] = row
        heapq.heapreplace(loads, (load + int(batches[longest]), row))

    row = row_of[document]  # of each chunk
    loads = np.bincount(row)
    by_row = np.argsort(row, kind="stable")
    at = _ranks(loads), row[by_row]  # batch and row of each chunk
    table = DocumentRows(*np.zeros((3, loads.max(), batch_size), np.int64))
    table.starts[at] = chunks.starts[by_row]
    table.counts[at] = chunks.counts[by_row]
    table.reset[at] = np.diff(document, prepend=-1)[by_row] > 0
    return table._replace(reset=table.reset.astype(np.int32))


def _ranks(counts: np.ndarray) -> np.ndarray:
    """0, 1, ... counts[0]-1, 0, 1, ... counts[1]-1, ..."""
    return np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)


# --- Shuffled batches --------------------------------------------------------------------------


def window_count(num_ids: int, *, length: int, stride: int, batch_size: int) -> int:
    """Says how many windows a text has.

    Args:
        num_ids: The ids of the text.
        length: The inputs of a window; one more id is its last target.
        stride: From one window's start to the next.
        batch_size: The windows of a batch.

    Returns:
        The number of windows.

    Raises:
        InputError: If the text has no window, or fewer than one batch.

    Example:
        >>> window_count(10, length=3, stride=2, batch_size=1)
        4
    """
    check_positive(batch_size=batch_size, length=length, stride=stride)
    if length >= num_ids:
        raise InputError(
            f"`length` {length} takes at least {length + 1:,} ids, but the text has {num_ids:,}: "
            + (f"the largest that fits is {num_ids - 1}." if num_ids > 1 else "use a longer text.")
        )
    count = (num_ids - length - 1) // stride + 1
    if count < batch_size:
        raise InputError(
            f"`batch_size` {batch_size} is more than the {count} windows that the text has: the "
            f"largest that fits is {count}."
        )
    return count


def epoch_order(keys: tuple, *, batch_size: int, seed: int, epoch: int | None) -> np.ndarray:
    """Orders sequences for one epoch so that a batch holds sequences of similar length.

    All are shuffled, sorted by length within pools of 100 batches, and the batches shuffled; a
    last partial batch stays last. The same seed and epoch always give the same order.

    Args:
        keys: Arrays (N,) of lengths to sort by, the first counting most.
        batch_size: The sequences of a batch.
        seed: A whole number >= 0.
        epoch: 0, 1, ...; `None`: sorted within pools, but nothing shuffled.

    Returns:
        (N,) int64, a permutation; batch k is `order[k * batch_size : (k + 1) * batch_size]`.

    Example:
        >>> epoch_order((np.array([3, 1, 2]),), batch_size=2, seed=0, epoch=None)
        array([1, 2, 0])
    """
    number = len(keys[0])
    order, random = np.arange(number), np.random.default_rng([seed, epoch or 0])
    if epoch is not None:
        random.shuffle(order)
    pool = np.arange(number) // (POOL_BATCHES * batch_size)
    order = order[np.lexsort([*(key[order] for key in reversed(keys)), pool])]
    if epoch is not None:
        full = order[: number - number % batch_size].reshape(-1, batch_size)  # a view
        random.shuffle(full)
    return order
