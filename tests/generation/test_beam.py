"""Beam search against exhaustive search, greedy search and a plain Python loop."""

import functools
import itertools

import keras
import numpy as np
import pytest
from keras import ops

import rnnzoo
from rnnzoo.errors import InputError
from rnnzoo.generation.attention import attention_weights
from rnnzoo.generation.beam import length_penalty
from rnnzoo.generation.generate import compiled_beam
from tests import runners

SOURCES = np.array([[3, 4, 5, 4], [5, 3, 0, 0], [4, 4, 4, 3]], "int32")
SYMBOLS = (3, 4)  # with the end token, 2, all that can be written
MOST = 4


@functools.cache
def tiny(target_size, position):
    return rnnzoo.gru_seq2seq(6, target_size, units=4, embedding_dim=3, attention_position=position)


def shaken(seed, spread=1.5, target_size=5, position="before_cell"):
    """A tiny model without vocabularies, given weights that make its distributions far from flat.

    It is made and compiled once, so only the one shaken last can be used.
    """
    model = tiny(target_size, position)
    random = np.random.default_rng(seed)
    model.set_weights([random.normal(0, spread, weight.shape) for weight in model.weights])
    return model


def searched(model, most, alpha, width):
    """The tokens and scores of a compiled search of the SOURCES."""
    search = compiled_beam(model.decodable(), width, 1)
    limits = np.full(len(SOURCES), most, "int32")
    found = search(SOURCES, limits, np.zeros(15, "int32"), np.float32(alpha))
    tokens, scores = map(ops.convert_to_numpy, found)
    return tokens[:, 0], scores[:, 0]


ENDED = [
    (*symbols, 2) for length in range(MOST) for symbols in itertools.product(SYMBOLS, repeat=length)
]


def log_probabilities(model, source):
    """Of every translation of a source that ends in time, among the tokens that may be written."""
    labels = np.array([[*tokens, *[0] * (MOST - len(tokens))] for tokens in ENDED], "int32")
    target = np.concatenate([np.ones((len(ENDED), 1), "int32"), labels[:, :-1]], axis=1)
    inputs = {"source": np.repeat(source[None], len(ENDED), axis=0), "target": target}
    logits = runners.logits_of(model, inputs).astype("float64")[:, :, 2:]
    logits -= logits.max(-1, keepdims=True)
    logits -= np.log(np.exp(logits).sum(-1, keepdims=True))
    chosen = np.take_along_axis(logits, np.maximum(labels - 2, 0)[..., None], -1)[..., 0]
    return np.where(labels > 0, chosen, 0).sum(-1)


def exhaustive(log_probabilities, alpha):
    """The best of all translations, and its score."""
    penalties = [((5 + len(tokens)) / 6) ** alpha for tokens in ENDED]
    scores = log_probabilities / penalties
    return ENDED[scores.argmax()], scores.max()


@pytest.mark.parametrize("position", ["before_cell", "after_cell"])
def test_a_beam_that_cuts_nothing_off_is_exhaustive_search(position):
    lengths = set()
    for seed in range(3):
        model = shaken(seed, position=position)
        known = [log_probabilities(model, source[source > 0]) for source in SOURCES]
        for alpha in (0.0, 0.6, 2.0):
            tokens, scores = searched(model, MOST, alpha, width=2**MOST)
            for its, row, score in zip(known, tokens, scores, strict=True):
                best, expected = exhaustive(its, alpha)
                assert row.tolist() == [*best, *[0] * (len(row) - len(best))]
                np.testing.assert_allclose(score, expected, atol=1e-4)
                lengths.add(len(best))
    assert len(lengths) > 1


def covered(model, source, beta):
    """What the coverage penalty adds to each translation of a source (Wu et al. 2016, eq. 14)."""
    tokens = np.array([[*tokens, *[0] * (MOST - len(tokens))] for tokens in ENDED], "int32")
    sources = np.repeat(source[None], len(ENDED), axis=0)
    weights = ops.convert_to_numpy(attention_weights(model.decodable(), (sources,), tokens=tokens))
    steps = np.arange(MOST)[None, :, None] < np.array([len(each) for each in ENDED])[:, None, None]
    attended = (weights * steps).sum(1)[:, source > 0]  # (translations, S)
    return beta * np.log(np.minimum(attended, 1)).sum(-1)


