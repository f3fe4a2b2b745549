"""Where a command's results go: they appear whole or not at all, and never over something else."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console

from mixers.files import write_bytes
from pipelines.commands.console import shown_on
from pipelines.commands.folder import make_folder
from pipelines.errors import UserError
from pipelines.execution.executors.local import WorkerPool
from pipelines.execution.fingerprint import fingerprint
from pipelines.execution.lock import only_run_in
from pipelines.execution.log_file import LogFile
from pipelines.execution.progress import Progress
from pipelines.execution.run_stages import run_stages
from pipelines.execution.stage import Stage
from pipelines.graph.expected_seconds import expected_seconds
from pipelines.stages.ingest import Ingest

SUMMARY = "summary.json"
WORK = ".work"


@dataclass(frozen=True)
class Job:
    """What a command makes: stages, and how their output becomes the results that the user asked for."""

    command: str
    settings: dict[str, Any]
    stages: tuple[Stage, ...]
    """In the order in which they run."""
    results: tuple[str, ...]
    """Names in the output folder."""
    publish: Callable[[Path, Path], dict[str, Any]]
    """Writes the results, from the work folder to the output folder; returns the summary of the work."""

    @property
    def fingerprint(self) -> str:
        """Names the inputs, the settings and the code."""
        stages = [stage.fingerprint for stage in self.stages]
        return fingerprint({"command": self.command, "settings": self.settings, "stages": stages})


def run_job(job: Job, output: Path, workers: int | None, console: Console) -> dict[str, Any]:
    """Run the job unless `output` holds its results, and return its summary.

    An interrupted job goes on where it stopped. The work folder `.work` is removed at the end, the summary is
    written last. Raises UserError when `output` holds anything else of these names.
    """
    make_folder(output)
    if (done := _summary(output, job)) is not None:
        return done
    with only_run_in(output / WORK):
        with Progress(LogFile(), shown_on(console)) as progress:
            with WorkerPool(workers or os.cpu_count() or 1) as pool:
                seconds = expected_seconds(job.stages, output / WORK, _sizes(job.stages))
                run_stages(job.stages, output / WORK, pool, progress, seconds=seconds)
            _remove(output, job.results)
            summary = {
                "command": job.command,
                "settings": job.settings,
                "fingerprint": job.fingerprint,
                **job.publish(output / WORK, output),
            }
            write_bytes(output / SUMMARY, orjson.dumps(summary, option=orjson.OPT_INDENT_2) + b"\n")
        shutil.rmtree(output / WORK)  # the log lies in it
    return summary


def _summary(output: Path, job: Job) -> dict[str, Any] | None:
    """The summary of the job if it is done, None if there is nothing or only what an interrupted one left."""
    there = [name for name in job.results if (output / name).exists()]
    path = output / SUMMARY
    try:
        found = orjson.loads(path.read_bytes())
    except FileNotFoundError:
        if there and not (output / WORK).exists():
            raise UserError(
                f"`{there[0]}` is there already", file=str(output), hint="Choose another folder."
            ) from None
        return None
    except (OSError, orjson.JSONDecodeError):
        found = {}
    if not isinstance(found, dict) or found.get("fingerprint") != job.fingerprint:
        raise UserError(
            "the folder holds the results of other inputs or settings",
            file=str(output),
            hint=f"Choose another folder, or remove this one. {path} says what it is.",
        )
    return found if len(there) == len(job.results) else None


def _sizes(stages: Iterable[Stage]) -> dict[str, int]:
    """Bytes of the files that are read, by the labels of the stages that read them."""
    reading = {stage.label: stage.source.size() for stage in stages if isinstance(stage, Ingest)}
    return {label: size for label, size in reading.items() if size is not None}


def _remove(output: Path, names: tuple[str, ...]) -> None:
    for name in names:
        path = output / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def place_file(source: Path, target: Path) -> None:
    """Give a file of the work folder a second name, or copy it where the file system has no hard links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
