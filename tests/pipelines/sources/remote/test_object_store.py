"""Files in an object store: the same documents as here, what changes is seen, what lacks is named."""

import json
import random
import socket
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.errors import UserError, WorkError
from pipelines.sources.base import Quarantine
from pipelines.sources.benchmarks import BenchmarkConfig
from pipelines.sources.files import FilesConfig
from pipelines.sources.given_files import GivenFiles
from pipelines.sources.remote.copies import local_copy
from pipelines.sources.remote.file import open_remote
from tests.pipelines.command_line import environment
from tests.pipelines.sources.conftest import Reading
from tests.pipelines.sources.remote.object_store import BadRoad, at, bucket, object_store


@pytest.fixture(scope="module")
def store():
    with object_store() as address:
        yield address


@pytest.fixture(scope="module")
def system(store):
    return bucket("corpus")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, system):
    """Files here, and the same in the store."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "below").mkdir()
    lines = [json.dumps({"text": f"line {number}"}) for number in range(100)]
    (folder / "a.jsonl").write_text("\n".join(lines))
    table = pa.table({"text": [f"row {number}" * 50 for number in range(1000)]})
    pq.write_table(table, folder / "below" / "b [1].parquet", row_group_size=100)
    (folder / "below" / ".hidden.txt").write_text("hidden")
    (folder / "c.txt").write_text("a text")
    for path in folder.rglob("*"):
        if path.is_file():
            system.put_file(str(path), f"corpus/data/{path.relative_to(folder).as_posix()}")
    return folder


@pytest.mark.parametrize("below", ["", "/*", "/**/*.parquet", "/a.jsonl", "/below/b [1].parquet", "/below"])
def test_what_is_read_is_what_would_be_read_here(folder, below):
    here = Reading(FilesConfig(reader="files", path=f"{folder}{below}").build("s", folder), 10_000)
    there = Reading(FilesConfig(reader="files", path=f"s3://corpus/data{below}").build("s", folder), 10_000)
    assert there.documents == here.documents
    assert there.documents
    assert len([unit for unit in there.units if unit.format == "parquet"]) == len(
        [unit for unit in here.units if unit.format == "parquet"]
    )


def test_files_of_a_command_lie_anywhere(folder):
    here = GivenFiles.find([str(folder / "a.jsonl"), str(folder / "below" / "b [1].parquet")])
    there = GivenFiles.find(["s3://corpus/data/a.jsonl", "s3://corpus/data/below/b [1].parquet"])
    assert Reading(there).documents == Reading(here).documents
    both = GivenFiles.find([str(folder / "a.jsonl"), "s3://corpus/data/*.jsonl"])
    assert len(Reading(both).documents) == 200
    assert len({file.path for file in both.files}) == 2
    with pytest.raises(UserError, match="given twice"):
        GivenFiles.find(["s3://corpus/data/a.jsonl", "s3://corpus/data"])


def test_a_benchmark_lies_there(folder, system):
    system.pipe("corpus/exam.jsonl", b'{"question": "What is it?", "answer": "A test."}\n')
    config = BenchmarkConfig.model_validate({"path": "s3://corpus/exam.jsonl"})
    assert config.read("exam", folder).items.num_rows == 1


def test_a_file_that_changes_between_plan_and_reading_is_seen(folder, system):
    system.pipe("corpus/changing/a.jsonl", b'{"text": "one"}\n')
    source = FilesConfig(reader="files", path="s3://corpus/changing").build("s", folder)
    (unit,) = source.units(1000)
    before = source.identity()
    system.pipe("corpus/changing/a.jsonl", b'{"text": "two"}\n')
    with pytest.raises(WorkError, match=r"s3://corpus/changing/a\.jsonl: changed while it was read"):
        list(source.read(unit, Quarantine()))
    again = FilesConfig(reader="files", path="s3://corpus/changing").build("s", folder)
    assert again.identity() != before
    assert Reading(again).texts == ["two"]
    (unit,) = again.units(1000)
    system.rm("corpus/changing/a.jsonl")
    with pytest.raises(WorkError, match="changed while it was read"):
        list(again.read(unit, Quarantine()))


def test_a_file_that_changes_under_the_reader_is_not_pieced_together(system):
    system.pipe("corpus/large.bin", bytes(3 << 20))
    with open_remote("s3://corpus/large.bin") as file:
        file.read(1000)
        system.pipe("corpus/large.bin", b"1" * (3 << 20))
        with pytest.raises(WorkError, match="changed while it was read"):
            file.read()


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(size=st.integers(0, 100_000), most=st.integers(1000, 30_000))
def test_a_way_that_cuts_every_answer_leads_to_the_same_bytes(store, system, size, most):
    content = random.Random(size).randbytes(size)
    system.pipe(f"corpus/cut/{size}.bin", content)
    with (
        BadRoad(store, most=most) as road,
        at(road.address),
        open_remote(f"s3://corpus/cut/{size}.bin") as file,
    ):
        assert file.read() == content
    assert bool(road.cut) == (size > most)


def test_a_way_on_which_every_byte_is_lost_ends(store, system):
    system.pipe("corpus/lost.bin", bytes(9000))
    with BadRoad(store, most=0) as road, at(road.address), open_remote("s3://corpus/lost.bin") as file:
        with pytest.raises(WorkError, match=r"s3://corpus/lost\.bin: cannot be .*, after 4 attempts"):
            file.read()
        assert road.cut == 4, "nobody but us repeats"


def test_a_store_that_is_away_is_asked_a_bounded_number_of_times():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
        with at(address), pytest.raises(WorkError, match="after 4 attempts"):
            open_remote("s3://corpus/a.jsonl")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("s3://corpus/nothing", "no file matches"),
        ("s3://no-such-bucket/a.jsonl", "no file matches"),
        ("s3://corpus/data/*.xml", "no file matches"),
        ("simplecache::s3://corpus/a.jsonl", "several parts"),
        ("nosuch://corpus/a.jsonl", "nothing reads nosuch://"),
    ],
)
def test_what_is_not_there_is_named(folder, path, words):
    with pytest.raises(UserError, match=words):
        FilesConfig(reader="files", path=path).build("s", folder).identity()


@pytest.mark.parametrize(
    ("module", "path", "mend"),
    [
        ("s3fs", "s3://corpus/a.jsonl", "pip install 'coupage[s3]'"),
        ("gcsfs", "gs://corpus/a.jsonl", "pip install gcsfs"),
    ],
)
def test_a_missing_package_is_named(module, path, mend):
    program = f"""
