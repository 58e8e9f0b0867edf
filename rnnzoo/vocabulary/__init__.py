"""Between text and ids: the rules that cut text, and the vocabulary that numbers what they cut."""

from rnnzoo.vocabulary.lookalikes import fold_lookalikes, lookalikes
from rnnzoo.vocabulary.vocabulary import SPECIAL_TOKENS, Vocabulary

__all__ = ["SPECIAL_TOKENS", "Vocabulary", "fold_lookalikes", "lookalikes"]
