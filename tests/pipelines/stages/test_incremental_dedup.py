"""Duplicates across runs and references: what is verified again, who wins, what is said of each document."""

import json
import random
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.execution.counts import Count, Counts
from pipelines.execution.manifest import read_manifest
from tests.pipelines.corpus import document

SOURCES = ("first", "second", "third")


def near(text: str, words: str) -> str:
    return f"{words} {text}"


@pytest.fixture(scope="module")
def texts_of() -> dict[str, list[str]]:
    """Three sources with near copies inside each and across them, and exact copies across them."""
    rng = random.Random(21)
    originals = [document(rng, 24) for _ in range(90)]
    made: dict[str, list[str]] = {}
    for number, name in enumerate(SOURCES):
        own = originals[number * 30 : number * 30 + 30]
        inside = [near(text, f"copied in {name}") for text in own[:8]]
        across = [near(text, f"taken by {name}") for text in originals[:10]] if number else []
        exact = [originals[20].replace(" ", "  "), originals[21]] if number else []
        made[name] = [*own, *inside, *across, *exact]
    return made


@pytest.fixture(scope="module")
def folder(tmp_path_factory, texts_of) -> Path:
    folder = tmp_path_factory.mktemp("sources")
    for name, texts in texts_of.items():
        lines = (json.dumps({"id": str(number), "text": text}) for number, text in enumerate(texts))
        (folder / f"{name}.jsonl").write_text("\n".join(lines))
    return folder


def write_recipe(folder: Path, name: str, sources: tuple[str, ...], **keys) -> Path:
    """A recipe of these sources; `keys` are others of its top level."""
    recipe = {
        "name": "dedup",
        "part_size": "20k",
        "sources": {
            source: {"reader": "files", "path": f"{folder}/{source}.jsonl", "fields": {"id": "id"}}
            for source in sources
        },
        "mixtures": {
            "stage1": {"tokens": "8k", "sequence_length": 128, "weights": dict.fromkeys(sources, 1)}
        },
        **keys,
    }
    path = folder / f"{name}.yaml"
    path.write_text(json.dumps(recipe))
    return path


def newest(run: Path, stage: str):
    folders = [path for path in run.glob(f"stages/{stage}-documents-*") if (path / "manifest.json").exists()]
    folder = max(folders, key=lambda path: (path / "manifest.json").stat().st_mtime_ns)
    return folder, read_manifest(folder)


def verdicts(run: Path) -> pa.Table:
    folder, manifest = newest(run, "select")
    return pa.concat_tables([pq.read_table(folder / name) for name in manifest.part_names(".parquet")])


def counts(run: Path, stage: str) -> Counts:
    return newest(run, stage)[1].counts


def edges(run: Path) -> pa.Table:
    folder, manifest = newest(run, "verify_pairs")
    return pa.concat_tables([pq.read_table(folder / name) for name in manifest.part_names(".parquet")])


@pytest.fixture(scope="module")
def two(tmp_path_factory, coupage, folder) -> Path:
    """The finished selection among the first two sources."""
    run = tmp_path_factory.mktemp("two") / "run"
    coupage("run", write_recipe(folder, "two", SOURCES[:2]), "--workdir", run, "--until", "select")
    return run


@pytest.fixture
def earlier(tmp_path, two) -> Path:
    return shutil.copytree(two, tmp_path / "run")


def test_a_new_source_compares_only_pairs_with_its_documents(coupage, tmp_path, folder, texts_of, earlier):
    order = ("first", "third", "second")
    recipe = write_recipe(folder, "three", order)
    coupage("run", recipe, "--workdir", earlier, "--until", "select")
    coupage("run", recipe, "--workdir", tmp_path / "scratch", "--until", "select")
    texts = [text for source in order for text in texts_of[source]]
    new = np.array([source == "third" for source in order for _ in texts_of[source]])
    found = edges(earlier)
    a, b = found.column("a").to_numpy(), found.column("b").to_numpy()
    fresh = new[a] | new[b]
    counted = counts(earlier, "verify_pairs")
    assert counted.number("pairs_compared") == fresh.sum() > 20
    assert counted.number("pairs_reused") == (~fresh).sum() > 20
    compared = {int(document) for document in (*a[fresh], *b[fresh])}
    assert counted.number("text_bytes_read") == sum(len(texts[document].encode()) for document in compared)
    everything = sum(len(text.encode()) for text in texts)
    assert counts(earlier, "pair_texts").number("text_bytes_read") < 0.9 * everything
    assert counts(tmp_path / "scratch", "verify_pairs").number("pairs_compared") == len(a)
    assert found.equals(edges(tmp_path / "scratch"))
    assert verdicts(earlier).equals(verdicts(tmp_path / "scratch"))


def test_another_policy_or_mixture_compares_nothing(coupage, folder, earlier):
    before = verdicts(earlier)
    recipe = write_recipe(folder, "two", SOURCES[:2])
    policy = "dedup.keep=[priority]", "sources.second.priority=9", "dedup.minhash.verify=0.7"
    changes = [part for each in (*policy, "mixtures.stage1.weights.first=3") for part in ("--set", each)]
    coupage("run", recipe, "--workdir", earlier, "--until", "select", *changes)
    verified, read = counts(earlier, "verify_pairs"), counts(earlier, "pair_texts")
    assert verified.number("pairs_compared") == 0
    assert verified.number("text_bytes_read") == read.number("text_bytes_read") == 0
    assert not verdicts(earlier).equals(before)


