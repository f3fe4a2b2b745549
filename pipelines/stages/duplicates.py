"""Duplicates: candidate pairs band by band, their texts laid out for random access, each pair verified."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from filters.duplicates import candidate_pairs, verified
from filters.minhash import MinHash
from pipelines.stage import Stage, StageOutput, Task, TaskOutput
from pipelines.stages.parts import text_size
from pipelines.stages.rank import FILE as RANK
from pipelines.stages.rank import Rank

PAIRS_A_TASK = 100_000

Documents = npt.NDArray[np.int64]


def _write_arrow(output: TaskOutput, name: str, table: pa.Table) -> None:
    with output.file(name, table.num_rows) as path, pa.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table)


def _read_arrow(path: Path) -> pa.Table:
    return pa.ipc.open_file(pa.memory_map(str(path))).read_all()


@dataclass(frozen=True)
class Candidates(Stage):
    """One task a band, so that memory holds one band.

    Output: `band-BB.parquet`: `a`, `b` document numbers.
    """

    name: ClassVar[str] = "candidates"
    version: ClassVar[int] = 1
    rank: Rank
    minhash: MinHash

    @property
    def inputs(self) -> tuple[Stage, ...]:
        """The ranks and the annotations under them."""
        return (self.rank, *self.rank.annotations)

    @property
    def settings(self) -> dict[str, Any]:
        """None of its own."""
        return {}

    def tasks(self, workdir: Path) -> list[Task]:
        """One for each band."""
        return [{"band": band} for band in range(self.minhash.bands)]

    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        """Pair the documents that share the band's key; of exact duplicates one stands for all."""
        ranks = pq.read_table(self.rank.folder(workdir) / RANK, columns=["rank", "exact_group"])
        rank = ranks.column("rank").to_numpy()
        first_of_group = np.flatnonzero(ranks.column("exact_group").to_numpy() == np.arange(len(rank)))
        keys = np.concatenate([np.empty(0, np.uint64), *self._keys(workdir, task["band"])])
        pairs = candidate_pairs(keys[first_of_group], rank[first_of_group])
        document = np.argsort(rank)
        table = pa.table({"a": document[pairs.a], "b": document[pairs.b]})
        output.write_table(f"band-{task['band']:02d}.parquet", table)
        output.counts.fact("candidate_pairs", table.num_rows)
        output.counts.fact("pairs_left_out_of_huge_buckets", pairs.bounded)

    def _keys(self, workdir: Path, band: int) -> Iterator[npt.NDArray[np.uint64]]:
        for annotation in self.rank.annotations:
            for name in annotation.parts.part_names(workdir):
                column = pq.read_table(annotation.folder(workdir) / name, columns=["band_keys"]).column(0)
                keys = column.combine_chunks().flatten().to_numpy().reshape(-1, self.minhash.bands)
                yield np.ascontiguousarray(keys[:, band])

    def finish(self, workdir: Path, output: StageOutput) -> None:
        """Merge the bands.

        `pairs.arrow` (`a` < `b`, distinct, sorted), `paired.arrow` (the documents in them).
        """
        folder = self.folder(workdir)
        bands = [pq.read_table(folder / f"band-{band:02d}.parquet") for band in range(self.minhash.bands)]
        table = pa.concat_tables(bands)
        a, b = table.column("a").to_numpy(), table.column("b").to_numpy()
        pairs = np.unique(np.stack([np.minimum(a, b), np.maximum(a, b)], axis=1), axis=0)
        for name, columns in (
            ("pairs.arrow", {"a": pairs[:, 0].copy(), "b": pairs[:, 1].copy()}),
            ("paired.arrow", {"document": np.unique(pairs)}),
        ):
            _write_arrow(output, name, pa.table(columns))

    def pairs(self, workdir: Path) -> tuple[Documents, Documents]:
        """All distinct pairs, sorted, memory-mapped."""
        table = _read_arrow(self.folder(workdir) / "pairs.arrow")
        return table.column("a").to_numpy(), table.column("b").to_numpy()

    def paired(self, workdir: Path) -> Documents:
        """The documents that are in any pair, ascending, memory-mapped."""
        documents: Documents = (
            _read_arrow(self.folder(workdir) / "paired.arrow").column("document").to_numpy()
        )
        return documents


