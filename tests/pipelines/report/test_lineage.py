"""Where a run comes from: versions, dates, inputs as they are, nothing secret; unchanged for the same run."""

import json
from datetime import datetime
from importlib.metadata import version

import pytest

from mixers.shard_index import read_index
from pipelines.report.lineage import without_secrets


def test_versions_dates_and_inputs_are_as_they_are(finished, corpus):
    report = json.loads((finished / "report.json").read_text())
    lineage = report["lineage"]
    began, ended, written = (datetime.fromisoformat(lineage[name]) for name in ("began", "ended", "written"))
    assert began <= ended <= written and written.utcoffset().total_seconds() == 0
    assert lineage["packages"]["numpy"] == version("numpy") and "torch" not in lineage["packages"]
    assert lineage["cpus"] > 0 and lineage["memory_bytes"] > 1 << 28
    assert lineage["stage_versions"].keys() == {row["stage"].split()[0] for row in report["stages"]}
    assert lineage["recipe"] == (finished / "recipe.json").read_text().rstrip("\n")
    inputs = {each["source"]: each for each in lineage["inputs"]}
    size = (corpus / "web.jsonl").stat().st_size
    assert inputs.keys() == {"web", "law"} and inputs["web"]["path"] == f"{corpus}/web.jsonl"
    assert (inputs["web"]["files"], inputs["web"]["bytes"], inputs["web"]["read_bytes"]) == (1, size, size)
    index = read_index(finished / "shards/stage1")
    assert lineage["shards"]["stage1"]["files"] == {file.name: file.hash for file in index.files}
    assert lineage["shards"]["stage1"]["recipe_fingerprint"] == index.recipe_fingerprint


def test_a_report_that_says_the_same_again_stays_as_it_is(coupage, run_copy):
    path = run_copy / "report.json"
    coupage("report", run_copy)
    content = json.loads(path.read_text())
    content["lineage"]["written"] = "2020-01-01T00:00:00Z"
    path.write_text(json.dumps(content))
    coupage("report", run_copy)
    before = path.read_bytes()
    assert json.loads(before)["lineage"]["written"] == "2020-01-01T00:00:00Z"
    coupage("report", run_copy)
    assert path.read_bytes() == before
    assert json.loads(coupage("report", run_copy, "--json").stdout) == json.loads(before)
    content["seed"] += 1
    path.write_text(json.dumps(content))
    coupage("report", run_copy)
    assert json.loads(path.read_text())["lineage"]["written"] > "2020-01-02"


@pytest.mark.parametrize("torn", ["", "[]", "{", '{"lineage": null}'])
def test_a_damaged_report_is_written_anew(coupage, run_copy, torn):
    (run_copy / "report.json").write_text(torn)
    coupage("report", run_copy)
    assert json.loads((run_copy / "report.json").read_text())["lineage"]["written"] > "2020-01-02"


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("data/what?.jsonl", "data/what?.jsonl"),
        ("https://me:secret@example.org/a.jsonl?sig=1#x", "https://example.org/a.jsonl"),
        ("s3://bucket/a-?.jsonl", "s3://bucket/a-?.jsonl"),
        ("s3://key:secret@bucket/a.jsonl?token=abc", "s3://bucket/a.jsonl?token=***"),
        ("https://${USER}:${KEY}@example.org/a?b=${TOKEN}", "https://example.org/a"),
    ],
)
def test_addresses_are_shown_without_secrets(path, shown):
    assert without_secrets(path) == shown
