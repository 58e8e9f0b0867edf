"""How good a model is: exact metrics, and n-gram models to compare a language model with."""

from rnnzoo.evaluation.kneser_ney import KneserNey, cached_perplexity
from rnnzoo.evaluation.metrics import BitsPerCharacter, Perplexity

__all__ = ["BitsPerCharacter", "KneserNey", "Perplexity", "cached_perplexity"]
