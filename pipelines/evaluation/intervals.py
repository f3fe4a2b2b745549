"""How sure scores are: intervals by resampling documents, or questions of a benchmark.

Documents are the sample, tokens are not: those of a document belong together. A bootstrap draws as many
documents as there are, with replacement, `RESAMPLES` times; documents of one cluster are drawn together. For
two models the same draws count, so that what is hard for both cancels out of their difference (Koehn 2004,
"Statistical Significance Tests for Machine Translation Evaluation").

The interval is the symmetric bootstrap-t (Hall 1988, "On Symmetric Bootstrap Confidence Intervals"): the
quantile is taken of the deviation over its standard error in each draw. Lengths of documents have heavy
tails, and plain quantiles of few documents would be too narrow: of 20 they cover zero for 89 to 93 % of equal
models, this one for 92 to 96 %.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

RESAMPLES = 2000
COVERAGE = 0.95
FEWEST = 20
"""With fewer documents no interval is given: it would cover too little."""
POWERS = np.array([1.0, -1.0, 1.0, -1.0])
"""Of nats, predicted tokens, tokens and bytes in bits per byte."""
CELLS = 1 << 22
"""Draws times documents that are in memory at once."""

Sums = npt.NDArray[np.float64]
Interval = tuple[float, float]


def interval(sums: Sums, beside: Sums | None = None, seed: int = 17) -> Interval | None:
    """The interval of bits per byte, or of how much more they are than another model's on the same documents.

    Args:
        sums: `[documents, 4]`: nats, predicted tokens, tokens and bytes (`trainers.scores.SUMS`) of each
            document, or cluster of documents.
        beside: The same of the other model, document by document.
        seed: Of the draws.

    Returns:
        Its ends; None where there are fewer than `FEWEST` documents, or nothing was predicted.
    """
    count = len(sums)
    if count < FEWEST:
        return None
    models = [(1.0, sums)] + ([(-1.0, beside)] if beside is not None else [])
    return _bootstrap_t(lambda weights: _estimates(models, weights), count, seed)


def interval_of_mean(values: Sums, seed: int = 17) -> Interval | None:
    """The interval of a mean, or of a mean difference of two models, question by question.

    Args:
        values: `[questions]`.
        seed: Of the draws.

    Returns:
        Its ends; None where there are fewer than `FEWEST` questions.
    """
    if len(values) < FEWEST:
        return None

    def estimates(weights: Sums) -> tuple[Sums, Sums]:
        counts = weights.sum(axis=1)
        mean = weights @ values / counts
        return mean, _error(weights, (values - mean[:, None]) / counts[:, None])

    return _bootstrap_t(estimates, len(values), seed)


def interval_of_part(values: Sums, part: npt.NDArray[np.bool_], seed: int = 17) -> Interval | None:
    """The interval of how much more the mean of a part of some values is than that of all.

    Args:
        values: `[questions]`.
        part: `[questions]`: whether each is of the part.
        seed: Of the draws.

    Returns:
        Its ends; None where fewer than `FEWEST` are in the part, or out of it.
    """
    if min(part.sum(), (~part).sum()) < FEWEST:
        return None

    def estimates(weights: Sums) -> tuple[Sums, Sums]:
        in_part = weights * part
        counts, all_counts = in_part.sum(axis=1), weights.sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            mean, mean_of_all = in_part @ values / counts, weights @ values / all_counts
            influences = part * (values - mean[:, None]) / counts[:, None]
            influences -= (values - mean_of_all[:, None]) / all_counts[:, None]
        return mean - mean_of_all, _error(weights, influences)

    return _bootstrap_t(estimates, len(values), seed)


def _bootstrap_t(estimates: Callable[[Sums], tuple[Sums, Sums]], count: int, seed: int) -> Interval | None:
    """The interval of a value of `count` documents.

    `estimates` gives the value and its standard error for each row of weights `[draws, count]`.
    """
    value, error = (float(found[0]) for found in estimates(np.ones((1, count))))
    if not error > 0:
        return None if math.isnan(value) else (value, value)
    rng = np.random.Generator(np.random.PCG64(seed))
    deviations = []
    for start in range(0, RESAMPLES, step := max(1, CELLS // count)):
        drawn = rng.integers(count, size=(min(step, RESAMPLES - start), count))
        values, errors = estimates(_times_drawn(drawn))
        with np.errstate(divide="ignore", invalid="ignore"):
            deviations.append(np.abs(values - value) / errors)
    found = np.concatenate(deviations)
    # A draw of one document alone, or without a predicted token, tells nothing of the spread.
    reach = error * float(np.quantile(found[np.isfinite(found)], COVERAGE))
    return value - reach, value + reach


def _times_drawn(drawn: npt.NDArray[np.int64]) -> Sums:
    """From the numbers of the drawn documents `[draws, documents]` how often each was drawn."""
    draws, documents = drawn.shape
    places = drawn + np.arange(draws)[:, None] * documents
    return np.bincount(places.ravel(), minlength=draws * documents).reshape(draws, documents).astype(float)


def _estimates(models: list[tuple[float, Sums]], weights: Sums) -> tuple[Sums, Sums]:
    """The signed sum of the models' bits per byte and its standard error, for each row of `weights`.

    A ratio of sums changes by its own value times the document's share of each sum (the delta method).
    """
    values, influences = np.zeros(len(weights)), np.zeros(weights.shape)
    for sign, sums in models:
        totals = weights @ sums
        nats, predicted, tokens, size = totals.T
        with np.errstate(divide="ignore", invalid="ignore"):
            bits = sign * nats / predicted * tokens / size / math.log(2)
            values += bits
            influences += (bits[:, None] * POWERS / totals) @ sums.T
    return values, _error(weights, influences)


def _error(weights: Sums, influences: Sums) -> Sums:
    """The standard error for each row of weights, from what each document adds to the value."""
    documents = weights.shape[1]
    errors: Sums = np.sqrt((weights * influences**2).sum(axis=1) * documents / (documents - 1))
    return errors
