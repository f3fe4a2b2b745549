"""The matches of a run's documents with items of benchmarks, and what became of the documents."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow.compute as pc

from filters.contamination.items import KINDS
from pipelines.graph.build import Graph
from pipelines.report.matched_words import CUT_OFF, Hashes, Piece, hashes_of, in_pieces
from pipelines.stages.contamination.benchmarks import ITEMS_FILE, Benchmarks
from pipelines.stages.contamination.verdicts import ALLOWED, CUT, DROP, FLAG, ContaminationVerdicts
from pipelines.stages.contamination.without_spans import WithoutSpans
from pipelines.stages.document_rows import row_groups
from pipelines.stages.parts import PartStage
from pipelines.stages.select import Select

DONE = {DROP: "dropped", CUT: "cut", FLAG: "flagged", ALLOWED: "allowed"}
"""What became of a match, by the action: its document was dropped, its span cut out, or nothing."""
COVERAGES = ("question", "answer", "passage", "solution")
AROUND = 80
"""Characters of a document that are shown before and behind a match."""
NAMED_AS = {"choices": "choice"}
VERDICT = ["doc_id", "keep", "held_out", "reason"]
_NONE = pl.DataFrame(
    schema={
        **{name: pl.Int64 for name in ("row", "item", "start", "end")},
        **{name: pl.Float32 for name in ("score", *COVERAGES)},
        **{name: pl.String for name in ("kind", "mechanism", "benchmark", "item_id", "split", "doc_id")},
        **{name: pl.String for name in ("action", "part", "reason")},
        **{name: pl.Boolean for name in ("keep", "held_out", "is_cut")},
    }
)
"""No matches."""


@dataclass(frozen=True)
class Compared:
    """A source whose documents were compared with benchmarks."""

    parts: PartStage
    select: Select
    verdicts: ContaminationVerdicts
    """On what a cut left, where spans are cut."""

    @property
    def source(self) -> str:
        """Its name."""
        return self.parts.scope

    def matches(self, workdir: Path) -> pl.DataFrame:
        """The matches; those of what was cut out are of the documents before the cut.

        Columns: what `ContaminationVerdicts.tables` gives of each; `source`, `part`, `is_cut`, `done` (of
        DONE), `judgement` (of a person, or null); and of the document `keep`, `held_out` and `reason`.
        """
        tables = self.verdicts.tables(workdir)
        left = [self._with_verdicts(matches, workdir, part) for part, matches in tables]
        cut = [matches.with_columns(is_cut=True) for matches in self._cut(workdir)]
        return self._judged(pl.concat([_NONE, *left, *cut], how="diagonal"))

    def matches_at(self, workdir: Path, part: str, row: int) -> pl.DataFrame:
        """The matches of one document as it was judged, as `matches` gives them."""
        matches = self.verdicts.table(workdir, part).filter(pl.col("row") == row)
        return self._judged(pl.concat([_NONE, self._with_verdicts(matches, workdir, part)], how="diagonal"))

    def _judged(self, found: pl.DataFrame) -> pl.DataFrame:
        """The matches with what became of them."""
        # What could not be cut, or was left by a cut, is dropped.
        action = pl.when((pl.col("action") == CUT) & ~pl.col("is_cut")).then(pl.lit(DROP)).otherwise("action")
        return found.with_columns(
            source=pl.lit(self.source),
            done=action.replace_strict(DONE, return_dtype=pl.String),
            judgement=self.verdicts.judgements.on(found),
        )

    def _with_verdicts(self, matches: pl.DataFrame, workdir: Path, part: str) -> pl.DataFrame:
        """The matches in a part as it was judged, with the verdict on each document."""
        verdicts = self._verdicts(workdir, part)[matches["row"].to_numpy()]
        joined = pl.concat([matches, verdicts.drop("doc_id")], how="horizontal")
        return joined.with_columns(part=pl.lit(part), is_cut=False)

    def _cut(self, workdir: Path) -> Iterator[pl.DataFrame]:
        """Those that were cut out, with the verdict on what was left of the document, if anything was."""
        if not isinstance(self.parts, WithoutSpans):
            return
        before = self.parts.parts
        tables = [
            _of_texts(matches.filter(pl.col("action") == CUT), before.path(workdir, part)).with_columns(
                part=pl.lit(part)
            )
            for part, matches in self.parts.verdicts.tables(workdir)
        ]
        ids = pl.concat([_NONE.select("doc_id"), *(table.select("doc_id") for table in tables)]).unique()
        judged = (self._verdicts(workdir, part) for part in self.parts.part_names(workdir))
        named = (verdicts.join(ids, on="doc_id", how="semi") for verdicts in judged)
        of_ids = pl.concat([_NONE.select(VERDICT), *named]).unique(
            "doc_id", keep="first", maintain_order=True
        )
        for table in tables:
            yield table.join(of_ids, on="doc_id", how="left", maintain_order="left")

    def _verdicts(self, workdir: Path, part: str) -> pl.DataFrame:
        table = self.select.verdict(workdir, self.source, part, VERDICT)
        return pl.DataFrame(pl.from_arrow(table)).select(VERDICT)

    def texts_of(self, matches: pl.DataFrame, workdir: Path) -> dict[tuple[str, bool, int], str]:
        """The texts in which matches lie, by part, `is_cut` and row."""
        texts: dict[tuple[str, bool, int], str] = {}
        for (part, is_cut), found in matches.group_by("part", "is_cut"):
            parts = self.parts
            if is_cut:
                assert isinstance(parts, WithoutSpans)
                parts = parts.parts
            rows = np.unique(found["row"].to_numpy())
            for here, table in row_groups(parts.path(workdir, str(part)), rows, ["text"]):
                of_here = table.column("text").to_pylist()
                texts |= {
                    (str(part), bool(is_cut), row): text
                    for row, text in zip(here.tolist(), of_here, strict=True)
                }
        return texts


def compared_sources(graph: Graph) -> list[Compared]:
    """The sources that are compared with benchmarks."""
    return [
        Compared(parts, select, verdicts)
        for parts, select in graph.part_stages()
        if (verdicts := select.source(parts.scope).contamination) is not None
    ]


def described(
    matches: pl.DataFrame, compared: Compared, items: dict[int, dict[str, Any]], workdir: Path
) -> Iterator[dict[str, Any]]:
    """Each match, JSON-able, with the item and the excerpt of the document in pieces."""
    texts = compared.texts_of(matches, workdir)
    for match in matches.iter_rows(named=True):
        text = texts[match["part"], match["is_cut"], match["row"]]
        item = list(_texts_of(items[match["item"]]))
        span = text[match["start"] : match["end"]]
        yield {
            "doc_id": match["doc_id"],
            **said_of(match),
            "done": match["done"],
            "judgement": match["judgement"],
            "item": [{"field": f, "pieces": in_pieces(each, hashes_of(span))} for f, each in item],
            "excerpt": _excerpt(text, match["start"], match["end"], hashes_of(*(each for _, each in item))),
        }


def said_of(match: dict[str, Any]) -> dict[str, Any]:
    """What a match says, JSON-able."""
    return {
        "benchmark": match["benchmark"],
        "item_id": match["item_id"],
        "split": match["split"],
        "kind": match["kind"],
        "mechanism": match["mechanism"],
        "start": match["start"],
        "end": match["end"],
        "score": match["score"],
        "coverage": {name: match[name] for name in COVERAGES if match[name] is not None},
    }


def items_at(benchmarks: Benchmarks, rows: pl.Series, workdir: Path) -> dict[int, dict[str, Any]]:
    """The items (ITEMS) of these rows, by row."""
    found = row_groups(benchmarks.path(workdir, ITEMS_FILE), rows.unique().sort().to_numpy())
    return {
        row: item for here, table in found for row, item in zip(here.tolist(), table.to_pylist(), strict=True)
    }


def by_harm(matches: pl.DataFrame) -> pl.DataFrame:
    """The matches, the most harmful first, of equal ones the surest."""
    return matches.with_columns(harm=pl.col("kind").cast(pl.Enum(KINDS))).sort(
        "harm", "score", "part", "row", "start", "item", descending=[False, True, *[False] * 4]
    )


def _texts_of(item: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The texts of an item, each with the name of its field."""
    for field in ("passage", "question", "choices", "answer", "label", "solution"):
        values = item[field] if isinstance(item[field], list) else [item[field]]
        yield from ((NAMED_AS.get(field, field), value) for value in values if value is not None)


def _excerpt(text: str, start: int, end: int, item: Hashes) -> list[Piece]:
    before = (CUT_OFF if start > AROUND else "") + text[max(0, start - AROUND) : start]
    behind = text[end : end + AROUND] + (CUT_OFF if end + AROUND < len(text) else "")
    first, last = ({"text": each, "matched": False} for each in (before, behind))
    return [piece for piece in (first, *in_pieces(text[start:end], item), last) if piece["text"]]


def _of_texts(matches: pl.DataFrame, path: Path) -> pl.DataFrame:
    """The matches but those in conversations, out of which nothing is cut."""
    rows = matches["row"].unique().sort().to_numpy()
    spoken = [
        here[pc.is_valid(table.column("messages")).to_numpy()]
        for here, table in row_groups(path, rows, ["messages"])
    ]
    return matches.filter(~pl.col("row").is_in(np.concatenate([np.empty(0, np.int64), *spoken])))
