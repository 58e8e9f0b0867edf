"""How good translations are: BLEU and chrF, counted by sacrebleu."""

from collections.abc import Sequence
from importlib.util import find_spec

from rnnzoo.errors import InputError


def translation_quality(translations: Sequence[str], references: Sequence[str]) -> dict[str, float]:
    """Compares translations with one reference each, over the whole corpus.

    All take readable texts as they are: what `translate` wrote against what the corpus has.

    - `bleu`: cased; sacrebleu's own tokens (`13a`), 4-grams, exponential smoothing: its default.
    - `bleu_lowercase`: the same after both sides are lower-cased. This is the one to hold beside
      figures that were counted "lower-cased and tokenised", though those come from the Moses
      tokenizer and `multi-bleu.perl`, whose tokens differ a little from `13a`.
    - `chrf`: chrF2 of characters up to 6-grams, cased, white space left out: sacrebleu's default.
    - `chrf_lowercase`: the same after both sides are lower-cased.

    Args:
        translations: The translations.
        references: What they should be.

    Returns:
        The figures by name, from 0 to 100.

    Raises:
        InputError: If there are none, not as many of one as of the other, or sacrebleu is not
            installed.

    Example:
        >>> figures = translation_quality(["Ein hund rennt."], ["Ein Hund rennt."])
        >>> round(figures["bleu"]), round(figures["bleu_lowercase"])
        (35, 100)

    Reference:
        Papineni et al., "BLEU", ACL 2002; Popović, "chrF", WMT 2015; Post, "A Call for Clarity in
        Reporting BLEU Scores", WMT 2018 (arXiv:1804.08771).
    """
    if not references or len(translations) != len(references):
        raise InputError(
            f"There are {len(translations)} translations and {len(references)} references; give "
            "one reference for each, and at least one."
        )
    return {
        name: metric.corpus_score(list(translations), [list(references)]).score
        for name, metric in _metrics().items()
    }


def signatures() -> dict[str, str]:
    """Gives sacrebleu's signatures: exactly how each figure is counted, and by which version.

    Raises:
        InputError: If sacrebleu is not installed.

    Example:
        >>> signatures()["bleu_lowercase"].rpartition("|")[0]
        'nrefs:1|case:lc|eff:no|tok:13a|smooth:exp'
    """
    metrics = _metrics()
    for metric in metrics.values():
        metric.corpus_score(["a"], [["a"]])  # it knows the number of references only then
    return {name: str(metric.get_signature()) for name, metric in metrics.items()}


def _metrics():
    if find_spec("sacrebleu") is None:
        raise InputError(
            "BLEU and chrF are counted by the package sacrebleu: "
            "`pip install sacrebleu tokenizers`."
        )
    from sacrebleu.metrics import BLEU, CHRF

    return {
        "bleu": BLEU(),
        "bleu_lowercase": BLEU(lowercase=True),
        "chrf": CHRF(),
        "chrf_lowercase": CHRF(lowercase=True),
    }
