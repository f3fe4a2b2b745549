"""The last trial of `coupage synthesize --sample`: a few passages beside what came of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from pipelines.errors import WorkError
from pipelines.report.synthesis_examples import shortened
from pipelines.stages.synthesis.trial import FILE


def trial_report(workdir: Path) -> list[dict[str, Any]]:
    """What each method of the last trial made, texts shortened; nothing where there was no trial.

    Raises WorkError where the file of the trial is damaged.
    """
    path = workdir / FILE
    if not path.is_file():
        return []
    try:
        return [_shortened(method) for method in orjson.loads(path.read_bytes())["methods"]]
    except (ValueError, KeyError, TypeError) as error:
        hint = "Remove it, or run `coupage synthesize --sample` again."
        raise WorkError("the trial of synthesis is damaged", file=str(path), hint=hint) from error


def _shortened(method: dict[str, Any]) -> dict[str, Any]:
    passages = [
        each
        | {
            "text": shortened(each["text"]),
            "results": [result | {"text": shortened(result["text"])} for result in each["results"]],
        }
        for each in method["passages"]
    ]
    return method | {"passages": passages}