@pytest.mark.parametrize("beta", [0.2, 2.0])
def test_coverage_is_that_of_exhaustive_search(beta):
    model, others = shaken(3), 0
    width, alpha = 2 * len(ENDED), 0.6
    search = compiled_beam(model.decodable(), width, 2, covers=True)
    limits = np.full(len(SOURCES), MOST, "int32")
    buffer = np.zeros(15, "int32")
    found = search(SOURCES, limits, buffer, np.float32(alpha), np.float32(beta))
    tokens, scores = map(ops.convert_to_numpy, found)
    penalties = np.array([length_penalty(len(each), alpha) for each in ENDED])
    for row, source in enumerate(SOURCES):
        plain = log_probabilities(model, source) / penalties
        expected = plain + covered(model, source, beta)
        order = np.argsort(-expected)
        others += order[0] != plain.argmax()
        for place in range(2):
            best = ENDED[order[place]]
            np.testing.assert_allclose(scores[row, place], expected[order[place]], atol=1e-4)
            assert tuple(tokens[row, place, : len(best)]) == best
    assert others or beta < 1  # the penalty changes what wins


def greedy_groups(model, prompt, most, groups, diversity):
    """Greedy searches that avoid, step by step, the tokens of those before: texts and scores."""
    texts, totals = [[] for _ in range(groups)], np.zeros(groups)
    for _ in range(most):
        taken = np.zeros(model.vocabulary_size)
        for group, text in enumerate(texts):
            ids = np.array([[*prompt, *text]], "int32")
            logits = ops.convert_to_numpy(model(ids)).astype("float64")[0, -1]
            logs = logits - np.log(np.exp(logits).sum())
            text.append(int((logs - diversity * taken).argmax()))
            totals[group] += logs[text[-1]]
            taken[text[-1]] += 1
    return {tuple(text): total for text, total in zip(texts, totals, strict=True)}


def test_groups_of_one_are_greedy_searches_that_avoid_each_other():
    model, counts = rnnzoo.char_lstm(9, units=5, num_layers=1), []
    random = np.random.default_rng(0)
    model.set_weights([random.normal(0, 1.5, weight.shape) for weight in model.weights])
    for diversity in (0.0, 0.7, 5.0):
        for prompt in ([1, 2], [5]):
            expected = greedy_groups(model, prompt, 6, 3, diversity=diversity)
            found = model.generate(
                prompt, 6, beam_width=3, n_best=3, beam_groups=3, diversity_penalty=diversity,
                length_penalty=0.0,
            )  # fmt: skip
            scores = {tuple(ids.tolist()): score for ids, score in found}
            assert scores == pytest.approx(expected, abs=1e-4)
            counts.append(len(found))
    assert counts[:2] == [1, 1] and counts[-2:] == [3, 3]


def test_groups_find_the_best_of_an_exhaustive_search():
    """The first group is a beam of its own, whatever the others do."""
    model = shaken(2)
    width = 2 * 2**MOST
    search = compiled_beam(model.decodable(), width, 1, groups=2)
    limits, buffer = np.full(len(SOURCES), MOST, "int32"), np.zeros(15, "int32")
    found = search(SOURCES, limits, buffer, np.float32(0.6), np.float32(3.0))
    tokens, scores = map(ops.convert_to_numpy, found)
    for row, source in enumerate(SOURCES):
        best, expected = exhaustive(log_probabilities(model, source[source > 0]), 0.6)
        assert tokens[row, 0].tolist()[: len(best)] == list(best)
        np.testing.assert_allclose(scores[row, 0], expected, atol=1e-4)


def test_a_beam_of_one_is_greedy_search():
    ended = set()
    for seed in range(6):
        model = shaken(seed, target_size=9)
        tokens, _ = searched(model, 8, 0.6, width=1)
        greedy = model.translate([source[source > 0] for source in SOURCES], 8)
        for row, its in zip(tokens.tolist(), greedy, strict=True):
            assert row == [*its, *[0] * (len(row) - len(its))]
            ended.add(2 in its)
    assert ended == {True, False}


def by_python(model, source, most, alpha, width):
    """The same search with lists, one source at a time."""
    memory, state = model.encode(source[None])
    live, done = [(0.0, (), [1], state)], []
    for step in range(most):
        candidates = []
        for score, text, token, its_state in live:
            logits, new_state, _ = model.step(np.array(token, "int32"), its_state, memory)
            logits = ops.convert_to_numpy(logits)[0].astype("float64")
            logits[[0, 1]] = -np.inf
            logits -= logits.max()
            logits -= np.log(np.exp(logits).sum())
            for token, gain in enumerate(logits):
                if gain > -np.inf:
                    candidates.append((score + gain, (*text, token), [token], new_state))
        candidates.sort(key=lambda one: -one[0])
        ends = [one for one in candidates[:width] if one[1][-1] == 2]
        done += [(one[0] / ((6 + step) / 6) ** alpha, one[1]) for one in ends]
        live = [one for one in candidates if one[1][-1] != 2][:width]
        if len(done) >= width or not live:
            break
    return max(done) if done else (live[0][0] / ((5 + most) / 6) ** alpha, live[0][1])


