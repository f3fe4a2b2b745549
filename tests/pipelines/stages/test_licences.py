"""Licences in runs: read, judged, counted by documents and tokens, failed on."""

import json
import random
from collections import Counter

import polars as pl
import pyarrow as pa
import pytest

from pipelines.recipe.licences import Licences
from pipelines.stages.licences import LISTED, OTHERS, licence_reasons, listed
from tests.pipelines.corpus import document

LICENCES = [
    ["MIT"],
    "apache-2.0",
    ["MIT", "GPL-3.0"],
    "GPL-3.0 OR BSD-3-Clause",
    "cc-by-nc-4.0",
    "our own terms",
    None,
]
SPDX = [
    "MIT",
    "Apache-2.0",
    "GPL-3.0-only AND MIT",
    "BSD-3-Clause OR GPL-3.0-only",
    "CC-BY-NC-4.0",
    "LicenseRef-our-own-terms",
    "unknown",
]
RECIPE = """\
name: licensed
sources:
  code: {{reader: files, path: code.jsonl, fields: {{license: licenses}}}}
  law: {{reader: files, path: law.jsonl, license: public-domain}}
licences: {licences}
dedup: {{exact: true, minhash: null}}
held_out: {{share: 0}}
tokenizer: {{base: {tokenizer}}}
mixtures:
  stage1: {{tokens: 30k, sequence_length: 256, weights: {{code: 2, law: 1}}, max_epochs: 8}}
"""


@pytest.fixture
def build(tmp_path, coupage, base_tokenizer):
    rng = random.Random(5)
    for name, licences in (("code", LICENCES * 6), ("law", [None] * 20)):
        lines = (
            json.dumps({"text": document(rng, 40), **({} if name == "law" else {"licenses": licence})})
            for licence in licences
        )
        (tmp_path / f"{name}.jsonl").write_text("".join(f"{line}\n" for line in lines))

    def run(licences, code=0, changed=()):
        text = RECIPE
        for before, after in dict(changed).items():
            text = text.replace(before, after)
        recipe = tmp_path / "recipe.yaml"
        recipe.write_text(text.format(licences=json.dumps(licences), tokenizer=base_tokenizer))
        return coupage("run", recipe, "--workdir", tmp_path / "run", code=code)

    run.folder = tmp_path / "run"
    return run


def report(folder):
    content = json.loads((folder / "report.json").read_bytes())
    return content, {row["licence"]: row for row in content["licences"]}


def test_licences_are_counted_by_documents_and_tokens(build):
    said = build({})
    content, rows = report(build.folder)
    assert rows.keys() == {*SPDX, "LicenseRef-public-domain"}
    assert all(rows[name]["documents"] == rows[name]["kept"] == 6 for name in SPDX)
    assert rows["LicenseRef-public-domain"]["documents"] == 20
    assert rows["unknown"]["verdict"] == rows["LicenseRef-our-own-terms"]["verdict"] == "unknown"
    assert (
        sum(row["tokens"]["stage1"] for row in content["licences"]) == content["mixtures"]["stage1"]["tokens"]
    )
    segments = tokens_of_segments(build.folder)
    assert {name: row["tokens"]["stage1"] for name, row in rows.items()} == segments
    assert "12 documents are kept whose licence is unknown" in said.stdout
    card = (build.folder / "README.md").read_text()
    assert f"| MIT | 6 | {rows['MIT']['tokens']['stage1']:,} |" in card
    page = (build.folder / "report.html").read_text()
    assert '<section id="licences"' in page and "LicenseRef-our-own-terms" in page
    metadata = pl.read_parquet(build.folder / "stages/ingest-code-*/*.parquet").select("license", "metadata")
    kept = [json.loads(text) for text in metadata.filter(pl.col("license") == SPDX[5])["metadata"]]
    assert kept == [{"declared_license": "our own terms"}] * 6


