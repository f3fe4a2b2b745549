"""Too much lost ends a run at once and by name; raised limits reuse what was read; what was lost is said."""

import json
import os
import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from pipelines.execution.counts import Count
from pipelines.execution.manifest import read_manifest, read_sealed
from tests.pipelines.corpus import WORDS

RECIPE = """\
name: losses
sources:
  web: {{reader: files, path: {path}}}
part_size: {part_size}
quarantine: {{max_share: {limit}}}
tokenizer: {{base: {tokenizer}}}
mixtures:
  stage1: {{tokens: 2k, sequence_length: 64, weights: {{web: 1}}, on_shortage: repeat}}
"""


def lines(count: int, seed: int = 0) -> bytes:
    rng = random.Random(seed)
    texts = (" ".join(rng.choices(WORDS, k=40)) for _ in range(count))
    return b"".join(json.dumps({"text": text}).encode() + b"\n" for text in texts)


@pytest.fixture
def recipe(tmp_path, base_tokenizer):
    def write(path: str = "data", limit: str = "1%", part_size: str = "1M"):
        text = RECIPE.format(path=path, limit=limit, part_size=part_size, tokenizer=base_tokenizer)
        (tmp_path / "recipe.yaml").write_text(text)
        return tmp_path / "recipe.yaml"

    (tmp_path / "data").mkdir()
    return write


def ingest(run):
    return next(folder for folder in (run / "stages").glob("ingest-web-*"))


def test_the_weight_of_files_decides_and_a_raised_limit_reads_nothing_again(coupage, tmp_path, recipe):
    for number in range(10):
        content = zstandard.compress(lines(50, number))
        bad = b"\0\1\2\3" + content[4:]
        (tmp_path / f"data/{number}.jsonl.zst").write_bytes(bad if number in (2, 5, 7) else content)
    run = tmp_path / "run"
    failed = coupage("run", recipe(limit="29%", part_size="1k"), "--workdir", run, code=2)
    assert "2.jsonl.zst" in failed.stderr and "corrupt zstd" in failed.stderr
    assert "more than the limit of 29.00%" in failed.stderr and "quarantine.max_share" in failed.stderr
    assert read_manifest(ingest(run)) is None
    before = {path: path.stat().st_mtime_ns for path in ingest(run).glob("receipts/*.json")}
    assert len(before) == 10
    done = coupage("run", recipe(limit="31%", part_size="1k"), "--workdir", run)
    assert "web: 3 of 353 records, 30." in done.stdout and "first 2.jsonl.zst:line 1, byte 0" in done.stdout
    counts = read_manifest(ingest(run)).counts
    share = counts.number("lost_bytes", reason="corrupt zstd") / counts.number("input_bytes")
    assert share == pytest.approx(0.3, abs=0.01)
    report = json.loads((run / "report.json").read_text())
    assert report["sources"][0]["lost"]["corrupt zstd"]["records"] == 3
    assert {row["records"] for row in report["quarantine"]} == {None}
    assert "30." in (run / "report.html").read_text() and "corrupt zstd" in (run / "README.md").read_text()
    coupage("verify", run)
    lowered = coupage("run", recipe(limit="1%", part_size="1k"), "--workdir", run, code=2)
    assert "2.jsonl.zst" in lowered.stderr
    coupage("verify", run)


def test_the_receipts_of_a_failed_check_serve_again(coupage, tmp_path, recipe):
    (tmp_path / "data/a.jsonl").write_bytes(lines(100) + b"{bad\n" * 40)
    run = tmp_path / "run"
    coupage("run", recipe(part_size="5k"), "--workdir", run, "--until", "ingest", code=2)
    kept = {path.name: path.stat().st_mtime_ns for path in ingest(run).glob("*.parquet")}
    assert kept
    coupage("run", recipe(limit="90%", part_size="5k"), "--workdir", run, "--until", "ingest")
    after = {path.name: path.stat().st_mtime_ns for path in ingest(run).glob("*.parquet")}
    assert kept.items() <= after.items()


def test_a_task_that_loses_too_much_ends_at_once(coupage, tmp_path, recipe):
    # Were all of it read, every one of the bad records would be said to be lost.
    (tmp_path / "data/a.jsonl").write_bytes(lines(50) + b"1\n" * 200_000)
    run = tmp_path / "run"
    failed = coupage("run", recipe(), "--workdir", run, "--until", "ingest", code=2)
    assert "a.jsonl:line 51" in failed.stderr and "record is not an object" in failed.stderr
    said = int(failed.stderr.split(" records")[0].rpartition(" ")[2].replace(",", ""))
    assert 0 < said < 100_000
    done = coupage("run", recipe(limit="100%"), "--workdir", run, "--until", "ingest")
    assert "Traceback" not in done.stderr
    manifest = read_manifest(ingest(run))
    assert (
        manifest.counts.dropped("records")[Count("quarantined", reason="record is not an object")] == 200_000
    )
    [rows] = [file.rows for file in manifest.all_files() if file.name.startswith("quarantine/")]
    assert rows == 200_000 == pq.read_metadata(ingest(run) / "quarantine/00000.parquet").num_rows


