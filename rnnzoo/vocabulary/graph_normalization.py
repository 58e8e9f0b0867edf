"""Unicode's normalization form C out of stock TensorFlow operations.

`tf.strings.normalize_utf8` belongs to tensorflow-text, which an exported model must not need. The
tables come from Python's `unicodedata`, so that both agree.
"""

import functools
import unicodedata
from typing import NamedTuple

import numpy as np
import tensorflow as tf

_LAST = 0x10FFFF
# Hangul is composed by arithmetic (Unicode Standard, section 3.12).
_L, _V, _T, _S = 0x1100, 0x1161, 0x11A7, 0xAC00
_L_COUNT, _V_COUNT, _T_COUNT, _S_COUNT = 19, 21, 28, 11172
_SHIFT = 1 << 21  # one number for a pair of code points


class Tables(NamedTuple):
    """What normalization needs to know of each code point.

    Attributes:
        decomposed: int32, code points that decompose, ascending.
        unstable: int32, those of them that are not in NFC themselves.
        decompositions: int32 `(decomposed, 4)`, what they become, filled up with -1.
        classed: int32, code points with a combining class that is not 0, ascending.
        classes: int32, these classes.
        pairs: int64, `first * 2**21 + second`, ascending.
        composites: int32, what the pairs become.
        seconds: int32, code points that can join one before them, Hangul too, ascending.
    """

    decomposed: np.ndarray
    unstable: np.ndarray
    decompositions: np.ndarray
    classed: np.ndarray
    classes: np.ndarray
    pairs: np.ndarray
    composites: np.ndarray
    seconds: np.ndarray


@functools.cache
def tables() -> Tables:
    """Makes the tables out of `unicodedata`."""
    decompositions, unstable, classes, pairs = {}, [], {}, {}
    for point in range(_LAST + 1):
        character = chr(point)
        if combining := unicodedata.combining(character):
            classes[point] = combining
        found = unicodedata.decomposition(character)
        if found and not found.startswith("<"):  # those are of compatibility
            full = unicodedata.normalize("NFD", character)
            decompositions[point] = [*map(ord, full), -1, -1, -1][:4]
            parts = [int(part, 16) for part in found.split()]
            if unicodedata.normalize("NFC", character) != character:
                unstable.append(point)
            elif len(parts) == 2:
                pairs[parts[0] * _SHIFT + parts[1]] = point
    seconds = {pair % _SHIFT for pair in pairs}
    seconds |= {*range(_V, _V + _V_COUNT), *range(_T + 1, _T + _T_COUNT)}
    ordered = sorted(pairs)
    return Tables(
        decomposed=np.array(list(decompositions), np.int32),
        unstable=np.array(unstable, np.int32),
        decompositions=np.array(list(decompositions.values()), np.int32),
        classed=np.array(list(classes), np.int32),
        classes=np.array(list(classes.values()), np.int32),
        pairs=np.array(ordered, np.int64),
        composites=np.array([pairs[pair] for pair in ordered], np.int32),
        seconds=np.array(sorted(seconds), np.int32),
    )


def composed(points: tf.RaggedTensor) -> tf.RaggedTensor:
    """Normalizes code points to NFC.

    Args:
        points: int32 code points, ragged `(B, None)`.

    Returns:
        The same kind of tensor; equal where the text was in NFC.

    Example:
        >>> composed(tf.ragged.constant([[ord("e"), 0x301], [ord("x")]])).to_list()
        [[233], [120]]

    Reference:
        Unicode Standard Annex 15, "Unicode Normalization Forms".
    """
    flat, rows = points.flat_values, points.nrows()
    # Almost every text is in NFC: this sees it, and the rest is left out.
    busy = tf.reduce_any(
        [
            tf.reduce_any(_found(flat, table)[0])
            for table in (tables().unstable, tables().classed, tables().seconds)
        ]
    )
    values, row_ids = tf.cond(
        busy,
        lambda: _composed(flat, points.value_rowids()),
        lambda: (flat, points.value_rowids()),
    )
    return tf.RaggedTensor.from_value_rowids(values, row_ids, nrows=rows)


def _found(values, table):
    """Whether values are in an ascending table, and where."""
    table = tf.constant(table)
    place = tf.minimum(tf.searchsorted(table, values), table.shape[0] - 1)
    return tf.gather(table, place) == values, place


# One function for all vocabularies: it is traced once, and stored once in an export.
@tf.function(
    input_signature=[tf.TensorSpec([None], tf.int32), tf.TensorSpec([None], tf.int64)],
    autograph=False,
)
def _composed(flat, rows):
    return _join(*_ordered(*_decomposed(flat, rows)))


