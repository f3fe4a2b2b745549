"""Bad records of the given files: written, counted, and told."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mixers.files import finished_file
from pipelines.execution.counts import total
from pipelines.sources.base import QUARANTINE_SCHEMA, BadRecord
from pipelines.sources.quarantine import too_few_good
from pipelines.stages.ingest import Ingest
from pipelines.stages.set_aside import losses_of, quarantined

QUARANTINE = "quarantine.parquet"


def publish_quarantine(
    ingests: tuple[Ingest, ...], work: Path, output: Path, others: Iterable[pa.Table] = ()
) -> dict[str, int]:
    """Write `quarantine.parquet` (QUARANTINE_SCHEMA) and count the records by reason.

    `others` are written too, but are no records of these ingests.

    Raises UserError when there are more bad records than good ones.
    """
    first: BadRecord | None = None
    with (
        finished_file(output / QUARANTINE) as path,
        pq.ParquetWriter(path, QUARANTINE_SCHEMA, compression="zstd") as writer,
    ):
        for table in chain.from_iterable(quarantined(ingest, work) for ingest in ingests):
            writer.write_table(table)
            first = first or BadRecord(**table.slice(0, 1).to_pylist()[0])
        for table in others:
            writer.write_table(table)
    losses = losses_of(total(ingest.manifest(work).counts for ingest in ingests))
    documents = sum(sum(ingest.part_rows(work)) for ingest in ingests)
    if first and losses.records > documents:
        raise too_few_good(documents, losses.records, first, f"All of them: {output / QUARANTINE}")
    return {reason: loss.records for reason, loss in losses.reasons.items()}