def test_a_moved_and_touched_folder_is_read_no_more(coupage, tmp_path, recipe):
    (tmp_path / "data/a.jsonl").write_bytes(lines(100))
    run = tmp_path / "run"
    coupage("run", recipe(), "--workdir", run, "--until", "select")
    stages = {path.name for path in (run / "stages").iterdir()}
    (tmp_path / "data").rename(tmp_path / "elsewhere")
    os.utime(tmp_path / "elsewhere/a.jsonl", ns=(1, 1))
    done = coupage("run", recipe("elsewhere"), "--workdir", run, "--until", "select")
    assert "ingest web: cached" in done.stderr
    assert {path.name for path in (run / "stages").iterdir()} == stages


def test_hashes_are_remembered_and_damage_of_the_memory_is_nothing(coupage, tmp_path, recipe):
    (tmp_path / "data/a.jsonl").write_bytes(lines(20))
    run = tmp_path / "run"
    coupage("run", recipe(), "--workdir", run, "--until", "ingest")
    known = read_sealed(run / "inputs.json")
    state = os.stat(tmp_path / "data/a.jsonl")
    assert f"{state.st_size}-{state.st_mtime_ns}-{state.st_ctime_ns}-{state.st_ino}" in known
    for damage in (b"", b"{}", b"\xff", (run / "inputs.json").read_bytes()[:-9] + b"99999999\n"):
        (run / "inputs.json").write_bytes(damage)
        done = coupage("run", recipe(), "--workdir", run, "--until", "ingest")
        assert "ingest web: cached" in done.stderr
        assert read_sealed(run / "inputs.json") == known


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b'id,"text\n1,abc\n2,def\n', "line 1, byte 0: none of the"),
        (b"id,text,text\n1,abc,def\n", "several columns have the name text"),
        (b"id,\xfftext\n1,abc\n", "unusable CSV header: invalid UTF-8"),
        ("id,text\n1,abc\n".encode("utf-16"), "unusable CSV header"),
    ],
)
def test_a_csv_without_a_usable_header_is_refused(coupage, tmp_path, recipe, content, place):
    (tmp_path / "bad.csv").write_bytes(content)
    failed = coupage("dedup", "bad.csv", "-o", "out", code=2, cwd=tmp_path)
    assert "bad.csv:line 1" in failed.stderr and place in failed.stderr
    for number in range(3):
        (tmp_path / f"data/{number}.csv").write_bytes(b"id,text\n" + b"1,abc\n" * 50)
    (tmp_path / "data/bad.csv").write_bytes(content * 20)
    failed = coupage("run", recipe(), "--workdir", tmp_path / "run", "--until", "ingest", code=2)
    assert "bad.csv:line 1" in failed.stderr and "more than the limit" in failed.stderr


def test_two_columns_of_one_name_are_the_users_to_mend(coupage, tmp_path, recipe):
    table = pa.table([pa.array(["a b c"] * 5), pa.array(["d e f"] * 5)], names=["x", "x"])
    table = table.append_column("text", pa.array(["words"] * 5))
    pq.write_table(table, tmp_path / "data/a.parquet")
    with pa.ipc.new_stream(tmp_path / "data/b.arrow", table.schema) as writer:
        writer.write_table(table)
    for name in ("a.parquet", "b.arrow"):
        failed = coupage("dedup", f"data/{name}", "-o", "out", code=2, cwd=tmp_path)
        assert f"{name}: several columns have the name x" in failed.stderr
        assert "Traceback" not in failed.stderr
    failed = coupage("run", recipe(), "--workdir", tmp_path / "run", code=2)
    assert "several columns have the name x" in failed.stderr


def test_a_source_that_gives_little_is_a_warning(coupage, tmp_path, base_tokenizer):
    (tmp_path / "many.jsonl").write_bytes(lines(60))
    (tmp_path / "same.jsonl").write_bytes(lines(1, 70) * 20)
    (tmp_path / "empty.jsonl").write_bytes(b"")
    (tmp_path / "data.bin").write_bytes(b"")
    (tmp_path / "recipe.yaml").write_text(
        RECIPE.format(path="many.jsonl", limit="1%", part_size="1M", tokenizer=base_tokenizer).replace(
            "part_size",
            "  same: {reader: files, path: '*same*'}\n  nothing: {reader: files, path: '*emp*'}\npart_size",
        )
    )
    done = coupage("run", tmp_path / "recipe.yaml", "--workdir", tmp_path / "run")
    said = " ".join(done.stdout.split())
    assert "warning: the source `nothing` has no document" in said
    assert "warning: 19 of 20 documents of the source `same` were dropped, most of them for" in said
    assert "source `web`" not in said
