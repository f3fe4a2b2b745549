"""The scores of MERA's questions whose right answers are open, of several models on the same questions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pipelines.evaluation.estimates import Estimate, Places, Score, Values, jackknife, share
from pipelines.evaluation.mera.data import MeraData, MeraQuestion
from pipelines.evaluation.mera.metrics import exact_span, exam_points, f1_span, macro_f1, matthews
from pipelines.evaluation.mera.tasks import Scoring

Estimates = dict[str, Estimate]
"""By the site's name of the metric."""


@dataclass(frozen=True, kw_only=True)
class MetricScores:
    """A metric of each model, and how much more it is than the first model's, by role."""

    scores: dict[str, Score]
    differences: dict[str, Score]


@dataclass(frozen=True, kw_only=True)
class MeraTaskScores:
    """Of a task: each metric by the site's name; `acc.anatomy` is that of a part of its questions."""

    questions: int
    metrics: dict[str, MetricScores]


@dataclass(frozen=True)
class MeraScores:
    """Of each task that can be scored here."""

    tasks: dict[str, MeraTaskScores]

    def to_json(self) -> dict[str, Any]:
        """The scores in plain types, for JSON."""
        return asdict(self)


def score_mera(
    data: Mapping[str, MeraData], answers_by_role: Mapping[str, Mapping[str, Sequence[str]]]
) -> MeraScores:
    """The scores of models that were asked the same; the first one is what others differ from.

    A question without a right answer does not count, and a task of such questions is left out, as is one that
    is scored by other models or by running code.
    """
    tasks = {}
    for name, of_task in data.items():
        places = [place for place, question in enumerate(of_task.questions) if question.output]
        if places and of_task.task.scoring not in (Scoring.DETOXIFICATION, Scoring.CODE):
            questions = [of_task.questions[place] for place in places]
            answers = {
                role: [of_all[name][place] for place in places] for role, of_all in answers_by_role.items()
            }
            tasks[name] = _scores(of_task, questions, answers)
    return MeraScores(tasks)


def _scores(
    data: MeraData, questions: Sequence[MeraQuestion], answers: Mapping[str, Sequence[str]]
) -> MeraTaskScores:
    first, *others = answers
    found = {role: _estimates(data, questions, given, role == first) for role, given in answers.items()}
    return MeraTaskScores(
        questions=len(questions),
        metrics={
            metric: MetricScores(
                scores={role: of_role[metric].score for role, of_role in found.items()},
                differences={role: found[role][metric].less(of_first).score for role in others},
            )
            for metric, of_first in found[first].items()
        },
    )


def _estimates(
    data: MeraData, questions: Sequence[MeraQuestion], answers: Sequence[str], is_first: bool
) -> Estimates:
    scoring = data.task.scoring
    if scoring is Scoring.ETHICS:
        return dict(_ethics(questions, answers))
    pairs = [(str(question.output), answer) for question, answer in zip(questions, answers, strict=True)]
    if scoring is Scoring.EXAM:
        return dict(_exam(questions, pairs, is_first))
    if scoring is Scoring.SPAN:
        return {
            "f1": _mean([f1_span(answer, right) for right, answer in pairs], is_first),
            "em": _mean([exact_span(answer, right) for right, answer in pairs], is_first),
        }
    hits = np.array([float(right == answer) for right, answer in pairs])
    if scoring is Scoring.EXACT:
        return {"em": _mean(hits, is_first)}
    found = {"acc": _mean(hits, is_first)}
    if scoring is Scoring.ACCURACY_AND_F1:
        found["f1_macro"] = jackknife(macro_f1, pairs, lowest=0.0)
    if data.task.part:
        where, field = data.task.part
        of_each = [(question.meta if where == "meta" else question.inputs)[field] for question in questions]
        for part, places in _places_of(of_each).items():
            found[f"acc.{part}"] = _mean(hits, is_first, places)
    return found


def _ethics(questions: Sequence[MeraQuestion], answers: Sequence[str]) -> Iterator[tuple[str, Estimate]]:
    """The correlation of the answers to each of three questions with each norm."""
    of_each = [question.meta["question"] for question in questions]
    for asked, places in _places_of(of_each).items():
        for norm in questions[places[0]].output:
            pairs = [(dict(questions[place].output)[norm], answers[place]) for place in places]
            yield f"{asked}.{norm}", jackknife(matthews, pairs, lowest=-1.0)


def _exam(
    questions: Sequence[MeraQuestion], pairs: Sequence[tuple[str, str]], is_first: bool
) -> Iterator[tuple[str, Estimate]]:
    """The mean over variants of the exam of the share of all points; of each question the mean share."""
    meta = [question.meta for question in questions]
    points = np.array(
        [
            float(exam_points(answer, right, str(of_one["id_task"]), of_one["type"]))
            for (right, answer), of_one in zip(pairs, meta, strict=True)
        ]
    )
    most = np.array([float(of_one["score"]) for of_one in meta])
    variants = [[places] for places in _places_of([of_one["variant"] for of_one in meta]).values()]
    yield "grade_norm", _required(share(points, most, variants, is_first))
    for task, places in _places_of([of_one["id_task"] for of_one in meta]).items():
        yield f"grade_norm.task{task}", _mean(points / most, is_first, places)


def _mean(values: Sequence[float] | Values, is_first: bool, places: Places | None = None) -> Estimate:
    right = np.asarray(values, np.float64)
    cell = np.arange(len(right)) if places is None else places
    return _required(share(right, np.ones(len(right)), [[cell]], is_first))


def _required(estimate: Estimate | None) -> Estimate:
    assert estimate is not None, "a task that is scored has questions, and each of them counts"
    return estimate


def _places_of(values: Sequence[Any]) -> dict[Any, Places]:
    """Where each value stands, in order of the values' words."""
    found: dict[Any, list[int]] = defaultdict(list)
    for place, value in enumerate(values):
        found[value].append(place)
    return {value: np.array(found[value]) for value in sorted(found, key=str)}
