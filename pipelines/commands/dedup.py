"""`coupage dedup`: exact and near duplicates among documents, the evidence, and what is kept."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from rich.console import Console

from filters.dedup.minhash import MinHash
from pipelines.commands.files import REFERENCES, SCOPE, ingest_with_references
from pipelines.commands.job import Job, do
from pipelines.commands.options import configured
from pipelines.commands.output import print_json
from pipelines.commands.quarantine import QUARANTINE, publish_quarantine
from pipelines.execution.stage import inputs_first
from pipelines.graph.build import minhash_bands, verified_pairs
from pipelines.sources.quarantine import tell
from pipelines.stages.dedup.hashes import Hashes
from pipelines.stages.dedup.preference import Preference
from pipelines.stages.dedup.survivors import EVIDENCE, Kept, Survivors
from pipelines.stages.ingest import Ingest

KEPT = "kept"


def dedup_files(
    files: list[str],
    against: list[str],
    output: Path,
    shape: dict[str, float | None],
    exact_only: bool,
    workers: int | None,
    json: bool,
) -> None:
    """`coupage dedup`; `shape` holds the fields of MinHash that were given."""
    minhash = configured(MinHash, shape, "`coupage dedup --help` says what the options mean.")
    sources = ingest_with_references(files, against)
    preference = Preference(
        scope=SCOPE,
        hashes=tuple(Hashes(scope=f"{s.scope}-hashes", parts=s) for s in sources),
        priorities=(0,) * len(sources),
        keep=("length",),
        exact=True,
        against=(REFERENCES,),
    )
    bands = tuple(minhash_bands(source, minhash) for source in sources)
    pairs = None if exact_only else verified_pairs(SCOPE, preference, bands, minhash)
    survivors = Survivors(scope=SCOPE, preference=preference, pairs=pairs, threshold=minhash.verify)
    kept = Kept(scope=SCOPE, parts=sources[0], survivors=survivors)
    job = Job(
        command="dedup",
        settings={"exact": True, "minhash": None if exact_only else minhash.model_dump()},
        stages=tuple(inputs_first([kept])),
        results=(EVIDENCE, KEPT, QUARANTINE),
        publish=lambda work, output: _publish(sources, survivors, kept, work, output),
    )
    summary = do(job, output, workers)
    tell(summary["bad_records"], f"see {output / QUARANTINE}")
    if json:
        print_json(summary)
    else:
        _print(summary, output, Console())


def _publish(
    sources: tuple[Ingest, ...], survivors: Survivors, kept: Kept, work: Path, output: Path
) -> dict[str, Any]:
    """Give the stages' files their places among the results."""
    bad_records = publish_quarantine(sources, work, output)
    _place(survivors.folder(work) / EVIDENCE, output / EVIDENCE)
    (output / KEPT).mkdir()
    for name in kept.manifest(work).part_names(".parquet"):
        _place(kept.folder(work) / name, output / KEPT / name)
    counts = survivors.manifest(work).counts
    duplicates = {method: counts.number("duplicates", reason=method) for method in ("exact", "minhash")}
    documents, *references = (sum(source.part_rows(work)) for source in sources)
    return {
        "documents": documents,
        "references": sum(references),
        "kept": documents - sum(duplicates.values()),
        "duplicates": duplicates,
        "repeated_ids": counts.number("repeated_ids"),
        "bad_records": bad_records,
    }


def _place(source: Path, target: Path) -> None:
    """Give a file of the work folder a second name, or copy it where the file system has no hard links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _print(summary: dict[str, Any], output: Path, console: Console) -> None:
    duplicates = summary["duplicates"]
    console.print(
        f"{summary['documents']:,} documents, {summary['kept']:,} kept: {output / KEPT}\n"
        f"{duplicates['exact']:,} exact and {duplicates['minhash']:,} near duplicates: {output / EVIDENCE}",
        highlight=False,
        soft_wrap=True,
    )
    if summary["repeated_ids"]:
        console.print(
            f"{summary['repeated_ids']:,} documents have an id that stood before; such ids name several",
            highlight=False,
            soft_wrap=True,
        )
