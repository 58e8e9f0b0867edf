"""Kneser-Ney against a dictionary implementation written from the formulas."""

import gzip
import json
import math
from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnzoo.errors import InputError
from rnnzoo.evaluation import KneserNey, cached_perplexity, kneser_ney

PAD, START, UNKNOWN, END = 0, 1, 2, 3


class BruteForce:
    """The formulas of Chen and Goodman over tuples, slow and plain."""

    def __init__(self, vocabulary_size, order, documents):
        self.words = [w for w in range(vocabulary_size) if w not in (PAD, START)]
        self.order = order
        occurrences = Counter()
        for document in documents:
            for end in range(len(document)):
                for k in range(1, min(order, end + 1) + 1):
                    occurrences[tuple(document[end - k + 1 : end + 1])] += 1
        before = defaultdict(set)
        for gram in occurrences:
            if len(gram) > 1:
                before[gram[1:]].add(gram[0])
        self.counts = {}
        for gram, count in occurrences.items():
            raw = len(gram) == order or gram[0] == START
            if gram != (START,):
                self.counts[gram] = count if raw else len(before[gram])
        self.discounts = [self._discounts(k) for k in range(1, order + 1)]

    def _discounts(self, k):
        n = Counter(count for gram, count in self.counts.items() if len(gram) == k)
        try:
            y = n[1] / (n[1] + 2 * n[2])
            d1 = 1 - 2 * y * n[2] / n[1]
            d2 = 2 - 3 * y * n[3] / n[2]
            d3 = 3 - 4 * y * n[4] / n[3]
        except ZeroDivisionError:
            return 0.5, 1.0, 1.5
        usable = n[4] > 0 and 0 < d1 <= 1 and 0 < d2 <= 2 and 0 < d3 <= 3
        return (d1, d2, d3) if usable else (0.5, 1.0, 1.5)

    def probability(self, word, context):
        context = tuple(context)
        discounts = self.discounts[len(context)]
        following = {v: self.counts.get((*context, v), 0) for v in self.words}
        total = sum(following.values())
        if context:
            lower = self.probability(word, context[1:])
        else:
            lower = 1 / len(self.words)
        if total == 0:
            return lower
        discount = lambda count: discounts[min(count, 3) - 1] if count else 0.0  # noqa: E731
        gamma = sum(discount(count) for count in following.values()) / total
        return (following[word] - discount(following[word])) / total + gamma * lower

    def score(self, documents):
        nats, count = 0.0, 0
        for document in documents:
            for end in range(1, len(document)):
                context = document[max(0, end - self.order + 1) : end]
                nats -= math.log(self.probability(document[end], context))
                count += 1
        return nats, count


def random_documents(seed, vocabulary_size, number, mean_length):
    """Documents of words with Zipf-like frequencies."""
    rng = np.random.default_rng(seed)
    words = np.array([UNKNOWN, *range(4, vocabulary_size)])
    weights = 1 / np.arange(1, len(words) + 1)
    return [
        np.array(
            [START, *rng.choice(words, rng.poisson(mean_length), p=weights / weights.sum()), END],
            dtype=np.int32,
        )
        for _ in range(number)
    ]


documents_of_ten = st.lists(
    st.lists(st.sampled_from([UNKNOWN, 4, 5, 6, 7, 8, 9]), max_size=9).map(
        lambda words: [START, *words, END]
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 5), documents_of_ten, documents_of_ten)
def test_agrees_with_brute_force_on_tiny_documents(order, train, validation):
    model = KneserNey(10, order).fit(train)
    nats, count = model.score(validation)
    expected_nats, expected_count = BruteForce(10, order, train).score(validation)
    assert count == expected_count
    assert nats == pytest.approx(expected_nats, rel=1e-10)
    assert model.perplexity(validation) == pytest.approx(math.exp(nats / count))


@pytest.mark.parametrize("order", [1, 2, 3, 4, 5])
def test_agrees_with_brute_force_with_estimated_discounts(order):
    train = random_documents(1, 20, 60, 25)
    validation = random_documents(2, 20, 8, 25)
    model = KneserNey(20, order).fit(train)
    reference = BruteForce(20, order, train)
    if order > 1:
        assert model.discounts_estimated[order - 1]  # else the estimates go untested
    np.testing.assert_allclose(model.discounts, reference.discounts, rtol=1e-12)
    nats, count = model.score(validation)
    expected_nats, expected_count = reference.score(validation)
    assert count == expected_count
    assert nats == pytest.approx(expected_nats, rel=1e-10)


