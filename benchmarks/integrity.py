"""What the checks of files cost: the share of a run's time that goes into hashing and looking.

    python benchmarks/integrity.py FILE.jsonl [WORKDIR]

Runs a recipe over the file in this process and times what compares files with records: fingerprints of inputs
and hashes of what stages write and of what is read first. Then the same run again with everything cached, and
`verify`. Set NUMBA_NUM_THREADS, POLARS_MAX_THREADS and RAYON_NUM_THREADS to 1 to measure one core.
"""

import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mixers.files
from pipelines.commands.run import run
from pipelines.execution import manifest, output, sealed_folder
from pipelines.execution.executors.base import run_task
from pipelines.execution.executors.local import WorkerPool
from pipelines.execution.schedule import Schedule
from pipelines.execution.seal import check_run
from pipelines.sources import content

RECIPE = """\
name: integrity
sources: {{web: {{reader: files, path: {file}, fields: {{id: id}}}}}}
curate: {{rules: [{{use: [gopher_quality, gopher_repetition]}}]}}
tokenizer: {{train: {{vocabulary_size: 8000}}}}
mixtures: {{stage1: {{tokens: 2M, sequence_length: 2048, weights: {{web: 1}}, on_shortage: repeat}}}}
"""
seconds: Counter[str] = Counter()


def main(file: Path, workdir: Path) -> None:
    """Run, run again, verify; print the shares."""
    workdir.mkdir(parents=True, exist_ok=True)
    recipe = workdir / "integrity.yaml"
    recipe.write_text(RECIPE.format(file=file.resolve()))
    WorkerPool.run = _in_this_process  # type: ignore[method-assign]
    for module, name in (
        (content, "_hash_in_state"),
        (output, "hash_file"),
        (manifest, "known_hash"),
        (sealed_folder, "hash_file"),
    ):
        label = f"{module.__name__.rpartition('.')[2]}.{name}"
        setattr(module, name, _timed(label, getattr(module, name)))
    for what in ("run", "run again, all cached"):
        seconds.clear()
        mixers.files._hash_in_state.cache_clear()
        with _clock() as clock:
            run(recipe, workdir=workdir / "run")
        total, checks = clock(), sum(seconds.values())
        print(f"{what}: {total:.1f} s, of it checks {checks:.2f} s ({checks / total:.2%})")
        for name, spent in seconds.most_common():
            print(f"  {name}: {spent:.2f} s ({spent / total:.2%})")
    mixers.files._hash_in_state.cache_clear()
    with _clock() as clock:
        damages = list(check_run(workdir / "run"))
    size = sum(path.stat().st_size for path in (workdir / "run").rglob("*") if path.is_file())
    print(f"verify: {clock():.1f} s for {size / 1e6:,.0f} MB, {len(damages)} damages")


@contextmanager
def _clock() -> Iterator[Callable[[], float]]:
    started = time.perf_counter()
    yield lambda: time.perf_counter() - started


def _timed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def timed(*arguments: Any) -> Any:
        started = time.perf_counter()
        try:
            return function(*arguments)
        finally:
            seconds[name] += time.perf_counter() - started

    return timed


def _in_this_process(self: WorkerPool, schedule: Schedule) -> None:
    while taken := schedule.take():
        run_task(taken[0].stage, schedule.workdir, taken[0].task)
        schedule.done(taken[0])


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        main(Path(sys.argv[1]), Path(sys.argv[2] if len(sys.argv) > 2 else temporary))
