"""Models and chat templates that come from outside: where one is loaded from, and what it is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mixers.files import hash_file
from pipelines.errors import UserError
from pipelines.execution.fingerprint import fingerprint
from pipelines.sources.language_model import bundled_model


@dataclass(frozen=True)
class ModelInput:
    """A base tokenizer or a model: where it is loaded from, and what it is."""

    location: str
    revision: str | None
    identity: str


@dataclass(frozen=True)
class ChatTemplate:
    """A chat template: its Jinja text, and what it is."""

    text: str
    identity: str


def read_chat_template(path: Path) -> ChatTemplate:
    """The template in a file. Raises UserError if there is none."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"the chat template cannot be read: {error}",
            file=str(path),
            place="tokenizer.chat_template",
            hint="Name a Jinja file, a UTF-8 text; its path begins at the recipe's folder.",
        ) from error
    return ChatTemplate(text, fingerprint(text))


def bundled_language_model() -> ModelInput:
    """The bundled model, lid.176, as an input."""
    return ModelInput(str(bundled_model()), None, hash_file(bundled_model()))