import sys
from pathlib import Path
sys.modules["{module}"] = None
from pipelines.errors import UserError
from pipelines.sources.files import FilesConfig
try:
    FilesConfig(reader="files", path="{path}").build("s", Path()).identity()
except UserError as error:
    print(error.hint)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment())
    assert done.stdout == f"{mend}\n"


def test_without_credentials_it_says_which_are_wanted(folder, monkeypatch, tmp_path):
    import s3fs

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    s3fs.S3FileSystem.clear_instance_cache()
    try:
        with pytest.raises(UserError, match="no credentials were found") as raised:
            FilesConfig(reader="files", path="s3://corpus/data").build("s", folder).identity()
    finally:
        s3fs.S3FileSystem.clear_instance_cache()
    assert "AWS_ACCESS_KEY_ID" in raised.value.hint


def test_a_copy_is_whole_and_made_once(folder, system, monkeypatch):
    system.pipe({"corpus/tokenizer/tokenizer.json": b"{}", "corpus/tokenizer/more/config.json": b"[]"})
    copy = local_copy("s3://corpus/tokenizer")
    assert (copy / "tokenizer.json").read_bytes() == b"{}"
    assert (copy / "more" / "config.json").read_bytes() == b"[]"
    assert local_copy("s3://corpus/tokenizer") == copy
    one = local_copy("s3://corpus/tokenizer/tokenizer.json")
    assert (one.name, one.read_bytes()) == ("tokenizer.json", b"{}")
    system.pipe("corpus/tokenizer/tokenizer.json", b"{1}")
    assert (local_copy("s3://corpus/tokenizer") / "tokenizer.json").read_bytes() == b"{1}"
    with pytest.raises(UserError, match="no such file or folder"):
        local_copy("s3://corpus/tokenizers")
    monkeypatch.setenv("COUPAGE_CACHE_SIZE", "2B")
    system.pipe("corpus/tokenizer/tokenizer.json", b"{12}")
    with pytest.raises(UserError, match="the cache may have 2"):
        local_copy("s3://corpus/tokenizer")
