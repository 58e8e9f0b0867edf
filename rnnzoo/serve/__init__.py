"""Models behind HTTP: texts that many clients ask for are written together, a step at a time."""

from __future__ import annotations

import importlib.util
import ipaddress
from collections.abc import Sequence

from rnnzoo.errors import InputError, check_positive


def serve(
    names: Sequence[str], *, host: str = "127.0.0.1", port: int = 8000, capacity: int = 64
) -> None:
    """Loads models and answers requests until it is interrupted.

    Args:
        names: Names of the zoo or paths, for `rnnzoo.load`. A request names one of these models;
            it can name no other file.
        host: The address to listen at; only this machine reaches the one that is taken when left
            out.
        port: The port.
        capacity: How many texts each model writes at once; others wait.

    Raises:
        InputError: If a package is missing, or a name or number is not valid.

    Example:
        ```python
        serve(["char_lstm_shakespeare"])  # then: curl localhost:8000/v1/models
        ```
    """
    needed = ("fastapi", "uvicorn", "prometheus_client")
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(
            f"The server needs {' and '.join(missing)}; install it with "
            "`pip install 'rnnzoo[serve]'`."
        )
    check_positive(port=port, capacity=capacity)
    if port > 65_535:
        raise InputError(f"`port` must be at most 65535, not {port}.")
    if not names:
        raise InputError("Name at least one model to serve; `rnnzoo list` shows those of the zoo.")
    import uvicorn

    from rnnzoo import zoo
    from rnnzoo.serve.app import create_app

    models = {}
    for name in names:
        short = str(name).rstrip("/\\").replace("\\", "/").rpartition("/")[2].removesuffix(".keras")
        if short in models:
            raise InputError(f"Two of the models are called {short!r}; give each another name.")
        models[short] = zoo.load(name)
    app = create_app(models, capacity=capacity)
    print(f"Serving {', '.join(models)} at http://{host}:{port} (Ctrl-C ends it).")
    if not _is_loopback(host):
        print("Warning: other machines can reach it, and nothing asks who they are.")
    uvicorn.run(app, host=host, port=port, log_level="warning", timeout_graceful_shutdown=10)


def _is_loopback(host):
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
