"""Where a run comes from: recipe, inputs, versions, machine and dates.

What decides the bytes was recorded by the stages; packages and machine are those where the report is written,
which are the run's where it is written at its end. Host and user are nobody's business.
"""

from __future__ import annotations

import os
import platform
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from mixers.shard_index import read_index
from pipelines.execution.fingerprint import fingerprint, library_versions
from pipelines.execution.manifest import MANIFEST
from pipelines.execution.output import TASKS
from pipelines.execution.trained_stage import TrainedStage, trained_stages
from pipelines.graph.build import Graph
from pipelines.plain import json_bytes
from pipelines.report.finished import Finished
from pipelines.sources.remote.http import is_http
from pipelines.sources.remote.places import is_remote
from pipelines.sources.remote.secrets import masked
from pipelines.stages.ingest import Ingest
from pipelines.stages.set_aside import losses_of
from trainers.result import RESULT

PACKAGES = (
    "numpy",
    "numba",
    "polars",
    "pyarrow",
    "xxhash",
    "orjson",
    "datasets",
    "datatrove",
    "fastokens",
    "fasttext-community",
    "ftfy",
    "tokenizers",
)
"""Those that decide what documents, tokens and rows are."""
TRAINING_PACKAGES = ("torch", "transformers", "accelerate", "peft")
_BEHIND = re.compile(r"[?#].*")
_USER = re.compile(r"(?<=://)[^/]*@")


def lineage_report(graph: Graph, done: Finished) -> dict[str, Any]:
    """Where the run comes from, JSON-able; `written` is now."""
    recipe, workdir = graph.recipe, done.workdir
    trained = trained_stages(workdir, recipe.mixtures)
    manifests = [stage.manifest(workdir) for stage in done.of(graph.stages())]
    packages = (*PACKAGES, *(TRAINING_PACKAGES if trained else ()))
    return {
        "written": _time(datetime.now(UTC).timestamp()),
        **_dates(graph, done, trained),
        "coupage": library_versions("coupage")["coupage"],
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "memory_bytes": _memory(),
        "packages": {name: version for name, version in library_versions(*packages).items() if version},
        "recipe": masked(recipe.model_dump_json(indent=2)),
        "recipe_fingerprint": fingerprint(recipe.model_dump(mode="json")),
        "stage_versions": {each.stage: each.version for each in manifests},
        "shards": {
            name: _shards(stage.dataset(workdir)) for name, stage in graph.shards.items() if stage in done
        },
        "inputs": [_input(ingest, graph, done) for ingest in graph.ingests],
    }


def first_written(content: dict[str, Any], path: Path) -> str:
    """When a report was first written that says the same as `content`: written again it stays as it is."""
    now: str = content["lineage"]["written"]
    try:
        before = orjson.loads(path.read_bytes())
        written: str = before["lineage"].pop("written")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return now
    dateless = content | {"lineage": {k: v for k, v in content["lineage"].items() if k != "written"}}
    return written if orjson.loads(json_bytes(dateless)) == before else now


def _dates(graph: Graph, done: Finished, trained: list[TrainedStage]) -> dict[str, str | None]:
    """When the first stage was begun and the last one concluded, training too, by the times of their files.

    A copy of a run that does not keep the times of files has its own.
    """
    folders = [stage.folder(done.workdir) for stage in graph.stages()]
    begun = [folder / TASKS for folder in folders]
    ended = [folder / MANIFEST for folder in folders] + [stage.folder / RESULT for stage in trained]
    first = min((path.stat().st_mtime for path in begun if path.is_file()), default=None)
    last = max((path.stat().st_mtime for path in ended if path.is_file()), default=None)
    return {"began": _time(first), "ended": _time(last)}


def _time(seconds: float | None) -> str | None:
    """UTC, ISO 8601."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(int(seconds), UTC).isoformat().replace("+00:00", "Z")


def _memory() -> int | None:
    """Of the machine, in bytes; None where the system does not say."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def _shards(dataset: Path) -> dict[str, Any]:
    """What tells some shards from others."""
    index = read_index(dataset)
    return {
        "recipe_fingerprint": index.recipe_fingerprint,
        "tokenizer_hash": index.tokenizer_hash,
        "sequence_length": index.sequence_length,
        "seed": index.seed,
        "rows": index.rows,
        "tokens": index.tokens,
        "files": {file.name: file.hash for file in index.files},
        "segments_hash": index.segments_hash,
        "ledger_hash": index.ledger_hash,
    }


def _input(ingest: Ingest, graph: Graph, done: Finished) -> dict[str, Any]:
    """What a source read: where it lies, how much there is, and its commit on a hub; null where unknown."""
    config = graph.recipe.sources[ingest.scope]
    identity = ingest.settings["input"]
    files = identity.get("files")
    counts = ingest.manifest(done.workdir).counts if ingest in done else None
    path = getattr(config, "path", None)
    return {
        "source": ingest.scope,
        "reader": config.reader,
        "path": without_secrets(path) if path else None,
        **{key: identity.get(key) for key in ("dataset", "subset", "split", "revision", "pinned")},
        "commits": dict(identity["repositories"]) if "repositories" in identity else {},
        "limit": config.limit,
        "files": len(files) if files is not None else None,
        "bytes": _bytes(files),
        "read_bytes": losses_of(counts).input_bytes if counts else None,
    }


def _bytes(files: list[list[Any]] | None) -> int | None:
    """What all files weigh together."""
    return None if files is None else sum(size for _, size, *_ in files)


def without_secrets(path: str) -> str:
    """A path as it is; of a URL neither who logs in, nor what stands behind the path."""
    if not is_remote(path):
        return path
    return _USER.sub("", _BEHIND.sub("", path) if is_http(path) else masked(path))  # elsewhere ? is a glob's
