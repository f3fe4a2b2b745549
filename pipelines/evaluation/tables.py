"""The scores of a model beside its base's, as tables of text: for a terminal and for the report."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table

from pipelines.evaluation.intervals import FEWEST

Scores = dict[str, Any]
"""What `ModelScores.to_json` gives of one model, or `Evaluated.to_json` of all."""

COMPARISON = "comparison"
"""Beside the roles of the models in scores: all of them on the same documents."""


@dataclass(frozen=True)
class Sheet:
    """A table, and sentences about it; `name_columns` of its columns are names, the others numbers."""

    title: str
    columns: list[str]
    name_columns: int
    rows: list[list[str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def print_scores(evaluated: Scores, console: Console) -> None:
    """A table for each thing that was asked."""
    for sheet in sheets(evaluated):
        table = Table(title=sheet.title, title_justify="left")
        for number, column in enumerate(sheet.columns):
            table.add_column(column, justify="left" if number < sheet.name_columns else "right")
        for row in sheet.rows:
            table.add_row(*row)
        console.print(table)
        for note in sheet.notes:
            console.print(note, soft_wrap=True)


def models_of(evaluated: Scores) -> dict[str, Scores]:
    """The scores of each model by its role."""
    return {role: scores for role, scores in evaluated.items() if role != COMPARISON}


def sheets(evaluated: Scores) -> Iterator[Sheet]:
    """A table for each thing that was asked of some models; the second one's columns say `base`."""
    models = list(models_of(evaluated).values())
    if COMPARISON in evaluated:
        yield _held_out(evaluated[COMPARISON])
    makers = {"harness": _harness, "language_swap": _swaps, "retrieval": _retrieval}
    for what, maker in makers.items():
        if what in models[0]:
            yield maker(models)


def _sheet(title: str, names: list[str], counts: list[str], of_each: list[str], models: int) -> Sheet:
    base = [f"base {name}" for name in of_each if models > 1]
    return Sheet(title, [*names, *counts, *of_each, *base], len(names))


def _held_out(comparison: Scores) -> Sheet:
    """The scores on the documents that all models could score; of two models, how much less the first has."""
    models = len(comparison["total"]["scores"])
    sure = ["95 %"] if models == 1 else ["difference", "95 %"] * (models - 1)
    sheet = _sheet("Held-out documents", ["group"], ["documents", "tokens"], ["loss", "bits/byte"], models)
    sheet.columns.extend(sure)

    def add(name: str, of_all: Scores) -> None:
        scores = list(of_all["scores"].values())
        cells = [_number(of_all["documents"]), _number(scores[0]["tokens"])]
        cells += [_number(score[what], 3) for score in scores for what in ("loss", "bits_per_byte")]
        if models == 1:
            cells.append(_interval(scores[0]["interval"]))
        for less in of_all["differences"].values():
            cells += [_number(less["bits_per_byte"], 3, "+"), _interval(less["interval"], "+")]
        sheet.rows.append([name, *cells])

    for group in sorted(comparison["groups"]):
        add(group, comparison["groups"][group])
        for language, of_all in comparison["group_languages"].get(group, {}).items():
            add(f"  {language}", of_all)
    add("all", comparison["total"])
    for language, of_all in comparison["languages"].items():
        add(f"  {language}", of_all)
    sheet.notes.extend(_notes(comparison))
    return sheet


def _notes(comparison: Scores) -> Iterator[str]:
    """What the numbers are of, and what they leave out."""
    what = "the difference of bits/byte" if comparison["total"]["differences"] else "bits/byte"
    yield f"95 %: the interval of {what}, by resampling documents; none for fewer than {FEWEST}."
    for group, left_out in sorted(comparison["left_out"].items()):
        own = ", ".join(
            f"{role}: loss {_number(score['loss'], 3)}, bits/byte {_number(score['bits_per_byte'], 3)}"
            for role, score in left_out["scores"].items()
        )
        not_by = " and ".join(left_out["not_by"])
        yield (
            f"{group}: {left_out['documents']:,} documents are left out, which {not_by} cannot score: masks "
            f"of conversations fit only the tokenizer that made them. {own}".strip()
        )


def _harness(models: Sequence[Scores]) -> Sheet:
    sheet = _sheet("Benchmarks", ["task", "metric"], ["shots", "questions"], ["score", "±"], len(models))

    def add_rows(name: str, num_fewshot: int | None, scores: list[Scores]) -> None:
        counts = [_number(num_fewshot), _number(scores[0]["questions"])]
        for metric in scores[0]["metrics"]:
            pairs = [(score["metrics"][metric], score["errors"].get(metric)) for score in scores]
            cells = [_number(number, 4) for pair in pairs for number in pair]
            sheet.rows.append([name, metric, *counts, *cells])

    def add(name: str, scores: list[Scores]) -> None:
        first = scores[0]
        add_rows(name, first["num_fewshot"], scores)
        if first.get("hit") == 0:
            sheet.notes.append(f"{name}: none of its questions was found in training data.")
        elif first.get("hit"):
            add_rows(f"  clean {name}", first["num_fewshot"], [score["clean"] for score in scores])
            sheet.notes.extend(_clean_notes(name, scores))
        if not first["metrics"]:  # a tag
            for part in first["parts"]:
                add(part, [score["parts"][part] for score in scores])

    for name in models[0]["harness"]:
        add(name, [model["harness"][name] for model in models])
    return sheet


def _clean_notes(name: str, scores: list[Scores]) -> Iterator[str]:
    """What the clean score of a task leaves out, and how sure it is that this makes a difference."""
    first = scores[0]
    yield (
        f"clean {name}: without the {first['hit']:,} of {first['questions']:,} questions that were found in "
        "training data, alone or with their answer."
    )
    for metric, own in first["clean"]["intervals"].items():
        of_each = [own, *(score["clean"]["intervals"][metric] for score in scores[1:])]
        if all(of_each):
            said = ", base ".join(_interval(interval, "+") for interval in of_each)
            yield f"95 % of clean less all, by resampling questions: {name}, {metric}: {said}."


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


def _number(value: float | None, digits: int = 0, sign: str = "") -> str:
    return "" if value is None or math.isnan(value) else f"{value:{sign},.{digits}f}"


def _interval(ends: Sequence[float] | None, sign: str = "") -> str:
    return "" if ends is None else " to ".join(_number(end, 3, sign) for end in ends)


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"
