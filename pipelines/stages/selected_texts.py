"""Texts of selected documents: a sample of each source that is spread over all of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mixers.groups import assign_groups
from pipelines.stages.parts import PartStage, slices_by_text
from pipelines.stages.select import Select

CORPUS = ("doc_id", "license", "parent_id")
"""Columns of a part that groups may ask about."""
KNOWN_LATER = ("tokens", "loss_tokens", "position")
"""What groups may ask about only where documents are tokenized."""


class _RowGroup(NamedTuple):
    """Consecutive documents of a part."""

    part: str
    number: int
    first: int
    """The row of the first one in the part."""
    size: int
    """Of the text, about."""


@dataclass(frozen=True)
class SelectedTexts:
    """The kept documents of some sources: those held out, or all others."""

    select: Select
    sources: tuple[PartStage, ...]
    held_out: bool = False

    def sample(self, workdir: Path, limit: int) -> Iterator[pa.Table]:
        """About `limit` bytes of text in all: of each source a like share, spread over its parts, or all.

        Columns: `text`, `messages`, `source`, `row` (in its part), `bytes`, `indivisible`, those of CORPUS,
        and what the verdict says of a document.
        """
        found = [_row_groups(source, workdir) for source in self.sources]
        totals = [sum(group.size for group in groups) for groups in found]
        shares = _fair_shares(totals, limit)
        for source, groups, total, share in zip(self.sources, found, totals, shares, strict=True):
            chosen = groups[:: max(1, -(-total // max(1, share)))]
            for part, of_part in groupby(chosen, key=lambda group: group.part):
                for documents in self._documents(workdir, source, part, of_part):
                    if documents.num_rows and total <= share:
                        yield documents
                    elif documents.num_rows:
                        yield next(slices_by_text(documents, max(1, share // len(chosen))))

    def _documents(
        self, workdir: Path, source: PartStage, part: str, groups: Iterable[_RowGroup]
    ) -> Iterator[pa.Table]:
        """The documents of some row groups of a part."""
        verdicts = self.select.verdict(workdir, source.scope, part, ["keep", *self.select.described])
        with pq.ParquetFile(source.path(workdir, part)) as file:
            for group in groups:
                documents = file.read_row_group(group.number, columns=[*CORPUS, "text", "messages"])
                verdict = verdicts.slice(group.first, documents.num_rows)
                yield self._described(documents, source, group.first, verdict)

    def _described(self, documents: pa.Table, source: PartStage, first: int, verdict: pa.Table) -> pa.Table:
        """Those of consecutive documents that are wanted, with what is known of them."""
        columns = {
            "source": pa.array([source.scope] * documents.num_rows),
            "row": pa.array(np.arange(first, first + documents.num_rows)),
            "bytes": pc.binary_length(documents.column("text")).cast(pa.int64()),
            "indivisible": pc.is_valid(documents.column("messages")),
        }
        for column, values in columns.items():
            documents = documents.append_column(column, values)
        for column in self.select.described:
            documents = documents.append_column(column, verdict.column(column))
        wanted = pc.equal(verdict.column("held_out"), self.held_out)
        return documents.filter(pc.and_(verdict.column("keep"), wanted))


def learnable(documents: pa.Table) -> tuple[pa.ChunkedArray, npt.NDArray[np.int64]]:
    """What a tokenizer learns from: texts, of conversations what is said in them; and the row of each."""
    talks = pc.is_valid(documents.column("messages"))
    rows = np.arange(documents.num_rows)
    texts = documents.column("text").filter(pc.invert(talks))
    messages = documents.column("messages").combine_chunks()
    said = pc.struct_field(pc.list_flatten(messages), "content").cast(pa.large_string())
    of_row = pc.list_parent_indices(messages).to_numpy(zero_copy_only=False)
    spoken = pc.is_valid(said)
    return (
        pa.chunked_array([*texts.chunks, said.filter(spoken)], pa.large_string()),
        np.concatenate([rows[~talks.to_numpy()], of_row[spoken.to_numpy(zero_copy_only=False)]]),
    )


def group_of(documents: pa.Table, predicates: dict[str, str]) -> npt.NDArray[np.object_]:
    """The group of each document, None where it is in none. Raises MixtureError."""
    described = documents.drop_columns(["text", "messages"])
    groups = assign_groups(pl.LazyFrame(pl.from_arrow(described)), predicates)
    names: npt.NDArray[np.object_] = groups.to_numpy(zero_copy_only=False)
    return names


def _row_groups(source: PartStage, workdir: Path) -> list[_RowGroup]:
    found = []
    for part in source.part_names(workdir):
        metadata = pq.read_metadata(source.path(workdir, part))
        text = metadata.schema.to_arrow_schema().get_field_index("text")
        first = 0
        for number in range(metadata.num_row_groups):
            group = metadata.row_group(number)
            found.append(_RowGroup(part, number, first, group.column(text).total_uncompressed_size))
            first += group.num_rows
    return found


def _fair_shares(sizes: list[int], limit: int) -> list[int]:
    """A share of `limit` for each: all the same, but what small ones do not need goes to the others."""
    shares, left = [0] * len(sizes), limit
    for waiting, number in enumerate(np.argsort(sizes, kind="stable").tolist()):
        shares[number] = min(sizes[number], left // (len(sizes) - waiting))
        left -= shares[number]
    return shares
