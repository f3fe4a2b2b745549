"""The archive that MERA's site takes: a zip with a file of each task, `{"data": {"test": [...]}}`.

Each answer has `outputs` and `meta` with the question's id, as `scripts/log_to_submission.py` of MERA's
repository writes them. The same answers make the same bytes. The two tasks of code are not in it: their
answers are what the model's code gives when it is run, and this program runs no such code.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mixers.files import finished_file
from pipelines.errors import UserError
from pipelines.evaluation.mera.data import NORMS, MeraData, MeraQuestion, id_fields
from pipelines.evaluation.mera.tasks import MeraTask, Scoring

SUFFIX = ".json"
SPLIT = "test"
_BEGINNING = (1980, 1, 1, 0, 0, 0)
"""The time of all files in the archive."""


def write_archive(path: Path, data: Mapping[str, MeraData], answers: Mapping[str, Sequence[str]]) -> None:
    """Write the answers to the questions of the closed split.

    Raises:
        UserError: The questions asked were others.
    """
    if any(of_task.split != SPLIT for of_task in data.values()):
        raise UserError("MERA's archive holds answers of the split `test`; others were asked")
    files = {
        f"{name}{SUFFIX}": json.dumps(_submission(data[name], answers[name]), ensure_ascii=False, indent=4)
        for name in sorted(data)
    }
    with finished_file(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, text in files.items():
            entry = zipfile.ZipInfo(name, _BEGINNING)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, text)


def _submission(data: MeraData, answers: Sequence[str]) -> dict[str, Any]:
    rows = [
        {"outputs": _outputs(data.task, answer), "meta": _meta(data.task, question)}
        for question, answer in zip(data.questions, answers, strict=True)
    ]
    return {"data": {SPLIT: rows}}


def _outputs(task: MeraTask, answer: str) -> str | dict[str, str]:
    return dict.fromkeys(NORMS, answer) if task.scoring is Scoring.ETHICS else answer


def _meta(task: MeraTask, question: MeraQuestion) -> dict[str, Any]:
    more = ("id_task", "variant") if task.scoring is Scoring.EXAM else ()
    id = zip(id_fields(task), question.id, strict=True)
    return dict(id) | {name: question.meta[name] for name in more}
