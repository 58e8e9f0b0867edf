"""A function in a process of its own, and how much memory it takes (on Linux).

Import it before rnnzoo: it names the folder of the real corpora, `../shared/data` beside the
checkout, unless `RNNZOO_DATA_DIR` names another.
"""

import contextlib
import os
import threading
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

DATA = Path(__file__).parents[2] / "shared" / "data"
if DATA.is_dir():
    os.environ.setdefault("RNNZOO_DATA_DIR", str(DATA))


def in_fresh_process(function, *args):
    """Calls a function of the script in a new process, which ends with it.

    The new process imports the script, so what stands at the script's top is imported there too.

    Args:
        function: A function at the top level of a module.
        *args: What it is called with.

    Returns:
        What it returns.
    """
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *args).result()


def resident():
    """This process's resident memory in MiB: `total`, `anonymous`, and `peak` (total, so far).

    The total also counts the pages of mapped files (libraries, encoded texts) that happen to be in
    memory and that the system takes back when it needs some; anonymous memory is the process's own.
    """
    lines = Path("/proc/self/status").read_text().splitlines()
    sizes = dict(line.split(":", 1) for line in lines)
    names = {"total": "VmRSS", "anonymous": "RssAnon", "peak": "VmHWM"}
    return {name: int(sizes[key].split()[0]) / 1024 for name, key in names.items()}


class PeakMemory:
    """Finds the most memory that is resident while a block of code runs.

    The total is the system's own high-water mark; the anonymous part is read 50 times a
    second.

    Attributes:
        before: `resident()` at the start.
        total: The peak of all resident memory, MiB.
        anonymous: The peak of the anonymous part, MiB.

    Example:
        >>> with PeakMemory() as peak:
        ...     block = bytearray(100 << 20)
        >>> peak.anonymous - peak.before["anonymous"] > 90
        True
    """

    def __enter__(self):
        with contextlib.suppress(OSError):  # then the mark also counts what was before
            Path("/proc/self/clear_refs").write_text("5")  # sets the mark back
        self.before = resident()
        self.total, self.anonymous = self.before["total"], self.before["anonymous"]
        self._done = threading.Event()
        self._watch = threading.Thread(target=self._look, daemon=True)
        self._watch.start()
        return self

    def _look(self):
        while not self._done.wait(0.02):
            self.anonymous = max(self.anonymous, resident()["anonymous"])

    def __exit__(self, *_):
        self._done.set()
        self._watch.join()
        now = resident()
        self.total = now["peak"]
        self.anonymous = max(self.anonymous, now["anonymous"])
