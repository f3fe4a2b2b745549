"""Benchmarks that a corpus is compared with: a task of lm-evaluation-harness, or files."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any, Self

import pyarrow as pa
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from pipelines.sources.base import Quarantine
from pipelines.sources.benchmark_fields import ROLES, ItemFields
from pipelines.sources.benchmark_files import BenchmarkFiles
from pipelines.sources.benchmark_items import RecordFields, gathered
from pipelines.sources.benchmark_tasks import BenchmarkTask
from pipelines.sources.content import Contents

VERSION = 1
"""To be raised when the same benchmark gives other items."""

Text = Annotated[str, Field(min_length=1)]
Texts = Annotated[
    tuple[Text, ...],
    BeforeValidator(
        lambda value: [value] if isinstance(value, str) else value,
        json_schema_input_type=Text | tuple[Text, ...],
    ),
    Field(min_length=1),
]
"""One may be written alone."""


@dataclass(frozen=True)
class Benchmark:
    """What was read of a benchmark."""

    items: pa.Table
    """Its items, of the schema `filters.contamination.items.ITEMS`."""
    set_aside: Quarantine
    """Records that are no items, with their places and reasons."""
    fields: tuple[tuple[str, str], ...]
    """The fields that were taken, each with its role before it."""

    @property
    def described(self) -> str:
        """In words: how many items, from which fields, and what was set aside."""
        by_role = {
            role: " or ".join(f"`{field}`" for _, field in pairs)
            for role, pairs in groupby(self.fields, key=lambda pair: pair[0])
        }
        fields = ", ".join(f"{role} from {fields}" for role, fields in by_role.items())
        lost = (f"{loss.records:,} set aside: {reason}" for reason, loss in self.set_aside.losses.items())
        return "; ".join([f"{self.items.num_rows:,} items", *filter(None, [fields]), *lost])


class BenchmarkConfig(BaseModel):
    """A benchmark: `task`, or `path` with the fields of its records.

    Where neither question, passage nor solution has a field, all are found by the names that benchmarks use.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: Text | None = Field(None, description="A task, group or tag of lm-evaluation-harness by name.")
    include: Text | None = Field(
        None, description="A folder with task files (YAML) of your own; begins at the recipe's folder."
    )
    path: Texts | None = Field(
        None,
        description="Files, folders, globs or URLs: records (.jsonl .json .csv .tsv .parquet .arrow), or "
        "plain text (.txt .md) of which each file is a passage; paths begin at the recipe's folder.",
    )
    passage: Text | None = Field(None, description="The field with a text that the question is about.")
    question: Text | None = Field(None, description="The field with the question.")
    choices: Texts | None = Field(None, description="The field with the choices, or a field for each.")
    answer: Text | None = Field(
        None, description="The field with the answer: words, or a choice by number, letter or text."
    )
    label: Text | None = Field(None, description="The field with the right choice's letter, or the result.")
    solution: Text | None = Field(None, description="The field with a whole solution, such as code.")
    id: Text | None = Field(None, description="The field with the item's id; null: its number.")
    split: Text | None = Field(None, description="The field with its split; null: by the file's name.")

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        if (self.task is None) == (self.path is None):
            raise ValueError("a benchmark is either a `task` or files by their `path`")
        if self.task is None and self.include is not None:
            raise ValueError("`include` is for a `task`")
        if self.task is not None and (named := list(self._named.named)):
            raise ValueError(f"`{named[0][0]}` is for files by their `path`; a task knows its fields")
        return self

    def read(self, name: str, base_folder: Path, contents: Contents | None = None) -> Benchmark:
        """The items of the benchmark called `name`; relative paths start at `base_folder`.

        Raises:
            UserError: A file, a field or a task is not there, `lm_eval` is not installed, or files that one
                path stands for have no item.
            WorkError: The data of a task, or a remote file, cannot be had.
        """
        quarantine = Quarantine()
        tables: list[pa.Table] = []
        taken: set[tuple[str, str]] = set()
        if self.task is not None:
            fields = RecordFields(numbered=True)
            tables += self._task(base_folder).read(name, fields, quarantine)
            taken |= fields.taken
        paths = self._files(base_folder, contents or Contents())
        one_file = sum(len(path.files) for path in paths) == 1
        for path in paths:
            fields = RecordFields(self._named)
            tables += path.read(name, fields, one_file, quarantine)
            taken |= fields.taken
        in_order = sorted(taken, key=lambda pair: (ROLES.index(pair[0]), pair[1]))
        return Benchmark(gathered(tables), quarantine, tuple(in_order))

    def identity(self, base_folder: Path, contents: Contents) -> dict[str, Any]:
        """What the items are made from, JSON-able, for a stage's fingerprint.

        Raises UserError where a file or `lm_eval` is not there; downloads nothing.
        """
        if self.task is not None:
            return {"version": VERSION, **self._task(base_folder).identity(contents)}
        return {
            "version": VERSION,
            "fields": self._named._asdict(),
            "paths": [path.identity() for path in self._files(base_folder, contents)],
        }

    def require(self, name: str, base_folder: Path) -> None:
        """Raise UserError where a file, a task, `lm_eval`, or a field in the first records is not there."""
        if self.task is not None:
            self._task(base_folder).require()
        for path in self._files(base_folder, Contents()):
            path.require(name, RecordFields(self._named))

    def _task(self, base_folder: Path) -> BenchmarkTask:
        assert self.task is not None
        include = base_folder / Path(self.include).expanduser() if self.include else None
        return BenchmarkTask(self.task, include)

    def _files(self, base_folder: Path, contents: Contents) -> list[BenchmarkFiles]:
        return [BenchmarkFiles.at(path, base_folder, contents) for path in self.path or ()]

    @property
    def _named(self) -> ItemFields:
        single = {role: getattr(self, role) for role in ROLES if role != "choices"}
        return ItemFields(choices=self.choices or (), **single)


@dataclass(frozen=True)
class BenchmarkInput:
    """A benchmark as an input of a run: what it is, and how it is read."""

    name: str
    identity: dict[str, Any]
    config: BenchmarkConfig | None = None
    base_folder: Path = Path()

    def read(self) -> Benchmark:
        """Its items. Raises as `BenchmarkConfig.read` does."""
        assert self.config is not None, "what a finished run recorded is not read again"
        return self.config.read(self.name, self.base_folder)
