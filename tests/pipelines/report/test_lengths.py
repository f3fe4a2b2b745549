"""Lengths, packing and languages, counted once more from the shards and the verdicts."""

import json
from collections import Counter

import polars as pl
import pytest

from mixers.shards import Shards
from pipelines.execution.output import read_arrow


@pytest.fixture(scope="module")
def report(finished):
    return json.loads((finished / "report.json").read_text())


def between(bounds, values):
    """Where each value is among the bounds; all are within."""
    places = [sum(value >= bound for bound in bounds) - 1 for value in values]
    assert min(places) == 0 and max(places) == len(bounds) - 2
    return places


@pytest.mark.parametrize("stage", ["stage1", "stage2", "held_out"])
def test_packing_is_that_of_the_shards(report, finished, stage):
    shards = Shards.open(finished / "shards" / stage)
    packing = report["lengths"]["packing"][stage]
    assert packing["rows"] == len(shards) and packing["longest_row"] == shards.row_lengths.max()
    assert packing["fill"] == shards.tokens / (len(shards) * shards.sequence_length)
    histogram = packing["documents_per_row"]
    inside = between(histogram["bounds"], [len(pack.seq_lengths) for pack in shards])
    assert histogram["rows"] == [inside.count(place) for place in range(len(histogram["rows"]))]


def test_lengths_are_those_of_all_tokenized_documents(report, finished):
    lengths: dict[str, list[int]] = {"web": [], "law": []}
    for group, found in lengths.items():
        for path in finished.glob(f"stages/tokenize-{group}-*/*.arrow"):
            found += [len(ids) for ids in read_arrow(path).column("ids").to_pylist()]
    assert set(report["lengths"]["tokens_per_document"]) == set(lengths)
    for group, histogram in report["lengths"]["tokens_per_document"].items():
        places = between(histogram["bounds"], lengths[group])
        documents, tokens = Counter(places), Counter()
        for place, length in zip(places, lengths[group], strict=True):
            tokens[place] += length
        for name, counter in (("documents", documents), ("tokens", tokens)):
            assert histogram[name] == [counter[place] for place in range(len(histogram[name]))]
        kept = next(source["kept"] for source in report["sources"] if source["source"] == group)
        assert sum(histogram["documents"]) == kept


@pytest.mark.parametrize("stage", ["stage1", "stage2"])
def test_languages_add_up_to_the_ledger(report, finished, stage):
    languages = {}
    for path in finished.glob("stages/select-documents-*/*/*.parquet"):
        verdicts = pl.read_parquet(path)
        languages |= dict(zip(verdicts["doc_id"], verdicts["language"], strict=True))
    documents, tokens = {}, Counter()
    for segment in Shards.open(finished / "shards" / stage).segments.to_pylist():
        key = (segment["doc_id"].split("/")[0], languages[segment["doc_id"]])
        documents.setdefault(key, set()).add(segment["doc_id"])
        tokens[key] += segment["tokens"]
    found = {(row["group"], row["language"]): row for row in report["domains_languages"][stage]}
    assert {key: row["tokens"] for key, row in found.items()} == tokens
    assert {key: row["documents"] for key, row in found.items()} == {k: len(v) for k, v in documents.items()}
    for group in report["mixtures"][stage]["groups"]:
        assert group["tokens"] == sum(
            number for (name, _), number in tokens.items() if name == group["group"]
        )
