"""What the order of tasks costs: the wall time of a run against what no order could beat.

    python -m benchmarks.scheduling [--megabytes 6] [--seconds 20]

First a real recipe of 30 sources of unequal size, on 2 real workers: one stage after another, and ready tasks
of all stages together. Then the same graph with tasks that sleep as long as the real ones took, scaled to
`seconds` of all work over 8 workers. The bound is the larger of the longest path and of that quotient. What a
run does besides tasks (looking at inputs, sums, the report) is in the wall time of the real run alone.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar
from unittest.mock import patch

import numpy as np
import orjson

from pipelines.commands import run as run_command
from pipelines.commands.open_run import Run
from pipelines.execution.executors.base import Executor
from pipelines.execution.executors.local import WorkerPool
from pipelines.execution.output import Task, TaskOutput
from pipelines.execution.progress import Progress
from pipelines.execution.run_stages import run_stages
from pipelines.execution.shared_pass import passes
from pipelines.execution.stage import Stage

SOURCES = 30
REAL_WORKERS, SIMULATED_WORKERS = 2, 8
HEAD = """\
name: scheduling
part_size: 200k
curate: {rules: [{use: [gopher_quality, gopher_repetition]}]}
tokenizer: {train: {vocabulary_size: 4000}}
mixtures: {stage1: {tokens: 500k, sequence_length: 1024, weights: WEIGHTS, on_shortage: repeat}}
sources:
"""

RunStages = Callable[..., None]


def main(megabytes: float, seconds: float) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        recipe = write_recipe(folder, megabytes)
        print(f"{SOURCES} sources, {megabytes:g} MB, {REAL_WORKERS} real workers")
        before, _ = real(recipe, folder / "in_turn", in_turn)
        pool, done = real(recipe, folder / "pool", run_stages)
        lengths = measured(done)
        show(before, pool, bound(done.graph.stages(), lengths, REAL_WORKERS))
        scale = seconds * SIMULATED_WORKERS / sum(map(sum, lengths.values()))
        stages = sleeping(done.graph.stages(), lengths, scale)
        slept = {stage.slug: stage.lengths for stage in stages}
        tasks = sum(map(len, slept.values()))
        print(f"{len(stages)} stages of {tasks} tasks that sleep, {SIMULATED_WORKERS} workers")
        before, pool = (
            simulated(stages, folder / name, run) for name, run in (("a", in_turn), ("b", run_stages))
        )
        show(before, pool, bound(stages, slept, SIMULATED_WORKERS))


def show(before: float, pool: float, least: float) -> None:
    """Wall times, and how many times the bound they are."""
    print(f"  no order could be faster than {least:6.1f} s")
    print(f"  one stage after another       {before:6.1f} s, {before / least:.2f} times that")
    print(f"  ready tasks of all stages     {pool:6.1f} s, {pool / least:.2f} times that")


def write_recipe(folder: Path, megabytes: float) -> Path:
    """A recipe over generated text, of which the n-th source has 1/n as much as the first."""
    rng = np.random.Generator(np.random.PCG64(14))
    letters = list("abcdefghijklmnopqrstuvwxyz")
    words = [
        "the",
        "of",
        "and",
        "to",
        *("".join(rng.choice(letters, rng.integers(2, 9))) for _ in range(5000)),
    ]
    odds = 1 / np.arange(1, len(words) + 1)
    shares = 1 / np.arange(1, SOURCES + 1)
    lines = []
    for number, size in enumerate(megabytes * 1e6 * shares / shares.sum()):
        with (folder / f"{number}.jsonl").open("wb") as file:
            while file.tell() < size:
                chosen = rng.choice(len(words), rng.integers(80, 700), p=odds / odds.sum())
                parts = np.array_split(chosen, len(chosen) // 12)
                sentences = [" ".join(words[i] for i in part) for part in parts]
                file.write(orjson.dumps({"text": ". ".join(sentences) + "."}) + b"\n")
        lines.append(f"  s{number}: {{reader: files, path: {folder}/{number}.jsonl}}")
    weights = "{" + ", ".join(f"s{number}: 1" for number in range(SOURCES)) + "}"
    recipe = folder / "scheduling.yaml"
    recipe.write_text(HEAD.replace("WEIGHTS", weights) + "\n".join(lines) + "\n")
    return recipe


def in_turn(
    stages: Iterable[Stage],
    workdir: Path,
    executor: Executor,
    progress: Progress,
    conclude: Callable[[], None] | None = None,
) -> None:
    """`run_stages` as it was: one stage, or pass, after another."""
    for group in passes(stages):
        run_stages(group, workdir, executor, progress)
    if conclude:
        conclude()


def real(recipe: Path, workdir: Path, run: RunStages) -> tuple[float, Run]:
    """Seconds of a whole run, and the run."""
    with patch.object(run_command, "run_stages", run):
        started = time.perf_counter()
        done = run_command.run(recipe, workdir=workdir, workers=REAL_WORKERS)
        return time.perf_counter() - started, done


def measured(done: Run) -> dict[str, list[float]]:
    """Seconds of each task; those of a shared pass, which each member has whole, are parted among them."""
    lengths = {}
    for members in passes(done.graph.stages()):
        for stage in members:
            tasks = stage.manifest(done.folder).tasks
            lengths[stage.slug] = [task.seconds / len(members) for task in tasks]
    return lengths


def bound(stages: Iterable[Stage], lengths: dict[str, Sequence[float]], workers: int) -> float:
    """Seconds that no order of the tasks could go below."""
    ends: dict[str, float] = {}
    for stage in stages:
        before = max((ends[each.slug] for each in stage.inputs), default=0.0)
        ends[stage.slug] = before + max(lengths[stage.slug], default=0.0)
    return max(max(ends.values()), sum(map(sum, lengths.values())) / workers)


@dataclass(frozen=True, kw_only=True)
class Sleeping(Stage):
    """Tasks that last so long."""

    name: ClassVar[str] = "sleep"
    version: ClassVar[int] = 1
    before: tuple[Stage, ...]
    lengths: tuple[float, ...]
    alone: str = ""

    @property
    def inputs(self) -> tuple[Stage, ...]:
        return self.before

    def tasks(self, workdir: Path) -> list[Task]:
        return [{"seconds": seconds} for seconds in self.lengths]

    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        time.sleep(task["seconds"])


def sleeping(stages: Iterable[Stage], lengths: dict[str, list[float]], scale: float) -> list[Sleeping]:
    """The same graph, of tasks that sleep."""
    made: dict[str, Sleeping] = {}
    for stage in stages:
        made[stage.slug] = Sleeping(
            scope=stage.slug,
            before=tuple(made[before.slug] for before in stage.inputs),
            lengths=tuple(seconds * scale for seconds in lengths[stage.slug]),
            alone=stage.alone,
        )
    return list(made.values())


def simulated(stages: Sequence[Stage], workdir: Path, run: RunStages) -> float:
    """Seconds of a run on workers that were started before."""
    start = Sleeping(scope="start", before=(), lengths=(1.0,) * SIMULATED_WORKERS)
    with WorkerPool(SIMULATED_WORKERS) as pool:
        run_stages([start], workdir, pool, Progress())
        started = time.perf_counter()
        run(stages, workdir, pool, Progress())
        return time.perf_counter() - started


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=float, default=6)
    parser.add_argument("--seconds", type=float, default=20)
    arguments: Any = parser.parse_args()
    main(arguments.megabytes, arguments.seconds)
