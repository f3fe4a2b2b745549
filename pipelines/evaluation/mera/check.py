"""Whether an archive is one that MERA's site can score.

The kinds of faults and what they are found by are those of the site's own check
(`modules/scoring/src/enums.py`, `worker.py` and `tasks/task.py` in MERA's repository); `repeated_task`,
`repeated_id` and `unknown_id` are this program's, for what the site passes over in silence.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from pipelines.evaluation.mera.archive import SPLIT, SUFFIX
from pipelines.evaluation.mera.data import NORMS, MeraData, QuestionId, id_fields
from pipelines.evaluation.mera.tasks import TASKS, MeraTask, Scoring

LARGEST = 1 << 28
"""Bytes of a file in the archive at most."""
KINDS = {
    "unreadable_zip": "the archive cannot be read",
    "no_task": "the file of the task is not in the archive",
    "repeated_task": "the archive has two files of the task",
    "extension": f"the file's suffix is not {SUFFIX}",
    "unreadable_file": "the file is no JSON that can be read",
    "no_data_field": "the file has no `data`",
    "no_split": f"`data` has no list `{SPLIT}`",
    "no_outputs_field_for_doc": "the answer has no `outputs`",
    "no_meta_field_for_doc": "the answer has no `meta`",
    "no_id_field_for_doc": "`meta` has no whole number as the question's id",
    "no_id": "the question has no answer",
    "repeated_id": "the question has two answers",
    "unknown_id": "the task has no such question",
    "doc_output_type_error": "`outputs` is of another type",
    "doc_parse_output_error": "`outputs` has another shape",
}


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What is wrong in an archive, and where."""

    kind: str
    """Of `KINDS`."""
    task: str = ""
    place: str = ""
    """The number of an answer, from 0, or the id of a question."""

    def __str__(self) -> str:
        where = ", ".join(part for part in (self.task, self.place) if part)
        return f"{where}: {KINDS[self.kind]}" if where else KINDS[self.kind]


def check_archive(path: Path, data: Mapping[str, MeraData]) -> list[Fault]:
    """All faults of an archive.

    Args:
        path: The archive.
        data: The tasks whose questions are known; of the others only the shape is looked at.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            return [fault for task in TASKS.values() for fault in _of_task(archive, entries, task, data)]
    except (OSError, zipfile.BadZipFile):
        return [Fault(kind="unreadable_zip")]


def _of_task(
    archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo], task: MeraTask, data: Mapping[str, MeraData]
) -> Iterator[Fault]:
    own = [entry for entry in entries if PurePosixPath(entry.filename).stem == task.name]
    if not own:
        yield Fault(kind="no_task", task=task.name)
    elif len(own) > 1:
        yield Fault(kind="repeated_task", task=task.name)
    elif PurePosixPath(own[0].filename).suffix != SUFFIX:
        yield Fault(kind="extension", task=task.name)
    else:
        rows = _rows(archive, own[0])
        if isinstance(rows, str):
            yield Fault(kind=rows, task=task.name)
        else:
            yield from _of_rows(rows, task, data.get(task.name))


def _rows(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> list[Any] | str:
    """The answers in a file, or what is wrong with it."""
    try:
        if entry.file_size > LARGEST:
            return "unreadable_file"
        found = json.loads(archive.read(entry))
    except (OSError, ValueError, RecursionError, zipfile.BadZipFile, RuntimeError, NotImplementedError):
        return "unreadable_file"
    if not isinstance(found, dict) or "data" not in found:
        return "no_data_field"
    rows = found["data"].get(SPLIT) if isinstance(found["data"], dict) else None
    return rows if isinstance(rows, list) else "no_split"


def _of_rows(rows: list[Any], task: MeraTask, data: MeraData | None) -> Iterator[Fault]:
    def fault(kind: str, place: str) -> Fault:
        return Fault(kind=kind, task=task.name, place=place)

    known = None if data is None else {question.id for question in data.questions}
    answered: set[QuestionId] = set()
    for number, row in enumerate(rows):
        place = f"answer {number}"
        row = row if isinstance(row, dict) else {}
        if "outputs" not in row:
            yield fault("no_outputs_field_for_doc", place)
        elif wrong := _SHAPES.get(task.scoring, _text)(row["outputs"]):
            yield fault(wrong, place)
        if not isinstance(row.get("meta"), dict):
            yield fault("no_meta_field_for_doc", place)
            continue
        answers = tuple(row["meta"].get(name) for name in id_fields(task))
        if not all(type(part) is int for part in answers):
            yield fault("no_id_field_for_doc", place)
            continue
        if answers in answered:
            yield fault("repeated_id", f"question {_words(answers)}")
        elif known is not None and answers not in known:
            yield fault("unknown_id", f"question {_words(answers)}")
        answered.add(answers)
    for missing in sorted((known or set()) - answered):
        yield fault("no_id", f"question {_words(missing)}")


def _words(question: QuestionId) -> str:
    return ".".join(map(str, question))


def _text(outputs: Any) -> str | None:
    return None if isinstance(outputs, str) else "doc_output_type_error"


def _norms(outputs: Any) -> str | None:
    if not isinstance(outputs, dict):
        return "doc_output_type_error"
    try:
        for norm in NORMS:
            float(outputs[norm])
    except (KeyError, TypeError, ValueError):
        return "doc_parse_output_error"
    return None


def _runs(outputs: Any) -> str | None:
    """One list of what each of the model's programs gave: a list of what each test gave."""
    if not isinstance(outputs, list):
        return "doc_output_type_error"
    runs = outputs[0] if outputs else None
    is_right = isinstance(runs, list) and all(isinstance(run, list) for run in runs)
    return None if is_right else "doc_parse_output_error"


_SHAPES: dict[Scoring, Callable[[Any], str | None]] = {Scoring.ETHICS: _norms, Scoring.CODE: _runs}
