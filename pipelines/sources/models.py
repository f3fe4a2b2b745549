"""Models that come from outside: where one is loaded from, and what it is."""

from __future__ import annotations

from dataclasses import dataclass

from mixers.files import hash_file
from pipelines.sources.language_model import bundled_model


@dataclass(frozen=True)
class ModelInput:
    """A base tokenizer or a model: where it is loaded from, and what it is."""

    location: str
    revision: str | None
    identity: str


def bundled_language_model() -> ModelInput:
    """The bundled model, lid.176, as an input."""
    return ModelInput(str(bundled_model()), None, hash_file(bundled_model()))
