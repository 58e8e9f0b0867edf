"""What signatures call their types."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

Tensor: TypeAlias = Any  # of the backend that Keras runs, or what that backend makes a tensor of
Shape: TypeAlias = tuple[int | None, ...]  # of a tensor; `None` is a length not known yet

# What `generate` and `translate` read: a text or several; ids for a model without a vocabulary.
Texts: TypeAlias = str | Sequence[str] | Sequence[int] | Sequence[Sequence[int]] | np.ndarray
# What they write: the same, one where one was given.
Written: TypeAlias = str | list[str] | np.ndarray | list[np.ndarray]
