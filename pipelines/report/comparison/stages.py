"""What differs between the stages of two runs: inputs from outside, code, and what was made anew."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic import ValidationError

from pipelines.execution.fingerprint import canonical_json
from pipelines.execution.manifest import Manifest
from pipelines.execution.seal import RunRecord
from pipelines.graph.build import build_graph
from pipelines.graph.inputs import RecordedInputs
from pipelines.graph.reasons import FINGERPRINT, Made, differences, plain, reasons
from pipelines.recipe.recipe import Recipe
from pipelines.report.comparison.recipes import in_words

FROM_OUTSIDE = {
    "input": "files",
    "files": "files",
    "identity": "tokenizer",
    "chat_template": "chat template",
    "language_model": "model that tells languages",
    "lists": "lists of words",
    "against": "benchmarks",
    "judgements": "judgements",
    "embedder": "embedder",
    "model": "model",
    "prompts": "prompts",
}
"""The settings of stages that name what a run reads, and what that is."""
VERSIONS = {"version", "versions", "sampling", "pages"}
"""In what names an input: the versions of the code that reads it."""
SHOWN = 20
"""Files that are named of each kind of change of a source."""


@dataclass(frozen=True)
class Stages:
    """The stages of a run, as it recorded them."""

    record: RunRecord
    manifests: Mapping[str, Manifest]
    """By the stage's label; those that can be read."""

    @cached_property
    def settings_now(self) -> dict[str, Any] | None:
        """The settings that each stage would have with the code of today; None where that knows it not.

        What two runs have different here, their recipes or inputs have different.
        """
        settings = {label: stage.settings for label, stage in self.record.stages.items()}
        try:
            graph = build_graph(Recipe.model_validate_json(self.record.recipe), RecordedInputs(settings))
            return {stage.label: plain(stage.settings) for stage in graph.stages()}
        except (KeyError, ValidationError):
            return None

    @cached_property
    def order(self) -> list[str]:
        """The labels of all stages, each after its inputs."""
        found: dict[str, None] = {}

        def visit(label: str) -> None:
            if label not in found and label in self.record.stages:
                for before in self.manifests[label].inputs if label in self.manifests else ():
                    visit(before)
                found[label] = None

        for label in sorted(self.record.stages, key=lambda label: (not label.startswith("ingest"), label)):
            visit(label)
        return list(found)

    def called(self, label: str) -> str:
        """What a stage is called without the name of its source: that of all sources are alike."""
        manifest = self.manifests.get(label)
        if manifest is None:
            return label
        for before in manifest.inputs:
            source = self.manifests[before].scope if before in self.manifests else ""
            if source and manifest.scope.startswith(f"{source}-"):
                return f"{manifest.stage} {manifest.scope.removeprefix(f'{source}-')}"
        return manifest.stage


@dataclass(frozen=True)
class _Change:
    """A setting that differs in a stage of both runs."""

    label: str
    place: str
    old: Any
    new: Any
    by_recipe: bool | None
    """Whether recipe or inputs alone make it so; None where nobody knows."""


def code_differences(a: Stages, b: Stages) -> list[dict[str, Any]]:
    """The versions of stages, and of the code and libraries that they use, that differ.

    Of each `what` it is the version of, `old` and `new`, the labels of the `stages` in which it differs, and
    the same `in_words`.
    """
    found: dict[bytes, dict[str, Any]] = {}

    def add(label: str, place: str, old: Any, new: Any) -> None:
        what = f"{a.called(label)}: {place}"
        words = f"{what} {_value(old)} → {_value(new)}"
        entry = {"what": what, "old": old, "new": new, "stages": [], "in_words": words}
        found.setdefault(canonical_json([what, old, new]), entry)["stages"].append(label)

    for label in a.order:
        before, after = a.manifests.get(label), b.manifests.get(label)
        if before is not None and after is not None and before.version != after.version:
            add(label, "version", before.version, after.version)
    for change in _changes(a, b):
        if _is_version(change):
            add(change.label, change.place, change.old, change.new)
    return list(found.values())


def _changes(a: Stages, b: Stages) -> Iterator[_Change]:
    """Every setting that differs; in what names an input, each part of it."""
    now_a, now_b = a.settings_now or {}, b.settings_now or {}
    for label in a.order:
        before, after = a.record.stages[label], b.record.stages.get(label)
        if after is None or before.fingerprint == after.fingerprint:
            continue
        explained = (
            {place for place, _, _ in differences(now_a[label], now_b[label])}
            if label in now_a and label in now_b
            else None
        )
        for place, old, new in differences(before.settings, after.settings):
            yield _Change(label, place, old, new, None if explained is None else place in explained)


def _is_version(change: _Change) -> bool:
    """Whether code made the difference, not the recipe, and no input."""
    parts = change.place.split(".")
    if parts[0] in FROM_OUTSIDE:
        return bool(VERSIONS.intersection(parts[1:]))
    if isinstance(change.new, str) and FINGERPRINT.fullmatch(change.new):
        return False  # names what an earlier stage made
    return "version" in parts if change.by_recipe is None else not change.by_recipe