def tokens_of_segments(folder):
    """The tokens of each licence in the rows, counted from the plan's own tables."""
    (mix,) = folder.glob("stages/mix-stage1-*")
    segments = pl.read_ipc(mix / "segments.arrow")
    documents = pl.read_ipc(mix / "documents.arrow").with_row_index("document")
    parts = pl.read_parquet([*folder.glob("stages/ingest-*/*.parquet")], columns=["doc_id", "license"])
    documents = documents.with_columns(pl.col("document").cast(pl.Int64)).join(parts, on="doc_id")
    sums = segments.join(documents, on="document").group_by(pl.col("license").fill_null("unknown"))
    return dict(sums.agg(pl.sum("tokens").cast(pl.Int64)).rows())


def test_denied_and_unknown_licences_are_dropped_with_the_reason(build):
    said = build({"allow": ["permissive"], "deny": ["Apache-2.0"], "unknown": "drop"})
    content, rows = report(build.folder)
    kept = {name for name, row in rows.items() if row["kept"]}
    assert kept == {"MIT", "BSD-3-Clause OR GPL-3.0-only", "LicenseRef-public-domain"}
    assert all(row["kept"] == 0 and row["dropped"] == 6 for name, row in rows.items() if name not in kept)
    assert all(row["tokens"]["stage1"] == 0 for name, row in rows.items() if name not in kept)
    (code,) = [source for source in content["sources"] if source["source"] == "code"]
    assert code["dropped"] == {
        "licence Apache-2.0 denied": 6,
        "licence GPL-3.0-only AND MIT denied": 6,
        "licence CC-BY-NC-4.0 denied": 6,
        "licence LicenseRef-our-own-terms denied": 6,
        "licence unknown": 6,
    }
    assert "30 documents dropped for their licence: Apache-2.0 (6), CC-BY-NC-4.0 (6)" in said.stdout
    assert "- Dropped, denied: CC-BY-NC-4.0 (6)" in (build.folder / "README.md").read_text()
    assert "are kept whose licence" not in said.stdout


def test_a_run_fails_on_a_denied_licence_before_any_other_work(build):
    for _ in range(2):
        said = build({"deny": ["non-commercial"], "denied": "fail"}, code=2).stderr
        assert "6 documents of the source `code` have a licence that is denied: CC-BY-NC-4.0 (6)" in said
        assert "licences.denied: drop" in said
        assert not (build.folder / "shards").exists() and not (build.folder / "report.json").exists()
        assert not list(build.folder.glob("stages/annotate-*"))
    build({"deny": ["non-commercial"], "denied": "drop"})
    assert report(build.folder)[1]["CC-BY-NC-4.0"]["dropped"] == 6
    said = build({"unknown": "fail"}, code=2).stderr
    assert "12 documents of the source `code` have a licence that is unknown" in said


def test_a_change_that_decides_nothing_runs_nothing_again(build):
    build({"deny": ["GPL-*"]})
    before = {path.name for path in (build.folder / "stages").iterdir()}
    build({"deny": ["GPL-*"], "unknown": "allow"})
    assert {path.name for path in (build.folder / "stages").iterdir()} == before
    assert "are kept whose licence" not in build({"deny": ["GPL-*"], "unknown": "allow"}).stdout


def test_what_is_only_compared_with_is_not_judged(build):
    build({"deny": ["permissive"], "denied": "drop"}, code=2)  # nothing is left of the group law
    against = {"dedup: {{": "dedup: {{against: [law], ", ", law: 1": ""}
    build({"deny": ["LicenseRef-public-domain"], "denied": "fail"}, changed=against)
    assert "LicenseRef-public-domain" not in report(build.folder)[1]


def test_of_more_licences_than_a_list_can_hold_the_rarest_are_one():
    numbers = Counter({f"LicenseRef-{number}": number + 1 for number in range(LISTED + 50)})
    found = listed(numbers)
    assert len(found) == LISTED + 1 and sum(found.values()) == numbers.total()
    assert found[OTHERS] == sum(range(1, 51))


def test_of_no_documents_there_is_no_reason():
    assert len(licence_reasons(Licences(allow=["MIT"]), pa.chunked_array([], pa.string()))) == 0
