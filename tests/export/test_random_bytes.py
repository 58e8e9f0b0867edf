"""Whatever bytes come in, an endpoint answers, or refuses in a sentence of its own."""

import keras
import numpy as np
import pytest

if keras.config.backend() != "tensorflow":
    pytest.skip("text endpoints are exported on TensorFlow", allow_module_level=True)

import tensorflow as tf

REFUSALS = (
    "A prompt is empty",
    "A text to score is too short",
    "A text to translate is empty",
    "A text to classify is empty",
    "The text has characters that the vocabulary lacks",
)
FIXED = [
    b"", b"\0", b"to\0be", b"\xff\xfe", b"\xc3", b"to be \xed\xa0\x80", "e\u0301 \u202e".encode(),
    "\U0001f469\u200d\U0001f469\u200d\U0001f467".encode(), b"\xef\xbb\xbfto be\r\n", b" " * 50,
    b"to be " * 300, b"one " * 12, b"\xf4\x90\x80\x80", "\ufffd".encode(), b"\n",
    "\u00a0".encode(),
]  # fmt: skip


def texts(count, seed=0):
    """Bytes of all kinds, most of them no UTF-8, some of them all that a tiny model knows."""
    draw = np.random.default_rng(seed)
    known = [b"to be, or not to be", b"one two three", b"123"]  # of each model
    made = list(FIXED)
    while len(made) < count:
        size = int(draw.integers(1, 40))
        kind = len(made) % 4
        if kind == 0:
            made.append(draw.bytes(size))
        elif kind == 1:
            points = draw.integers(1, 0x3000, size)
            made.append("".join(map(chr, points)).encode())
        else:
            alphabet = known[len(made) // 4 % 3]
            text = bytearray(draw.choice(list(alphabet), size).astype("uint8"))
            if kind == 2:
                text[int(draw.integers(size))] = int(draw.integers(256))
            made.append(bytes(text))
    return made


def answers(call, given):
    """What an endpoint gives for texts; nothing where it refuses them in a sentence of its own."""
    try:
        return call(tf.constant(given))
    except tf.errors.InvalidArgumentError as error:
        assert any(sentence in error.message for sentence in REFUSALS), error.message
        return None


def check(call, given, rows=1):
    """How many texts an endpoint answers, so many in a call."""
    answered = 0
    for first in range(0, len(given), rows):
        answer = answers(call, given[first : first + rows])
        answered += rows if answer is not None else 0
        for part in tf.nest.flatten(answer) if answer is not None else []:
            if part.dtype == tf.string:
                tf.strings.unicode_decode(part, "UTF-8", errors="strict")
            elif part.dtype.is_floating:
                assert np.isfinite(part).all(), given[first : first + rows]
    return answered


def endpoints(words, translator):
    """Every text endpoint; of scores both sides."""
    return {
        "generate": lambda text: words.generate(text, 3),
        "next_tokens": lambda text: words.next_tokens(text, 3),
        "score": lambda text: words.score(text),
        "start": lambda text: words.start(text),
        "translate": lambda text: translator.translate(text),
        "translate_n_best": lambda text: translator.translate_n_best(text),
        "score_source": lambda text: translator.score(text, ["1"]),
        "score_target": lambda text: translator.score(["one"], text),
        "start_source": lambda text: translator.start(text),
    }


def run(words, translator, count):
    given = texts(count)
    for name, call in endpoints(words, translator).items():
        if name in ("generate", "next_tokens", "score", "start"):
            # <start> stands before what is empty, <unk> for what is unknown: all are answered
            assert check(call, given, rows=20) == len(given)
        else:
            assert 10 < check(call, given) < len(given)


def test_random_bytes(word_export, translator_export):
    run(word_export, translator_export, 200)


@pytest.mark.slow
def test_ten_thousand_random_bytes(word_export, character_export, translator_export):
    run(word_export, translator_export, 10_000)
    for call in (character_export.generate, character_export.next_tokens, character_export.score):
        assert check(call, texts(10_000)) > 500
