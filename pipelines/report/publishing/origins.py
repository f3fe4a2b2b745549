"""Where the documents of each source come from, as those who publish a dataset are asked to say it.

No path of this machine is named: these facts stand in files that are meant for others.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

from pipelines.graph.build import Graph
from pipelines.sources.formats import suffix_of
from pipelines.sources.hub import page_of
from pipelines.sources.remote.places import is_remote
from pipelines.sources.remote.secrets import masked
from pipelines.sources.web.identity import PAGE_SUFFIXES, WEB_ARCHIVE_SUFFIXES
from pipelines.stages.ingest import Ingest

DATASET, PUBLIC_CRAWL, WEB, FILES, REPOSITORIES, PAPERS, INSTALLED, SYNTHETIC = (
    *("dataset", "public_crawl", "web", "files", "repositories", "papers", "installed_packages"),
    "synthetic",
)
"""The kinds of origins."""
_OF_READER = {"git": REPOSITORIES, "arxiv": PAPERS, "python_environment": INSTALLED}
_ON_HUB = re.compile(r"hf://datasets/([^/@]+/[^/@]+)(?:@([^/]+))?")
_COMMON_CRAWL = re.compile(r"commoncrawl|(?:^|/)CC-MAIN-\d{4}")


def origins(graph: Graph) -> list[dict[str, Any]]:
    """The origin of each source whose documents may enter the mixtures, synthetic ones too.

    `kind` is one of the kinds above; of a `dataset` it is said which, at which commit; of remote files the
    `address`; `formats` counts the files by how they are read.
    """
    parts = [parts for parts, _ in graph.part_stages() if parts.scope not in graph.recipe.dedup.against]
    return [
        {"source": each.scope}
        | (_read(graph, each.origin) if isinstance(each.origin, Ingest) else _origin(SYNTHETIC))
        for each in parts
    ]


def _read(graph: Graph, ingest: Ingest) -> dict[str, Any]:
    config = graph.recipe.sources[ingest.scope].model_dump()
    found = ingest.source.identity()
    paths = [file[0] for file in found.get("files", ())]
    reader, given = config["reader"], config.get("path", "")
    if reader == "hub" and "pinned" in found:
        return _origin(DATASET, dataset=config["dataset"], revision=found["pinned"], subset=config["subset"])
    if (on_hub := _ON_HUB.match(given)) is not None:
        return _origin(DATASET, dataset=on_hub[1], revision=on_hub[2], formats=_formats(paths))
    return _origin(
        _OF_READER.get(reader) or _kind_of_files(given, paths),
        address=masked(given) if is_remote(given) else None,
        formats=_formats(paths),
    )


def _origin(
    kind: str,
    *,
    dataset: str | None = None,
    revision: str | None = None,
    subset: str | None = None,
    address: str | None = None,
    formats: dict[str, int] | None = None,
) -> dict[str, Any]:
    return {
        "kind": kind,
        "dataset": dataset,
        "revision": revision,
        "subset": subset,
        "address": page_of(dataset) if dataset else address,
        "formats": formats or {},
    }


def _formats(paths: Iterable[str]) -> dict[str, int]:
    counts = Counter(suffix_of(path) or "other" for path in paths)
    return dict(sorted(counts.items(), key=lambda row: (-row[1], row[0])))


def _kind_of_files(given: str, paths: list[str]) -> str:
    """Whether files are pages of the web, those of a crawl that is public, or other files."""
    if not any(suffix_of(path) in WEB_ARCHIVE_SUFFIXES + PAGE_SUFFIXES for path in paths):
        return FILES
    is_public = _COMMON_CRAWL.search(given) or all(map(_COMMON_CRAWL.search, paths))
    return PUBLIC_CRAWL if is_public else WEB


_IN_WORDS = {
    PUBLIC_CRAWL: "archives of a public crawl",
    WEB: "web pages",
    FILES: "files",
    REPOSITORIES: "git repositories",
    PAPERS: "papers of arXiv",
    INSTALLED: "packages of a Python installation",
    SYNTHETIC: "made from other documents",
}


def origin_in_words(origin: dict[str, Any]) -> str:
    """Where the documents of a source come from, in a few words."""
    if origin["kind"] != DATASET:
        return " at ".join(filter(None, (_IN_WORDS[origin["kind"]], origin["address"])))
    subset = f", subset {origin['subset']}" if origin["subset"] else ""
    commit = f", commit {origin['revision'][:12]}" if origin["revision"] else ""
    return f"{origin['dataset']}{subset}{commit}"


def own_sources(content: dict[str, Any]) -> list[dict[str, Any]]:
    """The funnels of a report's sources that have an origin: not of those that are only compared with."""
    named = {each["source"] for each in content["origins"]}
    return [source for source in content["sources"] if source["source"] in named]
