"""GraphVocabulary: a vocabulary out of stock TensorFlow operations, for exports."""

import tensorflow as tf

from rnnzoo.vocabulary import spacing, subwords, text_rules
from rnnzoo.vocabulary.graph_normalization import composed
from rnnzoo.vocabulary.vocabulary import Vocabulary


class GraphVocabulary(tf.Module):
    """Encodes and decodes in a TensorFlow graph exactly as its `Vocabulary` does in Python.

    Works in a `tf.function` without autograph, in `tf.data` and in a SavedModel, which then needs
    neither rnnzoo nor Keras. Bytes that are no valid UTF-8 are read as U+FFFD.

    Args:
        vocabulary: The vocabulary to follow.

    Attributes:
        vocabulary: The same.
        tables: The lookup tables, which `keras.export.ExportArchive.track` wants one by one; none
            for characters.

    Example:
        >>> graph_vocabulary = GraphVocabulary(Vocabulary.from_text("to be or not to be"))
        >>> graph_vocabulary.encode(tf.constant(["be", "not"])).to_list()
        [[1, 2], [3, 4, 6]]
        >>> graph_vocabulary.decode(tf.constant([[1, 2]])).numpy().tolist()
        [b'be']
    """

    def __init__(self, vocabulary: Vocabulary):
        super().__init__()
        self.vocabulary = vocabulary
        self.tables = []
        if vocabulary.level != "character":
            ids = vocabulary.ids_of_text
            pairs = tf.lookup.KeyValueTensorInitializer(
                tf.constant(list(ids)), tf.constant(list(ids.values()))
            )
            self.tables.append(tf.lookup.StaticHashTable(pairs, -1))

    def encode(self, strings: tf.Tensor) -> tf.RaggedTensor:
        """Turns texts into ids. No start or end is added.

        Args:
            strings: Texts in UTF-8, shape `(B,)`.

        Returns:
            int32 ids, ragged `(B, None)`.

        Raises:
            tf.errors.InvalidArgumentError: If symbols are unknown and the vocabulary has no
                `"<unk>"`; it names them. Raised when the graph runs.
        """
        points = tf.strings.unicode_decode(strings, "UTF-8", errors="replace")
        points = self._prepare(points)
        if self.vocabulary.level == "character":
            table = self.vocabulary.character_table
            clipped = tf.minimum(points.flat_values, len(table) - 1)
            ids = points.with_flat_values(tf.gather(tf.constant(table), clipped))
            return self._check(ids, points.flat_values)
        symbols = self._split(points)
        ids = symbols.with_flat_values(self.tables[0].lookup(symbols.flat_values))
        if self.vocabulary.unknown_id is not None:
            known = ids.flat_values >= 0
            return ids.with_flat_values(
                tf.where(known, ids.flat_values, self.vocabulary.unknown_id)
            )
        return self._check(ids, symbols.flat_values)

    def decode(
        self, ids: tf.Tensor | tf.RaggedTensor, *, after: tf.Tensor | tf.RaggedTensor | None = None
    ) -> tf.Tensor:
        """Turns ids into readable texts, without pad, start and end.

        Args:
            ids: Integers, `(B, T)` or ragged `(B, None)`.
            after: The ids before them, `(B, S)` or ragged, as in `Vocabulary.decode`: the texts
                can then be appended to those of these ids.

        Returns:
            Texts in UTF-8, shape `(B,)`.

        Raises:
            tf.errors.InvalidArgumentError: If an id is not in the vocabulary.
        """
        ids = self._visible(ids)
        if after is None or self.vocabulary.level == "character":
            return self._join(ids)
        before = self._visible(after)
        text = self._join(tf.concat([before, tf.cast(ids, before.dtype)], axis=1))
        text_before = self._join(before)
        if self.vocabulary.level == "subword" or self.vocabulary.punctuation != "split_1":
            return tf.strings.substr(text, tf.strings.length(text_before), tf.strings.length(text))
        letters = tf.strings.reduce_join(self._tokens_of(before), axis=-1)
        letters = tf.strings.regex_replace(letters, " ", "")
        count = tf.strings.length(letters, "UTF8_CHAR")[:, tf.newaxis]  # (B, 1)
        points = tf.strings.unicode_decode(text, "UTF-8")
        dense = points.to_tensor(ord(" "))  # (B, L)
        seen = tf.cumsum(tf.cast(dense != ord(" "), tf.int32), axis=1)
        kept = (seen > count) | ((seen == count) & (dense == ord(" ")))
        kept = tf.RaggedTensor.from_tensor(kept, points.row_lengths())
        return tf.strings.unicode_encode(tf.ragged.boolean_mask(points, kept), "UTF-8")

    def tokens_of(self, ids: tf.Tensor) -> tf.Tensor:
        """Looks up the tokens of ids of any shape."""
        return tf.gather(tf.constant(self.vocabulary.tokens), ids)

    def _visible(self, ids: tf.Tensor | tf.RaggedTensor) -> tf.RaggedTensor:
        """The ids (B, None), without pad, start and end."""
        v = self.vocabulary
        if not isinstance(ids, tf.RaggedTensor):
            ids = tf.RaggedTensor.from_tensor(ids)
        kept = tf.ones_like(ids.flat_values, tf.bool)
        for silent in (v.pad_id, v.start_id, v.end_id):
            if silent is not None:
                kept &= ids.flat_values != silent
        return tf.ragged.boolean_mask(ids, ids.with_flat_values(kept))

    def _tokens_of(self, ids: tf.RaggedTensor) -> tf.RaggedTensor:
        return ids.with_flat_values(self.tokens_of(ids.flat_values))

    def _join(self, ids: tf.RaggedTensor) -> tf.Tensor:
        """Puts the tokens of ids (B, None) together to texts (B,)."""
        v, tokens = self.vocabulary, self._tokens_of(ids)
        if v.level == "character":
            return tf.strings.reduce_join(tokens, axis=-1)
        if v.level == "subword":
            text = tf.strings.reduce_join(tokens, axis=-1)
            for pattern, rewrite in ((subwords.SPACE, " "), ("^ +", ""), (" +$", "")):
                text = tf.strings.regex_replace(text, pattern, rewrite)
            return tf.strings.regex_replace(text, subwords.LINE_START, "\n")
        if v.punctuation == "split":
            return self._spaced(ids, tokens)
        text = tf.strings.reduce_join(tokens, axis=-1, separator=" ")
        if v.punctuation != "split_1":
            return tf.strings.regex_replace(text, text_rules.LINE_BREAK, "\n")
        text = tf.strings.join([" ", text, " "])
        for pattern, rewrite in text_rules.ATTACHMENTS:
            text = tf.strings.regex_replace(text, pattern, rewrite)
        return tf.strings.strip(text)

    def _spaced(self, ids: tf.RaggedTensor, tokens: tf.RaggedTensor) -> tf.Tensor:
        """Puts words and punctuation together as `rnnzoo.vocabulary.spacing` does."""
        letters = tf.constant([spacing.token_class(token) for token in self.vocabulary.tokens])
        classes = tf.strings.reduce_join(
            ids.with_flat_values(tf.gather(letters, ids.flat_values)), axis=-1
        )
        for pattern, rewrite in spacing.PASSES:
            classes = tf.strings.regex_replace(classes, pattern, rewrite)
        right = tf.strings.bytes_split(classes).flat_values  # one letter a token
        left = tf.concat([[""], right], axis=0)[:-1]

        def within(letters, some):
            return tf.reduce_any(letters[:, tf.newaxis] == tf.constant(list(some)), axis=1)

        near = within(left, spacing.NONE_AFTER) | within(right, spacing.NONE_BEFORE)
        near &= ~within(right, spacing.ALONE) & ~((left == spacing.DOTS) & (right == spacing.DOTS))
        first = tf.scatter_nd(  # of each row that has any
            tf.boolean_mask(ids.row_starts(), ids.row_lengths() > 0)[:, tf.newaxis],
            tf.ones_like(tf.boolean_mask(ids.row_starts(), ids.row_lengths() > 0)),
            [tf.size(right, tf.int64)],
        )
        space = tf.where(near | (first > 0), "", " ")
        spaced = tf.strings.join([space, tokens.flat_values])
        return tf.strings.reduce_join(tokens.with_flat_values(spaced), axis=-1)

    def _prepare(self, points: tf.RaggedTensor) -> tf.RaggedTensor:
        """Does to code points (B, None) what comes before they are cut."""
        v = self.vocabulary
        if v.keep_line_breaks:
            text = tf.strings.unicode_encode(points, "UTF-8")
            text = tf.strings.regex_replace(text, "\r\n?", "\n")
            points = tf.strings.unicode_decode(text, "UTF-8")
        if v.normalization is not None:
            points = composed(points)
        if v.lowercase:
            upper, lowered = map(tf.constant, text_rules.lower_pairs())
            flat = points.flat_values
            place = tf.minimum(tf.searchsorted(upper, flat), upper.shape[0] - 1)
            changed = tf.gather(upper, place) == flat
            points = points.with_flat_values(tf.where(changed, tf.gather(lowered, place), flat))
            if v.normalization is not None:  # some letters are composed in lower case alone
                points = composed(points)
        if v.punctuation == "delete":
            text = tf.strings.unicode_encode(points, "UTF-8")
            text = tf.strings.regex_replace(text, text_rules.DELETED, "")
            points = tf.strings.unicode_decode(text, "UTF-8")
        return points

    def _split(self, points: tf.RaggedTensor) -> tf.RaggedTensor:
        """Cuts code points (B, None) into words or subwords (B, None)."""
        v = self.vocabulary
        text = tf.strings.unicode_encode(points, "UTF-8")
        if v.level == "subword":
            return self._cut(text)
        rule = (v.punctuation, v.keep_line_breaks)
        text = tf.strings.regex_replace(text, text_rules.separator(*rule), " ")
        text = tf.strings.regex_replace(text, text_rules.token(*rule), r"\0 ")  # no find-all
        words = tf.strings.split(text, " ")
        return tf.ragged.boolean_mask(words, words != "")

    def _cut(self, text: tf.Tensor) -> tf.RaggedTensor:
        """Cuts texts (B,) into subwords (B, None), as `rnnzoo.vocabulary.subwords` does."""
        v = self.vocabulary
        steps, unit = subwords.patterns(v.punctuation, v.keep_line_breaks)
        text = tf.strings.join([subwords.SPACE, text])
        # A space before a line break is no unit, and no part of the next one either.
        for pattern, rewrite in (*steps, (f"{unit}|{subwords.SPACE}", r"\0 ")):
            text = tf.strings.regex_replace(text, pattern, rewrite)
        text = tf.strings.regex_replace(text, f"[^ ]{{{subwords.LONGEST_UNIT}}}", r"\0 ")
        units = tf.strings.split(text, " ")
        units = tf.ragged.boolean_mask(units, (units != "") & (units != subwords.SPACE))
        characters = tf.strings.unicode_split(units.flat_values, "UTF-8").to_tensor()  # (U, L)
        parts = joined_subwords(characters, self.tables[0])  # (U, L), "" where there is none
        parts = tf.RaggedTensor.from_tensor(parts)
        parts = tf.ragged.boolean_mask(parts, parts != "")  # (U, None)
        return units.with_flat_values(parts).merge_dims(1, 2)

    def _check(self, ids: tf.RaggedTensor, symbols: tf.Tensor) -> tf.RaggedTensor:
        """Refuses unknown symbols where the vocabulary has no id for them."""
        if self.vocabulary.unknown_id is not None:
            return ids
        unknown = tf.boolean_mask(symbols, ids.flat_values < 0)[:10]
        if self.vocabulary.level == "character":
            unknown = tf.strings.unicode_encode(unknown[:, tf.newaxis], "UTF-8")
        message = tf.strings.join(
            [
                f"The text has {self.vocabulary.level}s that the vocabulary lacks; take them out, "
                "or train a model whose vocabulary has <unk>: ",
                tf.strings.reduce_join(unknown, separator=" "),
            ]
        )
        known = tf.debugging.Assert(tf.size(unknown) == 0, [message])
        with tf.control_dependencies([known]):
            return ids.with_flat_values(tf.identity(ids.flat_values))


