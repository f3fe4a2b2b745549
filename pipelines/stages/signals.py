"""Signals: the quality signals of one family."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import pyarrow as pa
from typing_extensions import override

from filters.quality.signals import FAMILIES, compute_signals
from filters.text.words import WordDefinition
from pipelines.stages.sidecar import Annotation


@dataclass(frozen=True, kw_only=True)
class Signals(Annotation):
    """Output: a column for each signal of the family."""

    family: str
    words: WordDefinition = "unicode"

    @property
    @override
    def settings(self) -> dict[str, Any]:
        return {"signals": self.family, "version": FAMILIES[self.family].version, "words": self.words}

    @property
    @override
    def columns(self) -> tuple[str, ...]:
        return tuple(signal.name for signal in FAMILIES[self.family].signals)

    @override
    def measure(self, documents: pa.Table) -> pa.Table:
        return compute_signals(documents.column("text"), self.words, [self.family])

    @classmethod
    @override
    def measure_together(cls, members: Sequence[Self], documents: pa.Table) -> list[pa.Table]:
        families = [member.family for member in members]
        signals = compute_signals(documents.column("text"), members[0].words, families)
        return [signals.select(member.columns) for member in members]