@pytest.mark.parametrize("width", [2, 3])
def test_narrow_beams_equal_a_plain_loop(width):
    kinds = set()
    for seed in range(4):
        model = shaken(seed, target_size=9)
        tokens, scores = searched(model, 6, 0.6, width)
        for source, row, score in zip(SOURCES, tokens.tolist(), scores, strict=True):
            its, text = by_python(model, source[source > 0], 6, 0.6, width)
            assert tuple(row[: len(text)]) == text and not any(row[len(text) :])
            np.testing.assert_allclose(score, its, atol=1e-4)
            kinds.add((text[-1] == 2, len(text)))
    assert len({ended for ended, _ in kinds}) == 2 and len(kinds) > 2


def test_a_wider_beam_never_scores_worse_than_exhaustive_search_allows():
    model = shaken(7)
    known = [log_probabilities(model, source[source > 0]) for source in SOURCES]
    best = [exhaustive(its, 0.6)[1] for its in known]
    for width in (2, 3, 5):
        tokens, scores = searched(model, MOST, 0.6, width)
        ended = (tokens[:, :MOST] == 2).any(-1)
        assert (scores[ended] <= np.array(best)[ended] + 1e-4).all()


@pytest.mark.parametrize("name", ["gru_seq2seq", "gru_seq2seq-after-lstm"])
def test_translate_texts(name):
    keras.utils.set_random_seed(1)
    model = runners.ENCODER_DECODERS[name]()
    random = np.random.default_rng(3)
    model.set_weights([random.normal(0, 1, weight.shape) for weight in model.weights])
    texts = ["one two one", "two", "one one two two one two"]
    translations, attention = model.translate(texts, 9, return_attention=True, beam_width=3)
    assert translations == model.translate(texts, 9, beam_width=3)
    target = model.target_vocabulary
    for text, translation, weights in zip(texts, translations, attention, strict=True):
        assert model.translate(text, 9, beam_width=3) == translation  # whatever else is there
        written = [target.start_id, *target.encode(translation), target.end_id]
        assert len(weights) in (len(translation), len(translation) + 1)
        source = model.source_vocabulary.encode_documents([text], start=False)[0]
        memory, state = model.encode(source[None])
        for token, expected in zip(written, weights, strict=False):
            _, state, looked = model.step(np.array([token], "int32"), state, memory)
            np.testing.assert_allclose(ops.convert_to_numpy(looked)[0], expected, atol=1e-5)


def test_the_model_without_attention_and_mixed_precision():
    model = runners.ENCODER_DECODERS["gru_seq2seq-no_attention"]()
    assert isinstance(model.translate("one", 5, beam_width=2), str)
    model = runners.ENCODER_DECODERS["gru_seq2seq"](dtype="mixed_bfloat16")
    _, weights = model.translate("one two", 5, return_attention=True, beam_width=2)
    assert weights.dtype == np.float32 and weights.shape[1] == 8


def test_the_penalty_makes_translations_longer():
    mean = []
    for alpha in (0.0, 3.0):
        rows = [searched(shaken(s, 0.5), 12, alpha, width=4)[0] for s in range(3)]
        mean.append(np.mean([np.argmax(row == 2) for row in np.concatenate(rows)]))
    assert mean[1] > mean[0]
    assert length_penalty(13, 1.0) == 3.0 and length_penalty(5, 0.0) == 1.0


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="JAX compiles by shape")
def test_one_trace_serves_all_lengths_and_penalties(monkeypatch):
    model = runners.ENCODER_DECODERS["gru_seq2seq"]()
    traces = []
    encode = rnnzoo.Seq2Seq.encode
    monkeypatch.setattr(rnnzoo.Seq2Seq, "encode", lambda *all: traces.append(1) or encode(*all))
    model.translate("one", 3, beam_width=2)
    model.translate(["one two " * 9, "two"], 40, beam_width=2, length_penalty=1)
    assert len(traces) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"beam_width": 0}, "`beam_width` must be a whole number of at least 1, not 0"),
        ({"beam_width": 2.5}, "`beam_width`"),
        ({"length_penalty": -0.1}, "`length_penalty` must be a number from 0 to 1e6"),
        ({"length_penalty": 10**400}, "`length_penalty` must be a number from 0 to 1e6"),
        ({"coverage_penalty": 1e30}, "`coverage_penalty` must be a number from 0 to 1e6"),
        ({"length_penalty": float("nan")}, "not nan"),
        ({"length_penalty": "GNMT"}, "not 'GNMT'"),
        ({"beam_groups": 3}, "`beam_groups` .3. must divide"),
        ({"beam_groups": 2, "diversity_penalty": -1}, "`diversity_penalty` must be"),
    ],
)
def test_bad_input(arguments, message):
    with pytest.raises(InputError, match=message):
        runners.ENCODER_DECODERS["gru_seq2seq"]().translate("one", **{"beam_width": 2} | arguments)
