"""Fixtures that every test may use."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

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
