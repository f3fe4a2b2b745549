"""Bits per byte of held-out documents: of the domain, of general text, by group and by language."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from mixers.shards import Shards
from pipelines.evaluation.compare import Compared, Comparison, compare
from pipelines.evaluation.intervals import Interval
from pipelines.evaluation.outcome.measure import Loaded
from pipelines.evaluation.outcome.results import Result
from pipelines.evaluation.outcome.table import Estimate, References, Row, Table
from pipelines.evaluation.reencode import recoder
from pipelines.evaluation.variants import Variant
from pipelines.execution.fingerprint import fingerprint
from tokenizer_tools.load import TokenizerFiles, load_tokenizer
from trainers.scores import Described

DOMAIN, GENERAL, OTHER, ALL = "domain", "general", "other groups", "all"


@dataclass(frozen=True, kw_only=True)
class HeldOutText:
    """The measure of held-out shards."""

    shards: Path
    described: Described
    tokenizer: TokenizerFiles
    """That made the shards; the texts are encoded anew for models with another one."""
    domain: Collection[str]
    general: Collection[str]
    name: str = "held_out"

    def settings(self, variant: Variant) -> Mapping[str, Any]:
        """What decides a result besides the model."""
        known = [dict(self.described.languages or {}), dict(self.described.clusters)]
        return {"shards": Shards.open(self.shards).fingerprint, "described": fingerprint(known)}

    def refuses(self, variant: Variant) -> str | None:
        """Only what changes weights changes what is measured here."""
        return None if variant.context is None else "a document is no question, so nothing is put before it"

    def ask(self, variant: Variant, loaded: Loaded) -> Result:
        """What each piece costs: `trainers.scores.PIECES`."""
        from trainers.evaluate import evaluate_pieces
        from trainers.quiet import quiet_transformers

        own = load_tokenizer(loaded.folder)
        recode = None if own.hash == self.tokenizer.hash else recoder(self.tokenizer, own)
        with quiet_transformers():
            return evaluate_pieces(loaded.folder, self.shards, described=self.described, recode=recode)

    def tables(self, results: Mapping[str, Result], references: References) -> Iterator[tuple[str, Table]]:
        """Of the domain and of general text, of each group and of each language."""
        pieces = {name: table for name, table in results.items() if isinstance(table, pa.Table)}
        if references.base not in pieces:
            return
        sets = {name: self._in_sets(table) for name, table in pieces.items()}
        of_sets, of_groups = _compare(sets, references.base), _compare(pieces, references.base)
        beside = _compare(sets, references.tuned).groups if references.tuned in sets else {}
        notes = list(_left_out(of_groups))
        yield (
            self.name,
            _table(
                "Held-out documents",
                [
                    *(_row(name, of_sets.groups[name], beside.get(name)) for name in self._sets(of_sets)),
                    _row(ALL, of_sets.total, None),
                ],
                notes,
            ),
        )
        yield "groups", _table("Held-out documents by group", _rows(of_groups.groups), notes)
        yield "languages", _table("Held-out documents by language", _rows(of_groups.languages), notes)

    def _in_sets(self, pieces: pa.Table) -> pa.Table:
        """The pieces with the sets in the place of groups, and without languages."""
        groups = pieces["group"].to_numpy(zero_copy_only=False).astype(str)
        named = np.where(
            np.isin(groups, list(self.domain)),
            DOMAIN,
            np.where(np.isin(groups, list(self.general)), GENERAL, OTHER),
        )
        place, language = (pieces.schema.get_field_index(name) for name in ("group", "language"))
        return pieces.set_column(place, "group", pa.array(named.tolist(), pa.string())).set_column(
            language, "language", pa.nulls(len(pieces), pa.string())
        )

    def _sets(self, comparison: Comparison) -> list[str]:
        return [name for name in (DOMAIN, GENERAL, OTHER) if name in comparison.groups]


def _compare(pieces: Mapping[str, pa.Table], reference: str) -> Comparison:
    """Compare with the reference first."""
    others = {name: table for name, table in pieces.items() if name != reference}
    return compare({reference: pieces[reference], **others})


def _rows(compared: Mapping[str, Compared]) -> list[Row]:
    return [_row(name, compared[name], None) for name in sorted(compared)]


def _row(name: str, compared: Compared, beside: Compared | None) -> Row:
    return Row(
        name=name,
        count=compared.documents,
        scores={
            variant: Estimate(score.bits_per_byte, score.interval)
            for variant, score in compared.scores.items()
            if score.bits_per_byte is not None
        },
        differences=_more(compared),
        from_tuned=_more(beside) if beside else {},
    )


def _more(compared: Compared) -> dict[str, Estimate]:
    """How much more each variant has than the first; a comparison says how much less the first has."""
    return {
        variant: Estimate(-less.bits_per_byte, _turned(less.interval))
        for variant, less in compared.differences.items()
        if less.bits_per_byte is not None
    }


def _turned(interval: Interval | None) -> Interval | None:
    return None if interval is None else (-interval[1], -interval[0])


def _left_out(comparison: Comparison) -> Iterator[str]:
    for group, left_out in sorted(comparison.left_out.items()):
        yield (
            f"{group}: {left_out.documents:,} documents are left out, which {' and '.join(left_out.not_by)} "
            "cannot score: masks of conversations fit only the tokenizer that made them."
        )


def _table(title: str, rows: list[Row], notes: list[str]) -> Table:
    return Table(
        title=title,
        unit="bits per byte",
        counted="documents",
        less_is_better=True,
        rows=rows,
        notes=notes,
    )
