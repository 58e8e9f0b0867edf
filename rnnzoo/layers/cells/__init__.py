"""The recurrent cells, one file each, and how one registers another."""

from rnnzoo.layers.cells.cell_loop import recurrent_layer
from rnnzoo.layers.cells.gru import GRU
from rnnzoo.layers.cells.lstm import LSTM
from rnnzoo.layers.cells.registry import register_cell
from rnnzoo.layers.cells.simple_rnn import SimpleRNN

__all__ = ["GRU", "LSTM", "SimpleRNN", "recurrent_layer", "register_cell"]
