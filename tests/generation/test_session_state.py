"""The saved state of a session, changed by somebody: refused, and the session is as it was."""

import io
import zipfile

import numpy as np
import pytest

from rnnzoo import Vocabulary
from rnnzoo.errors import InputError
from rnnzoo.models import char_lstm


@pytest.fixture(scope="module")
def model():
    return char_lstm(Vocabulary.from_text("to be or not to be"), units=4)


@pytest.fixture
def session(model):
    session = model.session("to ", seed=1)
    session.write(3)
    return session


CHANGES = {
    "NaN": (dict(state_0=np.full((1, 4), np.nan, "float32")), "state_0.*not finite"),
    "another shape": (dict(state_0=np.zeros((1, 5), "float32")), r"with shape \(1, 5\)"),
    "integers": (dict(state_0=np.zeros((1, 4), "int64")), "state_0.*is int64"),
    "no token": (dict(token=np.array([7], "int32")), "ids from 7 to 7"),
    "a negative token": (dict(token=np.array([-1], "int32")), "ids from -1 to -1"),
    "a text": (dict(token=np.array(["a"])), "token.*is <U1"),
    "an object": (dict(token=np.array([None], object)), "token.*is object"),
    "other draws": (dict(draws=np.zeros(5, "uint64")), r"draws.*with shape \(5,\)"),
    "no draws": (dict(draws=np.full(6, 2**63, "uint64")), "draws.*of no generator"),
    "a foreign context": (dict(context=np.array([99], "int32")), "ids from 99 to 99"),
    "an array more": (dict(other=np.zeros(1)), "has .*, not"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_changed_states(session, name):
    values, sentence = CHANGES[name]
    before = session.state
    with pytest.raises(InputError, match=sentence) as caught:
        session.state = {**before, **values}
    assert "\n" not in str(caught.value)
    after = session.state
    assert all((after[name] == before[name]).all() for name in before)


def file_of(state, **parts):
    """An `.npz` file of a state with some parts replaced by bytes."""
    arrays, file = io.BytesIO(), io.BytesIO()
    np.savez(arrays, **state)
    with zipfile.ZipFile(arrays) as old, zipfile.ZipFile(file, "w") as new:
        for name in old.namelist():
            new.writestr(name, parts.get(name.removesuffix(".npy"), old.read(name)))
    return io.BytesIO(file.getvalue())


def header(shape, dtype):
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        file, {"descr": dtype, "fortran_order": False, "shape": shape}
    )
    return file.getvalue()


def test_files_of_states(session):
    state = session.state
    session.state = np.load(file_of(state))
    pickled = io.BytesIO()
    np.save(pickled, np.array([print], object), allow_pickle=True)
    for content in (
        header((10**6, 10**6), "<f4"), header((1,), "|O"), pickled.getvalue(), b"", b"no array",
        header((1, 4), "<f4"),
    ):  # fmt: skip
        with pytest.raises(InputError, match="cannot be read"):
            session.state = np.load(file_of(state, state_0=content))
    for nothing in (None, 5, "state.npz", [1]):
        with pytest.raises(InputError, match=r"has .*, not"):
            session.state = nothing
    session.write(1)
