"""The results of a run under their lasting names: links into stages, the report, the seal.

What the user put into the folder stays: only what a run made is replaced or removed.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from mixers.files import write_bytes
from pipelines.commands.published import SHARDS, TOKENIZER
from pipelines.errors import UserError
from pipelines.execution.seal import (
    ATTEMPT,
    OWN_FILES,
    RUN_SEAL,
    Published,
    RunRecord,
    check_published,
    seal_run,
)
from pipelines.execution.sealed_folder import files_below
from pipelines.execution.stage import Stage
from pipelines.graph.build import Graph
from pipelines.report.write import write_report
from pipelines.stages.shards import DATASET
from pipelines.stages.tokenizer_folder import FOLDER


def publish(graph: Graph, record: RunRecord, workdir: Path) -> None:
    """Check the results of a run, give them their lasting names, write the report and seal the run."""
    for stage in graph.results:
        stage.whole_folder(workdir)
    results = {name: Published.of(*result, workdir) for name, result in _results(graph).items()}
    for name, published in results.items():
        _publish(workdir, name, published)
    _remove_stale_links(workdir, results)
    write_bytes(workdir / "recipe.json", f"{record.recipe}\n".encode())
    write_report(graph, workdir)
    seal_run(workdir, record.model_copy(update={"published": results}))


def check_places(workdir: Path, graph: Graph, finished: RunRecord | None) -> None:
    """Raise UserError where the user has other things at the places of a run's results."""
    if finished is None and not (workdir / RUN_SEAL).exists() and not (workdir / ATTEMPT).exists():
        for name in OWN_FILES:
            if (workdir / name).exists():
                raise UserError(
                    "is there already, and no run wrote it",
                    file=str(workdir / name),
                    hint="Choose another --workdir, or move the file away.",
                )
    if finished is None and (workdir / RUN_SEAL).exists():
        return  # it is damaged, and nobody knows whose they are: what no run makes is moved aside
    before = finished.published if finished else {}
    for name in _results(graph):
        if (strange := _strange(workdir, name, before.get(name))) is not None:
            raise UserError(
                "stands where a result of the run belongs, and no run made it",
                file=str(strange),
                hint=f"Move it out of {workdir / name}.",
            )


def _results(graph: Graph) -> dict[str, tuple[Stage, str]]:
    """Each result by its path in the run's folder: its stage, and the folder in that."""
    shards = {f"{SHARDS}/{name}": (stage, DATASET) for name, stage in graph.shards.items()}
    return {**shards, TOKENIZER: (graph.tokenizer, FOLDER)}


def _strange(workdir: Path, name: str, published: Published | None) -> Path | None:
    """What no run made at the place of a result: of a copied run a result may be a folder."""
    path = workdir / name
    if path.is_symlink() or not path.exists():
        return None
    if not path.is_dir() or published is None:
        return path
    known = {file.name for file in published.files}
    files = (file for file in files_below(path) if file.relative_to(path).as_posix() not in known)
    return next(files, None)


def _publish(workdir: Path, name: str, published: Published) -> None:
    """Make a link to the stage, unless a copy of the same bytes is there."""
    path = workdir / name
    if not path.is_symlink() and not any(check_published(workdir, name, published)):
        return
    if _strange(workdir, name, published) is not None:
        path.rename(path.with_name(f"{path.name}.moved-aside"))
    elif path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    path.parent.mkdir(exist_ok=True)
    temporary = path.with_name(f".{path.name}")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(os.path.relpath(workdir / "stages" / published.stage / published.below, path.parent))
    os.replace(temporary, path)


def _remove_stale_links(workdir: Path, results: dict[str, Published]) -> None:
    """Remove the links of an earlier recipe's results."""
    stages = (workdir / "stages").resolve()
    for path in (workdir / SHARDS).iterdir():
        is_ours = path.is_symlink() and path.resolve().is_relative_to(stages)
        if is_ours and f"{SHARDS}/{path.name}" not in results:
            path.unlink()
