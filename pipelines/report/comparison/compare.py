"""Two finished runs beside each other: what was changed, and what that changed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from pipelines.errors import UserError
from pipelines.execution.manifest import Damaged, FileRecord, Manifest, checked_path, read_manifest
from pipelines.execution.seal import RunRecord, no_run, read_attempt, read_run
from pipelines.report.comparison.documents import Verdicts, moved_documents, verdicts_of
from pipelines.report.comparison.figures import figure_differences, missing_sections
from pipelines.report.comparison.recipes import recipe_differences
from pipelines.report.comparison.scores import score_differences
from pipelines.report.comparison.stages import Stages, code_differences, input_differences, made_anew

REPORT = "report.json"
PACKAGES = ("coupage", "python")
CHANGES = ("recipe", "inputs", "code")
"""The sections on what was changed; all others are on what that changed."""


@dataclass(frozen=True)
class RunFacts:
    """What a finished run says of itself; it may be of an earlier version of the program."""

    folder: Path
    record: RunRecord
    manifests: dict[str, Manifest]
    """Of its stages, by label; those that can be read."""
    report: dict[str, Any]
    """Its `report.json`, as it stands."""

    @property
    def stages(self) -> Stages:
        """Its stages."""
        return Stages(self.record, self.manifests)

    @property
    def verdicts(self) -> dict[str, Verdicts]:
        """What became of the documents of each source."""
        selects = {label: found for label, found in self.manifests.items() if found.stage == "select"}
        order = sorted(selects, key=lambda label: (len(label), label))  # documents, documents-2, ...
        folders = (self.record.stages[label].folder for label in order)
        return verdicts_of(self.folder, (selects[label] for label in order), folders)


def read_facts(folder: Path) -> RunFacts:
    """The facts of a finished run.

    Raises:
        UserError: The folder is not one of a finished run.
        Damaged: Its record or its report is not what was written.
    """
    record = read_run(folder)
    if record is None:
        if read_attempt(folder) is None:
            raise no_run(folder)
        raise UserError(
            "this run is not finished",
            file=str(folder),
            hint="Finish it with the same command that began it; only finished runs are compared.",
        )
    manifests = {}
    for label, stage in record.stages.items():
        try:
            manifest = read_manifest(folder / "stages" / stage.folder)
        except Damaged:  # or of an earlier version
            continue
        if manifest is not None:
            manifests[label] = manifest
    return RunFacts(folder, record, manifests, _report(folder, record))


def _report(folder: Path, record: RunRecord) -> dict[str, Any]:
    if REPORT in record.files:
        checked_path(folder, FileRecord(name=REPORT, rows=0, **record.files[REPORT]))
    try:
        return dict(orjson.loads((folder / REPORT).read_bytes()))
    except (OSError, ValueError) as error:
        raise Damaged("is missing or no JSON", file=str(folder / REPORT)) from error


def compare(a: RunFacts, b: RunFacts) -> dict[str, Any]:
    """What differs from run `a` to run `b`, JSON-able.

    `recipe`, `inputs` and `code` say what was changed; `stages` which were made anew because of what;
    `documents` those that are not what they were; `funnel`, `mixture`, `duplicates`, `contamination`,
    `licences`, `training` and `evaluation` hold a row for each number that differs, and `scores` how sure
    the last of these are. `missing` names what could not be compared. `equal`: nothing differs.
    """
    stages = a.stages, b.stages
    anew = made_anew(*stages)
    changes = {
        "recipe": recipe_differences(a.record.recipe, b.record.recipe),
        "inputs": input_differences(*stages),
        "code": [*code_differences(*stages), *_packages(a.report, b.report)],
    }
    effects = {
        "documents": moved_documents(a.verdicts, b.verdicts),
        **figure_differences(a.report, b.report),
    }
    is_equal = not any(
        (*changes.values(), *effects.values(), *(anew[key] for key in ("anew", "new", "gone")))
    )
    scores = [] if is_equal else score_differences(a.report, b.report, (a.folder, b.folder))
    return {
        "a": _named(a),
        "b": _named(b),
        "equal": is_equal,
        "missing": [*_unreadable(a, b), *missing_sections(a.report, b.report)],
        **changes,
        "stages": anew,
        **effects,
        "scores": scores,
    }


def _named(run: RunFacts) -> dict[str, Any]:
    return {"folder": str(run.folder), "name": run.report.get("name")}


def _unreadable(a: RunFacts, b: RunFacts) -> list[str]:
    return [
        f"stages of {name}: {number:,} cannot be read, they are damaged or of an earlier version"
        for name, run in (("A", a), ("B", b))
        if (number := len(run.record.stages) - len(run.manifests))
    ]


def _packages(a: dict[str, Any], b: dict[str, Any]) -> list[dict[str, Any]]:
    """The versions of the program and of the packages that decide outputs, where both reports have them."""
    before, after = (_versions(report.get("lineage") or {}) for report in (a, b))
    return [
        {
            "what": name,
            "old": before.get(name),
            "new": after.get(name),
            "stages": [],
            "in_words": f"{name} {before.get(name) or 'nothing'} → {after.get(name) or 'nothing'}",
        }
        for name in (dict.fromkeys((*before, *after)) if before and after else ())
        if before.get(name) != after.get(name)
    ]


def _versions(lineage: dict[str, Any]) -> dict[str, Any]:
    return {**{name: lineage.get(name) for name in PACKAGES if lineage}, **lineage.get("packages", {})}
