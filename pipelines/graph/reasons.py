"""Why a stage is not what it was: its code, its settings or its inputs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Any, Self

import orjson

from pipelines.execution.manifest import Manifest
from pipelines.execution.stage import Stage

LONGEST_SHOWN = 60
FINGERPRINT = re.compile(r"[0-9a-f]{32,}")
"""What names content: nobody reads it."""


@dataclass(frozen=True)
class Made:
    """What a stage was, or will be, made with."""

    version: int
    settings: dict[str, Any]
    inputs: Mapping[str, str]
    """The fingerprint of each input by its label."""

    @classmethod
    def of(cls, manifest: Manifest) -> Self:
        """What a finished stage was made with."""
        inputs = {label: record.fingerprint for label, record in manifest.inputs.items()}
        return cls(manifest.version, manifest.settings, inputs)

    @classmethod
    def to_be(cls, stage: Stage) -> Self:
        """What a stage would be made with."""
        inputs = {before.label: before.fingerprint for before in stage.inputs}
        return cls(stage.version, plain(stage.settings), inputs)


def reasons(earlier: Made, now: Made, anew: Set[str]) -> Iterator[str]:
    """Why a stage is not what it was, in words.

    That one of the inputs in `anew` is not what it was is no reason of its own.
    """
    if earlier.version != now.version:
        yield f"its code changed (version {earlier.version} -> {now.version})"
    for place, before, after in differences(earlier.settings, now.settings):
        old, new = str(before), str(after)
        readable = max(len(old), len(new)) <= LONGEST_SHOWN and not FINGERPRINT.fullmatch(new)
        yield f"{place}: {old} -> {new}" if readable else f"{place} changed"
    for label, fingerprint in now.inputs.items():
        if label not in earlier.inputs:
            yield f"new input: {label}"
        elif earlier.inputs[label] != fingerprint and label not in anew:
            yield f"{label} changed"
    for label in sorted(earlier.inputs.keys() - now.inputs.keys()):
        yield f"input gone: {label}"


def plain(value: Any) -> Any:
    """The value as JSON gives it back."""
    return orjson.loads(orjson.dumps(value))


def differences(old: Any, new: Any, place: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Each dotted place where two JSON values differ, with what stands there; None where nothing does."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            yield from differences(old.get(key), new.get(key), f"{place}.{key}" if place else key)
    elif old != new:
        yield place, old, new
