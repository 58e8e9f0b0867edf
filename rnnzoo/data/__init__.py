"""From ids to batches: tf.data pipelines, and twins that need no TensorFlow."""

from rnnzoo.data import corpora
from rnnzoo.data.batches import (
    document_batches,
    labelled_batches,
    pair_batches,
    stream_batches,
    window_batches,
)
from rnnzoo.data.labelled import read_labelled
from rnnzoo.data.pairs import read_csv_pairs, read_parallel, read_tab_separated
from rnnzoo.data.pydatasets import LabelledDataset, PairDataset, StreamDataset
from rnnzoo.data.resets import random_resets
from rnnzoo.data.teacher import with_teacher
from rnnzoo.data.variable import variable_stream_batches

__all__ = [
    "LabelledDataset",
    "PairDataset",
    "StreamDataset",
    "corpora",
    "document_batches",
    "labelled_batches",
    "pair_batches",
    "random_resets",
    "read_csv_pairs",
    "read_labelled",
    "read_parallel",
    "read_tab_separated",
    "stream_batches",
    "variable_stream_batches",
    "window_batches",
    "with_teacher",
]
