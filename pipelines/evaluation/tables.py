"""The scores of a model beside its base's, as tables of text: for a terminal and for the report."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table

Scores = dict[str, Any]
"""What `ModelScores.to_json` gives of one model."""


@dataclass(frozen=True)
class Sheet:
    """A table; `name_columns` of its columns are names, the others numbers."""

    title: str
    columns: list[str]
    name_columns: int
    rows: list[list[str]] = field(default_factory=list)


def print_scores(models: Sequence[Scores], console: Console) -> None:
    """A table for each thing that was asked."""
    for sheet in sheets(models):
        table = Table(title=sheet.title, title_justify="left")
        for number, column in enumerate(sheet.columns):
            table.add_column(column, justify="left" if number < sheet.name_columns else "right")
        for row in sheet.rows:
            table.add_row(*row)
        console.print(table)


def sheets(models: Sequence[Scores]) -> Iterator[Sheet]:
    """A table for each thing that was asked of these models; the second one's columns say `base`."""
    makers = {"groups": _held_out, "harness": _harness, "language_swap": _swaps, "retrieval": _retrieval}
    for what, maker in makers.items():
        if what in models[0]:
            yield maker(models)


def _sheet(title: str, names: list[str], counts: list[str], of_each: list[str], models: int) -> Sheet:
    base = [f"base {name}" for name in of_each if models > 1]
    return Sheet(title, [*names, *counts, *of_each, *base], len(names))


def _held_out(models: Sequence[Scores]) -> Sheet:
    sheet = _sheet("Held-out documents", ["group"], ["tokens"], ["loss", "bits/byte"], len(models))

    def add(name: str, scores: list[Scores]) -> None:
        cells = [_number(s[what], 3) for s in scores for what in ("loss", "bits_per_byte")]
        sheet.rows.append([name, f"{scores[0]['tokens']:,}", *cells])

    first = models[0]
    for group in sorted(first["groups"]):
        add(group, [model["groups"][group] for model in models])
        for language in first["group_languages"].get(group, {}):
            add(f"  {language}", [model["group_languages"][group][language] for model in models])
    add("all", [model["total"] for model in models])
    for language in first["languages"]:
        add(f"  {language}", [model["languages"][language] for model in models])
    return sheet


def _harness(models: Sequence[Scores]) -> Sheet:
    sheet = _sheet("Benchmarks", ["task", "metric"], ["shots", "questions"], ["score", "±"], len(models))

    def add(name: str, scores: list[Scores]) -> None:
        first = scores[0]
        counts = [_number(first[what]) for what in ("num_fewshot", "questions")]
        for metric in first["metrics"]:
            pairs = [(score["metrics"][metric], score["errors"].get(metric)) for score in scores]
            cells = [_number(number, 4) for pair in pairs for number in pair]
            sheet.rows.append([name, metric, *counts, *cells])
        if not first["metrics"]:  # a tag
            for part in first["parts"]:
                add(part, [score["parts"][part] for score in scores])

    for name in models[0]["harness"]:
        add(name, [model["harness"][name] for model in models])
    return sheet


def _swaps(models: Sequence[Scores]) -> Sheet:
    of_each = ["judged", "changed", "into"]
    sheet = _sheet("Generations that change language", ["prompts in"], ["prompts"], of_each, len(models))
    for language, first in models[0]["language_swap"].items():
        row = [language, _number(first["prompts"])]
        for score in (model["language_swap"][language] for model in models):
            into = ", ".join(f"{name} {count}" for name, count in score["into"].items())
            row += [_number(score["judged"]), _share(score["rate"]), into]
        sheet.rows.append(row)
    return sheet


def _retrieval(models: Sequence[Scores]) -> Sheet:
    first = models[0]["retrieval"]
    of_each = ["said", f"best of {first[0]['candidates']}"]
    sheet = _sheet("Facts in long texts", [], ["tokens", "depth", "facts"], of_each, len(models))
    for same in zip(*(model["retrieval"] for model in models), strict=True):
        place = [_number(same[0]["length"]), f"{same[0]['depth']:.0%}", _number(same[0]["facts"])]
        sheet.rows.append([*place, *(_share(score[what]) for score in same for what in ("exact", "ranked"))])
    return sheet


def _number(value: float | None, digits: int = 0) -> str:
    return "" if value is None or math.isnan(value) else f"{value:,.{digits}f}"


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"
