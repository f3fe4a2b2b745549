"""Prompts from a file of the user's."""

from __future__ import annotations

from pathlib import Path

from pipelines.errors import UserError
from pipelines.recipe.outcome import Outcome
from pipelines.sources.base import Quarantine
from pipelines.sources.given_files import GivenFiles
from pipelines.sources.quarantine import count_quarantine


def read_prompts(path: str) -> list[str]:
    """The column `text` of a file. Raises UserError where there is none."""
    given = GivenFiles.find([path])
    quarantine = Quarantine()
    tables = given.read_file(given.files[0], quarantine)
    texts = [text for table in tables for text in table.column("text").to_pylist()]
    count_quarantine(quarantine, len(texts))
    return texts


def base_prompt(asked: Outcome) -> str | None:
    """What is put before all that a base is asked; None: nothing. Raises UserError for an empty file."""
    if asked.prompt_file is None:
        return asked.prompt
    hint = "Give a UTF-8 text file, or the text itself as outcome.prompt."
    try:
        text = Path(asked.prompt_file).expanduser().read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"the prompt cannot be read: {error}", file=asked.prompt_file, hint=hint) from error
    if not text:
        raise UserError("the prompt is empty", file=asked.prompt_file, hint=hint)
    return text
