"""A server on this machine, for tests that need a real connection."""

import contextlib
import socket
import threading
import time


@contextlib.contextmanager
def listening(models, *, patience=None, **options):
    """Serves models at a free port; yields the address and the application.

    `patience` is how many seconds it waits for answers at its end.
    """
    import uvicorn

    from rnnzoo.serve.app import create_app

    app = create_app(models, **options)
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    server = uvicorn.Server(
        uvicorn.Config(app, port=port, log_level="error", timeout_graceful_shutdown=patience)
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{port}", app
    finally:
        server.should_exit = True
        thread.join(20)
