"""Documents that moved: what parts, order and repeated ids make of them, against a plain recount."""

from collections import Counter, defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from mixers.files import hash_file
from pipelines.execution.counts import Counts
from pipelines.execution.manifest import FileRecord, InputRecord, Manifest, Receipt
from pipelines.report.comparison.documents import moved_documents, verdicts_of

STATES = ("kept", "held out", "near", "rule")
DOCUMENTS = st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from(STATES)), max_size=20)


def written(folder: Path, documents, cut: int, order: str):
    """The verdicts of a run on a source, in two parts."""
    records = []
    for number, part in enumerate((documents[:cut], documents[cut:])):
        path = folder / "stages" / "select" / f"web/{number}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = {
            "doc_id": [name for name, _ in part],
            "keep": [state in ("kept", "held out") for _, state in part],
            "held_out": [state == "held out" for _, state in part],
            "reason": [None if state in ("kept", "held out") else state for _, state in part],
        }
        schema = {"doc_id": pl.String, "keep": pl.Boolean, "held_out": pl.Boolean, "reason": pl.String}
        pl.DataFrame(rows, schema=schema).write_parquet(path)
        name = f"web/{path.name}"
        records.append(FileRecord(name=name, bytes=path.stat().st_size, rows=len(part), hash=hash_file(path)))
    manifest = Manifest(
        stage="select",
        scope="documents",
        version=1,
        fingerprint="",
        settings={},
        inputs={"annotate web-hashes": InputRecord(folder="", fingerprint="", content=order)},
        tasks=[Receipt(task=0, files=records)],
        files=[],
        counts=Counts(),
        seconds=0,
    )
    return verdicts_of(folder, [manifest], ["select"])


def recounted(a, b):
    """How many documents are something else; the nth with an id is the nth of the other run."""
    states = []
    for documents in (a, b):
        by_id = defaultdict(list)
        for name, state in documents:
            by_id[name].append(state)
        states.append({(name, n): s for name, of in by_id.items() for n, s in enumerate(of)})
    pairs = Counter((states[0].get(key), states[1].get(key)) for key in states[0].keys() | states[1].keys())
    return {pair: number for pair, number in pairs.items() if pair[0] != pair[1]}


def moves_of(a, b, cuts, orders):
    with TemporaryDirectory() as one, TemporaryDirectory() as other:
        before = written(Path(one), a, cuts[0], orders[0])
        found = moved_documents(before, written(Path(other), b, cuts[1], orders[1]))
        return {(m["a"], m["b"]): m["documents"] for source in found for m in source["moves"]}


@settings(max_examples=60, deadline=None)
@given(a=DOCUMENTS, b=DOCUMENTS, cuts=st.tuples(st.integers(0, 20), st.integers(0, 20)))
def test_documents_are_found_by_their_ids(a, b, cuts):
    assert moves_of(a, b, cuts, ("1", "2")) == recounted(a, b)


@settings(max_examples=30, deadline=None)
@given(
    a=DOCUMENTS, states=st.lists(st.sampled_from(STATES), min_size=20, max_size=20), cut=st.integers(0, 20)
)
def test_the_same_documents_in_the_same_parts_are_compared_row_by_row(a, states, cut):
    b = [(name, state) for (name, _), state in zip(a, states, strict=False)]
    assert moves_of(a, b, (cut, cut), ("1", "1")) == recounted(a, b)
