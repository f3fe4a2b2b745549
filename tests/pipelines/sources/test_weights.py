"""What is lost weighs what it held: its bytes as the source counts them, its records where they are known."""

import bz2
import gzip
import io
import json
import lzma
import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.sources import lines
from pipelines.sources.base import QUARANTINE_ROWS, Quarantine, Reason
from pipelines.sources.files import FilesConfig

from .conftest import Reading


def rows(count: int, seed: int = 0) -> list[dict[str, str]]:
    rng = random.Random(seed)
    return [{"text": " ".join(rng.choices("some words that vary a lot".split(), k=40))} for _ in range(count)]


def jsonl(records: list[dict[str, str]]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in records)


def parquet(records: list[dict[str, str]], **options) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(records), buffer, **options)
    return buffer.getvalue()


def arrow(records: list[dict[str, str]], new=pa.ipc.new_stream, batch_rows: int = 10) -> bytes:
    buffer, table = io.BytesIO(), pa.Table.from_pylist(records)
    with new(buffer, table.schema) as writer:
        writer.write_table(table, batch_rows)
    return buffer.getvalue()


def csv_of(records: list[dict[str, str]]) -> bytes:
    return b"text\n" + b"".join(row["text"].encode() + b"\n" for row in records)


FORMATS = {
    "jsonl": jsonl,
    "jsonl.gz": lambda records: gzip.compress(jsonl(records), mtime=0),
    "jsonl.zst": lambda records: zstandard.compress(jsonl(records)),
    "jsonl.xz": lambda records: lzma.compress(jsonl(records)),
    "jsonl.bz2": lambda records: bz2.compress(jsonl(records)),
    "json": lambda records: json.dumps(records).encode(),
    "json.gz": lambda records: gzip.compress(json.dumps(records).encode(), mtime=0),
    "csv": csv_of,
    "csv.gz": lambda records: gzip.compress(csv_of(records), mtime=0),
    "txt": lambda records: jsonl(records),
    "txt.zst": lambda records: zstandard.compress(jsonl(records)),
    "parquet": parquet,
    "arrow": arrow,
}
NOTICE_A_CUT = sorted(FORMATS.keys() - {"jsonl", "csv", "txt"})


def share(reading: Reading) -> float:
    """Bytes lost of bytes of input, as a run counts them."""
    lost: dict[str, int] = {}
    for row in reading.set_aside.rows:
        lost[row.file] = lost.get(row.file, 0) + row.bytes
    held: dict[str, int] = {}
    for unit in reading.units:
        held[unit.file] = held.get(unit.file, 0) + unit.bytes
    return sum(lost.values()) / sum(max(size, lost.get(file, 0)) for file, size in held.items())


def read_files(folder, contents: dict[str, bytes], part_bytes: int = 1 << 20) -> Reading:
    for path in folder.iterdir():
        path.unlink()
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return Reading(FilesConfig(reader="files", path=".").build("s", folder), part_bytes)


@given(
    st.sampled_from(sorted(FORMATS)),
    st.lists(st.tuples(st.integers(5, 60), st.booleans()), min_size=1, max_size=6),
    st.integers(0, 2**30),
)
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_file_of_noise_weighs_its_share_of_the_bytes(tmp_path, kind, files, seed):
    rng = random.Random(seed)
    contents = {f"{n}.{kind}": FORMATS[kind](rows(count, n)) for n, (count, _) in enumerate(files)}
    sizes = {name: len(content) for name, content in contents.items()}
    noise = {
        name: b"\xff" + rng.randbytes(sizes[name] - 1)
        for name, (_, bad) in zip(contents, files, strict=True)
        if bad
    }
    reading = read_files(tmp_path, contents | noise)
    expected = sum(sizes[name] for name in noise) / sum(sizes.values())
    assert share(reading) <= 1
    # The formats' own overhead aside, which is no record's.
    assert share(reading) >= 0.9 * expected
    assert {row.file for row in reading.set_aside.rows} == set(noise)
    assert len(reading.documents) >= sum(
        1 if kind.startswith("txt") else count for count, bad in files if not bad
    )


@given(st.sampled_from(NOTICE_A_CUT), st.integers(2, 6), st.floats(0.01, 0.99), st.integers(0, 2**30))
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_truncated_file_weighs_no_less_than_a_mean_one(tmp_path, kind, files, cut, seed):
    content = FORMATS[kind](rows(60, seed))
    contents = {f"{number}.{kind}": content for number in range(files)}
    contents[f"1.{kind}"] = content[: max(1, int(len(content) * cut))]
    reading = read_files(tmp_path, contents)
    if reading.set_aside.rows:
        mean = (files - 1 + cut) / files
        assert 0.95 * mean / (files - 1 + mean) <= share(reading) <= 1
    else:  # nothing is gone but what says that this is all
        assert len(reading.documents) == files * len(read_files(tmp_path, {f"0.{kind}": content}).documents)


@given(st.lists(st.sampled_from([b'{"text":"a"}', b"{bad", b"\xff\xfe", b'{"text":null}', b"3"]), min_size=1))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_bad_lines_weigh_their_bytes(tmp_path, found):
    content = b"".join(line + b"\n" for line in found)
    bad = sum(len(line) + 1 for line in found if line != b'{"text":"a"}')
    plain = read_files(tmp_path, {"a.jsonl": content})
    assert plain.set_aside.lost_bytes == bad
    assert plain.set_aside.lost_records == sum(line != b'{"text":"a"}' for line in found)
    zipped = gzip.compress(content)
    stored = read_files(tmp_path, {"a.jsonl.gz": zipped})
    runs = 1 + sum(line == b'{"text":"a"}' for line in found)  # of bad ones, each of which is rounded
    assert stored.set_aside.lost_bytes == pytest.approx(bad * len(zipped) / len(content), abs=runs)


