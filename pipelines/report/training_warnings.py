"""What a report's reader should know of training and evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from statistics import mean, stdev
from typing import Any

from pipelines.evaluation.tables import COMPARISON, models_of
from pipelines.report.warning import CAUTION, FAULT, Warned

Report = dict[str, Any]

PARTS = 10
"""A curve is looked at in so many parts."""
FEWEST_POINTS = 2 * PARTS
RISE = 0.2
"""In nats, 22 % more perplexity: training that ends so far above its best part is worth a warning."""
DEVIATIONS = 3.0
"""Of single points of that part, which the rise must exceed too."""
UNSURE_RISE = 0.01
"""Share of the bits per byte, where there is no interval."""


def _stale(report: Report) -> Iterator[Warned]:
    """Models and scores that are of other shards than there are now."""
    for stage, training in report["training"].items():
        if not training["of_these_shards"]:
            words = f"the model of {stage} was trained on earlier shards; train it again"
            yield Warned(FAULT, "training", "stale_training", words)
    for stage, scores in report["evaluation"].items():
        roles = [role for role, found in models_of(scores).items() if found.get("of_these_shards") is False]
        if roles:
            of = f"of earlier held-out documents ({', '.join(roles)})"
            words = f"the scores after {stage} are {of}; evaluate again"
            yield Warned(CAUTION, "evaluation", "stale_evaluation", words)


def _broken_off(report: Report) -> Iterator[Warned]:
    for stage, curve in report["training_unfinished"].items():
        step = curve["steps"][-1] if curve["steps"] else 0
        words = f"training of {stage} has not come to its end: {step:,} steps are done"
        yield Warned(CAUTION, "training", "training_unfinished", words)


def _diverged(report: Report) -> Iterator[Warned]:
    """Training whose loss is no number, or ends far above where it was."""
    for stage, curve in _curves(report):
        losses = curve["loss"]
        if None in losses or any(_ends_undefined(scores) for scores in curve["groups"].values()):
            words = f"the loss of {stage} is not a finite number; lower `train.{stage}.optimizer.lr`"
            yield Warned(FAULT, "training", "not_finite", words)
        elif (rise := _rise(losses)) is not None:
            words = (
                f"training of {stage} diverged: its loss ends {rise:.2f} nats above its lowest; lower "
                f"`train.{stage}.optimizer.lr` or lengthen its warmup"
            )
            yield Warned(FAULT, "training", "diverged", words)


def _ends_undefined(scores: dict[str, Any]) -> bool:
    return scores["loss"][-1] is None and scores["loss"][0] is not None


def _rise(losses: list[float]) -> float | None:
    """How far the last tenth of a curve is above its lowest tenth; None where that is nothing to speak of."""
    if len(losses) < FEWEST_POINTS:
        return None
    bounds = [len(losses) * number // PARTS for number in range(PARTS + 1)]
    parts = [losses[start:stop] for start, stop in pairwise(bounds)]
    lowest = min(parts, key=mean)
    rise = mean(parts[-1]) - mean(lowest)
    return rise if rise > max(RISE, DEVIATIONS * stdev(lowest)) else None


def _forgot(report: Report) -> Iterator[Warned]:
    """Groups that a stage of training made harder than they were before it."""
    for stage, curve in _curves(report):
        for group, scores in curve["groups"].items():
            bits, interval = scores["change"]["bits_per_byte"], scores["change"]["interval"]
            if interval and interval[0] > 0:
                words = f"{stage} forgot `{group}`: {_more(bits, interval)}"
                yield Warned(FAULT, "training", "forgot", words)
            elif interval is None and bits and bits > UNSURE_RISE * scores["bits_per_byte"][0]:
                words = f"{stage} may have forgotten `{group}`: {bits:+.3f} bits per byte, of few documents"
                yield Warned(CAUTION, "training", "may_have_forgotten", words)


def _worse_than_base(report: Report) -> Iterator[Warned]:
    """Groups that are harder for a trained model than for the model that training began with."""
    for stage, scores in report["evaluation"].items():
        for group, compared in scores.get(COMPARISON, {}).get("groups", {}).items():
            for role, less in compared["differences"].items():
                if less["interval"] and less["interval"][0] > 0:
                    more = _more(less["bits_per_byte"], less["interval"])
                    words = f"after {stage} `{group}` is harder than for the {role}: {more}"
                    yield Warned(FAULT, "evaluation", "worse_than_base", words)


def _more(bits: float, interval: list[float]) -> str:
    return f"{bits:+.3f} bits per byte (95 %: {interval[0]:+.3f} to {interval[1]:+.3f})"


def _curves(report: Report) -> Iterator[tuple[str, dict[str, Any]]]:
    for stage, training in report["training"].items():
        if training["curve"]:
            yield stage, training["curve"]
    yield from report["training_unfinished"].items()


KINDS: tuple[Callable[[Report], Iterator[Warned]], ...] = (
    _diverged,
    _forgot,
    _worse_than_base,
    _stale,
    _broken_off,
)
