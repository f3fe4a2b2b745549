"""A limit takes a sample of all of a source: spread over its files, exact, and part of every larger one."""

import gzip
import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.sources.base import Unit
from pipelines.sources.files import FilesConfig
from pipelines.sources.limit import Limit

FILES, RECORDS = 50, 40


def jsonl(numbers: range) -> bytes:
    return b"".join(json.dumps({"text": f"{number:06}", "id": number}).encode() + b"\n" for number in numbers)


def parquet(numbers: range, row_group_size: int) -> bytes:
    buffer = io.BytesIO()
    texts = [f"{number:06}" for number in numbers]
    pq.write_table(pa.table({"text": texts}), buffer, row_group_size=row_group_size)
    return buffer.getvalue()


WRITE = {
    "lines.jsonl": jsonl,
    "small groups.parquet": lambda numbers: parquet(numbers, 5),
    "one group.parquet": lambda numbers: parquet(numbers, RECORDS),
}


@pytest.mark.parametrize("kind", WRITE)
@pytest.mark.parametrize("limit", ["documents", "bytes"])
def test_every_tenth_of_a_sorted_set_is_in_a_sample_of_a_tenth(read, kind: str, limit: str) -> None:
    files = {
        f"{number:03} {kind}": WRITE[kind](range(number * RECORDS, (number + 1) * RECORDS))
        for number in range(FILES)
    }
    whole = read(files)
    size = sum(unit.bytes for unit in whole.units) // 10
    asked = f"{FILES * RECORDS // 10} documents" if limit == "documents" else f"{size}B"
    sample = read({}, limit=asked)
    numbers = [int(text) for text in sample.texts]
    assert numbers == sorted(numbers), "in the source's order"
    tenths = [number * 10 // (FILES * RECORDS) for number in numbers]
    shares = [tenths.count(tenth) / len(tenths) for tenth in range(10)]
    assert all(0.05 < share < 0.2 for share in shares)
    assert len(numbers) == pytest.approx(FILES * RECORDS / 10, rel=0.3 if limit == "bytes" else 0)
    places = [number % RECORDS * 2 // RECORDS for number in numbers]
    if kind != "one group.parquet":  # of a row group the first rows are read
        assert 0.25 < sum(places) / len(places) < 0.75, "nor from one half of the files"


def test_files_that_cannot_be_cut_are_taken_whole_and_spread(read) -> None:
    files = {
        f"{number:03}.jsonl.gz": gzip.compress(
            jsonl(range(number * RECORDS, (number + 1) * RECORDS)), mtime=0
        )
        for number in range(FILES)
    }
    size = sum(map(len, files.values()))
    numbers = {int(text) // RECORDS for text in read(files, limit=f"{size // 5}B").texts}
    assert 10 <= len(numbers) <= 11
    assert {number * 5 // FILES for number in numbers} == set(range(5))


def test_the_rest_of_a_damaged_file_is_lost_within_a_sample_too(read) -> None:
    files = {"a.jsonl.gz": gzip.compress(jsonl(range(1000)), mtime=0)[:-20]}
    assert read(files, limit="1M documents").reasons[-1][1] == "truncated gzip"


@st.composite
def sources(draw: st.DrawFn) -> dict[str, list[int]]:
    """Files by name, each a list of the sizes of its records."""
    records = st.lists(st.integers(1, 60), max_size=30)
    return draw(st.dictionaries(st.text("abc", min_size=1, max_size=6), records, min_size=1, max_size=80))


def sample(source: dict[str, list[int]], limit: Limit, part_bytes: int, known: bool) -> dict[str, set[int]]:
    """The records that a sample takes of each file."""

    def cut(name: str):
        def units(size: int) -> list[Unit]:
            found, first, filled = [], 0, 0
            for stop, record in enumerate(source[name], 1):
                filled += record
                if filled >= size or stop == len(source[name]):
                    rows = stop - first if known else None
                    found.append(Unit(name, "test", first, stop, first, filled, rows=rows))
                    first, filled = stop, 0
            return found

        return units

    cuts = {name: cut(name) for name in source}
    total = sum(map(sum, source.values()))
    units = limit.sample(cuts, total, part_bytes, lambda unit: unit.stop - unit.start)
    taken: dict[str, set[int]] = {}
    for unit in units:
        rows = unit.stop - unit.start if unit.rows is None else unit.rows
        mine = set(range(unit.first_row, unit.first_row + rows))
        assert not mine & taken.setdefault(unit.file, set()), "no record twice"
        taken[unit.file] |= mine
    assert list(taken) == [name for name in source if name in taken]
    return taken


def flat(taken: dict[str, set[int]]) -> set[tuple[str, int]]:
    return {(name, row) for name, rows in taken.items() for row in rows}


@given(sources(), st.integers(1, 500), st.integers(1, 500), st.integers(1, 100), st.booleans())
@settings(deadline=None, max_examples=60)
def test_counts_are_exact_and_a_smaller_sample_is_part_of_a_larger(source, less, more, part, known) -> None:
    less, more = sorted((less, more))
    records = sum(map(len, source.values()))
    small, large = (flat(sample(source, Limit(documents=number), part, known)) for number in (less, more))
    assert (len(small), len(large)) == (min(less, records), min(more, records))
    assert small <= large
    small, large = (flat(sample(source, Limit(bytes=number), part, known)) for number in (less, more))
    assert small <= large
    assert sum(source[name][row] for name, row in large) >= min(more, sum(map(sum, source.values()))) or known


def test_a_limit_looks_into_no_more_files_than_it_takes_from() -> None:
    asked: list[int] = []

    def cut(number: int):
        def units(size: int) -> list[Unit]:
            asked.append(number)
            return [Unit(str(number), "test", 0, 1, 0, 1_000_000, rows=None)]

        return units

    cuts = {str(number): cut(number) for number in range(10_000)}
    taken = Limit(bytes=100_000_000).sample(cuts, 10_000_000_000, 256_000_000, lambda unit: 1)
    assert len(taken) == len(asked) == 100
    assert {number // 1000 for number in asked} == set(range(10))


def test_the_version_of_the_sampling_is_part_of_what_a_source_is(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(jsonl(range(3)))
    whole, limited = (
        FilesConfig(reader="files", path="a.jsonl", limit=limit).build("s", tmp_path).identity()
        for limit in (None, "1 document")
    )
    assert "sampling" in limited and whole == {key: limited[key] for key in whole}