@dataclass(frozen=True)
class Compared(Stage):
    """One task a part.

    Output: `SOURCE-PART.arrow`, uncompressed: `document`, `text` of each document in a pair.
    """

    name: ClassVar[str] = "compared"
    version: ClassVar[int] = 1
    candidates: Candidates

    @property
    def inputs(self) -> tuple[Stage, ...]:
        """The pairs and the parts."""
        return (self.candidates, *(annotation.parts for annotation in self.candidates.rank.annotations))

    @property
    def settings(self) -> dict[str, Any]:
        """None of its own."""
        return {}

    def tasks(self, workdir: Path) -> list[Task]:
        """One for each part."""
        tasks, first = [], 0
        for number, annotation in enumerate(self.candidates.rank.annotations):
            parts = annotation.parts
            for name, rows in zip(parts.part_names(workdir), parts.part_rows(workdir), strict=True):
                tasks.append({"source": number, "part": name, "first": first, "rows": rows})
                first += rows
        return tasks

    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        """Copy the texts that will be compared."""
        first, rows = task["first"], task["rows"]
        paired = self.candidates.paired(workdir)
        wanted = paired[slice(*np.searchsorted(paired, [first, first + rows]))]
        if len(wanted) == 0:
            return
        parts = self.candidates.rank.annotations[task["source"]].parts
        texts = pq.read_table(parts.folder(workdir) / task["part"], columns=["text"]).column("text")
        table = pa.table({"document": wanted, "text": texts.take(pa.array(wanted - first))})
        name = f"{parts.scope}-{task['part'].removesuffix('.parquet')}.arrow"
        _write_arrow(output, name, table)
        output.counts.fact("text_bytes_read", text_size(texts))

    def texts(self, workdir: Path) -> tuple[Documents, pa.ChunkedArray]:
        """Document numbers, ascending, and their texts, memory-mapped."""
        folder = self.folder(workdir)
        table = pa.concat_tables(
            [_read_arrow(folder / n) for n in self.manifest(workdir).part_names(".arrow")]
        )
        return table.column("document").to_numpy(), table.column("text")


@dataclass(frozen=True)
class Duplicates(Stage):
    """One task a run of candidate pairs. Output: `NNNNN.parquet`: `a`, `b`, `similarity` (true Jaccard).

    All candidates are kept with their similarity: the evidence, and what lets another threshold be tried at
    once.
    """

    name: ClassVar[str] = "duplicates"
    version: ClassVar[int] = 1
    compared: Compared

    @property
    def inputs(self) -> tuple[Stage, ...]:
        """The pairs and their texts."""
        return (self.compared.candidates, self.compared)

    @property
    def settings(self) -> dict[str, Any]:
        """None of its own."""
        return {}

    def tasks(self, workdir: Path) -> list[Task]:
        """Runs of pairs."""
        pairs = len(self.compared.candidates.pairs(workdir)[0])
        return [
            {"start": start, "stop": min(start + PAIRS_A_TASK, pairs)}
            for start in range(0, pairs, PAIRS_A_TASK)
        ]

    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        """Compare the shingle sets of each pair."""
        candidates = self.compared.candidates
        a, b = (side[task["start"] : task["stop"]] for side in candidates.pairs(workdir))
        documents, texts = self.compared.texts(workdir)
        needed = np.unique(np.concatenate([a, b]))
        here = texts.take(pa.array(np.searchsorted(documents, needed)))
        rows = np.searchsorted(needed, a), np.searchsorted(needed, b)
        similarity = verified(*rows, here, candidates.minhash.ngram)
        output.write_table(f"{output.task:05d}.parquet", pa.table({"a": a, "b": b, "similarity": similarity}))
        output.counts.fact("pairs_compared", len(a))
        output.counts.fact("text_bytes_read", text_size(here))

    def edges(self, workdir: Path) -> pa.Table:
        """All compared pairs with their similarity."""
        schema = pa.schema([("a", pa.int64()), ("b", pa.int64()), ("similarity", pa.float64())])
        folder = self.folder(workdir)
        names = self.manifest(workdir).part_names(".parquet")
        return pa.concat_tables([schema.empty_table(), *(pq.read_table(folder / name) for name in names)])
