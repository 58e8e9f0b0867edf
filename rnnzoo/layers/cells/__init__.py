"""The recurrent cells, one file each, and how one registers another."""

from rnnzoo.layers.cells.cell_loop import recurrent_layer
from rnnzoo.layers.cells.gru import GRU
from rnnzoo.layers.cells.layer_norm_lstm import LayerNormLSTMCell
from rnnzoo.layers.cells.lstm import LSTM
from rnnzoo.layers.cells.min_gru import MinGRUCell
from rnnzoo.layers.cells.min_lstm import MinLSTMCell
from rnnzoo.layers.cells.mogrifier_lstm import MogrifierLSTMCell
from rnnzoo.layers.cells.qrnn import QRNNCell
from rnnzoo.layers.cells.registry import register_cell
from rnnzoo.layers.cells.rg_lru import RGLRUCell
from rnnzoo.layers.cells.scan_loop import ScanCell
from rnnzoo.layers.cells.simple_rnn import SimpleRNN
from rnnzoo.layers.cells.slstm import SLSTMCell
from rnnzoo.layers.cells.sru import SRUCell

__all__ = [
    "GRU",
    "LSTM",
    "LayerNormLSTMCell",
    "MinGRUCell",
    "MinLSTMCell",
    "MogrifierLSTMCell",
    "QRNNCell",
    "RGLRUCell",
    "SLSTMCell",
    "SRUCell",
    "ScanCell",
    "SimpleRNN",
    "recurrent_layer",
    "register_cell",
]
