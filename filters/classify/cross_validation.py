"""Cross-validation of a classifier: each example is judged by a model that has not seen it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Labels = npt.NDArray[np.int32]
Probabilities = npt.NDArray[np.float32]
"""Shape (examples, labels)."""


def out_of_fold(
    fold: npt.NDArray[np.int64], judge: Callable[[npt.NDArray[np.bool_]], Probabilities], labels: int
) -> Probabilities:
    """The probabilities of each example from the model that was trained without its fold.

    `judge` trains on the examples that its mask leaves out and returns the probabilities of those in it. They
    are 0 where there is but one fold, and so nothing to learn from.
    """
    found = np.zeros((len(fold), labels), np.float32)
    numbers = np.unique(fold)
    for number in numbers if len(numbers) > 1 else ():
        inside = fold == number
        found[inside] = judge(inside)
    return found


def measures(truth: Labels, probabilities: Probabilities, names: Sequence[str]) -> dict[str, Any]:
    """How well probabilities tell the labels, JSON-able.

    `accuracy` beside that of always saying the most frequent label; for each label precision, recall, F1 and
    the area under its ROC curve (one against the rest); `confusion[true][said]`.
    """
    said = probabilities.argmax(axis=1)
    confusion = np.zeros((len(names), len(names)), np.int64)
    np.add.at(confusion, (truth, said), 1)
    support = confusion.sum(axis=1)
    return {
        "examples": len(truth),
        "accuracy": _share(int((said == truth).sum()), len(truth)),
        "accuracy_of_the_most_frequent": _share(int(support.max(initial=0)), len(truth)),
        "labels": {
            name: _of_label(confusion, number) | {"auc": auc(truth == number, probabilities[:, number])}
            for number, name in enumerate(names)
        },
        "confusion": {
            name: dict(zip(names, row, strict=True))
            for name, row in zip(names, confusion.tolist(), strict=True)
        },
    }


def _of_label(confusion: npt.NDArray[np.int64], label: int) -> dict[str, Any]:
    right = int(confusion[label, label])
    precision = _share(right, int(confusion[:, label].sum()))
    recall = _share(right, int(confusion[label].sum()))
    f1 = 2 * precision * recall / (precision + recall) if precision and recall else 0.0
    return {
        "examples": int(confusion[label].sum()),
        "precision": precision,
        "recall": recall,
        "f1": round(f1, 4),
    }


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def auc(positive: npt.NDArray[np.bool_], scores: npt.NDArray[np.float32]) -> float | None:
    """The chance that a positive example has a higher score than another one, a tie counting half.

    None where there are no positive examples, or no others.
    """
    positives, others = int(positive.sum()), int((~positive).sum())
    if not positives or not others:
        return None
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    mean_rank = np.cumsum(counts) - (counts - 1) / 2
    return round(
        float((mean_rank[place][positive].sum() - positives * (positives + 1) / 2) / (positives * others)), 4
    )