def test_what_was_reused_is_kept_when_the_earlier_run_is_removed(coupage, folder, earlier, two):
    recipe = write_recipe(folder, "three", SOURCES)
    gone, _ = newest(earlier, "verify_pairs")
    coupage("run", recipe, "--workdir", earlier, "--until", "candidates")
    shutil.rmtree(gone)
    coupage("run", recipe, "--workdir", earlier, "--until", "select")
    assert counts(earlier, "verify_pairs").number("pairs_reused") > 20


@pytest.fixture(scope="module")
def referenced(tmp_path_factory, coupage, folder, base_tokenizer) -> Path:
    """A whole run in which the first source is only compared with."""
    recipe = write_recipe(
        folder,
        "referenced",
        SOURCES,
        dedup={"keep": ["length"], "against": ["first"]},
        curate={"rules": [{"use": ["gopher_quality"], "thresholds": {"gopher_quality.min_words": 9}}]},
        held_out={"share": "10%"},
        tokenizer={"base": str(base_tokenizer)},
        mixtures={
            "stage1": {
                "tokens": "8k",
                "sequence_length": 128,
                "weights": {"copied": 1, "alone": 4},
                "groups": {"copied": "cluster_size > 1", "alone": "cluster_size = 1"},
                "on_shortage": "repeat",
            }
        },
    )
    run = tmp_path_factory.mktemp("referenced") / "run"
    coupage("run", recipe, "--workdir", run)
    return run


def test_references_always_win_and_are_only_compared_with(referenced, texts_of):
    rows = {row["doc_id"]: row for row in verdicts(referenced).to_pylist()}
    references = {doc_id for doc_id in rows if doc_id.startswith("first/")}
    assert len(references) == len(texts_of["first"])
    for doc_id in references:
        row = rows[doc_id]
        assert (row["keep"], row["held_out"], row["reason"]) == (False, False, "reference")
        assert row["kept_doc_id"] is row["similarity"] is row["method"] is None
    # The first ten of the second source's copies have an original and a copy among the references.
    for number in (*range(38, 48), 48, 49):
        row = rows[f"second/{number}"]
        assert row["kept_doc_id"] in references and not row["keep"]
        assert row["reason"] == ("near duplicate" if number < 48 else "exact duplicate")
    _, manifest = newest(referenced, "select")
    assert manifest.counts.dropped("documents")[Count("verdict", reason="reference")] == len(references)
    assert not manifest.counts.unclosed()


def test_references_reach_no_tokens(referenced):
    assert not list(referenced.glob("stages/tokenize-first-*"))
    for stage in ("stage1", "held_out"):
        used = pq.read_table(referenced / "shards" / stage / "segments.parquet")["doc_id"].to_pylist()
        assert used and not any(doc_id.startswith("first/") for doc_id in used)


def test_cluster_size_counts_connected_documents_and_chooses_groups(referenced, coupage):
    rows = {row["doc_id"]: row for row in verdicts(referenced).to_pylist()}
    # An original, its copy in its own source, and a copy in each of the other two.
    assert rows["first/0"]["cluster_size"] == rows["second/38"]["cluster_size"] == 4
    assert rows["first/20"]["cluster_size"] == 3
    assert rows["first/29"]["cluster_size"] == 1
    segments = pq.read_table(referenced / "shards" / "stage1" / "segments.parquet").to_pylist()
    groups = pa.concat_tables(
        [
            pa.ipc.open_stream(path).read_all().select(["group"])
            for path in sorted((referenced / "shards" / "stage1").glob("*.arrow"))
        ]
    )["group"].to_pylist()
    assert {groups[s["row"]] for s in segments} == {"copied", "alone"}
    for segment in segments:
        size = rows[segment["doc_id"]]["cluster_size"]
        assert groups[segment["row"]] == ("copied" if size > 1 else "alone")
    shown = coupage("inspect", referenced, "--reason", "near duplicate", "--source", "third", "-n", 9)
    assert "one of 4 equal or similar documents" in shown.stdout
    (document,) = json.loads(
        coupage("inspect", referenced, "--reason", "reference", "-n", 1, "--json").stdout
    )
    assert (document["verdict"], document["cluster_size"]) == ("dropped: reference", 4)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"dedup": {"against": ["old"]}}, "there is no source `old` (there are: first, second)"),
        ({"dedup": {"against": ["first"]}}, "the group `first` has a weight, but the sources that feed it"),
        (
            {
                "dedup": {"against": ["first"]},
                "curate": {"rules": [{"use": ["c4"], "sources": ["first"]}]},
            },
            "`first` is only compared with (`dedup.against`), so rules do not judge it",
        ),
    ],
)
def test_references_that_do_not_fit_are_refused(coupage, folder, keys, said):
    recipe = write_recipe(folder, "refused", SOURCES[:2], **keys)
    assert said in coupage("recipe", "validate", recipe, code=2).stderr
