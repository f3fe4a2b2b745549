"""What a run has of the items of benchmarks, for the report: what was found, and what was done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from filters.contamination.items import KINDS
from pipelines.graph.build import Graph
from pipelines.report.common_words import common_report
from pipelines.report.contaminated import DONE, Compared, by_harm, compared_sources, described, items_at
from pipelines.report.finished import Finished
from pipelines.stages.contamination.benchmarks import Benchmarks
from pipelines.stages.contamination.verdicts import ALLOWED, DROP, FLAG, REASON
from pipelines.stages.contamination.without_spans import WithoutSpans

TRAINING_SPLITS = ("train", "training", "auxiliary_train", "dev", "development", "fewshot", "few_shot")
"""Splits to learn from, or for examples in the prompt; an item without a split counts as a test's."""
TRAINING, TEST = "training", "test"
SHOWN = 3
"""Matches of a benchmark in a source."""


def contamination_report(graph: Graph, done: Finished) -> dict[str, Any] | None:
    """The section on benchmarks, JSON-able; None where none is looked for."""
    every = compared_sources(graph)
    if not every or (benchmarks := every[0].verdicts.matches.benchmarks) not in done:
        return None
    compared = [each for each in every if each.select in done]
    matches = {each.source: each.matches(done.workdir) for each in compared}
    sources = [_source(each, matches[each.source], done.workdir) for each in compared]
    of_benchmarks = list(_benchmarks(every[0], benchmarks, list(matches.values()), done.workdir))
    return {
        "benchmarks": of_benchmarks,
        "sources": sources,
        "not_compared": _not_compared(graph, every),
        "in_words": _in_words(of_benchmarks, sources),
        "matches": [shown for each in compared for shown in _shown(each, matches[each.source], done.workdir)],
    }


def _not_compared(graph: Graph, compared: list[Compared]) -> list[str]:
    names = {each.source for each in compared}
    return [parts.scope for parts, _ in graph.part_stages() if parts.scope not in names]


def _benchmarks(
    compared: Compared, benchmarks: Benchmarks, matches: list[pl.DataFrame], workdir: Path
) -> Iterator[dict[str, Any]]:
    """Of each benchmark its items, and which of them were found, by the most harmful that a document has."""
    counts = benchmarks.manifest(workdir).counts
    items = _items_found(benchmarks, matches, workdir)
    for name in benchmarks.against:
        own = items.filter(pl.col("benchmark") == name)
        set_aside = {
            key.reason: number for key, number in counts.dropped("items").items() if key.scope == name
        }
        yield {
            "benchmark": name,
            "items": len(own),
            "items_alike": counts.number("items_alike", scope=name),
            "set_aside": dict(sorted(set_aside.items())),
            "actions": {kind: compared.verdicts.actions[name, kind] for kind in KINDS},
            "splits": [
                {
                    "split": split,
                    "items": len(of_split),
                    "found": {kind: of_split["found"].eq(kind).sum() for kind in KINDS},
                }
                for split in (TEST, TRAINING)
                if len(of_split := own.filter(pl.col("is_for_training") == (split == TRAINING)))
            ],
        }


def _items_found(benchmarks: Benchmarks, matches: list[pl.DataFrame], workdir: Path) -> pl.DataFrame:
    """Each item with its benchmark, whether it is one to learn from, and the kind of match, if any.

    An item is found where another one is that says the same. What is judged to be no match does not count.
    """
    kinds = pl.Enum(KINDS)
    found = pl.concat(
        [
            pl.DataFrame(schema={"item": pl.Int64, "kind": pl.String}),
            *(each.filter(pl.col("done") != DONE[ALLOWED]).select("item", "kind") for each in matches),
        ]
    )
    worst = found.group_by("item").agg(pl.col("kind").cast(kinds).min().alias("found"))
    index = pl.DataFrame(pl.from_arrow(benchmarks.index(workdir).items))
    split = pl.col("split").str.to_lowercase()
    return index.join(worst, left_on="same_as", right_on="item", how="left").select(
        "benchmark", split.is_in(TRAINING_SPLITS).fill_null(False).alias("is_for_training"), "found"
    )


