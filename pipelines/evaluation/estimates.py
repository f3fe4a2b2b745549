"""Scores of benchmarks that are answered right or wrong, and how sure they and their differences are.

Each estimate knows what every question adds to it, question by question in one order for all models. So the
difference of two models on the same questions is paired: what is hard for both cancels out.

A share has the Wald interval after one right and one wrong answer were added (Agresti and Coull 1998,
"Approximate is better than exact for interval estimation of binomial proportions"); a difference of two
shares one question that only the first model answers and one that only the other does, which is the interval
of Bonett and Price (2012, "Adjusted Wald confidence interval for a difference of binomial proportions based
on paired data"). A bootstrap has nothing to draw from where all or nearly all answers are right: its interval
is then a point, and two lost answers of fifty a significant loss. What is no share has the jackknife's
standard error (Efron and Stein 1981, "The jackknife estimate of variance").
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from pipelines.evaluation.intervals import FEWEST, Interval

QUANTILE = 1.959964
"""Of the normal distribution, for a coverage of 95 %."""

Values = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]
Outcome = TypeVar("Outcome", bound=Hashable)


@dataclass(frozen=True)
class Score:
    """A value with its 95 % interval, None where fewer than `FEWEST` questions tell it."""

    value: float
    interval: Interval | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Estimate:
    """A value of some questions, and what it is made of."""

    value: float
    """As the benchmark defines it."""
    centre: float
    """Of its interval."""
    influences: Values
    """`[questions + added answers]`: their sum of squares is the centre's variance."""
    questions: int
    """That tell the value."""
    lowest: float = 0.0
    highest: float = 1.0

    def less(self, other: Estimate) -> Estimate:
        """How much more this is than another on the same questions."""
        return Estimate(
            value=self.value - other.value,
            centre=self.centre - other.centre,
            influences=self.influences - other.influences,
            questions=min(self.questions, other.questions),
            lowest=self.lowest - other.highest,
            highest=self.highest - other.lowest,
        )

    @property
    def score(self) -> Score:
        """The value and its interval."""
        value, centre = float(self.value), float(self.centre)
        if self.questions < FEWEST:
            return Score(value, None)
        reach = QUANTILE * math.sqrt(float(self.influences @ self.influences))
        return Score(value, (max(self.lowest, centre - reach), min(self.highest, centre + reach)))


def share(
    right: Values, counted: Values, groups: Sequence[Sequence[Places]], is_first: bool
) -> Estimate | None:
    """The share of right answers: the mean over groups of the mean over a group's cells of each cell's share.

    The two added answers are spread over the cells, so that they weigh the same however many cells there are.

    Args:
        right: `[questions]`: how right each answer is, from 0 to what it counts.
        counted: `[questions]`: how much each counts; 0 leaves it out.
        groups: The cells of each group, as numbers of questions. A cell in which nothing counts is left out.
        is_first: Whether this is the model from which all differences are taken.

    Returns:
        None where nothing counts.
    """
    live = [[bool(counted[cell].sum() > 0) for cell in group] for group in groups]
    number_of_groups = sum(map(any, live))
    if not number_of_groups:
        return None
    added = 1 / sum(map(sum, live))
    answers = np.array([1.0, 0.0] if is_first else [0.0, 1.0])
    influences = np.zeros((2, len(right)))
    of_added = []
    value = centre = 0.0
    for group, are_live in zip(groups, live, strict=True):
        for cell, is_live in zip(group, are_live, strict=True):
            of_added.append(np.zeros(2))
            if not is_live:
                continue
            weight = 1 / number_of_groups / sum(are_live)
            total = counted[cell].sum() + 2 * added
            mean = (right[cell].sum() + added) / total
            value += weight * right[cell].sum() / counted[cell].sum()
            centre += weight * mean
            influences[0, cell] = weight * (right[cell] - mean * counted[cell]) / total
            of_added[-1] = weight * math.sqrt(added) * (answers - mean) / total
    return Estimate(
        value=value,
        centre=centre,
        influences=np.concatenate([influences[0], *of_added]),
        questions=sum(int((counted[cell] > 0).sum()) for group in groups for cell in group),
    )


def harmonic_mean(first: Estimate, second: Estimate) -> Estimate:
    """Of two shares of the same questions, by the delta method."""
    one, other = first.centre, second.centre
    by_first, by_second = 2 * (other / (one + other)) ** 2, 2 * (one / (one + other)) ** 2
    total = first.value + second.value
    return Estimate(
        value=2 * first.value * second.value / total if total else 0.0,
        centre=2 * one * other / (one + other),
        influences=by_first * first.influences + by_second * second.influences,
        questions=min(first.questions, second.questions),
    )


def jackknife(
    metric: Callable[[Mapping[Outcome, int]], float], outcomes: Sequence[Outcome], lowest: float
) -> Estimate:
    """A metric of the counts of outcomes, from `lowest` to 1.

    Args:
        metric: From the number of times that each outcome occurs.
        outcomes: Of each question, such as the right answer and the given one.
        lowest: The least value that it may have.
    """
    counts = Counter(outcomes)
    value = metric(counts)
    without = {each: metric(counts - Counter([each])) for each in counts} if len(outcomes) > 1 else {}
    left_out = np.array([without.get(each, value) for each in outcomes])
    scale = math.sqrt((len(outcomes) - 1) / len(outcomes))
    return Estimate(
        value=value,
        centre=value,
        influences=scale * (left_out.mean() - left_out),
        questions=len(outcomes),
        lowest=lowest,
    )
