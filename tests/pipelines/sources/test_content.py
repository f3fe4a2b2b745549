"""A file is what it holds: not where it lies, nor when it was written."""

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.errors import WorkError
from pipelines.sources import content
from pipelines.sources.base import Quarantine
from pipelines.sources.content import Contents, content_hash
from pipelines.sources.files import FilesConfig
from pipelines.sources.given_files import GivenFiles

LINE = b'{"text":"some words"}\n'


@given(st.binary(max_size=300), st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_of_a_small_file_every_byte_counts(tmp_path, data, draw):
    path = tmp_path / "f"
    path.write_bytes(data)
    before = content_hash(str(path))
    (tmp_path / "g").write_bytes(data)
    assert content_hash(str(tmp_path / "g")) == before
    if data:
        place = draw.draw(st.integers(0, len(data) - 1))
        changed = bytes([data[place] ^ 1])
        path.unlink()
        path.write_bytes(data[:place] + changed + data[place + 1 :])
        assert content_hash(str(path)) != before
    (tmp_path / "h").write_bytes(data + b"\0")
    assert content_hash(str(tmp_path / "h")) != before


def test_of_a_large_file_blocks_and_the_size_count(tmp_path, monkeypatch):
    monkeypatch.setattr(content, "WHOLE_BYTES", 1000)
    monkeypatch.setattr(content, "BLOCK_BYTES", 10)
    monkeypatch.setattr(content, "BLOCKS", 4)
    data = bytes(10_000)

    def of(name: str, data: bytes) -> str:
        (tmp_path / name).write_bytes(data)
        return content_hash(str(tmp_path / name))

    same = of("a", data)
    assert of("first", b"x" + data[1:]) != same
    assert of("last", data[:-1] + b"x") != same
    assert of("longer", data + b"\0") != same
    assert of("between", data[:100] + b"x" + data[101:]) == same  # what it can miss


def test_what_is_remembered_is_not_read_again(tmp_path):
    path = tmp_path / "f.jsonl"
    path.write_bytes(LINE)
    first = Contents()
    real = first.of(str(path))
    [state] = first.seen
    assert Contents({state: "remembered"}).of(str(path)) == "remembered"
    path.write_bytes(LINE + LINE)
    assert Contents({state: "remembered"}).of(str(path)) not in ("remembered", real)


def test_a_moved_or_touched_folder_is_the_same_source(tmp_path):
    (tmp_path / "old").mkdir()
    (tmp_path / "old/a.jsonl").write_bytes(LINE)
    before = FilesConfig(reader="files", path="old").build("s", tmp_path).identity()
    (tmp_path / "old").rename(tmp_path / "new")
    os.utime(tmp_path / "new/a.jsonl", ns=(1, 1))
    assert FilesConfig(reader="files", path="new").build("s", tmp_path).identity() == before
    given = GivenFiles.find([str(tmp_path / "new/a.jsonl")]).identity()
    (tmp_path / "new").rename(tmp_path / "newer")
    assert GivenFiles.find([str(tmp_path / "newer/a.jsonl")]).identity() == given


def test_a_source_is_listed_once(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(LINE)
    source = FilesConfig(reader="files", path="*.jsonl").build("s", tmp_path)
    before = source.identity()
    (tmp_path / "b.jsonl").write_bytes(LINE)
    assert source.identity() == before
    assert [unit.file for unit in source.units(1000)] == ["a.jsonl"]


def shorter(path):
    path.write_bytes(LINE * 50)


def longer(path):
    path.write_bytes(LINE * 150)


def other_words(path):
    path.write_bytes(LINE.replace(b"words", b"birds") * 100)


def gone(path):
    path.unlink()


@pytest.mark.parametrize("change", [shorter, longer, other_words, gone])
@pytest.mark.parametrize(
    ("part_bytes", "when"), [(1 << 20, "at once"), (300, "at once"), (300, "in the middle")]
)
def test_a_file_that_changes_while_it_is_read_is_an_error_by_name(tmp_path, change, part_bytes, when):
    path = tmp_path / "a.jsonl"
    path.write_bytes(LINE * 100)
    source = FilesConfig(reader="files", path="a.jsonl").build("s", tmp_path)
    units = source.units(part_bytes)
    if when == "at once":
        change(path)
    with pytest.raises(WorkError, match=r"a\.jsonl: changed while it was read") as error:
        for number, unit in enumerate(units):
            for _ in source.read(unit, Quarantine()):
                if number == len(units) // 2 and when == "in the middle":
                    change(path)
    assert "Run again" in error.value.hint


def test_a_file_that_is_touched_while_it_is_read_is_the_same(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(LINE * 100)
    source = FilesConfig(reader="files", path="a.jsonl").build("s", tmp_path)
    units = source.units(300)
    os.utime(path, ns=(1, 1))
    assert sum(table.num_rows for unit in units for table in source.read(unit, Quarantine())) == 100


def test_a_file_that_changes_while_it_is_cut_into_units_gives_none(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"text":"a"}\n' * 1000)
    source = FilesConfig(reader="files", path=".").build("s", tmp_path)
    assert source.size() == 13_000  # listed and identified
    path.write_bytes(b'{"text":"a"}\n' * 500)
    with pytest.raises(WorkError, match="changed while it was read"):
        source.units(2_000)
    path.write_bytes(b'{"text":"a"}\n' * 1000)
    assert sum(unit.rows for unit in source.units(2_000)) == 1000