@settings(max_examples=50, deadline=None)
@given(
    st.integers(1, 5),
    documents_of_ten,
    st.booleans(),
    st.lists(st.sampled_from([UNKNOWN, END, 4, 5, 9, 10, 11]), max_size=6),
)
def test_probabilities_sum_to_one(order, train, at_start, context):
    context = [START, *context] if at_start else context
    model = KneserNey(12, order).fit(train)  # the ids 10 and 11 are never seen
    probabilities = model.probabilities(context)
    assert probabilities.shape == (12,)
    assert probabilities.sum() == pytest.approx(1, abs=1e-9)
    assert probabilities[PAD] == probabilities[START] == 0
    assert (np.delete(probabilities, [PAD, START]) > 0).all()
    reference = BruteForce(12, order, train)
    used = context[max(0, len(context) - order + 1) :]
    expected = [reference.probability(word, used) for word in reference.words]
    np.testing.assert_allclose(np.delete(probabilities, [PAD, START]), expected, rtol=1e-10)


def test_probabilities_are_what_score_sums():
    model = KneserNey(30, 3).fit(random_documents(3, 30, 20, 15))
    document = random_documents(4, 30, 1, 15)[0]
    each = [model.probabilities(document[:i])[document[i]] for i in range(1, len(document))]
    assert model.score([document])[0] == pytest.approx(-np.log(each).sum(), rel=1e-12)


def test_a_case_counted_by_hand():
    # bigrams: (1 4) twice; (4 5), (4 4), (5 3), (4 3) once. Fallback discounts 0.5, 1, 1.5.
    # continuation counts of the words: 4 after {1, 4} = 2, 5 after {4} = 1, 3 after {5, 4} = 2.
    model = KneserNey(6, order=2).fit([[1, 4, 5, 3], [1, 4, 4, 3]])
    assert model.discounts_estimated == [False, False]
    uniform = 1 / 4  # words 2, 3, 4, 5
    backoff = (1 + 0.5 + 1) / 5
    unigram = {2: 0, 3: (2 - 1) / 5, 4: (2 - 1) / 5, 5: (1 - 0.5) / 5}
    unigram = {word: p + backoff * uniform for word, p in unigram.items()}
    after_4 = {2: 0, 3: 0.5 / 3, 4: 0.5 / 3, 5: 0.5 / 3}
    expected = [after_4[word] + 1.5 / 3 * unigram[word] for word in (2, 3, 4, 5)]
    np.testing.assert_allclose(model.probabilities([4])[2:], expected, rtol=1e-12)
    # (1) was followed by 4 both times
    assert model.probabilities([1])[4] == pytest.approx((2 - 1) / 2 + 1 / 2 * unigram[4])
    assert model.probabilities([])[5] == pytest.approx(unigram[5])


def test_contexts_do_not_cross_documents():
    first, second = random_documents(5, 20, 2, 30)
    model = KneserNey(20, 4).fit([first])
    together = model.score([first, second])
    alone = np.add(model.score([first]), model.score([second]))
    np.testing.assert_allclose(together, alone, rtol=1e-12)
    turned = KneserNey(20, 4).fit([second, first]).score([first])
    assert turned == pytest.approx(KneserNey(20, 4).fit([first, second]).score([first]), rel=1e-12)


def test_other_special_ids_and_no_pad():
    moved = {PAD: 9, START: 0, END: 7}
    train = random_documents(6, 7, 10, 10)  # the words are 2, 4, 5, 6
    move = lambda documents: [[moved.get(int(i), int(i)) for i in d] for d in documents]  # noqa: E731
    nats = KneserNey(10, 3).fit(train).score(train)[0]
    other = KneserNey(10, 3, pad_id=9, start_id=0, end_id=7).fit(move(train))
    assert other.score(move(train))[0] == pytest.approx(nats, rel=1e-12)
    without = KneserNey(10, 3, pad_id=None).fit(train)
    assert without.probabilities([4]).sum() == pytest.approx(1)
    assert without.probabilities([4])[0] > 0


def test_a_higher_order_knows_more():
    rng = np.random.default_rng(7)

    def walk(length):  # each word depends on the two before it
        words = [4, 5]
        for _ in range(length):
            likely = 4 + (3 * words[-1] + words[-2]) % 12
            words.append(likely if rng.random() < 0.8 else int(rng.integers(4, 16)))
        return [START, *words, END]

    train, validation = [walk(50) for _ in range(60)], [walk(50) for _ in range(10)]
    perplexities = [KneserNey(16, k).fit(train).perplexity(validation) for k in (1, 2, 3)]
    assert perplexities[2] < 0.7 * perplexities[1] < 0.7 * perplexities[0]


