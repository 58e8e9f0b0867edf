"""Which texts are decoded together."""

from collections.abc import Sequence

import keras

# JAX compiles for every shape: there inputs and outputs are padded to multiples of this.
LENGTH_STEP = 32 if keras.config.backend() == "jax" else 1
PADDING = 2048  # positions of padding that a batch may always have
POSITIONS = 32_768  # the most positions of a batch of more than one row


def batches_by_length(lengths: Sequence[int], batch_size: int) -> list[list[int]]:
    """Puts rows of like length together.

    A batch has at most `batch_size` rows. It holds at most as much padding as real tokens, beyond
    an amount that costs little, so that one long text does not make all others as long.

    Args:
        lengths: The length of each row.
        batch_size: The maximum number of rows of a batch.

    Returns:
        Lists of indices of rows, from the shortest rows to the longest.

    Example:
        >>> batches_by_length([3, 5, 9000, 4, 4], 2)
        [[0, 3], [4, 1], [2]]
    """
    batches, real = [], 0
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        length = lengths[index]
        if batches:
            positions = (len(batches[-1]) + 1) * length
            padding = positions - real - length
            fits = len(batches[-1]) < batch_size and positions <= POSITIONS
            if fits and padding <= max(real + length, PADDING):
                batches[-1].append(index)
                real += length
                continue
        batches.append([index])
        real = length
    return batches
