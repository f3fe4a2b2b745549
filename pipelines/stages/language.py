"""Language: which language each document is in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from typing_extensions import override

from filters.language import identify
from pipelines.sources.language_model import load_identifier
from pipelines.sources.models import ModelInput
from pipelines.stages.sidecar import Annotation


@dataclass(frozen=True, kw_only=True)
class Language(Annotation):
    """Output: `language` string and `language_score` float32, as identified from the text."""

    model: ModelInput

    @property
    @override
    def settings(self) -> dict[str, Any]:
        return {"language_model": self.model.identity, "version": identify.VERSION}

    @property
    @override
    def columns(self) -> tuple[str, ...]:
        return ("language", "language_score")

    @override
    def measure(self, documents: pa.Table) -> pa.Table:
        return load_identifier(self.model.location).identify(documents.column("text"))
