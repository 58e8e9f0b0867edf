"""From ids to batches: tf.data pipelines, and twins that need no TensorFlow."""

from rnnzoo.data import corpora
from rnnzoo.data.batches import (
    document_batches,
    pair_batches,
    random_resets,
    stream_batches,
    window_batches,
)
from rnnzoo.data.pydatasets import PairDataset, StreamDataset

__all__ = [
    "PairDataset",
    "StreamDataset",
    "corpora",
    "document_batches",
    "pair_batches",
    "random_resets",
    "stream_batches",
    "window_batches",
]