def _decomposed(flat, rows):
    """Takes every code point apart as far as it goes."""
    found, place = _found(flat, tables().decomposed)
    alone = tf.pad(flat[:, tf.newaxis], [[0, 0], [0, 3]], constant_values=-1)  # (N, 4)
    parts = tf.where(
        found[:, tf.newaxis], tf.gather(tf.constant(tables().decompositions), place), alone
    )
    index = flat - _S
    last = index % _T_COUNT
    hangul = tf.stack(
        [
            _L + index // (_V_COUNT * _T_COUNT),
            _V + index % (_V_COUNT * _T_COUNT) // _T_COUNT,
            tf.where(last > 0, _T + last, -1),
            tf.fill(tf.shape(flat), -1),
        ],
        axis=1,
    )
    is_hangul = (index >= 0) & (index < _S_COUNT)
    parts = tf.where(is_hangul[:, tf.newaxis], hangul, parts)
    real = parts >= 0
    rows = tf.repeat(rows, tf.reduce_sum(tf.cast(real, tf.int32), axis=1))
    return tf.boolean_mask(parts, real), rows


def _class(points):
    found, place = _found(points, tables().classed)
    return tf.where(found, tf.gather(tf.constant(tables().classes), place), 0)


def _ordered(flat, rows):
    """Sorts each run of combining marks by class; equal ones keep their order."""
    classes = tf.cast(_class(flat), tf.int64)
    new_row = tf.concat([[True], rows[1:] != rows[:-1]], axis=0)[: tf.size(rows)]
    run = tf.cumsum(tf.cast((classes == 0) | new_row, tf.int64))
    size = tf.size(flat, tf.int64)
    # A row that begins with a mark begins a run, and has no start to stay before its marks.
    key = (run * 256 + classes) * size + tf.range(size)
    order = tf.argsort(key)
    return tf.gather(flat, order), tf.gather(rows, order)


def _join(flat, rows):
    """Joins each start with the marks after it, one mark of each block in a pass.

    A block begins at a code point that can join nothing before it. Within it the first pair that
    can be joined is, as if one went from left to right.
    """

    def step(_, flat, rows):
        size = tf.size(flat)
        places = tf.range(size)
        classes = _class(flat)
        new_row = tf.concat([[True], rows[1:] != rows[:-1]], axis=0)[:size]
        row_start = _running_maximum(tf.where(new_row, places, 0))
        # The last start before each place, in the same row; -1 where there is none.
        starts = _running_maximum(tf.where(classes == 0, places, -1))
        before = tf.concat([[-1], starts[:-1]], axis=0)[:size]
        before = tf.where(before >= row_start, before, -1)
        previous = tf.concat([[-1], classes[:-1]], axis=0)[:size]  # class of the neighbour
        near = before == places - 1
        open_ = (before >= 0) & (near | ((previous != classes) & (classes != 0)))
        first = tf.gather(flat, tf.maximum(before, 0))
        joined = tf.where(open_, _pair(first, flat), -1)
        block = tf.cumsum(tf.cast(new_row | ~_found(flat, tables().seconds)[0], tf.int32))
        chosen = joined >= 0
        earlier = tf.cumsum(tf.cast(chosen, tf.int32))
        # How many were chosen in the blocks before this one.
        block_start = tf.concat([[True], block[1:] != block[:-1]], axis=0)[:size]
        base = _running_maximum(tf.where(block_start, earlier - tf.cast(chosen, tf.int32), 0))
        chosen &= earlier - base == 1
        targets = tf.boolean_mask(before, chosen)[:, tf.newaxis]
        flat = tf.tensor_scatter_nd_update(flat, targets, tf.boolean_mask(joined, chosen))
        more = tf.reduce_any(chosen)
        return more, tf.boolean_mask(flat, ~chosen), tf.boolean_mask(rows, ~chosen)

    found = tf.while_loop(
        lambda more, *_: more,
        step,
        (tf.constant(True), flat, rows),
        shape_invariants=(tf.TensorShape([]), tf.TensorShape([None]), tf.TensorShape([None])),
    )
    return found[1:]


def _pair(first, second):
    """What two code points become, or -1."""
    found, place = _found(
        tf.cast(first, tf.int64) * _SHIFT + tf.cast(second, tf.int64), tables().pairs
    )
    joined = tf.where(found, tf.gather(tf.constant(tables().composites), place), -1)
    lead, vowel, tail = first - _L, second - _V, second - _T
    is_lv = (lead >= 0) & (lead < _L_COUNT) & (vowel >= 0) & (vowel < _V_COUNT)
    joined = tf.where(is_lv, _S + (lead * _V_COUNT + vowel) * _T_COUNT, joined)
    syllable = first - _S
    open_syllable = (syllable >= 0) & (syllable < _S_COUNT) & (syllable % _T_COUNT == 0)
    is_lvt = open_syllable & (tail > 0) & (tail < _T_COUNT)
    return tf.where(is_lvt, first + tail, joined)


def _running_maximum(values):
    """The largest value up to each place, in log2(N) steps."""
    size = tf.size(values)

    def step(shift, values):
        shifted = tf.concat([tf.fill([tf.minimum(shift, size)], -1), values[:-shift]], axis=0)
        return shift * 2, tf.maximum(values, shifted)

    return tf.while_loop(lambda shift, _: shift < size, step, (tf.constant(1), values))[1]
