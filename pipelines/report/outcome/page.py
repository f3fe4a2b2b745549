"""`outcome.html`: one file that needs nothing beside it, and shows what `outcome.json` holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipelines.report.page.chart import Chart, bars
from pipelines.report.page.page import page_environment, page_parts

SCRIPTS = ("vendor/echarts.min.js", "templates/charts.js", "templates/page.js")
CHARTS = ("held_out", "groups", "benchmarks", "long_context")
"""The tables that are drawn as well."""
MOST_DRAWN = 16
"""A chart with more rows says nothing."""
STATES = {"fires": "Yes", "clear": "No", "unsure": "Unsure", "not measured": "Not measured"}


def outcome_page(content: Mapping[str, Any]) -> str:
    """The page of an outcome. Names and labels are hostile text: all is escaped."""
    environment = page_environment("pipelines.report.outcome")
    tables = content["tables"]
    return environment.get_template("outcome.html.jinja").render(
        content,
        **page_parts(SCRIPTS),
        states=STATES,
        columns_of={name: _columns(content, table) for name, table in tables.items()},
        drawn={name: _chart(tables[name]) for name in CHARTS if name in tables},
    )


def _columns(content: Mapping[str, Any], table: Mapping[str, Any]) -> list[str]:
    """The variants that any row of a table is of."""
    kinds = ("scores", "differences", "from_tuned")
    present = {name for row in table["rows"] for kind in kinds for name in row[kind]}
    return [each["name"] for each in content["variants"] if each["name"] in present]


def _chart(table: Mapping[str, Any]) -> Chart:
    """The scores of each row of a table, by variant, with their intervals."""
    rows = table["rows"][:MOST_DRAWN]
    variants = list(dict.fromkeys(name for row in rows for name in row["scores"]))
    found = {name: [row["scores"].get(name, {}) for row in rows] for name in variants}
    return bars(
        f"{table['title']}: {table['unit']}",
        [row["name"] for row in rows],
        {name: [score.get("value") for score in scores] for name, scores in found.items()},
        of=table["counted"],
        unit=table["unit"],
        intervals={name: [score.get("interval") for score in scores] for name, scores in found.items()},
    )
