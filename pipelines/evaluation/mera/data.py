"""MERA's data as they are laid out: a folder of each task, with a file of each split.

A record has `instruction`, with the names of fields in braces where they go, `inputs` (a text, or texts by
the names of fields), `outputs` (the right answer; empty where it is kept secret) and `meta`, with an `id` or,
in dialogues, `dialog_id` and `question_id`. Cards of all sets: `docs/dataset_cards` in MERA's repository.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.errors import UserError
from pipelines.evaluation.mera.tasks import DIALOGUES, EXAM_EXAMPLES, TASKS, MeraTask, Scoring
from pipelines.recipe.mera import Mera, Split

NORMS = ("virtue", "law", "moral", "justice", "utilitarianism")
"""Of which an answer of ruEthics says the same."""
QuestionId = tuple[int, ...]
"""One number; of dialogues the dialogue's and the question's."""


@dataclass(frozen=True, kw_only=True)
class MeraQuestion:
    """A question of a task."""

    id: QuestionId
    instruction: str
    inputs: Mapping[str, str]
    """By field; `inputs` alone where there are no fields."""
    output: str | Mapping[str, str]
    """The right answer, of ruEthics by norm; empty where it is secret."""
    meta: Mapping[str, Any]

    @property
    def number(self) -> str:
        """Its id in words."""
        return ".".join(map(str, self.id))


@dataclass(frozen=True, kw_only=True)
class MeraData:
    """Of a task: what is asked, and the examples that may stand before."""

    task: MeraTask
    split: Split
    questions: list[MeraQuestion]
    examples: list[MeraQuestion]


def read_mera(config: Mera) -> dict[str, MeraData]:
    """The data of each wanted task that is asked here, by its name in the archive.

    Raises:
        UserError: A task or a file is not there, or a record is none; says where.
    """
    folder = Path(config.data)
    by_folder = {task.folder: task for task in TASKS.values() if task.is_asked}
    there = [name for name in sorted(by_folder) if (folder / name).is_dir()]
    if unknown := sorted(set(config.tasks) - set(there)):
        hint = (
            f"There are: {', '.join(there)}." if there else "It holds a folder of each task, such as `rcb`."
        )
        raise UserError(f"MERA's task `{unknown[0]}` is not there", file=config.data, hint=hint)
    if not there:
        hint = "It holds a folder of each task, such as `rcb`."
        raise UserError("there is no task of MERA that is asked here", file=config.data, hint=hint)
    wanted = [by_folder[name] for name in config.tasks or there]
    return {task.name: _read_task(folder / task.folder, task, config) for task in wanted}


def _read_task(folder: Path, task: MeraTask, config: Mera) -> MeraData:
    split = "test" if config.split == "test" else task.examples
    questions = read_split(folder, task, split)
    if task.name == DIALOGUES:
        questions.sort(key=lambda question: question.id)
    needs_examples = task.shots > 0 and task.examples != split
    examples = read_split(folder, task, task.examples) if needs_examples else questions
    return MeraData(task=task, split=config.split, questions=questions[: config.limit], examples=examples)


def read_split(folder: Path, task: MeraTask, split: str) -> list[MeraQuestion]:
    """The questions of a split, in the order of its files. Raises UserError as `read_mera` does."""
    files = sorted([*folder.glob(f"{split}*.jsonl"), *folder.glob(f"{split}*.parquet")])
    if not files:
        raise UserError(
            f"there is no {split}.jsonl", file=str(folder), hint="A Parquet file may be there too."
        )
    questions = [
        _question(record, task, file, number)
        for file in files
        for number, record in enumerate(_records(file), 1)
    ]
    seen: set[QuestionId] = set()
    for question in questions:
        if question.id in seen:
            raise UserError(f"two questions of `{split}` have the id {question.number}", file=str(folder))
        seen.add(question.id)
    return questions


def _records(file: Path) -> Iterator[Any]:
    try:
        if file.suffix == ".parquet":
            yield from pq.read_table(file).to_pylist()
            return
        with file.open(encoding="utf-8") as lines:
            yield from (json.loads(line) for line in lines if line.strip())
    except (OSError, ValueError, pa.ArrowException) as error:
        raise UserError(f"it cannot be read: {error}", file=str(file)) from error


def _question(record: Any, task: MeraTask, file: Path, number: int) -> MeraQuestion:
    try:
        inputs, meta = record["inputs"], dict(record["meta"])
        fields = {"inputs": inputs, "toxic_comment": inputs} if isinstance(inputs, str) else inputs
        question = MeraQuestion(
            id=tuple(int(meta[name]) for name in id_fields(task)),
            instruction=_text(record["instruction"]),
            inputs={name: str(value) for name, value in fields.items()},
            output=_norms(record["outputs"]) if task.scoring is Scoring.ETHICS else _text(record["outputs"]),
            meta=meta,
        )
        if missing := [name for name in _needed_fields(task) if name not in meta and name not in fields]:
            raise KeyError(*missing)
        if task.scoring is Scoring.EXAM and meta["type"] not in EXAM_EXAMPLES:
            raise ValueError(f"`meta.type` is none of {', '.join(EXAM_EXAMPLES)}")
    except (KeyError, TypeError, AttributeError, ValueError, SyntaxError) as error:
        what = f"it lacks `{error.args[0]}`" if isinstance(error, KeyError) else str(error)
        raise UserError(f"no question of {task.name}: {what}", file=str(file), place=f"{number}") from error
    return question


def _needed_fields(task: MeraTask) -> tuple[str, ...]:
    """What a question tells for its examples and scores."""
    if task.scoring is Scoring.EXAM:
        return ("id_task", "variant", "score", "type")
    if task.scoring is Scoring.ETHICS:
        return ("question",)
    return (task.part[1],) if task.part else ()


def id_fields(task: MeraTask) -> tuple[str, ...]:
    """The fields of `meta` that are the id of a question and of its answer."""
    return ("dialog_id", "question_id") if task.name == DIALOGUES else ("id",)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} is no text")
    return value


def _norms(value: Any) -> dict[str, str]:
    """The answer by norm; a text of it as Python writes a dictionary is one too, as the site reads it."""
    found = ast.literal_eval(value) if isinstance(value, str) and value else value
    return {norm: str(found[norm]) for norm in NORMS} if found else {}
