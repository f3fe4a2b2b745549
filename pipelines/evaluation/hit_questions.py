"""Which questions of benchmarks were found in training data: from matches to numbers of questions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from filters.contamination.items import KINDS, Kind
from pipelines.errors import UserError

HIT_KINDS: tuple[Kind, ...] = ("answer", "question")
"""A document that has a question may help to answer it; a passage alone, or other numbers, may not."""
COLUMNS = ("benchmark", "item_id", "kind", "split")
"""Those of a table of matches that say which question was found."""
QUESTION_OF_TASK = r"^(?P<task>.+)/(?P<split>[^/]+)/(?P<number>[0-9]{1,9})$"
"""The `item_id` of a question that was read from a task of the harness."""


@dataclass(frozen=True)
class HitQuestions:
    """The questions of the harness's tasks that were found in training data."""

    looked_for: frozenset[str] = frozenset()
    """Tasks, groups and tags whose questions were looked for."""
    numbers: Mapping[tuple[str, str], frozenset[int]] = field(default_factory=dict)
    """By task and split the numbers of the questions that were found, counted as the harness counts them.

    The questions that it asks are the split `test`, or `validation` where a task has no other.
    """
    files: Mapping[str, str] = field(default_factory=dict)
    """By task the file that says so; nothing where a run found them itself."""

    @classmethod
    def of(cls, matches: pa.Table, tasks: Mapping[str, str], file: str | None) -> Self:
        """The questions that have a match of one of `HIT_KINDS`.

        Args:
            matches: Has the string columns `COLUMNS`.
            tasks: Of each benchmark that was looked for its task, group or tag; others do not count.
            file: Where the matches stand; None: a run found them itself.
        """
        found = matches.filter(pc.is_in(matches["kind"], pa.array(HIT_KINDS)))
        found = _distinct(found.filter(pc.is_in(found["benchmark"], pa.array(tasks, pa.string()))))
        numbers = defaultdict[tuple[str, str], set[int]](set)
        for question in pc.extract_regex(found["item_id"], QUESTION_OF_TASK).to_pylist():
            if question is not None:
                numbers[question["task"], question["split"]].add(int(question["number"]))
        return cls(
            frozenset(tasks.values()),
            {of_split: frozenset(some) for of_split, some in numbers.items()},
            {task: file for task, _ in numbers} if file is not None else {},
        )

    def __or__(self, other: HitQuestions) -> HitQuestions:
        """What either says."""
        return HitQuestions(
            self.looked_for | other.looked_for,
            {
                of_split: self.numbers.get(of_split, frozenset()) | other.numbers.get(of_split, frozenset())
                for of_split in {*self.numbers, *other.numbers}
            },
            {**self.files, **other.files},
        )


def read_matches(path: Path) -> pa.Table:
    """The columns `COLUMNS` of a file of matches, as strings.

    Raises UserError where it is not such a file.
    """
    hint = "Give matches.parquet as coupage decontaminate writes it."
    try:
        schema = pq.read_schema(path)
        if missing := [name for name in COLUMNS if name not in schema.names]:
            what = f"this is no table of matches: it has no column {', '.join(missing)}"
            raise UserError(what, file=str(path), hint=hint)
        matches = pq.read_table(path, columns=list(COLUMNS)).cast(
            pa.schema([(name, pa.string()) for name in COLUMNS])
        )
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"this is no table of matches: {error}", file=str(path), hint=hint) from error
    if strange := set(pc.unique(matches["kind"]).to_pylist()) - set(KINDS):
        what = f"this is no table of matches: there is no kind {sorted(map(str, strange))[0]}"
        raise UserError(what, file=str(path), place="kind", hint=hint)
    return matches


def benchmarks_in(matches: pa.Table) -> tuple[list[str], list[str]]:
    """The names of the benchmarks that were read from tasks, and of those that were read from files.

    The ids of a task's questions say its name, their split and their number.
    """
    items = _distinct(matches)
    parts = pc.extract_regex(items["item_id"], QUESTION_OF_TASK)
    of_task = pc.fill_null(pc.equal(pc.struct_field(parts, "split"), items["split"]), False)
    found = pa.table({"benchmark": items["benchmark"], "of_task": of_task})
    by_name = found.group_by("benchmark", use_threads=False).aggregate([("of_task", "all")])
    names = dict(zip(by_name["benchmark"].to_pylist(), by_name["of_task_all"].to_pylist(), strict=True))
    return [name for name, task in names.items() if task], [name for name, task in names.items() if not task]


def _distinct(matches: pa.Table) -> pa.Table:
    """The items of matches, each once."""
    return matches.group_by(["benchmark", "item_id", "split"], use_threads=False).aggregate([])
