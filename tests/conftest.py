"""Fixtures that every test may use."""

import gc
import os
from pathlib import Path

import pytest
from hypothesis import settings

import rnnzoo  # noqa: F401 (before TensorFlow, as users import it: it turns oneDNN on)

# A busy machine is slow now and then: how long an example takes says nothing.
settings.register_profile("rnnzoo", deadline=None)
settings.load_profile("rnnzoo")


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real corpora; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("RNNZOO_DATA_DIR", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"needs the real corpora: {folder} is absent, set RNNZOO_DATA_DIR")
    return folder


SLOW = set((Path(__file__).parent / "slow.txt").read_text(encoding="utf-8").split())


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Marks the tests of slow.txt, which keeps `pytest` short enough to be run before every change.

    They are those that take longest, by `pytest --durations=0`, and whose subject another test has,
    too; before a release `pytest -m slow -n 0` runs them.
    """
    for item in items:
        names = (item.nodeid, item.nodeid.partition("[")[0], item.nodeid.partition("::")[0])
        if SLOW.intersection(names):
            item.add_marker(pytest.mark.slow)


def pytest_collection_finish():
    """Python's search for garbage, 6 % of the time, leaves out what was imported till now."""
    gc.collect()
    gc.freeze()
