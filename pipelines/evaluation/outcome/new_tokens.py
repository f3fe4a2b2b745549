"""New tokens that training has hardly reached."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.evaluation.outcome.measure import Loaded
from pipelines.evaluation.outcome.results import Result, model_fingerprint
from pipelines.evaluation.outcome.table import Estimate, References, Row, Table
from pipelines.evaluation.variants import Variant
from tokenizer_tools.load import load_tokenizer

SHOWN = 10
"""Tokens that a note names."""


@dataclass(frozen=True, kw_only=True)
class NewTokens:
    """The measure of tokens that the base lacks."""

    base: Path
    name: str = "new_tokens"

    def settings(self, variant: Variant) -> Mapping[str, Any]:
        """What decides a result besides the model."""
        return {"base": model_fingerprint(self.base)}

    def refuses(self, variant: Variant) -> str | None:
        """The base has none."""
        return "it has the base's vocabulary" if variant.kind in ("base", "prompt", "passages") else None

    def ask(self, variant: Variant, loaded: Loaded) -> Result:
        """What `trainers.undertrained` finds among the new tokens."""
        from trainers.quiet import quiet_transformers
        from trainers.undertrained import find_undertrained

        if load_tokenizer(loaded.folder).hash == load_tokenizer(self.base).hash:
            raise ValueError("it has the base's vocabulary")
        with quiet_transformers():
            return find_undertrained(loaded.folder, self.base).to_json()

    def tables(self, results: Mapping[str, Result], references: References) -> Iterator[tuple[str, Table]]:
        """The share of new tokens that are under-trained: all are looked at, so it is no estimate."""
        found = {name: dict(result) for name, result in results.items() if dict(result)["new_tokens"]}
        if not found:
            return
        shares = {name: of_one["under_trained"] / of_one["new_tokens"] for name, of_one in found.items()}
        row = Row(
            name="under-trained",
            count=next(iter(found.values()))["new_tokens"],
            scores={name: Estimate(share, (share, share)) for name, share in shares.items()},
        )
        notes = [
            f"{name}: {', '.join(repr(each['text']) for each in suspects[:SHOWN])}"
            for name, of_one in found.items()
            if (suspects := [each for each in of_one["suspects"] if each["under_trained"]])
        ]
        yield (
            self.name,
            Table(
                title="New tokens that are under-trained",
                unit="share",
                counted="new tokens",
                less_is_better=True,
                rows=[row],
                notes=notes,
            ),
        )
