"""`coupage decontaminate`: what documents have of the items of benchmarks, and the documents without it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError
from rich.console import Console

from mixers.files import finished_file
from pipelines.commands.console import SILENT, PlainConsole
from pipelines.commands.files import PART_BYTES, SCOPE, ingest
from pipelines.commands.job import Job, run_job
from pipelines.commands.kept import KEPT, publish_kept
from pipelines.commands.quarantine import QUARANTINE, publish_quarantine
from pipelines.errors import UserError
from pipelines.execution.stage import inputs_first
from pipelines.graph.contamination import cut_parts, verdicts_on
from pipelines.graph.inputs import LiveInputs
from pipelines.plain import print_json
from pipelines.recipe.decontaminate import Decontaminate
from pipelines.recipe.mistakes import in_words
from pipelines.recipe.yaml_text import parse_value
from pipelines.sources.judgements import Judgements
from pipelines.sources.quarantine import tell
from pipelines.stages.contamination.benchmarks import Benchmarks
from pipelines.stages.contamination.kept import KeptClean
from pipelines.stages.contamination.verdicts import ALLOWED, CUT, DROP, FLAG, ContaminationVerdicts
from pipelines.stages.ingest import Ingest
from pipelines.stages.parts import PartStage

MATCHES = "matches.parquet"
COLUMNS = {
    "doc_id": pa.string(),
    "benchmark": pa.string(),
    "item_id": pa.string(),
    "start": pa.int64(),
    "end": pa.int64(),
    "score": pa.float32(),
    "kind": pa.string(),
    "split": pa.string(),
    "question": pa.float32(),
    "answer": pa.float32(),
    "passage": pa.float32(),
    "solution": pa.float32(),
    "mechanism": pa.string(),
    "action": pa.string(),
}
"""Of `matches.parquet`: characters, shares from 0 to 1, and what was done."""
HINT = (
    "Write --against NAME=FILE, or --against TASK for a task of lm-evaluation-harness; --set exam.question=q."
)


def decontaminate_files(
    files: list[str],
    against: list[str],
    settings: list[str],
    allow: str | None,
    output: Path,
    messages: str | None,
    workers: int | None,
    json: bool,
    quiet: bool,
) -> None:
    """`coupage decontaminate`."""
    summary = decontaminate(
        files,
        output,
        against=_benchmarks(against),
        settings=settings,
        allow=allow,
        messages=messages,
        workers=workers,
        console=PlainConsole(stderr=True, only_warnings=quiet),
    )
    tell(summary["bad_records"], f"see {output / QUARANTINE}")
    if json:
        print_json(summary)
    else:
        _print(summary, output, PlainConsole())


def decontaminate(
    files: Sequence[str | Path],
    output: str | Path,
    *,
    against: Mapping[str, str | Path | Mapping[str, Any]],
    settings: Sequence[str] = (),
    allow: str | Path | None = None,
    messages: str | None = None,
    workers: int | None = None,
    console: Console = SILENT,
) -> dict[str, Any]:
    """Find items of benchmarks in documents: `matches.parquet`, and the documents without them in `kept/`.

    Of items of a benchmark that say the same, the matches name the first alone.

    Args:
        files: .parquet, .jsonl, .jsonl.gz or .jsonl.zst with a column `text`, optionally `id`.
        output: The folder to write.
        against: Benchmarks by name: a file, or what a recipe says in `decontaminate.against`.
        settings: `KEY=VALUE`, as in a recipe's `decontaminate`: `action.question=drop`, or a field of a
            benchmark, `exam.question=q`.
        allow: A file of judgements: matches that are none.
        messages: The field that holds a conversation, or a format such as `alpaca`; without it a record with
            no `text` whose fields fit one format is read so.
        workers: Processes; one a core by default.
        console: Where progress is shown.

    Returns:
        The summary: documents, kept, what was done with those that have a match, matches by kind of each
        benchmark.

    Raises:
        UserError: A file, a benchmark or a setting is wrong, or the folder holds something else.
        WorkError: The data of a benchmark cannot be had.
    """
    config = _configured(against, settings)
    inputs = LiveInputs(Path())
    for name, benchmark in config.against.items():
        benchmark.require(name, inputs.base_folder)
    benchmarks = Benchmarks(
        scope="", against={name: inputs.benchmark(name, each) for name, each in config.against.items()}
    )
    judgements = inputs.judgements(str(allow)) if allow else Judgements()
    parts = ingest([*map(str, files)], messages, console)
    verdicts = verdicts_on(parts, benchmarks, config, judgements)
    left: PartStage = parts
    last = verdicts
    if CUT in verdicts.actions.values():
        left = cut_parts(parts, verdicts, PART_BYTES)
        last = verdicts_on(left, benchmarks, config, judgements)
    kept = KeptClean(scope=SCOPE, parts=left, verdicts=last)
    job = Job(
        command="decontaminate",
        settings=verdicts.settings,
        stages=tuple(inputs_first([kept])),
        results=(MATCHES, KEPT, QUARANTINE),
        publish=lambda work, output: _publish(parts, verdicts, kept, work, output),
    )
    return run_job(job, Path(output), workers, console)


def _benchmarks(given: Sequence[str]) -> dict[str, Any]:
    """Each as `NAME=FILE`, or the name of a task alone."""
    found: dict[str, Any] = {}
    for each in given:
        name, equals, file = each.partition("=")
        if name in found:
            raise UserError(f"--against {name}: given twice", hint="Give each benchmark a name of its own.")
        found[name] = file if equals else {"task": name}
    return found


def _configured(against: Mapping[str, Any], settings: Sequence[str]) -> Decontaminate:
    """The section of a recipe that says the same."""
    benchmarks = {
        name: {"path": str(each)} if isinstance(each, str | Path) else deepcopy(dict(each))
        for name, each in against.items()
    }
    section: dict[str, Any] = {"against": benchmarks, "action": {}, "thresholds": {}}
    for setting in settings:
        key, equals, value = setting.partition("=")
        first, _, rest = key.partition(".")
        if not equals or not rest or (first not in benchmarks and first not in ("action", "thresholds")):
            raise UserError(f"--set {setting}: no such setting", hint=f"{HINT[:-1]}, action.question=drop.")
        place: dict[str, Any] = benchmarks[first] if first in benchmarks else section[first]
        if rest.startswith("action."):
            place, rest = place.setdefault("action", {}), rest.removeprefix("action.")
        place[rest] = parse_value(value, f"--set {key}")
    try:
        return Decontaminate.model_validate(section)
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(map(str, fault["loc"]))
        raise UserError(in_words(dict(fault)), place=where, hint=HINT) from error


def _publish(
    parts: Ingest, verdicts: ContaminationVerdicts, kept: KeptClean, work: Path, output: Path
) -> dict[str, Any]:
    """Write `matches.parquet` part by part, and give the kept documents their places."""
    benchmarks = verdicts.matches.benchmarks
    bad_records = publish_quarantine((parts,), work, output, [benchmarks.set_aside(work)])
    publish_kept(kept, work, output)
    done: Counter[str] = Counter()
    matches: Counter[tuple[str, str]] = Counter()
    hit: dict[str, set[str]] = {name: set() for name in benchmarks.against}
    with (
        finished_file(output / MATCHES) as path,
        pq.ParquetWriter(path, pa.schema(COLUMNS), compression="zstd") as writer,
    ):
        for _, table in verdicts.tables(work):
            writer.write_table(table.select(COLUMNS.keys()).to_arrow().cast(pa.schema(COLUMNS)))
            done.update(_done(table))
            matches.update(table.select("benchmark", "kind").rows())
            for (benchmark,), found in table.group_by("benchmark"):
                hit[str(benchmark)] |= set(found["item_id"])
    counts = benchmarks.manifest(work).counts
    return {
        "documents": sum(parts.part_rows(work)),
        "kept": kept.manifest(work).counts.left("documents"),
        "with_matches": {action: done[action] for action in (DROP, CUT, FLAG, ALLOWED)},
        "benchmarks": {
            name: {
                "items": sum(number for key, number in counts.rows("items") if key.scope == name),
                "items_alike": counts.number("items_alike", scope=name),
                "items_found": len(items),
                "matches": {kind: number for (of, kind), number in sorted(matches.items()) if of == name},
                "set_aside": {
                    key.reason: number
                    for key, number in sorted(counts.dropped("items").items())
                    if key.scope == name
                },
            }
            for name, items in hit.items()
        },
        "bad_records": bad_records,
    }


def _done(matches: pl.DataFrame) -> Counter[str]:
    """Documents by the hardest thing that is done with them."""
    order = pl.Enum([DROP, CUT, FLAG, ALLOWED])
    hardest = matches.group_by("row").agg(pl.col("action").cast(order).min())
    return Counter(dict(hardest["action"].cast(pl.String).value_counts().rows()))


def _print(summary: dict[str, Any], output: Path, console: Console) -> None:
    done = summary["with_matches"]
    console.print(
        f"{summary['documents']:,} documents, {summary['kept']:,} kept: {output / KEPT}\n"
        f"{done[DROP]:,} dropped, {done[CUT]:,} cut, {done[FLAG]:,} flagged, {done[ALLOWED]:,} allowed: "
        f"{output / MATCHES}",
        highlight=False,
        soft_wrap=True,
    )
    for name, found in summary["benchmarks"].items():
        kinds = ", ".join(f"{kind} {number:,}" for kind, number in found["matches"].items()) or "no match"
        console.print(
            f"{name}: {found['items_found']:,} of {found['items']:,} items found; {kinds}",
            highlight=False,
            soft_wrap=True,
        )
        if found["items_alike"]:
            console.print(
                f"{name}: {found['items_alike']:,} items say the same as another one; the first is named",
                highlight=False,
                soft_wrap=True,
            )
        if lost := sum(found["set_aside"].values()):
            reasons = ", ".join(f"{reason} ({number:,})" for reason, number in found["set_aside"].items())
            console.print(
                f"{name}: {lost:,} set aside as no item: {reasons}; see {output / QUARANTINE}",
                highlight=False,
                soft_wrap=True,
            )
