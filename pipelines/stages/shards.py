"""Shards: the ids of a plan, written as the files that training reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mixers.gather import gather_segments
from mixers.shards import ShardFile, shard_file_name, write_index, write_segments, write_shard_file
from pipelines.stage import Stage, StageOutput, Task, TaskOutput, read_receipt
from pipelines.stages.mix import DOCUMENTS, ROWS, SEGMENTS, MixStage
from pipelines.stages.tokenize import Tokenize

DATASET = "dataset"
TOKENS_A_FILE = 1 << 24
SEGMENTS_A_BATCH = 1 << 20


@dataclass(frozen=True)
class Shards(Stage):
    """One task a file.

    Output: `dataset/`, a folder in the shard format, which `datasets.load_from_disk` opens.
    """

    name: ClassVar[str] = "shards"
    version: ClassVar[int] = 1
    mix: MixStage
    recipe_fingerprint: str

    @property
    def inputs(self) -> tuple[Stage, ...]:
        """The plan and the ids."""
        return (self.mix, *self.mix.tokenized)

    @property
    def settings(self) -> dict[str, Any]:
        """None of its own."""
        return {"recipe": self.recipe_fingerprint}

    def dataset(self, workdir: Path) -> Path:
        """The folder that training opens."""
        return self.folder(workdir) / DATASET

    def tasks(self, workdir: Path) -> list[Task]:
        """Runs of rows of about TOKENS_A_FILE tokens."""
        rows = self.mix.table(workdir, ROWS).num_rows
        rows_a_file = max(1, TOKENS_A_FILE // self.mix.sequence_length)
        starts = range(0, max(rows, 1), rows_a_file)
        return [{"start": s, "stop": min(s + rows_a_file, rows), "files": len(starts)} for s in starts]

    def expected_entries(self, workdir: Path) -> dict[str, int]:
        """All tokens of the plan."""
        return {"tokens": self.mix.manifest(workdir).counts.facts["tokens"]}

    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        """Gather the ids of some rows and write them."""
        start, stop = task["start"], task["stop"]
        rows = self.mix.table(workdir, ROWS).slice(start, stop - start)
        segments = _rows_between(self.mix.table(workdir, SEGMENTS), start, stop)
        lengths = segments.column("tokens").to_numpy().astype(np.int64)
        ids, masks, masked = self._gather(workdir, segments, lengths)
        boundaries = np.searchsorted(segments.column("row").to_numpy(), np.arange(start, stop + 1))
        ends = np.concatenate([[0], np.cumsum(lengths)])
        masked_rows = np.logical_or.reduceat(masked, boundaries[:-1]) if len(masked) else np.zeros(0, bool)
        name = shard_file_name(output.task, task["files"])
        self.dataset(workdir).mkdir(exist_ok=True)
        write_shard_file(
            self.dataset(workdir) / name,
            input_ids=ids,
            row_offsets=ends[boundaries],
            seq_lengths=lengths.astype(np.int32),
            seq_offsets=boundaries.astype(np.int64),
            groups=rows.column("group").combine_chunks(),
            assistant_masks=masks,
            masked_rows=masked_rows,
        )
        output.adopt(f"{DATASET}/{name}", stop - start)
        planned = pc.sum(rows.column("tokens")).as_py() or 0
        output.counts.flow("tokens", entered=planned, left=len(ids))

    def _gather(
        self, workdir: Path, segments: pa.Table, lengths: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[Any], npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
        """Ids and masks of the segments, one after the other, and which segments are masked."""
        documents = self.mix.table(workdir, DOCUMENTS)
        document = segments.column("document")
        file = documents.column("file").take(document).to_numpy()
        position = documents.column("position").take(document).to_numpy()
        first = segments.column("first_token").to_numpy()
        out_starts = np.cumsum(lengths) - lengths
        tables = self._tokenized(workdir)
        ids = np.empty(int(lengths.sum()), _ids_type(tables))
        masks = np.ones(len(ids), np.uint8)
        masked = np.zeros(len(lengths), bool)
        for number in np.unique(file):
            here = np.flatnonzero(file == number)
            for batch_start, column_ids, column_masks in _batches(tables[number]):
                inside = position[here] - batch_start
                rows = here[(inside >= 0) & (inside < len(column_ids))]
                place = position[rows] - batch_start
                starts = column_ids.offsets.to_numpy()[place] + first[rows]
                gather_segments(column_ids.values.to_numpy(), starts, lengths[rows], ids, out_starts[rows])
                with_mask = column_masks.is_valid().to_numpy(zero_copy_only=False)[place]
                rows, place = rows[with_mask], place[with_mask]
                starts = column_masks.offsets.to_numpy()[place] + first[rows]
                gather_segments(
                    column_masks.values.to_numpy(), starts, lengths[rows], masks, out_starts[rows]
                )
                masked[rows] = True
        return ids, masks, masked

    def _tokenized(self, workdir: Path) -> list[pa.Table]:
        stages: dict[str, Tokenize] = {stage.scope: stage for stage in self.mix.tokenized}
        return [
            pa.ipc.open_file(pa.memory_map(str(stages[scope].folder(workdir) / name))).read_all()
            for scope, name in self.mix.files(workdir)
        ]

    def finish(self, workdir: Path, output: StageOutput) -> None:
        """Write the index files, `coupage.json` last."""
        folder = self.dataset(workdir)
        tables = self._tokenized(workdir)
        files = []
        for number in range(len(self.tasks(workdir))):
            receipt = read_receipt(self.folder(workdir), number)
            assert receipt is not None, "a stage is finished after its tasks"
            record = receipt.files[0]
            files.append(
                ShardFile(
                    name=Path(record.name).name,
                    rows=record.rows,
                    tokens=receipt.counts.flows["tokens"].left,
                    dtype=np.dtype(_ids_type(tables)).name,
                    hash=record.hash,
                )
            )
        write_segments(folder, self._segments_with_ids(workdir))
        write_index(
            folder,
            files,
            tokenizer_hash=self.mix.tokenized[0].tokenizer.files(workdir).hash,
            sequence_length=self.mix.sequence_length,
            seed=self.mix.seed,
            recipe_fingerprint=self.recipe_fingerprint,
            ledger=self.mix.ledger(workdir),
        )
        for name in ("segments.parquet", "ledger.json", "dataset_info.json", "state.json", "coupage.json"):
            output.adopt(f"{DATASET}/{name}")

    def _segments_with_ids(self, workdir: Path) -> Iterator[pa.Table]:
        segments = self.mix.table(workdir, SEGMENTS)
        doc_id = self.mix.table(workdir, DOCUMENTS).column("doc_id")
        for start in range(0, max(segments.num_rows, 1), SEGMENTS_A_BATCH):
            batch = segments.slice(start, SEGMENTS_A_BATCH)
            yield batch.append_column("doc_id", doc_id.take(batch.column("document"))).drop_columns(
                "document"
            )


def _rows_between(segments: pa.Table, start: int, stop: int) -> pa.Table:
    low, high = np.searchsorted(segments.column("row").to_numpy(), [start, stop])
    return segments.slice(low, high - low)


def _ids_type(tables: list[pa.Table]) -> Any:
    return tables[0].schema.field("ids").type.value_type.to_pandas_dtype()


def _batches(table: pa.Table) -> Iterator[tuple[int, pa.Array, pa.Array]]:
    start = 0
    for batch in table.select(["ids", "mask"]).to_batches():
        yield start, batch.column("ids"), batch.column("mask")
        start += batch.num_rows
