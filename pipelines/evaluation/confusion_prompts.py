"""Prompts that tell language confusion: the benchmark's, one's own, or held-out documents' beginnings.

The Language Confusion Benchmark (Marchisio et al. 2024, arXiv 2406.20052) has a CSV file for each task,
source and language, `test_sets/<task>/<source>/<language>.csv`; the columns `source` and `language` say the
same as the path. Its tasks are `monolingual`, where prompt and answer are of one language, and
`crosslingual`, where an English prompt asks for an answer in another.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from filters.language.language_codes import LID_176
from pipelines.errors import UserError
from pipelines.evaluation.generation import PlainModel
from pipelines.evaluation.language_swap import held_out_prompts
from pipelines.recipe.language_confusion import PROMPT, LanguageConfusion

TASKS = ("monolingual", "crosslingual")
HELD_OUT = "held_out"
"""The source of held-out documents' beginnings."""
NEEDED = ("prompt", "language")


@dataclass(frozen=True, kw_only=True, order=True)
class ConfusionPrompt:
    """A text that a model goes on with, and the language that the continuation must be in."""

    task: str
    source: str
    language: str
    id: str
    text: str


def read_prompts(config: LanguageConfusion) -> list[ConfusionPrompt]:
    """The chosen prompts of a file or folder; the same ones for the same seed.

    Raises:
        UserError: It cannot be read, a prompt lacks something, or none is left; says where.
    """
    assert config.path is not None
    path = Path(config.path)
    files = sorted(path.rglob("*.csv")) if path.is_dir() else [path]
    found = [prompt for file in files for prompt in _prompts(file, config)]
    wanted = [prompt for prompt in found if config.languages is None or prompt.language in config.languages]
    if not wanted:
        of_them = " to be answered in one of `languages`" if found else ""
        raise UserError(f"there is no prompt{of_them}", file=str(path))
    return _choose(wanted, config)


def prompts_of_held_out(
    pieces: Iterable[Sequence[int]], config: LanguageConfusion, model: PlainModel
) -> list[ConfusionPrompt]:
    """The beginnings of texts, as this model's tokenizer decodes them; a document goes on in its language."""
    return [
        ConfusionPrompt(
            task=TASKS[0], source=HELD_OUT, language=prompt.language, id=str(number), text=prompt.text
        )
        for number, prompt in enumerate(held_out_prompts(pieces, config, model))
        if config.languages is None or prompt.language in config.languages
    ]


def _choose(prompts: Sequence[ConfusionPrompt], config: LanguageConfusion) -> list[ConfusionPrompt]:
    """At most `config.prompts` of each task, source and language, in the order in which they were."""
    rng = np.random.Generator(np.random.PCG64(config.seed))
    chosen: list[ConfusionPrompt] = []
    by_cell = sorted(prompts, key=_cell)
    for _, group in groupby(by_cell, key=_cell):
        cell = list(group)
        places = rng.permutation(len(cell))[: config.prompts]
        chosen.extend(cell[place] for place in sorted(places.tolist()))
    return chosen


def _cell(prompt: ConfusionPrompt) -> tuple[str, str, str]:
    return prompt.task, prompt.source, prompt.language


def _prompts(file: Path, config: LanguageConfusion) -> Iterator[ConfusionPrompt]:
    of_path = next((part for part in reversed(file.parts) if part in TASKS), TASKS[0])
    for number, record in enumerate(_records(file), 1):
        place = f"record {number}"
        for name in NEEDED:
            if not isinstance(record.get(name), str) or not record[name].strip():
                raise UserError(f"it has no text in `{name}`", file=str(file), place=place)
        if record["language"] not in LID_176:
            hint = "It is one that lid.176 identifies, such as `ru` or `pt`."
            raise UserError("`language` is not known", file=str(file), place=place, hint=hint)
        task = record.get("task") or of_path
        if task not in TASKS:
            raise UserError(f"`task` is neither {TASKS[0]} nor {TASKS[1]}", file=str(file), place=place)
        yield ConfusionPrompt(
            task=task,
            source=str(record.get("source") or file.stem),
            language=record["language"],
            id=str(record.get("id") or f"{file.stem}:{number}"),
            text=config.form.replace(PROMPT, record["prompt"].strip()),
        )


def _records(file: Path) -> Iterator[dict[str, Any]]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            if file.suffix == ".csv":
                yield from csv.DictReader(lines)
            elif file.suffix == ".jsonl":
                yield from (record for line in lines if line.strip() and (record := _object(line, file)))
            else:
                raise UserError("its suffix does not say how to read it", file=str(file), hint=".csv, .jsonl")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"it cannot be read: {error}", file=str(file)) from error


def _object(line: str, file: Path) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except json.JSONDecodeError as error:
        raise UserError(f"a line is no JSON: {error}", file=str(file)) from error
    if not isinstance(found, dict):
        raise UserError("a line is no JSON object", file=str(file))
    return found
