"""A new dump against what an earlier run selected: only the new is read and compared, and the old stands."""

import json
import random
from pathlib import Path

import polars as pl
import pytest

from pipelines.execution.manifest import read_manifest
from pipelines.execution.output import read_arrow
from tests.pipelines.corpus import document


def lines(path: Path, texts: list[str]) -> None:
    path.write_text("\n".join(json.dumps({"id": str(n), "text": text}) for n, text in enumerate(texts)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """An old dump with a rejected document, and a new one with copies of what was kept and what was not."""
    folder = tmp_path_factory.mktemp("dumps")
    rng = random.Random(5)
    old = [document(rng, 24) for _ in range(40)]
    short = "too short to stay"
    new = [document(rng, 24) for _ in range(30)]
    near_old = [f"Copied by the new dump. {text}" for text in old[:5]]
    near_new = [f"Again in the new dump. {text}" for text in new[:4]]
    lines(folder / "old.jsonl", [*old, f"Near. {old[9]}", short])
    lines(folder / "new.jsonl", [*new, *near_old, *near_new, old[7], old[8].replace(" ", "  "), short])
    return folder


def write_recipe(folder: Path, name: str, sources: dict[str, dict[str, object]]) -> Path:
    recipe = {
        "name": "growing",
        "part_size": "20k",
        "sources": {
            source: {"reader": "files", "path": f"{folder}/{source}.jsonl", "domain": "web", **keys}
            for source, keys in sources.items()
        },
        "curate": {"rules": [{"use": ["gopher_quality"]}]},
        "dedup": {"minhash": {"bands": 20, "rows": 5, "verify": 0.7}},
        "mixtures": {"stage1": {"tokens": "20k", "sequence_length": 128, "weights": {"web": 1}}},
        "held_out": {"share": "10%"},
        "tokenizer": {"train": {"vocabulary_size": 600}},
    }
    path = folder / f"{name}.yaml"
    path.write_text(json.dumps(recipe))
    return path


def manifests(run: Path) -> dict[str, int]:
    return {p.parent.name: p.stat().st_mtime_ns for p in run.glob("stages/*/manifest.json")}


def verdicts(run: Path, select: str, source: str) -> pl.DataFrame:
    (folder,) = [path.parent for path in run.glob(f"stages/select-{select}-*/{source}")][:1]
    return pl.concat(pl.read_parquet(path) for path in sorted((folder / source).glob("*.parquet")))


@pytest.fixture(scope="module")
def run(folder, coupage) -> tuple[Path, dict[str, int]]:
    """The run with the new dump, and the stages that the run before it had made."""
    where = folder / "run"
    coupage("run", write_recipe(folder, "first", {"old": {}}), "--workdir", where)
    before = manifests(where)
    coupage("run", write_recipe(folder, "second", {"old": {}, "new": {"increment": 1}}), "--workdir", where)
    return where, before


def test_the_old_is_neither_read_nor_measured_nor_selected_again(run):
    where, before = run
    after = manifests(where)
    kept = {name for name in before if after.get(name) == before[name]}
    for stage in ("ingest-old", "annotate-old", "preference-documents", "select-documents", "tokenize-old"):
        assert {name for name in before if name.startswith(stage)} <= kept, stage


def test_the_new_is_compared_with_itself_and_with_what_was_kept(run):
    where, _ = run
    new = verdicts(where, "documents-1", "new")
    reasons = dict(zip(new["doc_id"], new["reason"], strict=True))
    assert [reasons[f"new/{n}"] for n in range(4, 30)].count(None) == 26
    assert {reasons[f"new/{n}"] for n in range(30, 35)} == {"near duplicate"}
    assert all(
        doc_id is None or doc_id.startswith("old/")
        for doc_id in new.filter(pl.col("doc_id").is_in([f"new/{n}" for n in range(30, 35)]))["kept_doc_id"]
    )
    assert sum(reasons[f"new/{n}"] == "near duplicate" for n in [*range(4), *range(35, 39)]) == 4
    assert reasons["new/39"] == reasons["new/40"] == "exact duplicate"
    assert reasons["new/41"].startswith("gopher_quality")


def test_no_text_of_the_old_is_verified_against_the_old(run):
    where, _ = run
    (folder,) = where.glob("stages/candidates-documents-1-*")
    pairs = pl.DataFrame(pl.from_arrow(read_arrow(folder / "pairs.arrow")))
    old = 42
    assert ((pairs["a"] >= old) | (pairs["b"] >= old)).all()


def test_both_feed_the_mixture_and_every_sum_closes(run, coupage):
    where, _ = run
    report = json.loads((where / "report.json").read_text())
    assert [each["source"] for each in report["sources"]] == ["old", "new"]
    coupage("verify", where)
    segments = pl.read_parquet(where / "shards" / "stage1" / "segments.parquet")
    assert set(segments["doc_id"].str.split("/").list.first().unique()) == {"old", "new"}


def test_what_was_held_out_stays_so_and_its_copies_are_dropped(run):
    where, _ = run
    old = verdicts(where, "documents", "old").filter("held_out")["doc_id"].to_list()
    held_out = pl.read_parquet(where / "shards" / "held_out" / "segments.parquet")["doc_id"].to_list()
    assert old and set(old) & set(held_out)
    assert read_manifest(next(where.glob("stages/select-documents-1-*"))) is not None
