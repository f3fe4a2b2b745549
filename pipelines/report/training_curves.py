"""Curves of training, from the metrics log of a stage: what each step gave, and what held-out documents cost.

The 95 % intervals are value ± t × standard error, documents being the sample (`trainers.scores.Spread`), with
Student's t for so many documents. Of fewer than `FEWEST` none is given, as in evaluation.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.evaluation.intervals import COVERAGE, FEWEST
from pipelines.execution.trained_stage import TrainedStage
from trainers.scores import Evaluation, GroupScore, Spread

METRICS = "metrics.jsonl"
MOST_POINTS = 500
COLUMNS = ("step", "loss", "lr", "tokens", "tokens_per_second")

Numbers = list[float | None]
Interval = tuple[float, float]


def training_curve(stage: TrainedStage) -> dict[str, Any] | None:
    """The curves of a stage that is or was trained, JSON-able; None where it has no metrics log.

    Of at most 500 points each stands for `steps_per_point` steps, of which `steps` names the last: `loss`
    (nats a predicted token) and `learning_rate` are their means, `tokens_per_second` is their tokens over
    their seconds. `mfu`, the share of the hardware's peak, is in proportion to that; null where the peak is
    not known, or training has not come to its end. `groups` and `total` hold the evaluations.
    """
    path = stage.folder / METRICS
    if not path.is_file():
        return None
    steps, evaluations = _read(path)
    per_point = max(1, math.ceil(len(steps) / MOST_POINTS))
    speed = _speed(steps, per_point)
    groups = sorted({group for evaluation in evaluations for group in evaluation.groups})
    return {
        "steps": [int(step) for step in _last(steps[:, 0], per_point)],
        "steps_per_point": per_point,
        "loss": _numbers(_means(steps[:, 1], per_point)),
        "learning_rate": _numbers(_means(steps[:, 2], per_point)),
        "tokens_per_second": _numbers(speed),
        "mfu": _utilisation(stage, speed),
        "coverage": COVERAGE,
        "groups": {
            group: _scores(
                [(e.step, e.groups[group], e.spread.get(group)) for e in evaluations if group in e.groups]
            )
            for group in groups
        },
        "total": _scores([(e.step, e.total, e.total_spread) for e in evaluations]) if evaluations else None,
    }


def _read(path: Path) -> tuple[npt.NDArray[np.float64], list[Evaluation]]:
    """The steps in a metrics log, `[steps, COLUMNS]`, and its evaluations."""
    steps: list[tuple[float, ...]] = []
    evaluations: list[Evaluation] = []
    for line in _lines(path):
        if "evaluation" in line:
            evaluations.append(Evaluation.from_json(line["evaluation"]))
        else:
            steps.append(tuple(line.get(column, math.nan) for column in COLUMNS))
    return np.array(steps, np.float64).reshape(-1, len(COLUMNS)), evaluations


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """The lines that were written whole; the last one may be torn, or be written right now."""
    with path.open("rb") as file:
        for line in file:
            try:
                yield json.loads(line)
            except ValueError:
                return


def _last(values: npt.NDArray[np.float64], per_point: int) -> npt.NDArray[np.float64]:
    """The last of each `per_point` values."""
    ends = np.minimum(np.arange(per_point, len(values) + per_point, per_point), len(values))
    last: npt.NDArray[np.float64] = values[ends - 1]
    return last


def _sums(values: npt.NDArray[np.float64], per_point: int) -> npt.NDArray[np.float64]:
    """The sum of each `per_point` values."""
    starts = np.arange(0, len(values), per_point)
    sums: npt.NDArray[np.float64] = np.add.reduceat(values, starts) if len(values) else values
    return sums


def _means(values: npt.NDArray[np.float64], per_point: int) -> npt.NDArray[np.float64]:
    """The mean of each `per_point` values."""
    return _sums(values, per_point) / _sums(np.ones(len(values)), per_point)


def _speed(steps: npt.NDArray[np.float64], per_point: int) -> npt.NDArray[np.float64]:
    """Tokens per second: the tokens of each `per_point` steps over the seconds that they took."""
    tokens = np.diff(steps[:, 3], prepend=0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        speed: npt.NDArray[np.float64] = _sums(tokens, per_point) / _sums(tokens / steps[:, 4], per_point)
    return speed


def _utilisation(stage: TrainedStage, speed: npt.NDArray[np.float64]) -> Numbers | None:
    """That of all of training, in proportion to the speed: as if all tokens asked for as much."""
    if not stage.is_trained:
        return None
    result = stage.result
    whole = result["flops_utilisation"]
    return _numbers(speed * (whole / result["tokens_per_second"])) if whole else None


def _scores(found: Sequence[tuple[int, GroupScore, Spread | None]]) -> dict[str, Any]:
    """Evaluations of one group, and how much its bits per byte changed from the first to the last."""
    intervals = [
        _interval(score.bits_per_byte, spread.error if spread else None, spread) for _, score, spread in found
    ]
    (_, first, _), (_, last, spread) = found[0], found[-1]
    change = _difference(last.bits_per_byte, first.bits_per_byte) if len(found) > 1 else None
    return {
        "step": [step for step, _, _ in found],
        "loss": _numbers([score.loss for _, score, _ in found]),
        "bits_per_byte": _numbers([score.bits_per_byte for _, score, _ in found]),
        "interval": intervals if any(intervals) else None,
        "documents": spread.documents if spread else None,
        "tokens": last.tokens,
        "change": {
            "bits_per_byte": change,
            "interval": _interval(change, spread.change_error if spread else None, spread),
        },
    }


def _interval(value: float | None, error: float | None, spread: Spread | None) -> Interval | None:
    if value is None or error is None or spread is None or spread.documents < FEWEST:
        return None
    reach = _t(spread.documents - 1) * error
    return value - reach, value + reach


def _t(freedom: int) -> float:
    """Student's t for `COVERAGE` (Abramowitz & Stegun 26.7.5): within 0.001 from 19 degrees of freedom on."""
    z = NormalDist().inv_cdf((1 + COVERAGE) / 2)
    return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)


def _difference(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None or math.isnan(one - other) else one - other


def _numbers(values: Sequence[float | None] | npt.NDArray[np.float64]) -> Numbers:
    """Plain numbers; what is not finite becomes null."""
    return [float(value) if value is not None and math.isfinite(value) else None for value in values]
