"""Where the points of a curve lie in a small picture: tokens on a logarithmic axis, scores on a plain one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.report.log_linear import LogLinear

WIDTH, HEIGHT = 320, 150
LEFT, RIGHT, TOP, BOTTOM = 48, 12, 12, 22


@dataclass(frozen=True)
class Plot:
    """Places in a picture of `WIDTH` by `HEIGHT`."""

    points: list[tuple[float, float]]
    line: tuple[float, float, float, float] | None
    """The ends of the fitted line."""
    tokens: tuple[int, int]
    """At the left and right end."""
    scores: tuple[float, float]
    """At the bottom and top."""
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM


def plot(curve: Mapping[str, Any]) -> Plot | None:
    """The picture of a curve (`Curve.to_json`); None for fewer than two numbers of tokens above 0."""
    pairs = [(each["synthetic_tokens"], each["score"]) for each in curve["points"]]
    pairs = [(tokens, score) for tokens, score in pairs if tokens > 0]
    if len({tokens for tokens, _ in pairs}) < 2:
        return None
    fit = LogLinear(**curve["fit"]) if curve["fit"] else None
    first, last = min(tokens for tokens, _ in pairs), max(tokens for tokens, _ in pairs)
    ends = [(tokens, fit.at(tokens)) for tokens in (first, last)] if fit else []
    low, high = (which(score for _, score in (*pairs, *ends)) for which in (min, max))
    height = high - low or 1.0

    def place(tokens: float, score: float) -> tuple[float, float]:
        across = math.log(tokens / first) / math.log(last / first)
        up = (score - low) / height
        x = LEFT + across * (WIDTH - LEFT - RIGHT)
        y = HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)
        return round(x, 1), round(y, 1)

    line = (*place(*ends[0]), *place(*ends[1])) if ends else None
    return Plot([place(*pair) for pair in pairs], line, (first, last), (low, high))
