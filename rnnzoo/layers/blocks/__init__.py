"""Blocks: what stands around each recurrent layer, by name.

A block has two methods. `enter(x, training)` returns the stream and what the recurrent layer reads;
`leave(stream, outputs, training)` takes what the layer gave, and returns what goes on to the next
block. The recurrent layer between the two knows nothing of it, so that it keeps its kernels.

A block is a `keras.layers.Layer`, made as `cls(dropout, locked_dropout=, expansion=, last=)`.
`build(input_shape, width)` gets the width of the recurrent layer's outputs, and sets `read_size`,
the size of what that layer reads.
"""

from typing import Any

import keras

from rnnzoo.errors import unknown_name
from rnnzoo.layers.blocks.plain import PlainBlock
from rnnzoo.layers.blocks.residual import ResidualBlock

BLOCKS = {"plain": PlainBlock, "residual": ResidualBlock}


def make_block(block: str, dropout: float, **kwargs: Any) -> keras.layers.Layer:
    """Makes what stands around one recurrent layer.

    Args:
        block: `"plain"` or `"residual"`.
        dropout: Rate of its dropout.
        **kwargs: `locked_dropout`, `expansion`, `last`, and what every `keras.layers.Layer` takes.

    Returns:
        The block.

    Raises:
        InputError: If no block has that name, or a number is not valid.

    Example:
        >>> block = make_block("residual", 0.1, expansion=2.0)
        >>> block.expansion
        2.0
    """
    if block not in BLOCKS:
        raise unknown_name("block", block, BLOCKS)
    return BLOCKS[block](dropout, **kwargs)


__all__ = ["BLOCKS", "PlainBlock", "ResidualBlock", "make_block"]
