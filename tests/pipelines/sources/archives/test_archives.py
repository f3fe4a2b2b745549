"""Archives are read as the folders that they were packed from."""

import gzip
import io
import tarfile
import zipfile

import fsspec
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.sources import first_records
from pipelines.sources.archives import streams
from pipelines.sources.files import FilesConfig
from pipelines.sources.passed_over import PassedOver

from ..conftest import Reading
from .packing import ALL, TARS, packed, tarred, zipped


def _parquet(*texts: str) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table({"text": texts}), buffer)
    return buffer.getvalue()


def _arrow(*texts: str) -> bytes:
    buffer = io.BytesIO()
    table = pa.table({"text": texts})
    with pa.ipc.new_stream(buffer, table.schema) as writer:
        writer.write_table(table)
    return buffer.getvalue()


MEMBERS = [
    ("folder/a.jsonl", b'{"text": "one", "id": "first"}\n{"text": "two"}\n'),
    ("array.json", b'[{"text": "three"}, {"text": "four"}]'),
    ("rows.csv", "text,n\nпять,1\n".encode()),
    ("inner.jsonl.gz", gzip.compress(b'{"text": "six"}\n')),
    ("table.parquet", _parquet("seven", "eight")),
    ("table.arrow", _arrow("nine")),
    ("plain.txt", b"ten\neleven"),
    ("empty.jsonl", b""),
]
TEXTS = ["one", "two", "three", "four", "пять", "six", "seven", "eight", "nine", "ten\neleven"]


@pytest.mark.parametrize("suffix", ALL)
def test_members_are_read_as_files_are(read, suffix):
    reading = read({f"a{suffix}": packed(MEMBERS, suffix)})
    inside = f"s/a{suffix}!/"
    assert reading.texts == TEXTS
    assert reading.ids[:3] == ["s/first", f"{inside}folder/a.jsonl:1", f"{inside}array.json:0"]
    assert reading.ids[-1] == f"{inside}plain.txt:0"
    assert reading.quarantine == [] and reading.set_aside.passed_over == {}


def test_members_that_are_stored_as_they_are(read):
    reading = read({"a.zip": zipped(MEMBERS, zipfile.ZIP_STORED)})
    assert reading.texts == TEXTS and reading.quarantine == []


@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.gz"])
def test_each_line_of_a_text_in_an_archive_can_be_a_document(read, suffix):
    assert read({f"a{suffix}": packed(MEMBERS, suffix)}, text_document="line").texts[-2:] == ["ten", "eleven"]


@pytest.mark.parametrize("part_bytes", [1, 60, 500])
def test_a_zip_is_cut_into_runs_of_members(read, part_bytes):
    content = zipped(MEMBERS)
    whole, parts = read({"a.zip": content}), read({"a.zip": content}, part_bytes=part_bytes)
    assert parts.documents == whole.documents
    assert len(parts.units) > len(whole.units) == 1
    assert sum(unit.bytes for unit in parts.units) == len(content)


@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.xz"])
@pytest.mark.parametrize("documents", range(1, 11))
def test_a_limit_counts_the_records_of_members(read, suffix, documents):
    reading = read({f"a{suffix}": packed(MEMBERS, suffix)}, limit=f"{documents} documents", part_bytes=100)
    assert len(reading.texts) == min(documents, len(TEXTS))
    assert reading.texts == [text for text in TEXTS if text in reading.texts]


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz"])
def test_a_limit_counts_bad_records_and_refused_members(read, suffix):
    members = [
        ("a.jsonl", b'bad\n{"text": "one"}\n'),
        ("../b.txt", b"x"),
        ("c.txt", b"two"),
        ("d.txt", b"three"),
    ]
    files = {f"a{suffix}": packed(members, suffix)}
    for limit in range(1, 6):
        reading = read(files, limit=f"{limit} documents")
        assert len(reading.texts) + len(reading.quarantine) == limit


@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.gz"])
def test_what_is_no_document_is_counted_by_kind(read, suffix):
    names = ["x.bin", "y.bin", "README.md", ".git/config.txt", "__MACOSX/a.txt", "folder/"]
    members = [(name, b"") for name in names if suffix == ".zip" or not name.endswith("/")]
    reading = read({f"a{suffix}": packed([*members, ("a.txt", b"kept")], suffix)})
    assert reading.texts == ["kept"] and reading.quarantine == []
    inside = f"a{suffix}!/"
    assert sorted(reading.set_aside.passed_over.values()) == [
        PassedOver(".bin", 2, f"{inside}x.bin"),
        PassedOver("README", 1, f"{inside}README.md"),
        PassedOver("hidden", 2, f"{inside}.git/config.txt"),
    ]


