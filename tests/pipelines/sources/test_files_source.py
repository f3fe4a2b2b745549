import gzip
import json
import multiprocessing
import os
import tempfile
from pathlib import Path

import pyarrow.parquet  # noqa: F401
import pytest
from pydantic import ValidationError

from pipelines.errors import UserError, WorkError
from pipelines.sources.base import Quarantine, tasks
from pipelines.sources.files import FilesConfig
from pipelines.sources.limit import Limit
from pipelines.sources.listing import list_files

LINE = b'{"text":"t"}\n'


def listed(folder: Path, pattern: str) -> list[str]:
    return [file.path for file in list_files(pattern, str(folder)).files]


def test_folders_globs_and_files(read, tmp_path):
    names = [
        "b.jsonl",
        "a/x.jsonl",
        "a/deep/y.jsonl",
        "a/.hidden/z.jsonl",
        ".dot.jsonl",
        "a/x.csv",
        "skip.bin",
    ]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(LINE)
    (tmp_path / "loop").symlink_to(tmp_path)
    assert listed(tmp_path, "b.jsonl") == ["b.jsonl"]
    assert listed(tmp_path, "*.jsonl") == ["b.jsonl"]
    assert listed(tmp_path, "a/*.jsonl") == ["x.jsonl"]
    assert listed(tmp_path, "**/*.jsonl") == ["a/deep/y.jsonl", "a/x.jsonl", "b.jsonl"]
    assert listed(tmp_path, "?/*/[xy].jsonl") == ["a/deep/y.jsonl"]
    assert listed(tmp_path, ".*.jsonl") == [".dot.jsonl"]
    assert listed(tmp_path, "a") == ["deep/y.jsonl", "x.csv", "x.jsonl"]
    assert [unit.file for unit in read({}).units] == ["a/deep/y.jsonl", "a/x.csv", "a/x.jsonl", "b.jsonl"]


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("corpus/books.jsonl", "Did you mean {root}/corpus/book.jsonl?"),
        ("corpsu/*.jsonl", "Did you mean {root}/corpus?"),
        ("corpus/*.parquet", "{root}/corpus holds book.jsonl."),
        ("empty", "{root}/empty is empty."),
        (
            "corpus/missing/deeper/x.jsonl",
            "There is no {root}/corpus/missing. {root}/corpus holds book.jsonl.",
        ),
    ],
)
def test_nothing_matches(tmp_path, path, hint):
    (tmp_path / "corpus").mkdir()
    (tmp_path / "empty").mkdir()
    (tmp_path / "corpus/book.jsonl").write_bytes(LINE)
    source = FilesConfig(reader="files", path=path).build("s", tmp_path)
    with pytest.raises(UserError) as error:
        source.units(1000)
    assert path in error.value.message
    assert error.value.hint == hint.format(root=tmp_path)


def test_no_readable_file(tmp_path):
    (tmp_path / "scan.png").write_bytes(b"\x89PNG")
    source = FilesConfig(reader="files", path=".").build("s", tmp_path)
    with pytest.raises(UserError, match=r"scan\.png") as error:
        source.identity()
    assert ".parquet" in error.value.hint


def test_identity_follows_the_files(tmp_path):
    def identity():
        return FilesConfig(reader="files", path="*.jsonl").build("s", tmp_path).identity()

    (tmp_path / "a.jsonl").write_bytes(LINE)
    first = identity()
    assert json.loads(json.dumps(first)) == first
    assert str(tmp_path) not in json.dumps(first)
    assert identity() == first
    os.utime(tmp_path / "a.jsonl", ns=(1, 1))
    assert identity() == first
    (tmp_path / "a.jsonl").write_bytes(LINE.replace(b"t", b"u"))
    second = identity()
    (tmp_path / "b.jsonl").write_bytes(LINE)
    assert len({json.dumps(each) for each in (first, second, identity())}) == 3


def _as_nobody(folder: str, results) -> None:
    """In a child process: drop root's privileges, then read."""
    if os.geteuid() == 0:
        os.setgid(65534)
        os.setuid(65534)
    source = FilesConfig(reader="files", path="*").build("s", Path(folder) / "data")
    whole = FilesConfig(reader="files", path="data").build("s", Path(folder))
    try:
        whole.identity()
    except UserError as error:
        results.put(str(error))
    quarantine = Quarantine()
    tables = [table for unit in source.units(100) for table in source.read(unit, quarantine)]
    bad = sorted((row.file, row.reason, row.bytes) for row in quarantine.rows)
    results.put((bad, sum(table.num_rows for table in tables)))


