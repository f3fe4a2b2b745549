"""The files of a report, all from what `report.json` holds: so every figure of theirs is one of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from mixers.files import write_bytes
from pipelines.execution.seal import REPORT_FILES
from pipelines.graph.build import Graph
from pipelines.plain import json_bytes
from pipelines.report.card import render_card
from pipelines.report.croissant import croissant
from pipelines.report.domains import DOMAINS, crawled_sources, domains_csv, top_domains
from pipelines.report.eu_summary import render_summary
from pipelines.report.page import render_page
from pipelines.report.report import gather_report


def write_report(graph: Graph, workdir: Path) -> None:
    """Write the report into the run's folder: for people, for programs, and for those who publish data.

    `REPORT_FILES` are its files; one that there is nothing to say in is removed.
    """
    content = gather_report(graph, workdir)
    found = report_files(content)
    for name in REPORT_FILES:
        if name in found:
            write_bytes(workdir / name, found[name])
        else:
            (workdir / name).unlink(missing_ok=True)


def report_files(content: dict[str, Any]) -> dict[str, bytes]:
    """The files of a report by name. Documents and their sources are hostile text: all is escaped."""
    domains = top_domains(_listed_hosts(content))
    found = {
        "report.json": json_bytes(content),
        "report.html": render_page(content).encode(),
        "README.md": render_card(content).encode(),
        "croissant.json": json_bytes(croissant(content)),
        "eu_training_summary.md": render_summary(content, domains).encode(),
    }
    return found | ({DOMAINS: domains_csv(domains)} if domains else {})


def _listed_hosts(content: dict[str, Any]) -> Iterator[pl.DataFrame]:
    """The hosts of each source that was crawled; nothing where the report does not list all of one."""
    crawled = [each for each in content.get("hosts") or () if each["source"] in crawled_sources(content)]
    if all(each["hosts"] == len(each["top"]) for each in crawled):
        yield from (pl.DataFrame(each["top"]) for each in crawled)
