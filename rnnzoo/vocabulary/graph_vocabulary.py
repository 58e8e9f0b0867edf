"""GraphVocabulary: a vocabulary out of stock TensorFlow operations, for exports."""

import tensorflow as tf

from rnnzoo.vocabulary import subwords, text_rules
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
            tokens = tf.constant(vocabulary.tokens)
            pairs = tf.lookup.KeyValueTensorInitializer(tokens, tf.range(len(vocabulary)))
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
        tokens = self._visible_tokens(ids)
        if after is None or self.vocabulary.level == "character":
            return self._join(tokens)
        before = self._visible_tokens(after)
        text, text_before = self._join(tf.concat([before, tokens], axis=1)), self._join(before)
        if self.vocabulary.level == "subword":
            return tf.strings.substr(text, tf.strings.length(text_before), tf.strings.length(text))
        letters = tf.strings.regex_replace(tf.strings.reduce_join(before, axis=-1), " ", "")
        count = tf.strings.length(letters, "UTF8_CHAR")[:, tf.newaxis]  # (B, 1)
        points = tf.strings.unicode_decode(text, "UTF-8")
        dense = points.to_tensor(ord(" "))  # (B, L)
        seen = tf.cumsum(tf.cast(dense != ord(" "), tf.int32), axis=1)
        kept = (seen > count) | ((seen == count) & (dense == ord(" ")))
        kept = tf.RaggedTensor.from_tensor(kept, points.row_lengths())
        return tf.strings.unicode_encode(tf.ragged.boolean_mask(points, kept), "UTF-8")

    def _visible_tokens(self, ids: tf.Tensor | tf.RaggedTensor) -> tf.RaggedTensor:
        """The tokens of ids (B, None), without pad, start and end."""
        v = self.vocabulary
        if not isinstance(ids, tf.RaggedTensor):
            ids = tf.RaggedTensor.from_tensor(ids)
        kept = tf.ones_like(ids.flat_values, tf.bool)
        for silent in (v.pad_id, v.start_id, v.end_id):
            if silent is not None:
                kept &= ids.flat_values != silent
        ids = tf.ragged.boolean_mask(ids, ids.with_flat_values(kept))
        return ids.with_flat_values(tf.gather(tf.constant(v.tokens), ids.flat_values))

    def _join(self, tokens: tf.RaggedTensor) -> tf.Tensor:
        """Puts tokens (B, None) together to texts (B,)."""
        v = self.vocabulary
        if v.level != "word":
            text = tf.strings.reduce_join(tokens, axis=-1)
            if v.level == "character":
                return text
            return tf.strings.strip(tf.strings.regex_replace(text, subwords.SPACE, " "))
        text = tf.strings.reduce_join(tokens, axis=-1, separator=" ")
        if v.punctuation == "strip":
            return text
        text = tf.strings.join([" ", text, " "])
        for pattern, rewrite in text_rules.ATTACHMENTS:
            text = tf.strings.regex_replace(text, pattern, rewrite)
        return tf.strings.strip(text)

    def _split(self, points: tf.RaggedTensor) -> tf.RaggedTensor:
        """Cuts code points (B, None) into words or pieces (B, None)."""
        if self.vocabulary.lowercase:
            upper, lowered = map(tf.constant, text_rules.lower_pairs())
            flat = points.flat_values
            place = tf.minimum(tf.searchsorted(upper, flat), upper.shape[0] - 1)
            changed = tf.gather(upper, place) == flat
            points = points.with_flat_values(tf.where(changed, tf.gather(lowered, place), flat))
        text = tf.strings.unicode_encode(points, "UTF-8")
        if self.vocabulary.level == "subword":
            return self._cut(text)
        rule = text_rules.WORD_RULES[self.vocabulary.punctuation]
        text = tf.strings.regex_replace(text, rule.separator, " ")
        text = tf.strings.regex_replace(text, rule.token, r"\0 ")  # there is no find-all
        words = tf.strings.split(text, " ")
        return tf.ragged.boolean_mask(words, words != "")

    def _cut(self, text: tf.Tensor) -> tf.RaggedTensor:
        """Cuts texts (B,) into pieces (B, None), as `rnnzoo.vocabulary.subwords` does."""
        text = tf.strings.regex_replace(
            tf.strings.join([subwords.SPACE, text]), subwords.WHITE_SPACE, subwords.SPACE
        )
        text = tf.strings.regex_replace(text, subwords.UNIT, r"\0 ")
        text = tf.strings.regex_replace(text, f"[^ ]{{{subwords.LONGEST_UNIT}}}", r"\0 ")
        units = tf.strings.split(text, " ")
        units = tf.ragged.boolean_mask(units, (units != "") & (units != subwords.SPACE))
        characters = tf.strings.unicode_split(units.flat_values, "UTF-8").to_tensor()  # (U, L)
        pieces = joined_pieces(characters, self.tables[0])  # (U, L), "" where there is none
        pieces = tf.RaggedTensor.from_tensor(pieces)
        pieces = tf.ragged.boolean_mask(pieces, pieces != "")  # (U, None)
        return units.with_flat_values(pieces).merge_dims(1, 2)

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


def joined_pieces(pieces: tf.Tensor, ids: tf.lookup.StaticHashTable) -> tf.Tensor:
    """Joins pieces as long as a join is a token: the lowest id first, then the leftmost.

    Args:
        pieces: The characters of each unit, `(units, L)`, filled up with empty strings on the
            right; `L` is at most `subwords.LONGEST_UNIT`.
        ids: The table of the tokens' ids, -1 for what is no token.

    Returns:
        The pieces, of the same shape, filled up likewise.
    """
    width, most = tf.shape(pieces)[1], subwords.LONGEST_UNIT
    places = tf.range(width, dtype=tf.int64)  # (L,)
    never = tf.constant(tf.int64.max)

    def join(_, pieces):
        empty = tf.fill([tf.shape(pieces)[0], 1], "")
        following = tf.concat([pieces[:, 1:], empty], axis=1)[:, :width]
        joins = tf.strings.join([pieces, following])
        found = tf.cast(ids.lookup(joins), tf.int64)
        # One number orders the joins: by id, then by place.
        ranks = tf.where((following != "") & (found >= 0), found * most + places, never)
        best = tf.reduce_min(ranks, axis=1, keepdims=True)  # (U, 1)
        place = tf.where(best < never, best % most, most)  # beyond all: nothing to join
        joined = tf.where(places == place, joins, tf.where(places < place, pieces, following))
        return tf.reduce_any(best < never), joined

    return tf.while_loop(lambda more, _: more, join, (tf.constant(True), pieces))[1]
