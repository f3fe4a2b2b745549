"""The last trial of a run's folder: what came of a few passages, written by `coupage synthesize --sample`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel

from mixers.files import write_bytes
from pipelines.plain import json_bytes

FILE = "synthesis_trial.json"
KEPT = "kept"
"""The verdict on what became a document; of anything else it is the reason of the rejection."""


class TriedResult(BaseModel):
    """What became of one draft."""

    verdict: str
    text: str


class TriedPassage(BaseModel):
    """What was made of one passage."""

    results: list[TriedResult]


class Tried(BaseModel):
    """What a trial says of one synthesis, as far as later plans use it."""

    name: str
    method: str
    model: str
    calls: int
    input_tokens: int
    output_tokens: int
    passages: list[TriedPassage]

    @property
    def kept(self) -> list[str]:
        """The texts of the new documents."""
        return [each.text for passage in self.passages for each in passage.results if each.verdict == KEPT]


class _Trial(BaseModel):
    methods: list[Tried]


def write_trial(workdir: Path, trial: dict[str, Any]) -> None:
    """Keep a trial in place of the one before."""
    write_bytes(workdir / FILE, json_bytes(trial))


def read_trial(workdir: Path) -> list[Tried]:
    """What the last trial says of each synthesis; nothing where there was none, or its file was changed."""
    try:
        return _Trial.model_validate_json((workdir / FILE).read_bytes()).methods
    except (OSError, ValueError):
        return []