def test_bad_records_are_set_aside_with_their_place_in_the_member(read):
    members = [
        ("a.jsonl", b'{"text": "one"}\nbad\n{"text": "two"}'),
        ("b.txt", b"\xff"),
        ("c.parquet", b"no"),
    ]
    for suffix in (".zip", ".tar.gz"):
        reading = read({f"a{suffix}": packed(members, suffix)}, path=f"a{suffix}")
        assert reading.texts == ["one", "two"]
        assert [row[:3] for row in reading.quarantine] == [
            (f"a{suffix}!/a.jsonl", "line 2, byte 16", "invalid JSON"),
            (f"a{suffix}!/b.txt", "line 1, byte 0", "invalid UTF-8"),
            (f"a{suffix}!/c.parquet", "", "unreadable file"),
        ]
        assert 0 < reading.set_aside.lost_bytes <= reading.units[0].bytes


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_and_foreign_names_in_every_kind_of_tar(read, form):
    names = ["./a.txt", "папка/файл.txt"]
    if form != tarfile.USTAR_FORMAT:
        names += [f"{'long/' * 60}{'n' * 120}.txt"]
    reading = read({"a.tar.gz": tarred([(name, b"x") for name in names], ".tar.gz", form)})
    assert reading.ids == [f"s/a.tar.gz!/{name.removeprefix('./')}:0" for name in names]


def test_tar_files_that_were_joined_are_read_whole(read):
    content = tarred([("a.txt", b"one")]) + tarred([("b.txt", b"two")])
    assert read({"a.tar": content}).texts == ["one", "two"]


@pytest.mark.parametrize("suffix", TARS[1:])
def test_a_large_member_of_a_compressed_tar_is_not_held(read, suffix, monkeypatch):
    monkeypatch.setattr(streams, "REREAD_BYTES", 5000)
    lines = b"".join(b'{"text": "%d"}\n' % number for number in range(20_000))
    array = orjson.dumps([{"text": str(number)} for number in range(20_000)])
    reading = read({f"a{suffix}": packed([("a.json", lines), ("b.json", array)], suffix)})
    assert reading.texts == [str(number) for number in range(20_000)] * 2


@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.gz", ".tar.zst"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_truncated_archive_is_set_aside_with_its_name(read, suffix, share):
    members = [(f"{n}.txt", orjson.dumps(list(range(n, n + 2000)))) for n in range(20)]
    content = packed(members, suffix)
    reading = read({f"a{suffix}": content[: int(len(content) * share)]})
    assert len(reading.texts) < 20
    assert reading.texts == [content.decode() for _, content in members][: len(reading.texts)]
    assert all(file.startswith(f"a{suffix}") for file, *_ in reading.quarantine) and reading.quarantine
    assert reading.set_aside.lost_bytes >= len(content) * share * 0.9


@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.gz"])
def test_what_only_looks_like_an_archive(read, suffix):
    reading = read({f"a{suffix}": b"<html>not found</html>" * 100, "b.txt": b"kept"})
    assert reading.texts == ["kept"]
    assert reading.quarantine[0][0] == f"a{suffix}"


@pytest.mark.parametrize("suffix", [".zip", ".tar"])
def test_an_archive_without_members_has_no_documents(read, suffix):
    reading = read({f"a{suffix}": packed([], suffix)})
    assert reading.documents == [] and reading.quarantine == []


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0\\/"), min_size=1, max_size=8)


@given(
    st.lists(st.lists(NAMES, min_size=1, max_size=3).map("/".join), unique=True, max_size=8),
    st.sampled_from(ALL),
)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_member_is_read_passed_over_or_set_aside(tmp_path, names, suffix):
    members = [(f"{name}.txt", name.encode()) for name in names]
    (tmp_path / f"a{suffix}").write_bytes(packed(members, suffix))
    reading = Reading(FilesConfig(reader="files", path=f"a{suffix}").build("s", tmp_path))
    passed = sum(each.files for each in reading.set_aside.passed_over.values())
    assert len(reading.texts) + passed + len(reading.quarantine) == len(members)
    assert set(reading.texts) <= set(names)


@given(st.sampled_from([".zip", ".tar", ".tar.gz"]), st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_archive_ends_nothing(tmp_path, suffix, data):
    content = bytearray(packed([("a.jsonl", b'{"text": "one"}\n' * 40), ("b.txt", b"two")], suffix))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / f"a{suffix}").write_bytes(content)
    source = FilesConfig(reader="files", path=f"a{suffix}").build("s", tmp_path)
    reading = Reading(source)
    assert reading.set_aside.lost_bytes <= 2 * len(content)
    source.preview()


@pytest.mark.parametrize("suffix", [".zip", ".tar"])
def test_plans_look_at_the_first_members_of_a_large_archive(tmp_path, monkeypatch, suffix):
    lines = b"".join(b'{"text": "%04d"}\n' % number for number in range(1000))
    content = packed([(f"{n}.jsonl", lines) for n in range(20)], suffix)
    (tmp_path / f"a{suffix}").write_bytes(content)
    source = FilesConfig(reader="files", path=f"a{suffix}").build("s", tmp_path)
    assert source.preview().records == source.preview().documents.num_rows == 20_000
    monkeypatch.setattr(first_records, "WINDOW_BYTES", len(content) // 8)
    preview = source.preview()
    assert preview.documents.num_rows < 10_000 and not preview.refused
    assert 5_000 < preview.records < 40_000


@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.zst"])
def test_archives_are_read_where_they_lie(suffix, tmp_path):
    remote = fsspec.filesystem("memory")
    with remote.open(f"/shelf/a{suffix}", "wb") as file:
        file.write(packed(MEMBERS, suffix))
    try:
        reading = Reading(FilesConfig(reader="files", path="memory://shelf").build("s", tmp_path))
    finally:
        remote.rm("/shelf", recursive=True)
    assert reading.texts == TEXTS and reading.quarantine == []
