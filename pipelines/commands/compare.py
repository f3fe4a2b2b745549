"""`coupage compare`: what changed between two runs, and what that changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from mixers.files import write_bytes
from pipelines.commands.console import PlainConsole
from pipelines.plain import print_json
from pipelines.report.comparison.compare import CHANGES, compare, read_facts
from pipelines.report.comparison.figures import what_in_words
from pipelines.report.comparison.page import (
    FIGURES,
    compare_page,
    moved_words,
    score_words,
    signed,
    spelled,
)

LINE = 1000
"""Characters of a line in a file or a pipe."""


def compare_runs(run_a: Path, run_b: Path, output: Path | None, json: bool) -> None:
    """`coupage compare`."""
    found = compare(read_facts(run_a), read_facts(run_b))
    if output is not None:
        write_bytes(output, compare_page(found).encode())
    if json:
        print_json(found)
        return
    console = PlainConsole()
    if not console.is_terminal:
        console.width = LINE  # nothing is cut where nobody knows how wide it is
    for shown in _shown(found):
        console.print(shown, soft_wrap=isinstance(shown, Text))
    if output is not None:
        console.print(str(output), soft_wrap=True)


def _shown(found: dict[str, Any]) -> Iterator[RenderableType]:
    yield Text(f"A: {found['a']['folder']}\nB: {found['b']['folder']}")
    yield from (Text(sentence, "yellow") for sentence in found["missing"])
    if found["equal"]:
        yield Text("no difference")
        return
    for section in CHANGES:
        yield Text.assemble((f"{section}: ", "bold"), "" if found[section] else "no difference")
        for change in found[section]:
            yield Text(f"  {change['in_words']}")
    yield from _stages(found["stages"])
    for source in found["documents"]:
        yield from _documents(source)
    for section, title in FIGURES.items():
        if found[section]:
            yield _figures(title, found[section])
    for score in found["scores"]:
        yield Text(score_words(score))


def _stages(stages: dict[str, Any]) -> Iterator[Text]:
    numbers = f"{len(stages['anew']):,} of {stages['stages']:,} made anew"
    yield Text.assemble(("stages: ", "bold"), numbers)
    for cause in stages["causes"]:
        more = f"; {len(cause['after']):,} stages after" if cause["after"] else ""
        yield Text(f"  {cause['in_words']}{more}")
    for kind in ("new", "gone"):
        if stages[kind]:
            yield Text(f"  {kind}: {', '.join(stages[kind])}")


def _documents(source: dict[str, Any]) -> Iterator[RenderableType]:
    yield Text(moved_words(source), "bold")
    table = _table(["in A", "in B"], ["documents"], ["such as"])
    for move in source["moves"]:
        states = [move[side] or "not there" for side in ("a", "b")]
        table.add_row(*states, f"{move['documents']:,}", ", ".join(map(str, move["examples"])))
    yield table


def _figures(title: str, rows: list[dict[str, Any]]) -> Table:
    names = list(dict.fromkeys(name for row in rows for name in row["of"]))
    table = _table([*names, ""], ["A", "B", "change"])
    table.title, table.title_justify, table.title_style = title, "left", "bold"
    for row in rows:
        of = [row["of"].get(name, "") for name in names]
        numbers = [spelled(row["a"]), spelled(row["b"]), signed(row["delta"])]
        table.add_row(*of, what_in_words(row["what"]), *numbers)
    return table


def _table(names: Sequence[str], numbers: Sequence[str], others: Sequence[str] = ()) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in names:
        table.add_column(name)
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    for name in others:
        table.add_column(name)
    return table
