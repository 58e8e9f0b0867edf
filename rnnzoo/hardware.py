"""The machine a training runs on, and the dtype that is fast there."""

import contextlib
import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

from rnnzoo.version import __version__


def cpu_info() -> tuple[str, set[str]]:
    """Returns the name of the processor and its flags, empty where /proc/cpuinfo is absent."""
    name, flags = platform.processor() or platform.machine(), set()
    path = Path("/proc/cpuinfo")
    if path.is_file():
        for line in path.read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                name = value.strip()
            elif key.strip() == "flags":
                flags = set(value.split())
                break
    return name, flags


def gpus() -> list[str]:
    """Lists the GPUs that Keras's backend sees."""
    import keras  # not above: `onednn` asks for the processor before a backend is imported

    if keras.config.backend() == "torch":  # for which Keras lists no devices
        import torch

        return [f"gpu:{number}" for number in range(torch.cuda.device_count())]
    try:
        return list(keras.distribution.list_devices("gpu"))
    except (RuntimeError, ValueError):  # JAX raises where it has no GPU platform
        return []


def resolve_dtype(policy: str) -> tuple[str, str]:
    """Chooses the dtype policy.

    Args:
        policy: `"float32"`, `"mixed_bfloat16"` or `"auto"`.

    Returns:
        The name of a Keras dtype policy, and why it was chosen.
    """
    if policy != "auto":
        return policy, "the recipe asks for it"
    if gpus():
        return "mixed_bfloat16", "there is a GPU"
    _, flags = cpu_info()
    for flag, name in (("amx_bf16", "AMX"), ("avx512_bf16", "AVX512_BF16")):
        if flag in flags:
            return "mixed_bfloat16", f"the CPU multiplies bfloat16 matrices in hardware ({name})"
    return "float32", "there is neither a GPU nor a CPU with bfloat16 matrices (AMX, AVX512_BF16)"


def machine() -> dict[str, Any]:
    """Describes the machine, for a card."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"cpu": cpu_info()[0], "cores": cores, "gpus": gpus(), "system": platform.platform()}


def commit() -> str | None:
    """The commit of the checkout this code is of, "-dirty" behind it if files have been changed.

    `None` for an installed package, and where there is no git.
    """
    root = Path(__file__).parents[1]
    if not (root / ".git").exists():
        return None
    describe = ["git", "-C", str(root), "describe", "--always", "--dirty", "--exclude=*"]
    # This repository, not one that a hook's environment names; and no lock that others wait for.
    around = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    around["GIT_OPTIONAL_LOCKS"] = "0"
    with contextlib.suppress(OSError):
        found = subprocess.run(describe, env=around, capture_output=True, text=True, check=False)
        return found.stdout.strip() or None
    return None


def versions() -> dict[str, str]:
    """The versions of what a training depends on, for a card."""
    import keras

    backend = keras.config.backend()
    found = {"rnnzoo": __version__, "python": platform.python_version()}
    for package in ("keras", backend, "numpy", "tokenizers"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    if backend not in found:  # tensorflow-cpu and the like
        found[backend] = __import__(backend).__version__
    return found
