"""What a change of the training data does to scores: differences between groups of short trainings.

Each arm is trained several times, replicate by replicate on the same draw of documents as the reference. The
score of arm a in replicate r is taken as

    y[a, r] = mean + arm[a] + draw[r] + noise[a, r]

with noise of one variance, pooled over all arms, which leaves (arms - 1)(replicates - 1) degrees of freedom
(a randomised complete block design; Montgomery, "Design and Analysis of Experiments", chapter 4). The error
of a difference is that of the noise and that of the held-out documents together, with Satterthwaite's degrees
of freedom. Intervals hold for all arms at once (Bonferroni): of many sources that do nothing one would seem
to do something.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from trainers.scores import influences, sums_of

COVERAGE = 0.95
ALL = "all"
"""In place of a group: the mean of all groups."""

Floats = npt.NDArray[np.float64]
Verdict = Literal["lower", "higher", "no effect"]


@dataclass(frozen=True)
class Effect:
    """Bits per byte of an arm less those of the reference."""

    value: float
    interval: tuple[float, float]
    """At 95 %, for all arms together."""
    verdict: Verdict
    """`no effect`: the interval holds zero; its ends say how large an effect may have been missed."""

    def turned(self) -> Effect:
        """The effect of the opposite change."""
        low, high = self.interval
        return Effect(-self.value, (-high, -low), _verdict((-high, -low)))

    def to_json(self) -> dict[str, Any]:
        """Plain types, for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Replicates:
    """What trainings of one arm give in a group."""

    scores: Floats
    """`[replicates]`: bits per byte."""
    influences: Floats
    """`[clusters]`: what each cluster of held-out documents adds to their mean."""


def replicates(pieces: Sequence[pa.Table]) -> dict[str, Replicates]:
    """The scores of an arm by group, and under `ALL` of their mean.

    Args:
        pieces: Of each replicate, `trainers.scores.PIECES` of the same held-out documents.
    """
    same = pieces[0]
    groups = same["group"].to_numpy().astype(str)
    _, clusters = np.unique(same["cluster"].to_numpy().astype(str), return_inverse=True)
    sums = [sums_of(table) for table in pieces]
    found = {}
    for group in np.unique(groups).tolist():
        here = groups == group
        of_each = [influences(each[here], _numbered(clusters[here])) for each in sums]
        scores = np.array([_bits_per_byte(each[here]) for each in sums])
        if np.isfinite(scores).all():
            found[group] = Replicates(scores, np.mean(of_each, axis=0))
    found[ALL] = Replicates(
        np.mean([each.scores for each in found.values()], axis=0),
        np.concatenate([each.influences for each in found.values()]) / len(found),
    )
    return found


def effects(reference: Replicates, arms: Mapping[str, Replicates]) -> dict[str, Effect]:
    """The effect of each arm in one group.

    Args:
        reference: What arms are compared with.
        arms: The others, in as many replicates, on the same documents.

    Raises:
        ValueError: There is one replicate only, which tells nothing of chance.
    """
    scores = np.stack([reference.scores, *(arm.scores for arm in arms.values())])
    count, repeats = scores.shape
    if repeats < 2:
        raise ValueError("One training of each arm tells nothing of chance: two seeds are needed.")
    noise, freedom = noise_of(scores)
    found = {}
    for name, arm in arms.items():
        value = float(arm.scores.mean() - reference.scores.mean())
        of_documents, clusters = _squared_error(arm.influences - reference.influences)
        of_noise = 2 * noise / repeats
        error = math.sqrt(of_noise + of_documents)
        reach = error * _quantile(of_noise, freedom, of_documents, clusters - 1, count - 1)
        interval = (value - reach, value + reach)
        found[name] = Effect(value, interval, _verdict(interval))
    return found


def noise_of(scores: Floats) -> tuple[float, int]:
    """The variance of the noise in scores `[arms, replicates]`, and its degrees of freedom."""
    arms, repeats = scores.shape
    rest = scores - scores.mean(axis=1, keepdims=True) - scores.mean(axis=0) + scores.mean()
    freedom = (arms - 1) * (repeats - 1)
    return float((rest**2).sum() / freedom), freedom


def _squared_error(differences: Floats) -> tuple[float, int]:
    """The squared standard error of a sum of so many clusters' differences, and how many there are."""
    count = len(differences)
    return (float((differences**2).sum()) * count / (count - 1) if count > 1 else 0.0), count


def _quantile(
    first: float, first_freedom: int, second: float, second_freedom: int, comparisons: int
) -> float:
    """Student's quantile for an error of two parts (Satterthwaite 1946), for so many comparisons at once."""
    from scipy.stats import t

    parts = first**2 / first_freedom + (second**2 / second_freedom if second_freedom > 0 else 0.0)
    freedom = (first + second) ** 2 / parts if parts > 0 else first_freedom
    return float(t.ppf(1 - (1 - COVERAGE) / (2 * max(1, comparisons)), freedom))


def _verdict(interval: tuple[float, float]) -> Verdict:
    if interval[1] < 0:
        return "lower"
    return "higher" if interval[0] > 0 else "no effect"


def _bits_per_byte(sums: Floats) -> float:
    nats, predicted, tokens, size = sums.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(nats / predicted * tokens / size / math.log(2))


def _numbered(codes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The same numbers without gaps."""
    numbers: npt.NDArray[np.int64] = np.unique(codes, return_inverse=True)[1]
    return numbers
