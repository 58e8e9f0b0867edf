"""`sensitivity`: how far back a prediction looks."""

from typing import Any

import keras
import numpy as np
from keras import ops

from rnnzoo.errors import InputError
from rnnzoo.gradients import gradients
from rnnzoo.inspection.reading import ids_of
from rnnzoo.inspection.watching import replaced


def sensitivity(model: keras.Model, text: Any, position: int = -1) -> np.ndarray:
    """Computes how strongly a prediction depends on each token before it.

    That is the Euclidean norm of the gradient of the predicted token's log-probability by the
    embedding of each token that the network read.

    Args:
        model: A `LanguageModel`.
        text: The text; ids for a model without a vocabulary.
        position: Which token is predicted, counted as in `inspect(model, text).ids`: -1 is the
            last.

    Returns:
        The norms, float32 `(position,)`; the last is that of the token just before.

    Raises:
        InputError: If the model is a translator, the text cannot be read, or nothing stands before
            the position.

    Example:
        >>> from rnnzoo import Vocabulary, char_lstm
        >>> model = char_lstm(Vocabulary.from_text("to be or not to be"), units=8)
        >>> sensitivity(model, "to be", 4).shape
        (4,)

    Reference:
        Madsen, "Visualizing memorization in RNNs", Distill 2019, doi:10.23915/distill.00016.
    """
    if hasattr(model, "translate") or not hasattr(model, "prefill"):
        raise InputError(
            f"`sensitivity` reads language models, not a {type(model).__name__}; for a translator "
            "`inspect` has the attention weights."
        )
    ids = ids_of(model, text)
    place = position + len(ids) if position < 0 else position
    if not 0 < place < len(ids):
        raise InputError(
            f"`position` must be a token with others before it, 1 to {len(ids) - 1} (or -1 for the "
            f"last of at least two), not {position!r}."
        )
    read, predicted = ids[None, :place], int(ids[place])
    embedded = ops.convert_to_numpy(ops.cast(model.embedding(read), "float32"))  # (1, P, E)

    def log_probability(points):
        vectors = ops.cast(points[0], model.embedding.compute_dtype)
        with replaced(model.embedding, "call", lambda *_, **__: vectors):
            logits, _ = model.prefill(read, np.array([place], "int32"))
        return ops.log_softmax(logits)[0, predicted], None

    (found,), _ = gradients(log_probability, [embedded])  # (1, P, E)
    return np.linalg.norm(ops.convert_to_numpy(found)[0], axis=-1)
