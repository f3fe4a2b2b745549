"""Asked documents: which documents a model is asked about, in which order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from typing_extensions import override

from filters.text.values import value_hashes
from mixers.budget import MixtureError
from mixers.groups import assign_groups
from pipelines.errors import UserError
from pipelines.execution.output import Task, TaskOutput, read_arrow
from pipelines.execution.stage import SingleTaskStage, Stage
from pipelines.stages import hash_sampling
from pipelines.stages.hash_sampling import mixed
from pipelines.stages.mix import MixStage
from pipelines.stages.tokenize import DESCRIPTION, Tokenize

FILES, ORDER = "files.json", "order.arrow"
ASKED = pa.schema(
    [
        ("file", pa.int32()),
        ("row", pa.int64()),
        ("tokens", pa.int64()),
        ("group", pa.dictionary(pa.int32(), pa.string())),
        ("language", pa.dictionary(pa.int32(), pa.string())),
    ]
)


@dataclass(frozen=True, kw_only=True)
class AskedDocuments(SingleTaskStage):
    """Output: `files.json`, source and part of each file of documents, and `order.arrow` (ASKED).

    `file` is a number in `files.json`, `row` one in that part. After any prefix of the order the groups have
    been asked about by their weights, as far as their documents reach; within a group the order is random.
    """

    name: ClassVar[str] = "asked_documents"
    version: ClassVar[int] = 1
    tokenized: tuple[Tokenize, ...]
    about: MixStage | None
    """Only documents that this plan contains; None: all that are not held out."""
    weights: Mapping[str, float]
    predicates: Mapping[str, str]
    seed: int

    @property
    @override
    def inputs(self) -> tuple[Stage, ...]:
        return (*self.tokenized, *((self.about,) if self.about else ()))

    @property
    @override
    def settings(self) -> dict[str, Any]:
        return {
            "weights": dict(self.weights),
            "groups": dict(self.predicates),
            "seed": self.seed,
            "sampling": hash_sampling.VERSION,
        }

    @override
    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        files = list(self._files(workdir))
        tables = [self._askable(workdir, number, *file) for number, file in enumerate(files)]
        documents = pa.concat_tables(
            [ASKED.empty_table().append_column("key", pa.array([], pa.uint64())), *tables]
        )
        documents = documents.unify_dictionaries().combine_chunks()
        order = weighted_order(documents, self.weights)
        output.write_json(FILES, [[stage.scope, part] for stage, part, _ in files])
        output.write_arrow(ORDER, documents.select(ASKED.names).take(pa.array(order)))
        output.counts.add("documents_askable", documents.num_rows)
        for group, tokens in _tokens_by_group(documents).items():
            output.counts.add("tokens_askable", tokens, scope=group)

    def _files(self, workdir: Path) -> Iterator[tuple[Tokenize, str, pa.Table]]:
        for stage in self.tokenized:
            for name in stage.manifest(workdir).part_names(".arrow"):
                yield stage, name.replace(".arrow", ".parquet"), read_arrow(stage.path(workdir, name))

    def _askable(self, workdir: Path, number: int, stage: Tokenize, part: str, ids: pa.Table) -> pa.Table:
        """The documents of a file that may be asked about and belong to a group."""
        described = [*DESCRIPTION, *stage.select.described, "row", "bytes", "indivisible", "loss_tokens"]
        table = ids.select(described).append_column("source", pa.repeat(stage.scope, ids.num_rows))
        table = table.append_column("tokens", pc.list_value_length(ids.column("ids")).cast(pa.int64()))
        wanted = pc.invert(table.column("held_out"))
        if self.about is not None:
            used = pa.array(self.about.used_rows(workdir, stage.scope, part))
            wanted = pc.and_(wanted, pc.is_in(table.column("row"), used))
        table = table.filter(wanted)
        groups = self._groups(table).cast(pa.string())
        table = table.append_column("group", groups).filter(groups.is_valid())
        columns = {
            "file": pa.repeat(pa.scalar(number, pa.int32()), table.num_rows),
            **{name: table.column(name) for name in ("row", "tokens", "group", "language")},
        }
        keys = value_hashes(table.column("doc_id").cast(pa.large_string()).combine_chunks())
        asked = pa.table({name: _as(columns[name], ASKED.field(name).type) for name in ASKED.names})
        return asked.append_column("key", pa.array(mixed(keys ^ np.uint64(self.seed))))

    def _groups(self, table: pa.Table) -> pa.Array:
        import polars as pl

        try:
            return assign_groups(pl.DataFrame(pl.from_arrow(table)).lazy(), self.predicates)
        except MixtureError as error:
            raise UserError(str(error), place=f"synthesize.{self.scope}") from error

    def files(self, workdir: Path) -> list[tuple[str, str]]:
        """Source and part of each file."""
        pairs = orjson.loads(self.path(workdir, FILES).read_bytes())
        return [(source, part) for source, part in pairs]

    def order(self, workdir: Path) -> pa.Table:
        """The documents in the order in which they are asked about (ASKED), memory-mapped."""
        return read_arrow(self.path(workdir, ORDER))

    def places_of(self, workdir: Path, doc_ids: Iterable[str]) -> pa.Table:
        """Those of these documents that are asked about (ASKED)."""
        wanted = pa.array(sorted(set(doc_ids)), pa.string())
        stages, order = {stage.scope: stage for stage in self.tokenized}, self.order(workdir)
        chosen = pa.chunked_array([pa.repeat(False, order.num_rows)])
        for number, (source, part) in enumerate(self.files(workdir)):
            ids = read_arrow(stages[source].path(workdir, part.replace(".parquet", ".arrow")))
            if rows := ids.column("row").filter(pc.is_in(ids.column("doc_id"), wanted)):
                here = pc.and_(pc.equal(order.column("file"), number), pc.is_in(order.column("row"), rows))
                chosen = pc.or_(chosen, here)
        return order.filter(chosen)


def _as(values: pa.ChunkedArray | pa.Array, kind: pa.DataType) -> pa.Array:
    array = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    if not pa.types.is_dictionary(kind):
        return array.cast(kind)
    return array.cast(pa.string()).dictionary_encode().cast(kind)


def weighted_order(documents: pa.Table, weights: Mapping[str, float]) -> npt.NDArray[np.int64]:
    """Positions of documents so that every prefix has of each group by its weight, in tokens.

    Each group flows at the rate of its weight, its documents in the order of their keys; they are taken in
    the order in which their middles flow past.

    Args:
        documents: The columns `group`, `key` (uint64) and `tokens`.
        weights: Group to its relative weight.
    """
    groups = documents.column("group").cast(pa.string()).to_numpy(zero_copy_only=False)
    keys, tokens = documents.column("key").to_numpy(), documents.column("tokens").to_numpy()
    time = np.zeros(len(keys))
    for group, weight in weights.items():
        members = np.flatnonzero(groups == group)
        members = members[np.argsort(keys[members], kind="stable")]
        ends = np.cumsum(tokens[members], dtype=np.float64)
        time[members] = (ends - tokens[members] / 2) / weight
    return np.lexsort((keys, time))


def _tokens_by_group(documents: pa.Table) -> dict[str, int]:
    sums = pa.table(
        [documents.column("group").cast(pa.string()), documents.column("tokens")], ["group", "tokens"]
    )
    sums = sums.group_by("group").aggregate([("tokens", "sum")])
    return dict(zip(sums["group"].to_pylist(), sums["tokens_sum"].to_pylist(), strict=True))
