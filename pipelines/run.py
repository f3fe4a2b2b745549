"""Runs the stages of a recipe in order.

What is finished is kept, every sum is checked, the run is sealed at the end.
"""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import orjson

from pipelines.atomic import remove_unfinished, write_bytes
from pipelines.counts import total
from pipelines.errors import UserError, WorkError
from pipelines.executors.base import Executor
from pipelines.executors.registry import make_executor
from pipelines.graph import Graph, build_graph
from pipelines.inputs import LiveInputs
from pipelines.lock import locked
from pipelines.manifest import MANIFEST, Damaged, Manifest, Receipt, read_manifest, write_sealed
from pipelines.progress import Progress
from pipelines.recipe import Recipe
from pipelines.seal import RUN_SEAL, seal_run
from pipelines.stage import RECEIPTS, TASKS, Stage, StageOutput, read_receipt
from pipelines.stages.ingest import Ingest, bad_records, quarantined


@dataclass(frozen=True)
class RunOptions:
    """How to run, as opposed to what."""

    workdir: Path
    workers: int | None = None
    until: str | None = None
    executor: str = "local"


def run(recipe: Recipe, base_folder: Path, options: RunOptions, progress: Progress) -> Graph:
    """Run what is not finished. Raises UserError or WorkError; finished parts are always kept."""
    executor = make_executor(options.executor, recipe.executor, options.workers, progress.warn)
    with locked(options.workdir), executor:
        (options.workdir / RUN_SEAL).unlink(missing_ok=True)
        inputs = LiveInputs.for_run(base_folder, options.workdir)
        inputs.pin(recipe, options.workdir)
        graph = build_graph(recipe, inputs)
        stages = _until(list(graph.stages()), options.until)
        for stage in stages:
            run_stage(stage, options.workdir, executor, progress)
            if isinstance(stage, Ingest):
                _check_quarantine(stage, options.workdir, recipe.quarantine.max_share)
        if options.until is None:
            _publish(graph, recipe, options.workdir)
    return graph


def _until(stages: list[Stage], name: str | None) -> list[Stage]:
    """The stages up to the last one called `name`, a label or the name of a kind."""
    if name is None:
        return stages
    last = max((i for i, stage in enumerate(stages) if name in (stage.label, stage.name)), default=None)
    if last is None:
        names = ", ".join(dict.fromkeys(stage.name for stage in stages))
        raise UserError(f"there is no stage `{name}`", mend=f"Stages: {names}.")
    return stages[: last + 1]


def run_stage(stage: Stage, workdir: Path, executor: Executor, progress: Progress) -> None:
    """Run one stage unless it is finished."""
    folder = stage.folder(workdir)
    if _finished(folder, workdir):
        progress.cached(stage)
        return
    started = time.monotonic()
    tasks = _task_count(stage, workdir, folder)
    progress.start(stage, tasks, [r for r in map(lambda n: read_receipt(folder, n), range(tasks)) if r])
    executor.run_stage(stage, workdir, tasks, progress.advance)
    _conclude(stage, workdir, tasks, started)
    progress.end(stage)


def _finished(folder: Path, workdir: Path) -> bool:
    try:
        done = read_manifest(folder) is not None
    except Damaged as error:
        raise WorkError(
            error.why,
            file=str(error.path),
            mend=f"Remove {folder} and run again; `coupage verify` finds all damage.",
        ) from error
    if done:
        shutil.rmtree(folder / RECEIPTS, ignore_errors=True)
    return done


def _task_count(stage: Stage, workdir: Path, folder: Path) -> int:
    """The number of tasks; the list is made once, so that a resumed run has the same."""
    remove_unfinished(folder)
    path = folder / TASKS
    if not path.exists():
        write_bytes(path, orjson.dumps(stage.tasks(workdir)))
    return len(orjson.loads(path.read_bytes()))


def _conclude(stage: Stage, workdir: Path, tasks: int, started: float) -> None:
    """Check the sums, write the stage's own files, and the manifest last."""
    folder = stage.folder(workdir)
    receipts = [_receipt(folder, number) for number in range(tasks)]
    counts = total(receipt.counts for receipt in receipts)
    _check_conservation(stage, workdir, receipts)
    output = StageOutput(folder)
    stage.finish(workdir, output)
    output.adopt(TASKS)
    manifest = Manifest(
        stage=stage.name,
        scope=stage.scope,
        version=stage.version,
        fingerprint=stage.fingerprint,
        settings=stage.settings,
        inputs={before.label: before.fingerprint for before in stage.inputs},
        tasks=receipts,
        files=output.files,
        counts=counts,
        seconds=round(time.monotonic() - started, 3),
    )
    write_sealed(folder / MANIFEST, manifest.to_json())
    shutil.rmtree(folder / RECEIPTS, ignore_errors=True)


def _receipt(folder: Path, number: int) -> Receipt:
    receipt = read_receipt(folder, number)
    if receipt is None:
        raise WorkError(
            f"task {number} left no receipt", file=str(folder), mend="Run the same command again."
        )
    return receipt


def _check_conservation(stage: Stage, workdir: Path, receipts: list[Receipt]) -> None:
    counts = total(receipt.counts for receipt in receipts)
    open_sums = counts.unclosed()
    for unit, expected in stage.expected_entries(workdir).items():
        entered = counts.flows[unit].entered if unit in counts.flows else 0
        if entered != expected:
            open_sums.append(f"{unit}: {expected} came from the stages before, {entered} entered")
    if open_sums:
        raise WorkError(
            f"the sums of `{stage.label}` do not close: " + "; ".join(open_sums),
            mend="Nothing was published. This is a defect; please report it.",
        )


def _check_quarantine(stage: Ingest, workdir: Path, max_share: float) -> None:
    """Raises UserError, naming file and place, when more than `max_share` of a source's records is bad."""
    bad, read = bad_records(stage, workdir)
    if bad <= max_share * read:
        return
    first = next(table for table in quarantined(stage, workdir)).slice(0, 1).to_pylist()[0]
    raise UserError(
        f"{bad} of {read} records of the source `{stage.scope}` are bad, more than the limit of "
        f"{max_share:.2%}; the first: {first['reason']}",
        file=first["file"],
        place=first["position"],
        mend="Mend the input, or raise `quarantine.max_share` in the recipe. "
        f"All bad records: {stage.folder(workdir) / 'quarantine'}",
    )


def _publish(graph: Graph, recipe: Recipe, workdir: Path) -> None:
    """Give the results their lasting names, write the report and seal the run."""
    from pipelines.report import write_report

    links = workdir / "shards"
    links.mkdir(exist_ok=True)
    for name, stage in graph.shards.items():
        _link(links / name, stage.dataset(workdir))
    for path in links.iterdir():
        if path.name not in graph.shards:
            path.unlink()
    _link(workdir / "tokenizer", graph.tokenizer.folder(workdir) / "tokenizer")
    write_bytes(
        workdir / "recipe.json", orjson.dumps(recipe.model_dump(mode="json"), option=orjson.OPT_INDENT_2)
    )
    write_report(graph, workdir)
    seal_run(graph, workdir)


def _link(link: Path, target: Path) -> None:
    relative = os.path.relpath(target, link.parent)
    if link.is_symlink() and os.readlink(link) == relative:
        return
    temporary = link.with_name(f".{link.name}")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(relative)
    os.replace(temporary, link)
