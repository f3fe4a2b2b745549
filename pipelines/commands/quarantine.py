"""Bad records of the given files: written, counted, and told."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq

from mixers.files import finished_file
from pipelines.sources.base import QUARANTINE_SCHEMA
from pipelines.sources.quarantine import _nothing_good
from pipelines.stages.ingest import Ingest, quarantined

QUARANTINE = "quarantine.parquet"


def publish_quarantine(ingests: tuple[Ingest, ...], work: Path, output: Path) -> dict[str, int]:
    """Write `quarantine.parquet` (file, position, reason, sample) and count the records by reason.

    Raises UserError when there are bad records and no good ones.
    """
    reasons: Counter[str] = Counter()
    first: dict[str, str] | None = None
    tables = (table for ingest in ingests for table in quarantined(ingest, work))
    with (
        finished_file(output / QUARANTINE) as path,
        pq.ParquetWriter(path, QUARANTINE_SCHEMA, compression="zstd") as writer,
    ):
        for table in tables:
            writer.write_table(table)
            reasons.update(table.column("reason").to_pylist())
            first = first or table.slice(0, 1).to_pylist()[0]
    if first and not any(sum(ingest.part_rows(work)) for ingest in ingests):
        raise _nothing_good(reasons.total(), first, f"All of them: {output / QUARANTINE}")
    return dict(reasons)
