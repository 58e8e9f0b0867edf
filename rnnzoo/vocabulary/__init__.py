"""Between text and ids: the rules that cut text, and the vocabulary that numbers what they cut."""

from rnnzoo.vocabulary.vocabulary import SPECIAL_TOKENS, Vocabulary

__all__ = ["SPECIAL_TOKENS", "Vocabulary"]
