"""oneDNN, a library of fast matrix products for CPUs, which TensorFlow has but often leaves off."""

import functools
import os
import sys

from rnnzoo.hardware import cpu_info

VARIABLE = "TF_ENABLE_ONEDNN_OPTS"


@functools.cache  # what the first call found is what TensorFlow began with
def choice() -> str:
    """Turns oneDNN on in a TensorFlow that is not yet imported, where the processor has AVX2.

    TensorFlow itself does so only on newer processors, those with AVX512_VNNI or AMX. On one with
    AVX2 alone, a training step is 1.1 to 1.4 times as fast with it, writing one row 1.7 times, and
    writing 64 rows 1.3 times (RESULTS.md, "oneDNN"). What the user has set in the environment
    variable `TF_ENABLE_ONEDNN_OPTS` stays; `0` leaves it off.

    Returns:
        Whether it is on, as a sentence without its full stop.

    Example:
        >>> choice().startswith("oneDNN: ")
        True
    """
    if VARIABLE in os.environ:
        return f"oneDNN: {VARIABLE}={os.environ[VARIABLE]} in the environment"
    if "tensorflow" in sys.modules:
        return (
            "oneDNN: as TensorFlow chose, which was imported before rnnzoo; "
            f"import rnnzoo first, or set {VARIABLE}=1"
        )
    if "avx2" not in cpu_info()[1]:
        return "oneDNN: as TensorFlow chose, for no x86 processor with AVX2 was found"
    os.environ[VARIABLE] = "1"
    return "oneDNN: turned on by rnnzoo, for the processor has AVX2"