def test_cache(tmp_path, monkeypatch):
    train, validation = random_documents(8, 30, 20, 15), random_documents(9, 30, 5, 15)
    folder = tmp_path / "made" / "here"
    figures = cached_perplexity(3, train, validation, 30, folder)
    assert figures["perplexity"] == KneserNey(30, 3).fit(train).perplexity(validation)
    assert figures["tokens"] == sum(len(d) - 1 for d in validation)
    assert figures["order"] == 3 and figures["seconds"] > 0
    (path,) = folder.iterdir()  # no temporary file is left

    with monkeypatch.context() as patch:
        patch.setattr(KneserNey, "fit", None)  # a hit counts nothing
        assert cached_perplexity(3, train, validation, 30, folder) == figures
        as_int64 = [d.astype(np.int64).tolist() for d in train]
        assert cached_perplexity(3, as_int64, validation, 30, folder) == figures
        for change in (
            lambda: cached_perplexity(2, train, validation, 30, folder),
            lambda: cached_perplexity(3, train, validation, 31, folder),
            lambda: cached_perplexity(3, train[1:], validation, 30, folder),
            lambda: cached_perplexity(3, train, validation[::-1], 30, folder),
            lambda: cached_perplexity(3, train, validation, 30, folder, pad_id=None),
        ):
            with pytest.raises(TypeError):  # a miss calls fit, which is None
                change()
        patch.setattr(kneser_ney, "CODE_VERSION", -1)
        with pytest.raises(TypeError):
            cached_perplexity(3, train, validation, 30, folder)
    assert list(folder.iterdir()) == [path]  # nor after a failure

    for damage in (path.read_text()[:20], "", "[]", "{}", "\xff\x00"):
        path.write_text(damage, encoding="latin-1")
        again = cached_perplexity(3, train, validation, 30, folder)
        assert again["perplexity"] == figures["perplexity"]
        assert json.loads(path.read_text()) == again


def test_a_cache_that_cannot_be_written(tmp_path):
    file = tmp_path / "file"
    file.write_text("in the way")
    documents = [[START, 4, END]]
    with pytest.raises(InputError, match="cannot be written"):
        cached_perplexity(2, documents, documents, 6, file)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([4, 5, END], r"Document 1 has id 4 at place 0"),
        ([START, 4, 5], r"Document 1 has id 5 at place 2"),
        ([START, 4, START, END], r"id 1 at place 2"),
        ([START, END, 4, END], r"id 3 at place 1"),
        ([START, 4, PAD, END], r"id 0 at place 2"),
        ([START, 6, END], r"id 6 at place 1"),
        ([START, -2, END], r"id -2 at place 1"),
        ([START], r"at least 2"),
        ([], r"at least 2"),
        ([1.0, 4.0, 3.0], r"integer ids, not float64"),
        ([[START, END]], r"one-dimensional"),
        (4, r"one-dimensional"),
    ],
)
def test_wrong_documents(document, message):
    good = [START, 4, END]
    with pytest.raises(InputError, match=message):
        KneserNey(6, 2).fit([good, document])
    with pytest.raises(InputError, match=message):
        KneserNey(6, 2).fit([good]).score([good, document])


def test_wrong_arguments():
    with pytest.raises(InputError, match="`order`"):
        KneserNey(10, 0)
    with pytest.raises(InputError, match="`vocabulary_size`"):
        KneserNey(-1)
    with pytest.raises(InputError, match="`end_id`"):
        KneserNey(3)
    with pytest.raises(InputError, match="different ids"):
        KneserNey(10, start_id=0)
    with pytest.raises(InputError, match="at least one document"):
        KneserNey(10).fit([])
    with pytest.raises(InputError, match="call `fit"):
        KneserNey(10).score([[START, END]])
    with pytest.raises(InputError, match="call `fit"):
        KneserNey(10).probabilities([])
    model = KneserNey(10).fit([[START, END]])
    for context in ([4, START], [PAD], [10], [-1]):
        with pytest.raises(InputError, match="A context holds"):
            model.probabilities(context)


def test_real_reviews(data_dir):
    path = data_dir / "imdb" / "train.jsonl.gz"
    if not path.is_file():
        pytest.skip(f"needs {path}")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        texts = [json.loads(line)["text"].lower().split() for line in lines][::25]
    counts = Counter(word for text in texts[100:] for word in text)
    ids = {word: i for i, (word, _) in enumerate(counts.most_common(1996), start=4)}
    documents = [[START, *(ids.get(w, UNKNOWN) for w in text), END] for text in texts]
    validation, train = documents[:100], documents[100:]
    bigram, trigram = (KneserNey(2000, k).fit(train).perplexity(validation) for k in (2, 3))
    assert 50 < trigram < bigram < 200
