"""The recurrent layers under their first address; each stands in a file of `layers/cells`."""

from rnnzoo.layers.cells import GRU, LSTM, SimpleRNN
from rnnzoo.layers.cells.fast_loop import FastLoop

__all__ = ["GRU", "LSTM", "FastLoop", "SimpleRNN"]
