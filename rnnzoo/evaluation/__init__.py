"""Yardsticks for language models."""

from rnnzoo.evaluation.kneser_ney import KneserNey, cached_perplexity

__all__ = ["KneserNey", "cached_perplexity"]