def joined_subwords(parts: tf.Tensor, ids: tf.lookup.StaticHashTable) -> tf.Tensor:
    """Joins parts of words as long as a join is a token: the lowest id first, then the leftmost.

    Args:
        parts: The characters of each unit, `(units, L)`, filled up with empty strings on the
            right; `L` is at most `subwords.LONGEST_UNIT`.
        ids: The table of the tokens' ids, -1 for what is no token.

    Returns:
        The parts, of the same shape, filled up likewise.
    """
    width, most = tf.shape(parts)[1], subwords.LONGEST_UNIT
    places = tf.range(width, dtype=tf.int64)  # (L,)
    never = tf.constant(tf.int64.max)

    def join(_, parts):
        empty = tf.fill([tf.shape(parts)[0], 1], "")
        following = tf.concat([parts[:, 1:], empty], axis=1)[:, :width]
        joins = tf.strings.join([parts, following])
        found = tf.cast(ids.lookup(joins), tf.int64)
        # One number orders the joins: by id, then by place.
        ranks = tf.where((following != "") & (found >= 0), found * most + places, never)
        best = tf.reduce_min(ranks, axis=1, keepdims=True)  # (U, 1)
        place = tf.where(best < never, best % most, most)  # beyond all: nothing to join
        joined = tf.where(places == place, joins, tf.where(places < place, parts, following))
        return tf.reduce_any(best < never), joined

    return tf.while_loop(lambda more, _: more, join, (tf.constant(True), parts))[1]
