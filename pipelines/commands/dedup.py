"""`coupage dedup`: exact and near duplicates among documents, the evidence, and what is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from filters.dedup.minhash import MinHash
from pipelines.commands.console import SILENT, PlainConsole
from pipelines.commands.files import REFERENCES, SCOPE, ingest_with_references
from pipelines.commands.job import Job, place_file, run_job
from pipelines.commands.kept import KEPT, publish_kept
from pipelines.commands.options import configured
from pipelines.commands.quarantine import QUARANTINE, publish_quarantine
from pipelines.execution.stage import inputs_first
from pipelines.graph.build import minhash_bands, verified_pairs
from pipelines.plain import print_json
from pipelines.sources.quarantine import tell
from pipelines.stages.dedup.hashes import Hashes
from pipelines.stages.dedup.preference import Preference
from pipelines.stages.dedup.survivors import EVIDENCE, KeptSurvivors, Survivors
from pipelines.stages.ingest import Ingest
from pipelines.stages.sidecar import Annotation


def dedup_files(
    files: list[str],
    against: list[str],
    output: Path,
    shape: dict[str, float | None],
    exact_only: bool,
    messages: str | None,
    workers: int | None,
    json: bool,
    quiet: bool,
) -> None:
    """`coupage dedup`; `shape` holds the fields of MinHash that were given."""
    summary = dedup(
        files,
        output,
        against=against,
        minhash=shape,
        exact_only=exact_only,
        messages=messages,
        workers=workers,
        console=PlainConsole(stderr=True, only_warnings=quiet),
    )
    tell(summary["bad_records"], f"see {output / QUARANTINE}")
    if json:
        print_json(summary)
    else:
        _print(summary, output, PlainConsole())


def dedup(
    files: Sequence[str | Path],
    output: str | Path,
    *,
    against: Sequence[str | Path] = (),
    minhash: Mapping[str, float | None] | None = None,
    exact_only: bool = False,
    messages: str | None = None,
    workers: int | None = None,
    console: Console = SILENT,
) -> dict[str, Any]:
    """Find exact and near duplicates: `duplicates.parquet`, and the other documents in `kept/`.

    Args:
        files: .parquet, .jsonl, .jsonl.gz or .jsonl.zst with a column `text`, optionally `id`.
        output: The folder to write.
        against: Files that are only compared with: their documents always win.
        minhash: Settings of `dedup.minhash` in a recipe: ngram, bands, rows, verify.
        exact_only: Leave near duplicates alone.
        messages: The field that holds a conversation, or a format such as `alpaca`; without it a record with
            no `text` whose fields fit one format is read so.
        workers: Processes; one a core by default.
        console: Where progress is shown.

    Returns:
        The summary: documents, kept, duplicates by method, bad records by reason.

    Raises:
        UserError: A file or a setting is wrong, or the folder holds something else.
    """
    shape = configured(MinHash, dict(minhash or {}), "`coupage dedup --help` says what the options mean.")
    sources = ingest_with_references([*map(str, files)], [*map(str, against)], messages, console)
    preference = Preference(
        scope=SCOPE,
        hashes=tuple(Hashes(scope=f"{s.scope}-hashes", parts=s) for s in sources),
        priorities=(0,) * len(sources),
        keep=("length",),
        exact=True,
        against=(REFERENCES,),
    )
    bands = () if exact_only else tuple(minhash_bands(source, shape) for source in sources)
    pairs = verified_pairs(SCOPE, preference, bands, shape) if bands else None
    survivors = Survivors(scope=SCOPE, preference=preference, pairs=pairs, threshold=shape.verify)
    kept = KeptSurvivors(scope=SCOPE, parts=sources[0], survivors=survivors)
    job = Job(
        command="dedup",
        settings={"exact": True, "minhash": None if exact_only else shape.model_dump()},
        # Those of one source stand together, so that they share a pass.
        stages=tuple(inputs_first([*sorted((*preference.hashes, *bands), key=_source), kept])),
        results=(EVIDENCE, KEPT, QUARANTINE),
        publish=lambda work, output: _publish(sources, survivors, kept, work, output),
    )
    return run_job(job, Path(output), workers, console)


def _source(annotation: Annotation) -> str:
    return annotation.parts.scope


def _publish(
    sources: tuple[Ingest, ...], survivors: Survivors, kept: KeptSurvivors, work: Path, output: Path
) -> dict[str, Any]:
    """Give the stages' files their places among the results."""
    bad_records = publish_quarantine(sources, work, output)
    place_file(survivors.path(work, EVIDENCE), output / EVIDENCE)
    publish_kept(kept, work, output)
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
