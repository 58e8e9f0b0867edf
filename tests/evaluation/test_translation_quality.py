"""BLEU and chrF against their definitions, on texts that 13a cuts as `str.split` does."""

import math
from collections import Counter

import pytest

from rnnzoo.errors import InputError

pytest.importorskip("sacrebleu", reason="BLEU is counted by the package sacrebleu")

from rnnzoo.evaluation.translation_quality import signatures, translation_quality

WRITTEN = ["Ein Hund rennt über eine grüne Wiese", "zwei Männer auf einer Bank", "Ein Kind lacht"]
WANTED = ["Ein Hund läuft über eine grüne Wiese", "Zwei Männer auf der Bank", "Ein Kind lacht"]
SHORT = ["Ein Hund läuft über eine", "zwei Männer auf", "Ein Kind lacht"]


def grams(items, order):
    return Counter(tuple(items[at : at + order]) for at in range(len(items) - order + 1))


def bleu(written, wanted):
    """Papineni et al. 2002 over a corpus: 4-grams and the brevity penalty."""
    pairs = [(one.split(), its.split()) for one, its in zip(written, wanted, strict=True)]
    precisions = []
    for order in range(1, 5):
        right = sum((grams(one, order) & grams(its, order)).total() for one, its in pairs)
        precisions.append(right / sum(grams(one, order).total() for one, _ in pairs))
    ratio = sum(len(its) for _, its in pairs) / sum(len(one) for one, _ in pairs)
    return 100 * math.prod(precisions) ** 0.25 * min(1.0, math.exp(1 - ratio))


def chrf(written, wanted):
    """Popović 2015 with beta 2: mean precision and recall of characters, up to 6-grams."""
    pairs = [("".join(a.split()), "".join(b.split())) for a, b in zip(written, wanted, strict=True)]
    precision, recall = 0.0, 0.0
    for order in range(1, 7):
        right = sum((grams(one, order) & grams(its, order)).total() for one, its in pairs)
        precision += right / sum(grams(one, order).total() for one, _ in pairs) / 6
        recall += right / sum(grams(its, order).total() for _, its in pairs) / 6
    return 100 * 5 * precision * recall / (4 * precision + recall)


@pytest.mark.parametrize("written", [WRITTEN, SHORT])
def test_figures_are_as_defined(written):
    figures = translation_quality(written, WANTED)
    lowered = [[text.lower() for text in texts] for texts in (written, WANTED)]
    assert figures["bleu_lowercase"] == pytest.approx(bleu(*lowered))
    assert figures["chrf"] == pytest.approx(chrf(written, WANTED))
    assert figures["chrf_lowercase"] == pytest.approx(chrf(*lowered))
    assert figures["chrf"] < figures["chrf_lowercase"]
    assert figures["bleu"] == pytest.approx(bleu(written, WANTED))
    assert 10 < figures["bleu"] < figures["bleu_lowercase"] < 100


def test_marks_are_cut_off_and_case_counts():
    figures = translation_quality(["ein kleiner hund rennt ."], ["Ein kleiner Hund rennt."])
    assert figures["bleu_lowercase"] == pytest.approx(100) and figures["bleu"] < 50


def test_signatures():
    found = {name: signature.rpartition("|version:")[0] for name, signature in signatures().items()}
    assert found == {
        "bleu": "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp",
        "bleu_lowercase": "nrefs:1|case:lc|eff:no|tok:13a|smooth:exp",
        "chrf": "nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no",
        "chrf_lowercase": "nrefs:1|case:lc|eff:yes|nc:6|nw:0|space:no",
    }


def test_mistakes(monkeypatch):
    with pytest.raises(InputError, match="2 translations and 1 references"):
        translation_quality(["a", "b"], ["a"])
    with pytest.raises(InputError, match="at least one"):
        translation_quality([], [])
    monkeypatch.setattr("rnnzoo.evaluation.translation_quality.find_spec", lambda name: None)
    with pytest.raises(InputError, match="pip install sacrebleu"):
        translation_quality(["a"], ["a"])
