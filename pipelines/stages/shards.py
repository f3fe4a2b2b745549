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
from typing_extensions import override

from mixers.gather import gather_segments
from mixers.shard_index import FORMAT_VERSION, ShardFile
from mixers.shards import shard_file_name, write_index, write_segments, write_shard_file
from pipelines.execution.output import Output, Task, TaskOutput, read_arrow, read_receipt
from pipelines.execution.stage import Stage
from pipelines.stages.mix import DOCUMENTS, ROWS, SEGMENTS, MixStage
from tokenizer_tools.encode import begin_id

DATASET = "dataset"
SEGMENTS_A_GROUP = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Shards(Stage):
    """One task a file.

    Output: `dataset/`, a folder in the shard format, which `datasets.load_from_disk` opens.
    """

    name: ClassVar[str] = "shards"
    version: ClassVar[int] = 2
    mix: MixStage
    recipe_fingerprint: str

    @property
    @override
    def inputs(self) -> tuple[Stage, ...]:
        return (self.mix, *self.mix.tokenized)

    @property
    @override
    def settings(self) -> dict[str, Any]:
        return {"recipe": self.recipe_fingerprint, "format": FORMAT_VERSION}

    def dataset(self, workdir: Path) -> Path:
        """The folder that training opens."""
        return self.folder(workdir) / DATASET

    @override
    def tasks(self, workdir: Path) -> list[Task]:
        count = self.mix.batches(workdir, ROWS).num_record_batches
        return [{"batch": number, "files": count} for number in range(count)]

    @override
    def expected_entries(self, workdir: Path) -> dict[str, int]:
        return {"tokens": self.mix.manifest(workdir).counts.number("tokens")}

    @override
    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        rows = self.mix.batches(workdir, ROWS).get_batch(task["batch"])
        segments = self.mix.batches(workdir, SEGMENTS).get_batch(task["batch"])
        lengths = segments.column("tokens").to_numpy().astype(np.int64)
        ids, masks, masked = self._gather(workdir, segments, lengths)
        first_row = task["batch"] * self.mix.rows_a_batch
        row_of_segment = segments.column("row").to_numpy()
        rows_here = first_row + np.arange(rows.num_rows + 1)
        boundaries = np.searchsorted(row_of_segment, rows_here)
        documents = _first_segments(row_of_segment, segments.column("position").to_numpy())
        ends = np.concatenate([[0], np.cumsum(lengths)])
        masked_rows = np.logical_or.reduceat(masked, boundaries[:-1]) if len(masked) else np.zeros(0, bool)
        name = shard_file_name(output.task, task["files"])
        self.dataset(workdir).mkdir(exist_ok=True)
        write_shard_file(
            self.dataset(workdir) / name,
            input_ids=ids,
            row_offsets=ends[boundaries],
            seq_lengths=np.diff(ends[np.append(documents, len(lengths))]).astype(np.int32),
            seq_offsets=np.searchsorted(row_of_segment[documents], rows_here).astype(np.int64),
            groups=rows.column("group"),
            assistant_masks=masks,
            masked_rows=masked_rows,
        )
        output.adopt(f"{DATASET}/{name}", rows.num_rows)
        planned = pc.sum(rows.column("tokens")).as_py() or 0
        output.counts.flow("tokens", entered=planned, left=len(ids))

    def _gather(
        self, workdir: Path, segments: pa.RecordBatch, lengths: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[Any], npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
        """Ids and masks of the segments, one after the other, and which segments are masked."""
        documents = _Documents(self.mix.batches(workdir, DOCUMENTS))
        files, rows = documents.places(segments.column("document").to_numpy())
        first = segments.column("first_token").to_numpy()
        out_starts = np.cumsum(lengths) - lengths
        tokenized = self._tokenized(workdir)
        ids = np.empty(int(lengths.sum()), _ids_type(tokenized))
        masks = np.ones(len(ids), np.uint8)
        masked = np.zeros(len(lengths), bool)
        for number, here in _by_file(files):
            for batch_start, column_ids, column_masks in _batches(read_arrow(tokenized[number])):
                inside = rows[here] - batch_start
                chosen = here[(inside >= 0) & (inside < len(column_ids))]
                place = rows[chosen] - batch_start
                starts = column_ids.offsets.to_numpy()[place] + first[chosen]
                gather_segments(
                    column_ids.values.to_numpy(), starts, lengths[chosen], ids, out_starts[chosen]
                )
                with_mask = column_masks.is_valid().to_numpy(zero_copy_only=False)[place]
                chosen, place = chosen[with_mask], place[with_mask]
                starts = column_masks.offsets.to_numpy()[place] + first[chosen]
                gather_segments(
                    column_masks.values.to_numpy(), starts, lengths[chosen], masks, out_starts[chosen]
                )
                masked[chosen] = True
        return ids, masks, masked

    def _tokenized(self, workdir: Path) -> list[Path]:
        """The tokenized files of the plan."""
        stages = {stage.scope: stage for stage in self.mix.tokenized}
        return [stages[scope].path(workdir, name) for scope, name in self.mix.files(workdir)]

    @override
    def finish(self, workdir: Path, output: Output) -> None:
        folder = self.dataset(workdir)
        dtype = np.dtype(_ids_type(self._tokenized(workdir))).name
        files = []
        for number in range(len(self.tasks(workdir))):
            receipt = read_receipt(self.folder(workdir), number)
            assert receipt is not None, "a stage is finished after its tasks"
            record = receipt.files[0]
            files.append(
                ShardFile(
                    name=Path(record.name).name,
                    rows=record.rows,
                    tokens=receipt.counts.left("tokens"),
                    dtype=dtype,
                    hash=record.hash,
                )
            )
        write_segments(folder, self._segments_with_ids(workdir))
        tokenizer = self.mix.tokenized[0].tokenizer.files(workdir)
        write_index(
            folder,
            files,
            tokenizer_hash=tokenizer.hash,
            begin_id=begin_id(tokenizer),
            sequence_length=self.mix.sequence_length,
            seed=self.mix.seed,
            recipe_fingerprint=self.recipe_fingerprint,
            ledger=self.mix.ledger(workdir),
        )
        for name in ("segments.parquet", "ledger.json", "dataset_info.json", "state.json", "coupage.json"):
            output.adopt(f"{DATASET}/{name}")

    def _segments_with_ids(self, workdir: Path) -> Iterator[pa.Table]:
        segments = self.mix.batches(workdir, SEGMENTS).read_all()
        documents = _Documents(self.mix.batches(workdir, DOCUMENTS))
        for start in range(0, max(segments.num_rows, 1), SEGMENTS_A_GROUP):
            batch = segments.slice(start, SEGMENTS_A_GROUP).combine_chunks()
            doc_ids = documents.doc_ids(batch.column("document").to_numpy())
            yield batch.append_column("doc_id", doc_ids).drop_columns("document")


class _Documents:
    """The documents of a plan, of which only those that are asked about are read."""

    def __init__(self, batches: pa.ipc.RecordBatchFileReader) -> None:
        self._batches = [batches.get_batch(number) for number in range(batches.num_record_batches)]
        self._starts = np.cumsum([0] + [len(batch) for batch in self._batches])

    def places(self, documents: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """In which tokenized file each lies, and in which row of it."""
        files = np.searchsorted(self._starts, documents, side="right") - 1
        rows = np.empty(len(documents), np.int64)
        for number, here in _by_file(files):
            positions = self._batches[number].column("position").to_numpy()
            rows[here] = positions[documents[here] - self._starts[number]]
        return files, rows

    def doc_ids(self, documents: npt.NDArray[np.int64]) -> pa.Array:
        """Their ids."""
        files = np.searchsorted(self._starts, documents, side="right") - 1
        ids, order = [pa.array([], pa.string())], [np.zeros(0, np.int64)]
        for number, here in _by_file(files):
            places = pa.array(documents[here] - self._starts[number])
            ids.append(self._batches[number].column("doc_id").take(places))
            order.append(here)
        return pa.concat_arrays(ids).take(pa.array(np.argsort(np.concatenate(order))))


def _first_segments(row: npt.NDArray[np.int64], position: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    """The first segment of each document: what is before and after a gap has one position in the row."""
    return np.flatnonzero((np.diff(row, prepend=-1) != 0) | (np.diff(position, prepend=-1) != 0))


def _by_file(files: npt.NDArray[np.int64]) -> Iterator[tuple[int, npt.NDArray[np.int64]]]:
    """Each file once, with the places at which it stands."""
    order = np.argsort(files, kind="stable")
    numbers, starts = np.unique(files[order], return_index=True)
    return zip(numbers.tolist(), np.split(order, starts)[1:], strict=True)


def _ids_type(tokenized: list[Path]) -> Any:
    return read_arrow(tokenized[0]).schema.field("ids").type.value_type.to_pandas_dtype()


def _batches(table: pa.Table) -> Iterator[tuple[int, pa.Array, pa.Array]]:
    start = 0
    for batch in table.select(["ids", "mask"]).to_batches():
        yield start, batch.column("ids"), batch.column("mask")
        start += batch.num_rows
