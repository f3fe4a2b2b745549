"""What a stage that reads files sets aside: written, counted by reason, and too much of it refused."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.errors import UserError
from pipelines.execution.counts import Count, Counts
from pipelines.execution.manifest import Damaged, read_manifest
from pipelines.execution.output import TaskOutput
from pipelines.execution.stage import Stage
from pipelines.sources.base import QUARANTINE_SCHEMA, BadRecord, Quarantine, Source, Unit
from pipelines.sources.passed_over import PassedOver
from pipelines.sources.quarantine import Losses

FOLDER = "quarantine"
QUARANTINED = "quarantined"
RECOGNISED = "recognised"
"""Records without a text that were read as conversations, by format."""
PASSED_OVER = "passed_over"
"""What archives hold that is not read, by kind; the scope is an example."""
NO_DOCUMENT = "no_document"
"""Good records that are no documents, by kind."""


@dataclass(frozen=True, kw_only=True)
class ReadingStage(Stage):
    """A stage that reads files from outside."""

    max_share: float | None = None
    """How much of its input may be lost; None: all. Decides no byte, so it is no setting."""

    @property
    @abstractmethod
    def input_name(self) -> str:
        """What it reads, for people."""

    def check_limit(self, workdir: Path) -> None:
        """Raises UserError when the stage is finished and lost more than `max_share`, which may be new."""
        try:
            manifest = read_manifest(self.folder(workdir))
        except Damaged:
            return  # it is made again
        if manifest is not None:
            self.check_losses(workdir, manifest.counts)

    def check_losses(self, workdir: Path, counts: Counts) -> None:
        """Raises UserError, naming file and place, when more than `max_share` was lost."""
        losses = losses_of(counts)
        if self.max_share is not None and losses.share > self.max_share:
            folder = self.folder(workdir) / FOLDER
            first = next(pq.ParquetFile(min(folder.glob("*.parquet"))).iter_batches(1)).to_pylist()[0]
            raise self.too_much_lost(losses, BadRecord(**first), f" All of it: {folder}")

    def too_much_lost(self, losses: Losses, first: BadRecord, where: str = "") -> UserError:
        """The error that names what was lost, and where first."""
        return UserError(
            f"{losses.in_words()} of {self.input_name} could not be read, more than the limit of "
            f"{self.max_share:.2%}; the first: {first.described}",
            file=first.file,
            place=first.position,
            hint=f"Mend the input, or raise `quarantine.max_share` in the recipe.{where}",
        )


class SetAside:
    """What one task sets aside, in `quarantine/TTTTT.parquet` if there is anything. A context manager.

    Args:
        stage: The stage of the task.
        output: Where the task writes.
        whole: Bytes of all the input of the stage.
    """

    def __init__(self, stage: ReadingStage, output: TaskOutput, whole: int) -> None:
        self._stage = stage
        self._output = output
        self._whole = whole
        self._file = output.growing_table(f"{FOLDER}/{output.task:05d}.parquet", QUARANTINE_SCHEMA)
        self.quarantine = Quarantine(self._keep)
        self.input_bytes = 0
        """Bytes of the units that were read; of one that could not be read, what it weighs."""

    def __enter__(self) -> Self:
        """Nothing is written before the first bad record."""
        self._write = self._file.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the file."""
        self._file.__exit__(kind, error, trace)

    def read(self, source: Source, unit: Unit) -> Iterator[pa.Table]:
        """The documents of a unit."""
        before = self.quarantine.lost_bytes
        yield from source.read(unit, self.quarantine)
        self.input_bytes += max(unit.bytes, self.quarantine.lost_bytes - before)

    def count(self, documents: int) -> None:
        """End the task: count what was lost, and the documents that were not."""
        self.quarantine.flush()
        losses, counts = self.quarantine.losses, self._output.counts
        lost = {Count(QUARANTINED, reason=reason): loss.records for reason, loss in losses.items()}
        others = {Count(NO_DOCUMENT, reason=kind): n for kind, n in self.quarantine.no_documents.items()}
        counts.flow(
            "records",
            entered=documents + self.quarantine.without_document,
            left=documents,
            dropped=lost | others,
        )
        for reason, loss in losses.items():
            counts.add("lost_bytes", loss.bytes, reason=reason)
        for name, number in self.quarantine.recognised.items():
            counts.add(RECOGNISED, number, reason=name)
        for each in self.quarantine.passed_over.values():
            counts.add(PASSED_OVER, each.files, scope=each.example, reason=each.kind)
        counts.add("input_bytes", self.input_bytes)

    def _keep(self, rows: pa.Table) -> None:
        """Write some bad records. Raises UserError when this task alone has lost too much."""
        self._write(rows)
        lost, limit = self.quarantine.lost_bytes, self._stage.max_share
        # The whole may grow by what was lost: a file that could not be read may weigh more than its size.
        if limit is not None and lost > limit * (self._whole + lost):
            assert self.quarantine.first is not None, "a bad record was written"
            losses = Losses(self.quarantine.losses, self._whole + lost)
            raise self._stage.too_much_lost(losses, self.quarantine.first)


def recognised_formats(counts: Counts) -> dict[str, int]:
    """The formats of conversations that were found by their fields, and how many records had each."""
    return {count.reason or "": number for count, number in counts.facts.items() if count.what == RECOGNISED}


def passed_over_within(counts: Counts) -> Iterator[PassedOver]:
    """What the archives of a source hold that is not read."""
    return (PassedOver(count.reason, number, count.scope) for count, number in counts.rows(PASSED_OVER))


def losses_of(counts: Counts) -> Losses:
    """What a stage, or a task, lost of its input."""
    dropped = counts.dropped("records")
    reasons = {count.reason: number for count, number in dropped.items() if count.what == QUARANTINED}
    read = counts.flows["records"].entered if "records" in counts.flows else 0
    return Losses.build(
        {
            reason: (number, counts.number("lost_bytes", reason=reason))
            for reason, number in sorted(reasons.items())
        },
        counts.number("input_bytes"),
        read,
    )


def quarantined(stage: Stage, workdir: Path) -> Iterator[pa.Table]:
    """What a finished stage set aside, in tables of QUARANTINE_SCHEMA."""
    for name in stage.manifest(workdir).part_names(".parquet"):
        if name.startswith(f"{FOLDER}/"):
            with pq.ParquetFile(stage.path(workdir, name)) as file:
                yield from map(pa.Table.from_batches, ([batch] for batch in file.iter_batches()))