def _source(compared: Compared, matches: pl.DataFrame, workdir: Path) -> dict[str, Any]:
    """What became of a source's documents, in all and by benchmark."""
    parts, common = compared.parts, compared.verdicts.matches.common
    cut = parts.manifest(workdir).counts if isinstance(parts, WithoutSpans) else None
    before = parts.parts if isinstance(parts, WithoutSpans) else parts
    benchmarks = compared.verdicts.matches.benchmarks.against
    dropped = _dropped(compared, workdir)
    return {
        "source": compared.source,
        "documents": sum(before.part_rows(workdir)),
        "dropped": dropped.total(),
        "spans_cut": sum(number for _, number in cut.rows("spans_cut")) if cut else 0,
        "emptied": cut.dropped("documents").total() if cut else 0,
        **_documents(matches),
        "benchmarks": [
            {
                "benchmark": name,
                "dropped": dropped[f"{REASON}.{name}"],
                "spans_cut": cut.number("spans_cut", scope=name) if cut else 0,
                **_documents(matches.filter(pl.col("benchmark") == name)),
            }
            for name in benchmarks
        ],
        "common_ngrams": common_report(common, workdir),
    }


def _dropped(compared: Compared, workdir: Path) -> Counter[str]:
    """How many documents select dropped for a match, by reason."""
    dropped: Counter[str] = Counter()
    for part in compared.parts.part_names(workdir):
        verdicts = compared.select.verdict(workdir, compared.source, part, ["reason"])
        reasons = pl.Series(verdicts.column("reason"))
        of_matches = reasons.filter(reasons.str.starts_with(f"{REASON}."))
        dropped.update(dict(of_matches.value_counts().rows()))
    return dropped


def _documents(matches: pl.DataFrame) -> dict[str, int]:
    """Documents with something cut out; and of the others, or what was left, by the hardest that was done."""
    left = matches.filter(~pl.col("is_cut"))
    order = pl.Enum([DONE[DROP], DONE[FLAG], DONE[ALLOWED]])
    hardest = left.group_by("part", "row").agg(pl.col("done").cast(order).min(), pl.first("keep"))

    def number(action: str) -> int:
        return int((hardest["done"] == DONE[action]).sum())

    flagged = hardest.filter(pl.col("done") == DONE[FLAG])
    return {
        "with_a_dropping_match": number(DROP),
        "cut": matches.filter("is_cut").select("part", "row").n_unique(),
        "flagged": number(FLAG),
        "flagged_kept": int(flagged["keep"].sum()),
        "allowed": number(ALLOWED),
    }


def _in_words(benchmarks: list[dict[str, Any]], sources: list[dict[str, Any]]) -> str:
    """What was looked for, what was done, and what is left."""
    looked_for = " and ".join(f"{each['benchmark']} ({each['items']:,} items)" for each in benchmarks)
    names = ("documents", "dropped", "cut", "spans_cut", "emptied", "flagged_kept", "allowed")
    total = {name: sum(source[name] for source in sources) for name in names}
    said = [
        f"{total['documents']:,} documents were compared with {looked_for}",
        f"dropped: {total['dropped']:,}",
        f"left in the data with a flagged match: {total['flagged_kept']:,}",
    ]
    if total["cut"]:
        emptied = f", of which {total['emptied']:,} were left empty" if total["emptied"] else ""
        said.insert(2, f"cut: {total['spans_cut']:,} spans out of {total['cut']:,} documents{emptied}")
    if total["allowed"]:
        said.append(f"with matches that a person judged to be none, and no others: {total['allowed']:,}")
    return "; ".join(said) + "."


def _shown(compared: Compared, matches: pl.DataFrame, workdir: Path) -> Iterator[dict[str, Any]]:
    """The most harmful matches of each benchmark, beside their items."""
    first = by_harm(matches).group_by("benchmark", maintain_order=True).head(SHOWN)
    items = items_at(compared.verdicts.matches.benchmarks, first["item"], workdir)
    for match in described(first, compared, items, workdir):
        yield {"source": compared.source, **match}