def test_a_row_group_weighs_its_bytes_and_its_rows(tmp_path):
    content = bytearray(parquet(rows(5000), row_group_size=1000, compression="zstd"))
    metadata = pq.ParquetFile(io.BytesIO(bytes(content))).metadata
    column = metadata.row_group(2).column(0)
    content[column.data_page_offset + 20 : column.data_page_offset + 60] = b"\xff" * 40
    for part_bytes in (1, 1 << 30):
        [row] = read_files(tmp_path, {"f.parquet": bytes(content)}, part_bytes).set_aside.rows
        assert (row.bytes, row.records) == (metadata.row_group(2).total_byte_size, 1000)


def test_rows_weigh_their_share_of_the_group(tmp_path):
    records = [{"text": None if number % 4 == 0 else "words " * 20} for number in range(1000)]
    content = parquet(records, use_dictionary=False)
    reading = read_files(tmp_path, {"f.parquet": content})
    assert reading.set_aside.lost_records == 250
    assert reading.set_aside.lost_bytes == pytest.approx(reading.units[0].bytes / 4, rel=0.01)


def test_an_unreadable_parquet_weighs_as_others_of_its_format_do(tmp_path):
    content = parquet([{"text": "the same words " * 50}] * 2000, use_dictionary=False, compression="zstd")
    half = content[: len(content) // 2]
    reading = read_files(tmp_path, {"a.parquet": content, "b.parquet": content, "c.parquet": half})
    assert share(reading) == pytest.approx(1 / 3)
    [row] = reading.set_aside.rows
    assert row.records is None and row.bytes > 5 * len(content)


def test_behind_the_last_good_line_of_a_corrupt_stream_all_is_lost(tmp_path):
    content = bytearray(gzip.compress(jsonl(rows(20_000)), compresslevel=1))
    middle = len(content) // 2
    content[middle : middle + 100] = bytes(100)
    reading = read_files(tmp_path, {"f.jsonl.gz": bytes(content)})
    assert reading.set_aside.rows[-1].reason == Reason.CORRUPT_GZIP
    assert 0.4 < share(reading) < 0.6


def test_the_rest_that_a_quote_swallows_is_lost(tmp_path):
    good = b"".join(b"%d,text of some length\n" % number for number in range(200))
    content = b"id,text\n" + good + b'200,"never closed\n' + good * 14
    reading = read_files(tmp_path, {"f.csv": content})
    assert len(reading.documents) == 200
    [row] = reading.set_aside.rows
    assert row.position.startswith("line 202,") and row.records is None
    assert row.bytes == len(content) - len(b"id,text\n" + good)


def test_a_line_that_is_too_long_weighs_all_of_it(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "MAX_RECORD_BYTES", 1 << 20)
    long = b'{"text":"' + b"x" * (3 << 20) + b'"}\n'
    good = b'{"text":"a"}\n'
    for content in (good + long + good, good + long[:-1]):
        reading = read_files(tmp_path, {"f.jsonl": content})
        [row] = reading.set_aside.rows
        assert row.reason == Reason.TOO_LARGE and row.bytes == len(
            content.removeprefix(good).removesuffix(good)
        )


def test_a_bad_element_of_an_array_weighs_as_much_as_it_is_long(tmp_path):
    content = '[{"text": "жж"}, {"text": NaN}]'.encode()
    [row] = read_files(tmp_path, {"f.json": content, "g.jsonl": b'{"text":"a"}\n' * 100}).set_aside.rows
    assert (row.position, row.bytes, row.records) == ("row 1, byte 18", len(' {"text": NaN},'), 1)


def test_an_array_that_does_not_end_weighs_no_less_than_a_mean_file(tmp_path):
    whole = json.dumps(rows(1000)).encode()
    cut = whole[: len(whole) // 4]
    reading = read_files(tmp_path, {"f.json": cut, "g.json": whole})
    assert reading.set_aside.lost_bytes == reading.units[0].mean_file > len(cut)


def test_what_a_limit_leaves_out_is_not_lost(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(b'{"text":"a"}\n' * 50 + b"bad\n" * 50)
    source = FilesConfig(reader="files", path=".", limit="60 documents").build("s", tmp_path)
    reading = Reading(source)
    lost = reading.set_aside.lost_records
    assert 25 <= lost <= 35 and lost + len(reading.documents) == 60
    assert sum(unit.bytes for unit in reading.units) == lost * 4 + (60 - lost) * 13
    assert share(reading) == pytest.approx(200 / 850, rel=0.2)


def test_memory_is_bounded_and_every_bad_record_is_counted():
    written = []
    for write in (None, written.append):
        quarantine = Quarantine(write)
        for number in range(3 * QUARANTINE_ROWS + 1):
            quarantine.add("f", f"line {number}", Reason.INVALID_JSON, "x", bytes=2)
            assert len(quarantine.rows) <= QUARANTINE_ROWS
        quarantine.flush()
        assert quarantine.lost_bytes == 2 * quarantine.lost_records == 2 * (3 * QUARANTINE_ROWS + 1)
        assert quarantine.first is not None and quarantine.first.position == "line 0"
    assert sum(table.num_rows for table in written) == 3 * QUARANTINE_ROWS + 1
