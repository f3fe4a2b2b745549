"""What a source lost on the way, for the report and in the sentences that end a run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipelines.report.licences import licence_warnings
from pipelines.sources.base import BadRecord
from pipelines.sources.passed_over import PassedOver, describe
from pipelines.stages.set_aside import ReadingStage, losses_of, quarantined

MOSTLY = 0.8
"""Of a group more synthetic text than this is worth a warning."""


def losses(stage: ReadingStage, workdir: Path) -> dict[str, Any]:
    """What the files that a stage reads hold that became no document, JSON-able."""
    lost = losses_of(stage.manifest(workdir).counts)
    first = next(quarantined(stage, workdir), None)
    return {
        "input_bytes": lost.input_bytes,
        "lost_bytes": lost.bytes,
        "lost": {r: {"records": loss.records, "bytes": loss.bytes} for r, loss in lost.reasons.items()},
        "lost_in_words": lost.in_words() if lost.reasons else "",
        "first_lost": _place(BadRecord(**first.slice(0, 1).to_pylist()[0])) if first else None,
    }


def _place(record: BadRecord) -> str:
    return f"{record.file}:{record.position}" if record.position else record.file


def set_aside_lines(report: dict[str, Any]) -> Iterator[str]:
    """A sentence for each source and classifier of a report whose files hold more than was read."""
    named = [(source["source"], source) for source in report["sources"]]
    named += [(f"labelled files of {each['classifier']}", each) for each in report["classifiers"]]
    for name, entry in named:
        if entry.get("lost"):
            yield f"{name}: {entry['lost_in_words']} set aside, first {entry['first_lost']}"
        if entry.get("passed_over"):
            yield f"{name}: {describe([PassedOver(**each) for each in entry['passed_over']])}"


def warnings(report: dict[str, Any]) -> Iterator[str]:
    """A sentence for each thing in a report that its reader should know of."""
    yield from _little_warnings(report)
    yield from licence_warnings(report)
    yield from _synthetic_warnings(report)


def _little_warnings(report: dict[str, Any]) -> Iterator[str]:
    """A sentence for each source that gave little, or says what its chat template leaves out."""
    for source in report["sources"]:
        for field, number in source["left_out_by_template"].items():
            yield (
                f"the chat template leaves out `{field}`, which {number:,} conversations of the source "
                f"`{source['source']}` have"
            )
        name, documents, kept = source["source"], source["documents"], source["kept"]
        if documents is None or kept is None:
            continue  # the run has not come so far
        if not documents:
            yield f"the source `{name}` has no document{_mainly(source['set_aside'])}"
        elif kept == 0:
            yield f"no document of the source `{name}` was kept{_mainly(source['dropped'])}"
        elif kept < documents / 2:
            dropped = f"{documents - kept:,} of {documents:,} documents of the source `{name}` were dropped"
            yield dropped + _mainly(source["dropped"])


def _synthetic_warnings(report: dict[str, Any]) -> Iterator[str]:
    """A sentence for each group that is nearly all synthetic text without anybody having asked for it."""
    for stage, groups in report["synthetic"].items():
        for group, entry in groups.items():
            if entry["share"] > MOSTLY and not entry["asked"]:
                yield (
                    f"{entry['share']:.0%} of the group `{group}` of {stage} is synthetic text; give it real "
                    f"documents, or say that it is meant: `mixtures.{stage}.synthetic: {{{group}: "
                    f"{entry['share']:.0%}}}`"
                )


def _mainly(reasons: dict[str, int]) -> str:
    if not reasons:
        return ""
    reason = max(reasons, key=lambda reason: reasons[reason])
    return f", most of them for `{reason}` ({reasons[reason]:,})"
