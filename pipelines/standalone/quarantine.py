"""Bad records of the given files: written, counted, and told."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq

from mixers.files import finished_file
from pipelines.errors import UserError
from pipelines.sources.base import QUARANTINE_SCHEMA, Quarantine
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


def count_quarantine(quarantine: Quarantine, documents: int) -> dict[str, int]:
    """Count by reason, and tell, the bad records of a command that makes no folder of results for them.

    Raises UserError when there are no documents.
    """
    first = quarantine.table().slice(0, 1).to_pylist()
    if not documents:
        if first:
            raise _nothing_good(len(quarantine), first[0], "Mend the files.")
        raise UserError("the files hold no document", mend="Give files with at least one record.")
    reasons = dict(Counter(reason for _, _, reason, _ in quarantine.rows))
    tell(reasons, f"the first: {first[0]['file']}:{first[0]['position']}" if first else "")
    return reasons


def tell(reasons: dict[str, int], where: str) -> None:
    """Say on standard error what was left out; nothing if nothing was."""
    if reasons:
        each = ", ".join(f"{reason} ({number:,})" for reason, number in sorted(reasons.items()))
        print(f"warning: bad records were left out: {each}; {where}", file=sys.stderr)


def _nothing_good(records: int, first: dict[str, str], mend: str) -> UserError:
    return UserError(
        f"none of the {records} records is a document; the first: {first['reason']}",
        file=first["file"],
        place=first["position"],
        mend=f"A record needs a string called `text`. {mend}",
    )
