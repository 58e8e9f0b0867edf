import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

tf = pytest.importorskip("tensorflow", reason="the graph vocabulary is for TensorFlow")

from rnnzoo.vocabulary.graph_normalization import composed, tables  # noqa: E402

# Dense in what normalization decides on: starts, marks of many classes, Hangul, Indic vowels.
DENSE = (
    "aeioAEsS\u0301\u0300\u0323\u0302\u0308\u0307\u0327\u031b\u0304\u1e69\u1ea5\u212b\u2126\u0340"
    "\u0344\u0958\u2adc\u1100\u1161\u11a8\uac00\uac01\u0dd9\u0dcf\u0dca\u0bc6\u0bbe\u09c7\u09be"
    "\u0cc6\u0cc2\u0cd5\u05d0\u05b7\u05bc\ufb2f\U0001d15e\U0001d165\U00011131\U00011127 x"
)
TEXT = st.text(st.sampled_from(DENSE) | st.characters(codec="utf-8"), max_size=40)
traced = tf.function(
    lambda strings: tf.strings.unicode_encode(
        composed(tf.strings.unicode_decode(strings, "UTF-8")), "UTF-8"
    ),
    input_signature=[tf.TensorSpec([None], tf.string)],
    autograph=False,
)


def in_graph(texts):
    return [text.decode() for text in traced(tf.constant(texts, tf.string)).numpy()]


@settings(max_examples=300, deadline=None)
@given(st.lists(TEXT, max_size=5))
def test_equals_python(texts):
    assert in_graph(texts) == [unicodedata.normalize("NFC", text) for text in texts]


def test_every_character_alone_and_decomposed():
    everything = [chr(p) for p in range(0x110000) if not 0xD800 <= p < 0xE000]
    changed = [c for c in everything if unicodedata.normalize("NFD", c) != c]
    assert len(changed) > 13_000
    texts = [form for c in changed for form in (c, unicodedata.normalize("NFD", c), f"a{c}\u0301")]
    assert in_graph(texts) == [unicodedata.normalize("NFC", text) for text in texts]


def test_no_join_makes_a_mark_join_that_was_passed_over():
    """What the passes rest on: after a join, no mark of a lower class joins."""
    found = tables()
    class_of = dict(zip(found.classed.tolist(), found.classes.tolist(), strict=True))
    both = zip(found.pairs.tolist(), found.composites.tolist(), strict=True)
    pairs = {(p >> 21, p & (1 << 21) - 1): composite for p, composite in both}
    for (_, mark), composite in pairs.items():
        for first, second in pairs:
            if first == composite and class_of.get(second, 0):
                assert class_of[second] >= class_of.get(mark, 0)


def test_a_long_text_of_marks_is_quick():
    text = unicodedata.normalize("NFD", "Việt Nam có đồng bằng " * 500)
    assert in_graph([text, ""]) == [unicodedata.normalize("NFC", text), ""]
    assert np.all(np.diff(tables().pairs) > 0)
