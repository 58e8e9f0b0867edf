"""Files that are written whole or not at all."""

import pytest

from rnnzoo.files import atomic_path, write_atomically


def test_a_file_takes_its_place_when_it_is_whole(tmp_path):
    path = tmp_path / "a.txt"
    write_atomically(path, "before")
    with atomic_path(path) as temporary:
        temporary.write_text("after")
        assert path.read_text() == "before" and temporary.suffix == ".txt"
    assert path.read_text() == "after" and list(tmp_path.iterdir()) == [path]


def test_a_file_that_fails_leaves_the_old_one(tmp_path):
    path = tmp_path / "a.txt"
    write_atomically(path, "before")
    with pytest.raises(ZeroDivisionError), atomic_path(path) as temporary:
        temporary.write_text("half")
        1 / 0  # noqa: B018
    assert path.read_text() == "before" and list(tmp_path.iterdir()) == [path]


def test_two_that_write_the_same_file(tmp_path):
    path = tmp_path / "a.txt"
    with atomic_path(path) as first, atomic_path(path) as second:
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first" and list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / "none" / "a.txt", "text")
