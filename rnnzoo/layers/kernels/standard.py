"""What the fast kernels ask of an LSTM, GRU or SimpleRNN layer alike."""

import keras

STANDARD_LAYERS = keras.layers.LSTM | keras.layers.GRU | keras.layers.SimpleRNN
# Spellings that Keras too takes for the same function.
TANH = (keras.activations.tanh, keras.ops.tanh)
SIGMOID = (keras.activations.sigmoid, keras.ops.sigmoid)


def standard_obstacles(layer):
    """What keeps a layer from cuDNN and from the CPU loop alike, as remedies."""
    if not isinstance(layer, STANDARD_LAYERS):
        return [f"{type(layer.cell).__name__} has no other kernel; use an LSTM or a GRU layer"]
    lost = cell_obstacles(layer.cell)
    if layer.unroll:
        lost.append("set unroll=False")
    return lost


def cell_obstacles(cell):
    """What keeps a cell's equations from being those that are written by hand, as remedies."""
    lost = []
    if cell.activation not in TANH:
        lost.append("set activation='tanh'")
    if getattr(cell, "recurrent_activation", SIGMOID[0]) not in SIGMOID:
        lost.append("set recurrent_activation='sigmoid'")
    if cell.recurrent_dropout:
        lost.append("set recurrent_dropout=0")
    if not getattr(cell, "reset_after", True):
        lost.append("set reset_after=True (its weights differ)")
    return lost
