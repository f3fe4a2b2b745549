"""The report's section on hosts: where the documents of each source come from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from pipelines.graph.build import Graph
from pipelines.report.finished import Finished
from pipelines.report.surveyed import Surveyed, surveyed
from pipelines.stages.survey.survey import HOSTS, Survey

SHOWN = 50
NUMBERS = ("documents", "bytes", "kept_documents", "kept_bytes")


def host_reports(graph: Graph, done: Finished) -> list[dict[str, Any]]:
    """The hosts of each source that is surveyed and has any."""
    return [report for each in surveyed(graph, done) if (report := _source(each))["hosts"]]


def hosts_of(survey: Survey, workdir: Path, source: str) -> pl.DataFrame:
    """All hosts of a source's documents, that with most bytes first.

    It holds a row a host, which `pipelines.stages.survey.hosts.HOST_NUMBERS` describes.
    """
    merged = survey.scan(workdir, HOSTS, source).group_by("host").agg(pl.sum(*NUMBERS))
    return merged.sort("bytes", "host", descending=[True, False]).collect(engine="streaming")


def _source(each: Surveyed) -> dict[str, Any]:
    found = hosts_of(each.survey, each.workdir, each.source)
    return {
        "source": each.source,
        "hosts": len(found),
        **{name: int(found[name].sum()) for name in NUMBERS if name != "kept_documents"},
        "top": found.head(SHOWN).to_dicts(),
    }
