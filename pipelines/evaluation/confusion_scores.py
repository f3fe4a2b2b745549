"""The pass rates of language confusion, of several models on the same prompts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pipelines.evaluation.confusion_prompts import ConfusionPrompt
from pipelines.evaluation.estimates import Estimate, Places, Score, harmonic_mean, share
from pipelines.evaluation.language_confusion import ConfusionReply

RATES = ("answered", "lpr", "wpr", "lcpr")
"""Answers at all, line-level, word-level and both levels: their names in `Confusion`."""


@dataclass(frozen=True, kw_only=True)
class PassRates:
    """Of one model. `judged` is the number of answers with a line that is long enough to tell its language.

    A rate is None where no answer tells it, or the language is written in Latin script.
    """

    judged: int
    answered: Score | None
    lpr: Score | None
    wpr: Score | None
    lcpr: Score | None


@dataclass(frozen=True, kw_only=True)
class Confusion:
    """Of some prompts: each model's rates, and how much more they are than the first model's, by role."""

    prompts: int
    scores: dict[str, PassRates]
    differences: dict[str, dict[str, Score | None]]


@dataclass(frozen=True, kw_only=True)
class TaskConfusion:
    """Of a task: of each language, and the mean over languages."""

    languages: dict[str, Confusion]
    all: Confusion


@dataclass(frozen=True)
class ConfusionScores:
    """Of each task, `monolingual` and `crosslingual`."""

    tasks: dict[str, TaskConfusion]

    def to_json(self) -> dict[str, Any]:
        """The scores in plain types, for JSON."""
        return asdict(self)


def score_confusion(replies_by_role: Mapping[str, Sequence[ConfusionReply]]) -> ConfusionScores:
    """The rates of models on the same prompts in the same order; the first one is what others differ from."""
    prompts = [reply.prompt for reply in next(iter(replies_by_role.values()))]
    for role, replies in replies_by_role.items():
        if [reply.prompt for reply in replies] != prompts:
            raise ValueError(f"{role} was asked other prompts than the first model.")
    tasks = {}
    for task in sorted({prompt.task for prompt in prompts}):
        cells = _cells(prompts, task)
        tasks[task] = TaskConfusion(
            languages={name: _compare({name: of_one}, replies_by_role) for name, of_one in cells.items()},
            all=_compare(cells, replies_by_role),
        )
    return ConfusionScores(tasks)


def _cells(prompts: Sequence[ConfusionPrompt], task: str) -> dict[str, list[Places]]:
    """By language, the numbers of each source's prompts of a task."""
    found: dict[str, dict[str, list[int]]] = {}
    for number, prompt in enumerate(prompts):
        if prompt.task == task:
            found.setdefault(prompt.language, {}).setdefault(prompt.source, []).append(number)
    return {
        language: [np.array(of_source) for _, of_source in sorted(sources.items())]
        for language, sources in sorted(found.items())
    }


def _compare(
    cells: Mapping[str, list[Places]], replies_by_role: Mapping[str, Sequence[ConfusionReply]]
) -> Confusion:
    first, *others = replies_by_role
    estimates = {role: _estimates(cells, replies, role == first) for role, replies in replies_by_role.items()}
    places = np.concatenate([places for of_language in cells.values() for places in of_language])
    return Confusion(
        prompts=len(places),
        scores={
            role: PassRates(
                judged=sum(replies[place].lines is not None for place in places),
                **{rate: each.score if each else None for rate, each in estimates[role].items()},
            )
            for role, replies in replies_by_role.items()
        },
        differences={
            role: {rate: _less(estimates[role][rate], estimates[first][rate]) for rate in RATES}
            for role in others
        },
    )


def _estimates(
    cells: Mapping[str, list[Places]], replies: Sequence[ConfusionReply], is_first: bool
) -> dict[str, Estimate | None]:
    groups = list(cells.values())
    answered = _share([reply.answered for reply in replies], groups, is_first)
    lines = _share([reply.lines for reply in replies], groups, is_first)
    words = _share([reply.words for reply in replies], groups, is_first)
    both = harmonic_mean(lines, words) if lines and words else None
    return dict(zip(RATES, (answered, lines, words, both), strict=True))


def _share(passed: Sequence[bool | None], groups: list[list[Places]], is_first: bool) -> Estimate | None:
    right = np.array([each is True for each in passed], np.float64)
    counted = np.array([each is not None for each in passed], np.float64)
    return share(right, counted, groups, is_first)


def _less(one: Estimate | None, first: Estimate | None) -> Score | None:
    return one.less(first).score if one and first else None
