"""A file has its final name only when all of it is on disk; a folder has one writer."""

import os

import pytest

from mixers.files import finished_file, remove_unfinished, write_bytes
from mixers.lock import locked


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_nothing_half_written_is_left_when_writing_fails(tmp_path, monkeypatch, step):
    path = tmp_path / "result.json"
    write_bytes(path, b"whole")

    def full(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, step, full)
    with pytest.raises(OSError, match="no space"):
        write_bytes(path, b"other")
    assert path.read_bytes() == b"whole"
    assert list(tmp_path.iterdir()) == [path]


def test_a_writer_that_raises_leaves_the_old_file(tmp_path):
    path = tmp_path / "result.json"
    write_bytes(path, b"whole")
    with pytest.raises(ZeroDivisionError), finished_file(path) as temporary:
        temporary.write_bytes(b"hal")
        1 / 0  # noqa: B018
    assert path.read_bytes() == b"whole"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_writer_left_is_removed(tmp_path):
    write_bytes(tmp_path / "deep" / "whole", b"whole")
    with finished_file(tmp_path / "deep" / "half") as temporary:
        temporary.write_bytes(b"hal")
        os.link(temporary, temporary.with_name(temporary.name + "-killed"))
    remove_unfinished(tmp_path)
    assert {path.name for path in tmp_path.rglob("*")} == {"deep", "whole", "half"}


def test_a_locked_folder_has_no_second_writer(tmp_path):
    first, second = locked(tmp_path, ValueError("one")), locked(tmp_path, ValueError("two"))
    with first, pytest.raises(ValueError, match="two"), second:
        pass
    with locked(tmp_path, ValueError("three")):
        pass
