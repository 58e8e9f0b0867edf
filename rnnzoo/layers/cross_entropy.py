"""Cross-entropy over a large vocabulary, a few tokens at a time."""

import math

import keras
from keras import ops

from rnnzoo.typing import Tensor

CHUNK_TOKENS = 768  # a chunk has fewer: enough for fast products, few enough for a cache
LIKELY = 1e-30  # the logarithm of a float32 probability above it is exact


def chunked_cross_entropy(
    hidden: Tensor,
    matrix: Tensor,
    bias: Tensor,
    labels: Tensor,
    weights: Tensor,
    *,
    with_gradient: bool = True,
    label_smoothing: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """Cross-entropy of a softmax layer that never holds the logits of all tokens at once.

    The logits of a whole batch, `tokens x vocabulary_size` numbers, and their gradient are what
    fills the memory and the time of a word model. Here they exist for fewer than
    `CHUNK_TOKENS` tokens at a time. While a chunk's logits are at hand, what they add to the
    gradient of the mean is computed too, so that nothing has to be kept or computed twice.

    Args:
        hidden: Hidden vectors, `(tokens, features)`, in the dtype to compute the products in.
        matrix: Weights of the softmax layer, `(features, vocabulary_size)`.
        bias: Its bias, `(vocabulary_size,)`.
        labels: Right ids, int32 `(tokens,)`.
        weights: Weight of each token in the mean, float32 `(tokens,)`, 0 for padding.
        with_gradient: Whether the mean will be differentiated.
        label_smoothing: The share of each label that is spread evenly over the vocabulary, in the
            mean alone (Szegedy et al. 2016).

    Returns:
        The nats of each token, float32 `(tokens,)`, which have no gradient; and their weighted
        mean, a float32 scalar, whose gradient reaches `hidden`, `matrix` and `bias`. With
        `label_smoothing` the mean is that against the smoothed labels; the nats stay as they are.

    Example:
        >>> import numpy as np
        >>> hidden, matrix = np.ones((3, 2), "float32"), np.zeros((2, 4), "float32")
        >>> labels, weights = np.array([0, 1, 2]), np.ones(3, "float32")
        >>> _, mean = chunked_cross_entropy(hidden, matrix, np.zeros(4), labels, weights)
        >>> round(float(mean), 4)  # ln 4
        1.3863

    Reference:
        The gradient in the forward pass: Hsu et al., "Liger Kernel", arXiv:2410.10989. Smoothed
        labels: Szegedy et al., "Rethinking the Inception Architecture", CVPR 2016
        (arXiv:1512.00567).
    """
    matrix, bias = ops.cast(matrix, hidden.dtype), ops.cast(bias, "float32")
    total = ops.maximum(ops.sum(weights), 1e-9)

    def mean_of(nats, hidden, matrix, bias):
        if label_smoothing:
            nats = nats + label_smoothing * _spread_evenly(hidden, matrix, bias, labels=labels)
        return ops.sum(nats * weights) / total

    if not with_gradient:
        nats = _forward(hidden, matrix, bias, labels=labels)
        return nats, mean_of(nats, hidden, matrix, bias)

    @ops.custom_gradient
    def mean_and_nats(hidden, matrix, bias):
        nats, *gradients = _forward_and_backward(
            hidden, matrix, bias, labels=labels, weights=weights, label_smoothing=label_smoothing
        )
        dtypes = [tensor.dtype for tensor in (hidden, matrix, bias)]

        def backward(*args, upstream=None):
            upstream = args[0] if upstream is None else upstream  # (1 + N,)
            scaled = [upstream[0] / total * gradient for gradient in gradients]
            return tuple(ops.cast(s, dtype) for s, dtype in zip(scaled, dtypes, strict=True))

        # One tensor: Keras on torch knows no custom gradient of two.
        mean = mean_of(nats, hidden, matrix, bias)
        return ops.concatenate([ops.reshape(mean, (1,)), nats]), backward

    both = mean_and_nats(hidden, matrix, bias)
    return ops.stop_gradient(both[1:]), both[0]


def _forward(hidden, matrix, bias, labels):
    """The nats of each token, `(tokens,)`."""
    (hidden, labels), tokens, chunks, size = _in_chunks(hidden, labels)

    def one_chunk(index, nats):
        here = index * size
        logits = _logits(_rows(hidden, here, size), matrix) + bias
        chunk_nats = _nats(logits, _rows(labels, here, size))
        return index + 1, ops.slice_update(nats, (here,), chunk_nats)

    nats = ops.zeros((chunks * size,), "float32")
    _, nats = ops.while_loop(lambda index, _: index < chunks, one_chunk, (_first(), nats))
    return nats[:tokens]


def _spread_evenly(hidden, matrix, bias, labels):
    """By how much the nats of labels rise if these are spread over the vocabulary, `(tokens,)`.

    The normaliser is the same for all tokens: what is left is the right token's logit less the
    mean of all, and the mean of products is the product with the mean.
    """
    right = ops.cast(ops.take(ops.transpose(matrix), labels, axis=0), "float32")  # (N, E)
    mean = ops.mean(ops.cast(matrix, "float32"), axis=1)  # (E,)
    scores = ops.sum(ops.cast(hidden, "float32") * (right - mean), axis=-1)
    return scores + ops.take(bias, labels) - ops.mean(bias)


def _forward_and_backward(hidden, matrix, bias, labels, weights, label_smoothing):
    """The nats of each token, and the gradients of the sum of them, weighted and smoothed, float32.

    Of the sum, not of the mean: divided by thousands of tokens they would be lost in float16.
    """
    features, vocabulary_size = matrix.shape
    sharp, weight = 1.0 - label_smoothing, ops.expand_dims(weights, -1)  # (N, 1)
    joined, with_bias = _with_bias(hidden, matrix, bias)
    # A token's weight multiplies its features rather than its logits, which are many more.
    weighted = weight * ops.cast(joined, "float32")  # (N, E + 1)
    # What to raise, the right token of each row, is one number a row: for all rows at once.
    raised = ops.segment_sum(-sharp * weighted, labels, num_segments=vocabulary_size)  # (V, E + 1)
    weighted = ops.cast(weighted, hidden.dtype)
    parts, tokens, chunks, size = _in_chunks(joined, weighted, labels)

    def one_chunk(index, nats, d_hidden, d_matrix):
        here = index * size
        h, w, y = (_rows(part, here, size) for part in parts)
        probabilities, chunk_nats = _softmax(h, with_bias, labels=y)
        d_logits = ops.cast(probabilities, h.dtype)  # (n, V): what to lower
        d_matrix = d_matrix + ops.cast(ops.matmul(ops.transpose(w), d_logits), "float32")
        d_h = ops.cast(ops.matmul(d_logits, ops.transpose(matrix)), "float32")  # (n, E)
        nats = ops.slice_update(nats, (here,), chunk_nats)
        d_hidden = ops.slice_update(d_hidden, (here, 0), d_h)
        return index + 1, nats, d_hidden, d_matrix

    start = (
        _first(),
        ops.zeros((chunks * size,), "float32"),
        ops.zeros((chunks * size, features), "float32"),
        ops.transpose(raised),
    )
    _, nats, d_hidden, d_matrix = ops.while_loop(lambda index, *_: index < chunks, one_chunk, start)
    right = ops.cast(ops.transpose(ops.take(matrix, labels, axis=1)), "float32")  # (N, E)
    d_hidden = weight * (d_hidden[:tokens] - sharp * right)
    d_matrix, d_bias = d_matrix[:-1], d_matrix[-1]
    if label_smoothing:  # the rest raises every token a little
        even = label_smoothing / vocabulary_size * weight  # (N, 1)
        d_hidden = d_hidden - even * ops.sum(ops.cast(matrix, "float32"), axis=1)
        raised = ops.sum(even * ops.cast(hidden, "float32"), axis=0)  # (E,)
        d_matrix = d_matrix - ops.expand_dims(raised, -1)
        d_bias = d_bias - ops.sum(even)
    return nats[:tokens], d_hidden, d_matrix, d_bias


def _with_bias(hidden, matrix, bias):
    """Joins a one to each hidden vector and the bias to the matrix, as its last row.

    The product then adds the bias, and that of the gradients has the gradient of the bias: neither
    takes a pass of its own over the logits.
    """
    ones = ops.ones((ops.shape(hidden)[0], 1), hidden.dtype)
    bias = ops.expand_dims(ops.cast(bias, matrix.dtype), 0)
    return ops.concatenate([hidden, ones], -1), ops.concatenate([matrix, bias], 0)


def _softmax(h, matrix, labels):
    """The probabilities of a chunk, `(n, V)`, and its nats, `(n,)`."""
    probabilities = ops.softmax(_logits(h, matrix), axis=-1)
    right = _at(labels, probabilities)
    nats = ops.cond(
        ops.all(right > LIKELY),
        lambda: -ops.log(right),
        # Logits that were kept for this rare case would cost every chunk a copy.
        lambda: _nats(_logits(h, matrix), labels),
    )
    return probabilities, nats


def _logits(h, matrix):
    return ops.cast(ops.matmul(h, matrix), "float32")  # (n, V)


def _nats(logits, labels):
    return ops.logsumexp(logits, axis=-1) - _at(labels, logits)


def _at(labels, rows):
    """The number of each row, `(n, V)`, at its label, `(n,)`."""
    return ops.squeeze(ops.take_along_axis(rows, ops.expand_dims(labels, -1), axis=-1), -1)


def _in_chunks(*tensors):
    """Pads tensors with zero rows to whole chunks of one size, as even as can be.

    Also returns the rows there were, the number of chunks and their size, which are tensors where
    the rows are unknown as the graph is made.
    """
    tokens = ops.shape(tensors[0])[0]
    chunks = tokens // CHUNK_TOKENS + 1
    size = (tokens + chunks - 1) // chunks
    missing = chunks * size - tokens
    padded = [
        ops.concatenate([tensor, ops.zeros((missing, *tensor.shape[1:]), tensor.dtype)])
        for tensor in tensors
    ]
    return padded, tokens, chunks, size


def _rows(tensor, start, size):
    """The `size` rows of the chunk that begins at `start`."""
    shape = (size, *tensor.shape[1:])
    return ops.slice(tensor, (start, *[0] * (len(shape) - 1)), shape)


def _first():
    return ops.convert_to_tensor(0, "int32")


def sampled_cross_entropy(
    hidden: Tensor,
    matrix: Tensor,
    bias: Tensor,
    labels: Tensor,
    weights: Tensor,
    *,
    num_sampled: int,
    seed: keras.random.SeedGenerator,
) -> tuple[Tensor, Tensor]:
    """Cross-entropy against a few drawn tokens, in place of the whole vocabulary.

    The tokens are drawn once for all rows, a token of rank k with probability
    `log((k + 2) / (k + 1)) / log(V + 1)`, which suits ids that are ranked by frequency, as those of
    a `Vocabulary` of words are. Each stands for those that were not drawn: its exponential counts
    by one over how often it is expected, so that the sum, with that of the right token, estimates
    the full one, the better the more are drawn. It is for training: the values are noisy.

    Args:
        hidden: Hidden vectors, `(tokens, features)`.
        matrix: Weights of the softmax layer, `(features, vocabulary_size)`.
        bias: Its bias, `(vocabulary_size,)`.
        labels: Right ids, int32 `(tokens,)`.
        weights: Weight of each token in the mean, float32 `(tokens,)`.
        num_sampled: How many tokens to draw.
        seed: A `keras.random.SeedGenerator`.

    Returns:
        The nats of each token, float32 `(tokens,)`, without a gradient, and their weighted mean.

    Reference:
        Bengio and Senecal, "Adaptive Importance Sampling to Accelerate Training of a Neural
        Probabilistic Language Model", 2008; Jean et al., arXiv:1412.2007.
    """
    vocabulary_size = matrix.shape[-1]
    transposed = ops.transpose(ops.cast(matrix, hidden.dtype))  # (V, E)
    bias = ops.cast(bias, "float32")
    scale = math.log(vocabulary_size + 1)
    uniform = keras.random.uniform((num_sampled,), seed=seed, dtype="float32")
    drawn = ops.cast(ops.floor(ops.exp(uniform * scale)), "int32") - 1
    drawn = ops.clip(drawn, 0, vocabulary_size - 1)  # rounding may reach the end

    def log_expected(ids):  # how often a token is expected among those drawn
        ids = ops.cast(ids, "float32")
        return ops.log(num_sampled * ops.log((ids + 2) / (ids + 1)) / scale)

    def rows(ids):
        return ops.take(transposed, ids, axis=0), ops.take(bias, ids)

    right_rows, right_bias = rows(labels)  # (N, E), (N,)
    right = ops.sum(ops.cast(hidden, "float32") * ops.cast(right_rows, "float32"), -1)
    right = right + right_bias
    drawn_rows, drawn_bias = rows(drawn)  # (S, E), (S,)
    others = ops.cast(ops.matmul(hidden, ops.transpose(drawn_rows)), "float32")
    others = others + (drawn_bias - log_expected(drawn))  # (N, S)
    hit = ops.equal(ops.expand_dims(labels, -1), drawn)  # the right token among those drawn
    others = ops.where(hit, -1e9, others)
    logits = ops.concatenate([ops.expand_dims(right, -1), others], axis=-1)  # (N, 1 + S)
    nats = ops.logsumexp(logits, axis=-1) - right
    mean = ops.sum(nats * weights) / ops.maximum(ops.sum(weights), 1e-9)
    return ops.stop_gradient(nats), mean
