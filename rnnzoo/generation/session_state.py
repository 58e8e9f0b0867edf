"""The saved state of a session, which anybody may have made: all of it is checked before use."""

from collections.abc import Mapping

import numpy as np

from rnnzoo.array_file import read_arrays
from rnnzoo.errors import InputError


def checked_state(
    state: Mapping[str, np.ndarray], own: Mapping[str, np.ndarray], vocabulary_size: int
) -> dict[str, np.ndarray]:
    """Checks the state that a session is to go on from.

    Args:
        state: Arrays by name, or an open `.npz` file, whose headers are checked before it is read.
        own: The arrays of model and sampler as the session has them, which have the right shapes.
        vocabulary_size: The number of token ids.

    Returns:
        The arrays.

    Raises:
        InputError: If an array is missing, too many, of another shape or type, or holds a value
            that no session has.
    """
    expected = {
        **{name: (array.dtype.kind, array.shape) for name, array in own.items()},
        "token": ("i", (1,)),
        "draws": ("u", (6,)),
        "context": ("i", None),  # of any length
        "after_space": ("b", ()),
    }
    remedy = "take the state of a session of the same model and sampler"
    if isinstance(state, np.lib.npyio.NpzFile):
        try:
            state = read_arrays(state)
        except InputError as error:
            raise InputError(
                f"The state of a session cannot be read ({error}); {remedy}."
            ) from None
    names = set(state) if isinstance(state, Mapping) else {repr(type(state))}
    if names != expected.keys():
        raise InputError(
            f"The state of this session has {', '.join(sorted(expected))}, not "
            f"{', '.join(sorted(map(str, names)))[:200]}; {remedy}."
        )
    arrays = {name: np.asarray(state[name]) for name in expected}
    for name, (kind, shape) in expected.items():
        array = arrays[name]
        if array.dtype.kind != kind or (array.ndim != 1 if shape is None else array.shape != shape):
            raise InputError(
                f"`{name}` of the state is {array.dtype} with shape {array.shape}, and this "
                f"session's has shape {shape or '(n,)'}; {remedy}."
            )
        if kind == "f" and not np.isfinite(array).all():
            raise InputError(f"`{name}` of the state has values that are not finite; {remedy}.")
        ids = name in ("token", "context")
        if ids and array.size and not 0 <= array.min() <= array.max() < vocabulary_size:
            raise InputError(
                f"`{name}` of the state has ids from {array.min()} to {array.max()}, and the "
                f"model's go from 0 to {vocabulary_size - 1}; {remedy}."
            )
    if arrays["draws"][4] > 1 or arrays["draws"][5] >= 1 << 32:
        raise InputError(f"The `draws` of the state are those of no generator; {remedy}.")
    return arrays
