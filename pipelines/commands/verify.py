"""`coupage verify`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.commands.open_run import open_run
from pipelines.commands.published import AGAIN, published_run
from pipelines.errors import WorkError
from pipelines.execution.manifest import Damage
from pipelines.execution.seal import ATTEMPT, RUN_SEAL, check_run, no_run
from pipelines.execution.trained_stage import FOLDER
from pipelines.graph.build import Graph
from pipelines.graph.synthesis import about_stage1
from pipelines.plain import print_json, say
from pipelines.recipe.recipe import FIRST_STAGE
from pipelines.sources.remote.places import is_remote
from pipelines.sources.remote.secrets import masked

OF_OUTCOME = ("outcome", "passages")
"""Folders of a run that `coupage outcome` fills, and fills again."""


def verify_run(name: str, json: bool) -> None:
    """`coupage verify`."""
    if is_remote(name):
        _verify_published(name, json)
    else:
        _verify_folder(Path(name), json)


def _verify_published(url: str, json: bool) -> None:
    """Compare every byte there with what was published."""
    damages = [(masked(file), what) for file, what in published_run(url).damages()]
    if json:
        print_json([{"file": file, "what": what} for file, what in damages])
    elif not damages:
        say("every hash is right")
    if damages:
        raise WorkError("\n".join(f"{file}: {what}" for file, what in damages), hint=AGAIN)


def _verify_folder(folder: Path, json: bool) -> None:
    if not any((folder / name).exists() for name in (RUN_SEAL, ATTEMPT, "stages")):
        raise no_run(folder)
    damages = list(check_run(folder))
    if not damages and (folder / RUN_SEAL).exists():
        damages = list(_parents_astray(open_run(folder).graph, folder))
    if json:
        print_json([{"file": str(damage.file), "what": damage.what} for damage in damages])
    elif not damages and (folder / RUN_SEAL).exists():
        say("every hash, count and sum is right")
    elif not damages:
        say("every hash, count and sum is right, as far as the unfinished run has come")
    if damages:
        raise WorkError(
            "\n".join(f"{damage.file}: {damage.what}" for damage in damages), hint=_mend(folder, damages)
        )


def _parents_astray(graph: Graph, folder: Path) -> Iterator[Damage]:
    """Yield each stage that asks about a document which the shards of Stage 1 do not hold."""
    segments = folder / "shards" / FIRST_STAGE / "segments.parquet"
    for stage in about_stage1(graph.stages()):
        parents = [
            pq.read_table(stage.path(folder, name), columns=["parent_id"]).column("parent_id")
            for name in stage.part_names(folder)
        ]
        asked = pc.unique(pa.chunked_array([chunk for each in parents for chunk in each.chunks], pa.string()))
        astray = pc.invert(pc.is_in(asked, _held(segments, asked)))
        if number := pc.sum(astray).as_py():
            first = asked.filter(astray)[0].as_py()
            what = f"{number:,} documents that it asks about are not in {segments}, first {first}"
            yield Damage(stage.folder(folder), what)


def _held(segments: Path, doc_ids: pa.Array) -> pa.Array:
    """Those of these documents that the shards hold."""
    found = [pa.array([], pa.string())]
    with pq.ParquetFile(segments) as file:
        for batch in file.iter_batches(columns=["doc_id"]):
            held = batch.column("doc_id").cast(pa.string())
            found.append(pc.unique(held.filter(pc.is_in(held, doc_ids))))
    return pc.unique(pa.chunked_array(found))


def _mend(folder: Path, damages: Sequence[Damage]) -> str:
    """What leads to right bytes again, and what nothing can bring back."""
    files = [damage.file.relative_to(folder) for damage in damages]
    stages = sorted({str(folder / "stages" / path.parts[1]) for path in files if path.parts[0] == "stages"})
    trained = sorted({str(folder / FOLDER / path.parts[1]) for path in files if path.parts[0] == FOLDER})
    asked = sorted({str(folder / Path(*path.parts[:2])) for path in files if path.parts[0] in OF_OUTCOME})
    advice = []
    if stages:
        advice.append(f"Remove the damaged stages and run the recipe again: rm -r {' '.join(stages)}")
    elif any(path.parts[0] not in (FOLDER, *OF_OUTCOME) for path in files):
        advice.append("Run the recipe again.")
    if trained:
        advice.append(
            f"Nothing here can bring back {', '.join(trained)}: take a copy, or remove it and train again."
        )
    if asked:
        advice.append(f"Remove {', '.join(asked)}, and give `coupage outcome` again.")
    return " ".join(advice)
