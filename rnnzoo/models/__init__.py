"""The models and the builders that make them."""

from rnnzoo.models.builders import char_lstm, gru_seq2seq, text_classifier, word_lm
from rnnzoo.models.chunked_loss import SmoothedCrossEntropy
from rnnzoo.models.distillation import DistillationLoss
from rnnzoo.models.grow import grow
from rnnzoo.models.language_model import LanguageModel
from rnnzoo.models.seq2seq import Seq2Seq
from rnnzoo.models.text_classifier import TextClassifier

__all__ = [
    "DistillationLoss",
    "LanguageModel",
    "Seq2Seq",
    "SmoothedCrossEntropy",
    "TextClassifier",
    "char_lstm",
    "grow",
    "gru_seq2seq",
    "text_classifier",
    "word_lm",
]
