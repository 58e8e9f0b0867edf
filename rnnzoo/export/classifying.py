"""The endpoint of text classifiers: `classify`."""

from collections.abc import Callable

import tensorflow as tf
from keras import ops

from rnnzoo.export.shared import Shared
from rnnzoo.export.signatures import TEXTS, endpoint
from rnnzoo.export.text import not_blank_ids
from rnnzoo.vocabulary.graph_vocabulary import GraphVocabulary


def classify(shared: Shared, vocabulary: GraphVocabulary) -> tuple[Callable, dict[str, Callable]]:
    """Makes `classify`: the most probable label of each text, and the probability of all labels."""
    model = shared.model
    special = vocabulary.vocabulary

    def classify(text):
        ids = not_blank_ids(
            vocabulary, text, start_id=special.start_id, end_id=special.end_id, what="to classify"
        )
        probabilities = ops.softmax(model(ids.to_tensor(), training=False))  # (B, labels)
        names = tf.constant(model.labels)
        return {
            "label": tf.gather(names, tf.argmax(probabilities, axis=-1)),
            "probabilities": probabilities,
            "labels": tf.tile(names[tf.newaxis], [tf.shape(probabilities)[0], 1]),
        }

    method = endpoint(classify, text=TEXTS)
    return method, {"classify": method}
