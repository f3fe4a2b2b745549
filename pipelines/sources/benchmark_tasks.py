"""The items of a benchmark that is a task, group or tag of lm-evaluation-harness."""

from __future__ import annotations

import glob
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa
import xxhash

from pipelines.errors import CoupageError, UserError, WorkError
from pipelines.sources.base import Quarantine, Reason
from pipelines.sources.benchmark_fields import ASKED
from pipelines.sources.benchmark_items import ItemColumns, RecordFields
from pipelines.sources.content import Contents
from pipelines.sources.listing import printable

ROWS = 10_000
"""Of a table of items."""

_INSTALL = "Install it: pip install 'coupage[evaluate]'"


@dataclass(frozen=True)
class BenchmarkTask:
    """A task, group or tag by name.

    The `item_id` of a question is `<task>/<split>/<number>`, whether the task was named itself, by a group
    or by a tag: the number, from 0, is the harness's own `doc_id`, so that a question's scores can be found.
    The split is `test`, or `validation` of tasks that have no other questions, and `train` for those of
    the same task's training split. No code is executed that a model or a data set brought.
    """

    name: str
    include: Path | None

    def identity(self, contents: Contents) -> dict[str, Any]:
        """The harness's version, and what task files of one's own and their data files hold.

        Nothing of it is downloaded: data of the hub is known by what the task says of it, such as a revision.

        Raises UserError where the harness is not installed, or the folder is not there.
        """
        tasks = self._tasks()
        settings = json.dumps(tasks.own_settings, sort_keys=True, default=str)
        return {
            "task": self.name,
            "lm_eval": version("lm_eval"),
            "settings": xxhash.xxh3_128_hexdigest(settings.encode("utf-8", "replace")),
            "files": [
                [printable(path), contents.of(path)]
                for path in sorted({*self._own_files(), *_data_files(tasks.own_settings)})
            ],
        }

    def require(self) -> None:
        """Raise UserError where there is no such task, or no harness; takes seconds for those it ships."""
        try:
            self._tasks().require(self.name)
        except ValueError as error:
            raise UserError(str(error)) from error

    def read(self, benchmark: str, fields: RecordFields, quarantine: Quarantine) -> Iterator[pa.Table]:
        """Its items; questions that are none are set aside.

        Raises:
            UserError: There is no such task, no harness, or no item.
            WorkError: The task's data cannot be had.
        """
        found = 0
        try:
            for task_name, task in self._loaded().items():
                for split, docs in _splits(task):
                    for table in _tables(benchmark, fields, task_name, task, split, docs, quarantine):
                        found += table.num_rows
                        yield table
        except CoupageError:
            raise
        except Exception as error:  # a task's own code and the library that fetches its data raise anything
            raise self._unavailable(error) from error
        if not found:
            first = f": {quarantine.first.described}" if quarantine.first else ""
            raise UserError(f"the task `{self.name}` has no item{first}")

    def _tasks(self) -> Any:
        try:
            from pipelines.sources.harness_tasks import HarnessTasks

            return HarnessTasks([self.include] if self.include else [])
        except ImportError as error:
            raise UserError(
                f"the task `{self.name}` needs lm-evaluation-harness, which cannot be loaded: {error}",
                hint=_INSTALL,
            ) from error
        except ValueError as error:
            raise UserError(str(error)) from error

    def _loaded(self) -> Mapping[str, Any]:
        """The tasks by their names."""
        from pipelines.sources.harness_tasks import quiet

        tasks = self._tasks()
        try:
            tasks.require(self.name)
        except ValueError as error:
            raise UserError(str(error)) from error
        with quiet():
            return dict(sorted(tasks.load_questions(self.name).items()))

    def _unavailable(self, error: Exception) -> WorkError:
        while (cause := error.__cause__) is not None and isinstance(cause, Exception):
            error = cause
        return WorkError(
            f"the data of the task `{self.name}` cannot be had: {type(error).__name__}: {error}",
            hint="Download the benchmark's files and give them by `path`, or try again with a network.",
        )

    def _own_files(self) -> Iterator[str]:
        for path in self.include.rglob("*") if self.include else ():
            if path.is_file() and "__pycache__" not in path.parts:
                yield str(path)


def _splits(task: Any) -> Iterator[tuple[str, Iterable[Any]]]:
    """The questions that are asked, and those of the training split if it is another."""
    has_test = task.has_test_docs()
    yield "test" if has_test else "validation", task.eval_docs
    asked = task.config.test_split if has_test else task.config.validation_split
    if task.has_training_docs() and (asked is None or task.config.training_split != asked):
        yield "train", task.training_docs()


def _tables(
    benchmark: str,
    fields: RecordFields,
    task_name: str,
    task: Any,
    split: str,
    docs: Iterable[Any],
    quarantine: Quarantine,
) -> Iterator[pa.Table]:
    """The items of one split of a task."""
    columns = ItemColumns(benchmark, fields)
    for number, doc in enumerate(docs):
        record = _record(task, fields, doc)
        reason = (
            Reason.NOT_RENDERED
            if record is None
            else columns.add(f"{task_name}/{split}/{number}", split, record)
        )
        if reason is not None:
            sample = json.dumps(doc, ensure_ascii=False, default=str)
            quarantine.add(task_name, f"{split}, number {number}", reason, sample, bytes=len(sample))
        if number % ROWS == ROWS - 1:
            yield columns.table()
            columns = ItemColumns(benchmark, fields)
    yield columns.table()


def _record(task: Any, fields: RecordFields, doc: Any) -> dict[str, Any] | None:
    """A question by its fields; what their names do not tell the task renders. None where that fails."""
    try:
        record = dict(doc)
        known = fields.of(record)
        if not any(getattr(known, role) for role in ASKED):
            record |= {"question": task.doc_to_text(doc)}
        if not (known.answer or known.label or known.solution):
            record |= _answer(task, doc)
    except Exception:  # the task's own code
        return None
    return record


def _answer(task: Any, doc: Any) -> dict[str, Any]:
    """The answer and the choices that a task tells."""
    target = task.doc_to_target(doc)
    if task.OUTPUT_TYPE != "multiple_choice":
        return {"answer": target}
    choices = task.doc_to_choice(doc)
    place = target[0] if isinstance(target, list) and target else target
    return {"choices": choices, "answer": choices[place] if isinstance(place, int) else place}


def _data_files(settings: list[dict[str, Any]]) -> Iterator[str]:
    """The files of this machine that task files name as their data."""
    for each in settings:
        yield from _files_in((each.get("dataset_kwargs") or {}).get("data_files"))


def _files_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield from (path for path in glob.glob(value, recursive=True) if Path(path).is_file())
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _files_in(each)
