"""Serialisable Keras layers; none of them knows text."""

from rnnzoo.layers.attention import BahdanauAttention
from rnnzoo.layers.attention_cell import AttentionCell
from rnnzoo.layers.blocks import ResidualBlock
from rnnzoo.layers.cells import GRU, LSTM, SimpleRNN, register_cell
from rnnzoo.layers.decoder import Decoder
from rnnzoo.layers.dropout import EmbeddingDropout
from rnnzoo.layers.encoder import Encoder
from rnnzoo.layers.heads import TiedHead
from rnnzoo.layers.stack import RecurrentStack

__all__ = [
    "GRU",
    "LSTM",
    "AttentionCell",
    "BahdanauAttention",
    "Decoder",
    "EmbeddingDropout",
    "Encoder",
    "RecurrentStack",
    "ResidualBlock",
    "SimpleRNN",
    "TiedHead",
    "register_cell",
]
