"""The files of a report, all from what `report.json` holds: so every figure of theirs is one of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import polars as pl

from mixers.files import write_bytes
from pipelines.execution.seal import REPORT_FILES
from pipelines.graph.build import Graph
from pipelines.plain import json_bytes
from pipelines.report.finished import Finished
from pipelines.report.hosts import hosts_of
from pipelines.report.page.page import render_page
from pipelines.report.publishing.card import render_card
from pipelines.report.publishing.croissant import croissant
from pipelines.report.publishing.domains import DOMAINS, crawled_sources, domains_csv, top_domains
from pipelines.report.publishing.eu_summary import render_summary
from pipelines.report.report import gather_report
from pipelines.report.surveyed import surveyed


def write_report(graph: Graph, workdir: Path) -> None:
    """Write the report into the run's folder: for people, for programs, and for those who publish data.

    `REPORT_FILES` are its files; one that there is nothing to say in is removed.
    """
    content = gather_report(graph, workdir)
    found = report_files(content, _crawled_hosts(graph, workdir, content))
    for name in REPORT_FILES:
        if name in found:
            write_bytes(workdir / name, found[name])
        else:
            (workdir / name).unlink(missing_ok=True)


def report_files(content: dict[str, Any], crawled: Iterable[pl.DataFrame]) -> dict[str, bytes]:
    """The files of a report by name. Documents and their sources are hostile text: all is escaped.

    Args:
        content: What `report.json` holds.
        crawled: All hosts of each source that was crawled.
    """
    domains = top_domains(crawled)
    found = {
        "report.json": json_bytes(content),
        "report.html": render_page(content).encode(),
        "README.md": render_card(content).encode(),
        "croissant.json": json_bytes(croissant(content)),
        "eu_training_summary.md": render_summary(content, domains).encode(),
    }
    return found | ({DOMAINS: domains_csv(domains)} if domains else {})


def _crawled_hosts(graph: Graph, workdir: Path, content: dict[str, Any]) -> Iterator[pl.DataFrame]:
    crawled = crawled_sources(content)
    for each in surveyed(graph, Finished(workdir)):
        if each.source in crawled:
            yield hosts_of(each.survey, workdir, each.source)