def input_differences(a: Stages, b: Stages) -> list[dict[str, Any]]:
    """What was read from outside that differs.

    Of each the `stage` that reads it, `what` it is, `in_words`; of files those that are `new`, `gone` or
    `changed` and how many there are of each, of anything else `old` and `new`.
    """
    found = []
    told = set()
    for change in _changes(a, b):
        parts = change.place.split(".")
        if parts[0] not in FROM_OUTSIDE or _is_version(change):
            continue
        key = canonical_json([parts, change.old, change.new])
        if key in told and parts[0] != "input":  # one model, read by the stages of all sources
            continue
        told.add(key)
        found.append(_input(a, change, parts))
    return found


def _input(a: Stages, change: _Change, parts: list[str]) -> dict[str, Any]:
    entry = {"stage": change.label, "what": FROM_OUTSIDE[parts[0]], "place": change.place}
    if parts[-1] == "files" and all(_are_files(value) for value in (change.old, change.new)):
        files = _files(change.old, change.new)
        counts = ", ".join(f"{files['numbers'][kind]:,} {kind}" for kind in files["numbers"])
        return entry | files | {"in_words": f"files of {change.label.partition(' ')[2]}: {counts}"}
    name = change.label.partition(" ")[2] if parts[0] == "input" else entry["what"]
    what = f"{name}: {'.'.join(parts[1:])}".removesuffix(": ")
    words = f"{what}: {_value(change.old)} → {_value(change.new)}"
    return entry | {"old": change.old, "new": change.new, "in_words": words}


def _are_files(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, list) and len(each) == 3 for each in value)


def _files(old: list[Any], new: list[Any]) -> dict[str, Any]:
    """Files by path: size in bytes, and what tells their content."""
    before, after = ({path: (size, content) for path, size, content in files} for files in (old, new))
    kinds = {
        "new": [path for path in after if path not in before],
        "gone": [path for path in before if path not in after],
        "changed": [path for path in after if path in before and before[path] != after[path]],
    }

    def described(path: str) -> dict[str, Any]:
        sides = {"old": before.get(path), "new": after.get(path)}
        return {"path": path} | {
            side: {"bytes": found[0], "content": found[1]} if found else None for side, found in sides.items()
        }

    return {
        "numbers": {kind: len(paths) for kind, paths in kinds.items() if paths},
        "files": [{"change": kind, **described(path)} for kind in kinds for path in kinds[kind][:SHOWN]],
    }


def made_anew(a: Stages, b: Stages) -> dict[str, Any]:
    """Which stages have another fingerprint, and why: first causes, with all that was made anew after each.

    Stages with the same cause are told together.
    """
    before = {label: a.record.stages[label].fingerprint for label in a.order}
    after = {label: b.record.stages[label].fingerprint for label in b.order}
    anew = {label for label in after if label in before and after[label] != before[label]}
    new = [label for label in after if label not in before]
    found: dict[tuple[str, ...], list[str]] = {}
    for label in after:
        if label in anew and (causes := tuple(_causes(a, b, label, anew.union(new)))):
            found.setdefault((a.called(label), *causes), []).append(label)
    return {
        "stages": len(after),
        "same": len(after) - len(anew) - len(new),
        "anew": [label for label in after if label in anew],
        "new": new,
        "gone": [label for label in before if label not in after],
        "causes": [
            {
                "in_words": f"{_named(what, labels)}: {'; '.join(causes)}",
                "stages": labels,
                "causes": causes,
                "after": _after(labels, b, anew),
            }
            for (what, *causes), labels in found.items()
        ],
    }


def _named(what: str, labels: list[str]) -> str:
    return labels[0] if len(labels) == 1 else f"{what} ({len(labels):,} stages)"


def _causes(a: Stages, b: Stages, label: str, anew: set[str]) -> Iterator[str]:
    old, new = a.manifests.get(label), b.manifests.get(label)
    if old is None or new is None:
        return
    made = Made.of(old), Made.of(new)
    names_inputs = [
        place
        for place, _, value in differences(made[0].settings, made[1].settings)
        if isinstance(value, str) and FINGERPRINT.fullmatch(value)
    ]
    for cause in reasons(*made, anew):
        if not (anew.intersection(new.inputs) and any(cause == f"{place} changed" for place in names_inputs)):
            yield cause


def _after(first: Iterable[str], b: Stages, anew: set[str]) -> list[str]:
    """The stages that are made from these, however far, and were made anew."""
    reached = set(first)
    for label in b.order:
        manifest = b.manifests.get(label)
        if manifest is not None and label in anew and reached.intersection(manifest.inputs):
            reached.add(label)
    return [label for label in b.order if label in reached.difference(first)]


def _value(value: Any) -> str:
    return in_words(value) if value is None or isinstance(value, dict) else str(value)
