"""What training gave on held-out documents: from the start over each stage that led to the last one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.execution.trained_stage import TrainedStage
from trainers.scores import Evaluation


@dataclass(frozen=True)
class ScoreTable:
    """Losses in nats and bits per byte of each group, and of all together, at several times."""

    times: tuple[str, ...]
    """`start`, and the names of the stages whose ends follow."""
    losses: dict[str, list[float]]
    """Group to its loss at each time."""
    bits_per_byte: dict[str, list[float | None]]


def score_table(lineage: Sequence[TrainedStage]) -> ScoreTable | None:
    """The scores before the first stage and after each; None where the last one was not evaluated.

    Earlier stages count as far back as they were measured on the same documents as the last.
    """
    measured: list[tuple[str, list[Evaluation]]] = []
    for stage in reversed(lineage):
        evaluations = [Evaluation.from_json(value) for value in stage.result["evaluations"]]
        if not evaluations or (measured and not same_documents(evaluations[-1], measured[0][1][0])):
            break
        measured.insert(0, (stage.name, evaluations))
    if not measured:
        return None
    times = [("start", measured[0][1][0]), *((name, evaluations[-1]) for name, evaluations in measured)]
    scores = {group: [e.groups[group] for _, e in times] for group in sorted(measured[0][1][0].groups)}
    scores["all"] = [evaluation.total for _, evaluation in times]
    return ScoreTable(
        tuple(name for name, _ in times),
        {group: [score.loss for score in found] for group, found in scores.items()},
        {group: [score.bits_per_byte for score in found] for group, found in scores.items()},
    )


def same_documents(one: Evaluation, other: Evaluation) -> bool:
    """Whether two evaluations are of the same held-out documents, as far as their sizes tell."""
    return _documents(one) == _documents(other)


def _documents(evaluation: Evaluation) -> dict[str, tuple[int, int]]:
    """What tells one set of held-out documents from another: tokens and bytes of each group."""
    return {group: (score.tokens, score.bytes) for group, score in evaluation.groups.items()}
