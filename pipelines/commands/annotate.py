"""`coupage annotate`: the quality signals of documents, and what rule presets say about them."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from filters.edits.edits import EDITS, Edit
from filters.quality.rules import PRESETS, Rule, all_failed, first_failed
from filters.quality.signals import SIGNALS, families_of
from mixers.files import finished_file
from pipelines.commands.console import SILENT, PlainConsole
from pipelines.commands.files import SCOPE, ingest
from pipelines.commands.job import Job, run_job
from pipelines.commands.options import configured
from pipelines.commands.quarantine import QUARANTINE, publish_quarantine
from pipelines.errors import UserError
from pipelines.execution.output import ROW_GROUP
from pipelines.graph.build import language_of, signals_of
from pipelines.plain import print_json
from pipelines.recipe.curate import ALL_SIGNALS, Edits, Rules, edits_of
from pipelines.report.edits import edit_reports
from pipelines.sources.models import bundled_language_model
from pipelines.sources.quarantine import tell
from pipelines.stages.dedup.hashes import Hashes
from pipelines.stages.ingest import Ingest
from pipelines.stages.sidecar import Sidecar

FILE = "signals.parquet"
NORMALIZE = "normalize_lines"
"""The setting that leaves line ends as they are read: `normalize_lines=false`."""
LANGUAGE = "language"
"""Among signals: the language and its score."""


def annotate_files(
    files: list[str],
    output: Path,
    presets: list[str],
    signals: list[str],
    edits: list[str],
    assignments: list[str],
    messages: str | None,
    workers: int | None,
    json: bool,
    quiet: bool,
) -> None:
    """`coupage annotate`."""
    summary = annotate(
        files,
        output,
        rules=presets,
        signals=signals,
        edits=edits,
        settings=assignments,
        messages=messages,
        workers=workers,
        console=PlainConsole(stderr=True, only_warnings=quiet),
    )
    tell(summary["bad_records"], f"see {output / QUARANTINE}")
    if json:
        print_json(summary)
    else:
        _print(summary, output, PlainConsole())


def annotate(
    files: Sequence[str | Path],
    output: str | Path,
    *,
    rules: Sequence[str] = (),
    signals: Sequence[str] = (),
    edits: Sequence[str] = (),
    settings: Sequence[str] = (),
    messages: str | None = None,
    workers: int | None = None,
    console: Console = SILENT,
) -> dict[str, Any]:
    """Compute quality signals of documents and judge them by rules: `signals.parquet`.

    Args:
        files: .parquet, .jsonl, .jsonl.gz or .jsonl.zst with a column `text`, optionally `id`.
        output: The folder to write.
        rules: Presets by which documents are judged, such as `gopher_quality`.
        signals: Signals to compute, `language` or `all`; by default what the rules need, without rules all.
        edits: Edits made in the texts first, such as `fix_encoding`; `normalize_lines` is made by itself.
        settings: Thresholds and options, as `gopher_quality.min_words=20` or `normalize_lines=false`.
        messages: The field that holds a conversation, or a format such as `alpaca`; without it a record with
            no `text` whose fields fit one format is read so.
        workers: Processes; one a core by default.
        console: Where progress is shown.

    Returns:
        The summary: documents, kept, dropped and failed by rule, edits, bad records by reason.

    Raises:
        UserError: A file, a name or a setting is wrong, or the folder holds something else.
    """
    values = _values(settings)
    options = {key: values.pop(key) for key in list(values) if key.split(".")[0] in edits}
    normal_lines = values.pop(NORMALIZE, None)
    judged_by = _rules(rules, values)
    parts = replace(ingest([*map(str, files)], messages, console), edits=_edits(edits, options, normal_lines))
    sidecars = _sidecars(parts, judged_by, signals)
    job = Job(
        command="annotate",
        settings={"rules": {rule.name: [rule.signal, rule.min, rule.max] for rule in judged_by}},
        stages=(parts, *sidecars),
        results=(FILE, QUARANTINE),
        publish=lambda work, output: _publish(parts, sidecars, judged_by, work, output),
    )
    return run_job(job, Path(output), workers, console)


def _sidecars(parts: Ingest, rules: tuple[Rule, ...], signals: Sequence[str]) -> tuple[Sidecar, ...]:
    """What is measured: the families of the signals that rules and the user ask for, else everything."""
    known = [*SIGNALS, LANGUAGE]
    for name in signals:
        if name != ALL_SIGNALS and name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]
            raise UserError(f"there is no signal `{name}`", hint=f"Did you mean `{near}`?")
    everything = ALL_SIGNALS in signals or not (signals or rules)
    names = known if everything else [*signals, *(rule.signal for rule in rules)]
    hashes = Hashes(scope=f"{SCOPE}-hashes", parts=parts)
    families = signals_of(parts, families_of(names), "unicode")
    if LANGUAGE not in names:
        return (hashes, *families)
    return (hashes, *families, language_of(parts, bundled_language_model()))


def _values(assignments: Sequence[str]) -> dict[str, str]:
    values = {}
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        if not equals:
            raise UserError(
                f"--set {assignment}: there is no `=` in it", hint="Write --set gopher_quality.min_words=20."
            )
        values[key] = value
    return values


def _edits(names: Sequence[str], options: dict[str, str], normal_lines: str | None) -> tuple[Edit, ...]:
    hint = f"Edits for --edit: {', '.join(EDITS)}. --set sets their options."
    given = {"use": list(dict.fromkeys(names)), "options": options, NORMALIZE: normal_lines}
    return edits_of([configured(Edits, given, hint)])


def _rules(presets: Sequence[str], thresholds: dict[str, str]) -> tuple[Rule, ...]:
    hint = (
        f"Presets for --rules: {', '.join(PRESETS)}. "
        "--set replaces a threshold of one of them: --set gopher_quality.min_words=20."
    )
    if not presets:
        if thresholds:
            raise UserError(f"`{next(iter(thresholds))}` belongs to no preset that was asked for", hint=hint)
        return ()
    return configured(Rules, {"use": list(dict.fromkeys(presets)), "thresholds": thresholds}, hint).rules()


def _publish(
    parts: Ingest, sidecars: tuple[Sidecar, ...], rules: tuple[Rule, ...], work: Path, output: Path
) -> dict[str, Any]:
    """Write `signals.parquet` part by part, and judge each document."""
    bad_records = publish_quarantine((parts,), work, output)
    reasons: Counter[str | None] = Counter()
    failed: Counter[str] = Counter()
    hashes, *measured = sidecars
    schema = _schema([name for sidecar in measured for name in sidecar.columns])
    with (
        finished_file(output / FILE) as path,
        pq.ParquetWriter(path, schema, compression="zstd") as writer,
    ):
        for part in parts.part_names(work):
            signals = hashes.table(work, part, ["doc_id"])
            for table in (sidecar.table(work, part, sidecar.columns) for sidecar in measured):
                for name in table.column_names:
                    signals = signals.append_column(name, table.column(name))
            reason = first_failed(signals, rules)
            judged = signals.append_column("keep", reason.is_null()).append_column("reason", reason)
            writer.write_table(judged.cast(schema), row_group_size=ROW_GROUP)
            reasons.update({each["values"]: each["counts"] for each in pc.value_counts(reason).to_pylist()})
            failed.update(all_failed(signals, rules))
    kept = reasons.pop(None, 0)
    return {
        "documents": kept + reasons.total(),
        "kept": kept,
        "dropped": {rule.name: reasons[rule.name] for rule in rules if reasons[rule.name]},
        "failed": {rule.name: failed[rule.name] for rule in rules},
        "edits": edit_reports(parts, work),
        "bad_records": bad_records,
    }


def _schema(columns: list[str]) -> pa.Schema:
    types = {name: signal.type for name, signal in SIGNALS.items()}
    types |= {LANGUAGE: pa.string(), "language_score": pa.float32()}
    measured = [(name, types[name]) for name in columns]
    return pa.schema([("doc_id", pa.string()), *measured, ("keep", pa.bool_()), ("reason", pa.string())])


def _print(summary: dict[str, Any], output: Path, console: Console) -> None:
    if summary["failed"]:
        table = Table("rule", "dropped by it", "fail it")
        for rule, failed in summary["failed"].items():
            table.add_row(rule, f"{summary['dropped'].get(rule, 0):,}", f"{failed:,}")
        console.print(table)
    for edit in summary["edits"]:
        console.print(
            f"{edit['edit']}: {edit['documents_changed']:,} documents changed, "
            f"{edit['documents_emptied']:,} left empty",
            highlight=False,
        )
    console.print(
        f"{summary['documents']:,} documents, {summary['kept']:,} kept: {output / FILE}",
        highlight=False,
        soft_wrap=True,
    )
