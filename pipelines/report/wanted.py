"""Which documents `coupage inspect` shows: by verdict, source, group and text, the first or a sample."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters.language.identify import LOW_SCORE, NOT_KEPT
from pipelines.errors import UserError, WorkError
from pipelines.graph.build import Graph
from pipelines.recipe.mistakes import nearest
from pipelines.report.filters import Filters, matching_rows, searched
from pipelines.report.finished import Finished
from pipelines.stages.contamination.verdicts import REASON as CONTAMINATION
from pipelines.stages.document_rows import Rows, table_at
from pipelines.stages.parts import PartStage
from pipelines.stages.select import DUPLICATE, REFERENCE, REPEATED_ID, Select


@dataclass(frozen=True, kw_only=True)
class Wanted(Filters):
    """Which documents to show."""

    random: int | None = None
    """The seed of a sample of all that are wanted; None: the first."""
    number: int = 10


@dataclass(frozen=True)
class Found:
    """Documents of a part: the row of each, ascending, and its draw in a sample."""

    parts: PartStage
    select: Select
    part: str
    rows: Rows
    draws: npt.NDArray[np.float64]

    def verdicts(self, workdir: Path, columns: Iterable[str] | None = None) -> pa.Table:
        """What is said of each."""
        path = self.select.path(workdir, f"{self.parts.scope}/{self.part}")
        return table_at(path, self.rows, columns)


def find_wanted(graph: Graph, workdir: Path, wanted: Wanted) -> list[Found]:
    """The documents that are wanted, by part. No text is read where none is searched.

    Raises:
        UserError: There is no such source, reason or group, or two wishes exclude each other.
        WorkError: The documents are not judged yet.
    """
    _check_wishes(wanted)
    judged = judged_sources(graph, workdir, wanted.source)
    _check_names(judged, workdir, wanted)
    draw = None if wanted.random is None else np.random.default_rng(wanted.random)
    found: list[Found] = []
    for parts, select in judged:
        for part in parts.part_names(workdir):
            rows = matching_rows(parts, select, workdir, part, wanted)
            rows = _searched(parts.path(workdir, part), rows, wanted)
            draws = np.zeros(len(rows)) if draw is None else draw.random(len(rows))
            found = _lowest([*found, Found(parts, select, part, rows, draws)], wanted.number)
            if draw is None and sum(len(each.rows) for each in found) == wanted.number:
                return found
    return found


def _check_wishes(wanted: Wanted) -> None:
    if wanted.kept + wanted.held_out + (wanted.reason is not None) > 1:
        raise UserError(
            "a document is kept, held out, or dropped for a reason",
            hint="Give one of --kept, --held-out and --reason.",
        )
    if wanted.search is not None and not wanted.search.isprintable():
        raise UserError("--search: this is no text", hint="Give printable characters.")


def judged_sources(graph: Graph, workdir: Path, source: str | None) -> list[tuple[PartStage, Select]]:
    """The sources that are wanted and judged.

    Raises:
        UserError: There is no such source.
        WorkError: None is judged yet.
    """
    every = list(graph.part_stages())
    if source is not None:
        every = [(parts, select) for parts, select in every if parts.scope == source]
        if not every:
            raise unknown("source", source, [parts.scope for parts, _ in graph.part_stages()])
    done = Finished(workdir)
    judged = [(parts, select) for parts, select in every if select in done]
    if not judged:
        select = every[0][1]
        coming = done.next_of(graph.stages())
        raise WorkError(
            f"`{select.label}` is not finished yet{f': `{coming.label}` comes next' if coming else ''}",
            file=str(workdir),
            hint="Give the same `coupage run` again; with `--until select` it ends where this begins.",
        )
    return judged


def _check_names(judged: list[tuple[PartStage, Select]], workdir: Path, wanted: Wanted) -> None:
    """Raise UserError for a reason or group that no document has, and none could have."""
    if wanted.reason is not None:
        given = _values(judged, workdir, "reason")
        known = {*given, *(reason for _, select in judged for reason in known_reasons(select))}
        if not any(reason.startswith(wanted.reason) for reason in known):
            raise unknown("reason", wanted.reason, sorted(given), known)
    if wanted.group is not None:
        groups = _values(judged, workdir, "domain")
        if wanted.group not in groups:
            raise unknown("group", wanted.group, sorted(groups))


def _values(judged: Iterable[tuple[PartStage, Select]], workdir: Path, column: str) -> set[str]:
    found: set[str] = set()
    for parts, select in judged:
        for part in parts.part_names(workdir):
            values = select.verdict(workdir, parts.scope, part, [column]).column(column)
            found.update(values.unique().drop_null().to_pylist())
    return found


def known_reasons(select: Select) -> Iterator[str]:
    """Why documents can be dropped, also where none was."""
    yield from (LOW_SCORE, NOT_KEPT, REPEATED_ID, REFERENCE, *DUPLICATE.values())
    yield from (f"classifier.{classifier.name}" for classifier in select.classifiers)
    for source in select.sources:
        yield from (rule.name for rule in source.rules)
        yield from (verdicts.verdict for verdicts in source.datatrove)
        if source.contamination:
            yield from (f"{CONTAMINATION}.{name}" for name in source.contamination.matches.benchmarks.against)


def unknown(what: str, name: str, there: list[str], known: Iterable[str] = ()) -> UserError:
    """What to say of a name that is not there: the nearest one, and all that are."""
    words = {*there, *known}
    near = nearest(name, sorted(words | {word.split(".")[0] for word in words}))
    return UserError(
        f"there is no {what} `{name}`",
        hint=(f"Did you mean `{near}`? " if near else "") + f"There are: {', '.join(there) or 'none'}.",
    )


def _searched(path: Path, rows: Rows, wanted: Wanted) -> Rows:
    """Those of the rows whose text holds what is searched."""
    if wanted.search is None:
        return rows
    found = (here for _, here in searched(path, rows, wanted.search))
    return np.concatenate([np.empty(0, np.int64), *found])


def _lowest(found: list[Found], number: int) -> list[Found]:
    """At most `number` documents of all: those with the lowest draws, of equal ones the first."""
    draws = np.concatenate([each.draws for each in found])
    chosen = np.zeros(len(draws), bool)
    chosen[np.argsort(draws, kind="stable")[:number]] = True
    ends = np.cumsum([len(each.draws) for each in found])
    return [
        replace(each, rows=each.rows[here], draws=each.draws[here])
        for each, here in zip(found, np.split(chosen, ends[:-1]), strict=True)
        if here.any()
    ]
