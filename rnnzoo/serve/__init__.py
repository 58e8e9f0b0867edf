"""Models behind HTTP: texts that many clients ask for are written together, a step at a time."""

from __future__ import annotations

import contextlib
import importlib.util
import ipaddress
import socket
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
        InputError: If a package is missing, a name or number is not valid, or the server cannot
            listen at the address, which is tried before any model is loaded.

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

    from rnnzoo.serve.app import create_app

    with _listening(host, port) as listener:
        models = _loaded(names)
        app = create_app(models, capacity=capacity)
        server = uvicorn.Server(
            uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=10)
        )
        print(f"Serving {', '.join(models)} at http://{host}:{port} (Ctrl-C ends it).")
        if not _is_loopback(host):
            print("Warning: other machines can reach it, and nothing asks who they are.")
        with contextlib.suppress(KeyboardInterrupt):  # uvicorn raises it once all has ended
            server.run(sockets=[listener])
    if not server.started:
        raise SystemExit(3)  # uvicorn has said why


def _listening(host, port):
    """The socket that the server answers at, made before the models, which take their time."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, *_, address = min(found)  # of a name that has both, IPv4
        return socket.create_server(address, family=family)
    except (OSError, UnicodeError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).partition(" (")[0]
        raise InputError(
            f"The server cannot listen at {host}, port {port} ({reason}); give another `host` or "
            "`port`."
        ) from None


def _loaded(names):
    """The models by the names that requests give."""
    from rnnzoo import zoo

    models = {}
    for name in names:
        short = str(name).rstrip("/\\").replace("\\", "/").rpartition("/")[2].removesuffix(".keras")
        if short in models:
            raise InputError(f"Two of the models are called {short!r}; give each another name.")
        models[short] = zoo.load(name)
    return models


def _is_loopback(host):
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