def test_permission_denied(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    for name in ("a.jsonl", "b.parquet", "c.txt", "d.csv", "e.jsonl.gz", "f.arrow", "g.json"):
        (data / name).write_bytes(LINE)
        (data / name).chmod(0)
    (data / "good.jsonl").write_bytes(LINE)
    (data / "locked").mkdir()
    (data / "locked/inside.jsonl").write_bytes(LINE)
    (data / "locked").chmod(0)
    for folder in (tmp_path, *tmp_path.parents):
        if Path(tempfile.gettempdir()) in folder.parents:
            folder.chmod(0o755)  # pytest's own folders are closed to others
    context = multiprocessing.get_context(
        "fork"
    )  # after dropping its privileges the child may import nothing
    results = context.Queue()
    child = context.Process(target=_as_nobody, args=(str(tmp_path), results))
    child.start()
    whole, pattern = results.get(timeout=60), results.get(timeout=60)
    child.join()
    (data / "locked").chmod(0o755)
    names = ("a.jsonl", "b.parquet", "c.txt", "d.csv", "e.jsonl.gz", "f.arrow", "g.json")
    assert pattern == ([(name, "permission denied", len(LINE)) for name in names], 1)
    assert "locked: permission denied" in whole


def test_a_file_that_vanished(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(LINE)
    source = FilesConfig(reader="files", path=".").build("s", tmp_path)
    [unit] = source.units(100)
    (tmp_path / "a.jsonl").unlink()
    with pytest.raises(WorkError, match=r"a\.jsonl: changed while it was read"):
        list(source.read(unit, Quarantine()))


def test_remote_files(tmp_path):
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.pipe(
        {"/bucket/a.jsonl": LINE * 3, "/bucket/b/c.jsonl.gz": gzip.compress(LINE), "/bucket/.x/d.jsonl": LINE}
    )

    def ids(path):
        source = FilesConfig(reader="files", path=path).build("s", tmp_path)
        quarantine = Quarantine()
        tables = [table for unit in source.units(5) for table in source.read(unit, quarantine)]
        assert quarantine.rows == []
        return [doc_id for table in tables for doc_id in table.column("doc_id").to_pylist()]

    assert ids("memory://bucket") == ["s/a.jsonl:0", "s/a.jsonl:1", "s/a.jsonl:2", "s/b/c.jsonl.gz:0"]
    assert ids("memory://bucket/a.jsonl") == ["s/a.jsonl:0", "s/a.jsonl:1", "s/a.jsonl:2"]
    assert ids("memory://bucket/**/*.gz") == ["s/b/c.jsonl.gz:0"]
    with pytest.raises(UserError, match="no file matches"):
        ids("memory://bucket/nothing")
    with pytest.raises(UserError, match="nosuch"):
        ids("nosuch://bucket/a.jsonl")


def test_limits(read):
    files = {
        "a.jsonl": LINE * 10,
        "b.jsonl.gz": gzip.compress(LINE * 10 + b"{bad\n" + LINE * 10),
        "c.csv": b"text\n" + b"t\n" * 10,
        "d.json": json.dumps([{"text": "t"}] * 10).encode(),
        "e.txt": b"one document",
    }
    everything = read(files).ids
    assert len(everything) == 51
    for documents in (1, 10, 15, 25, 36, 45, 51, 52, 1000):
        for part_bytes in (1, 50, 1 << 20):
            reading = read(files, limit=f"{documents} documents", part_bytes=part_bytes)
            assert len(reading.documents) + len(reading.quarantine) == min(documents, 52)
            assert [doc_id for doc_id in everything if doc_id in set(reading.ids)] == reading.ids
    assert len(read({"a.jsonl": LINE * 10}, "a.jsonl", limit="40B", part_bytes=20).documents) == 4
    assert len(read(files, limit="1MB").documents) == 51


@pytest.mark.parametrize("text", ["20B tokens", "many", "-3GB", "0 documents", "1 document of"])
def test_limits_that_cannot_be_kept_are_refused(text):
    with pytest.raises(ValidationError, match="limit"):
        FilesConfig(reader="files", path=".", limit=text)


def test_limits_are_read():
    assert Limit.parse("100k documents").documents == 100_000
    assert Limit.parse("1.5M documents").documents == 1_500_000
    assert Limit.parse("2GB").bytes == 2_000_000_000
    assert Limit.parse("1 document").documents == 1


def test_small_units_are_grouped(read):
    units = read({f"{number:03}.jsonl": LINE for number in range(100)}).units
    groups = tasks(units, 10 * len(LINE))
    assert [len(group) for group in groups] == [10] * 10
    assert [unit for group in groups for unit in group] == units
    assert tasks([], 10) == []


def test_an_empty_file_may_come_first(read):
    units = read({"a.jsonl": b"", "b.jsonl": LINE}, "*.jsonl").units
    assert [[unit.file for unit in group] for group in tasks(units, 10)] == [["a.jsonl"], ["b.jsonl"]]
