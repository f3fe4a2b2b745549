"""MERA's metrics, as the site's scoring defines them (`modules/scoring/src` in its repository)."""

from __future__ import annotations

import math
import re
import string
from collections import Counter
from collections.abc import Callable, Mapping

Pairs = Mapping[tuple[str, str], int]
"""How often each pair of a right and a given answer occurs."""

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_NO_LETTER = re.compile(r"[\d\W]+")
EXAM_TASK_WITH_PARTS = "16"
"""The only question of the exam with several choices whose points are not all or nothing."""


def macro_f1(pairs: Pairs) -> float:
    """The mean F1 of all classes that are right or given; 0 of a class that is never both."""
    found = []
    for label in {label for pair in pairs for label in pair}:
        right = sum(count for (gold, _), count in pairs.items() if gold == label)
        given = sum(count for (_, answer), count in pairs.items() if answer == label)
        found.append(2 * pairs.get((label, label), 0) / (right + given))
    return sum(found) / len(found)


def matthews(pairs: Pairs) -> float:
    """Matthews' correlation for any number of classes (Gorodkin 2004); 0 where all answers are the same."""
    right, given = Counter[str](), Counter[str]()
    for (gold, answer), count in pairs.items():
        right[gold] += count
        given[answer] += count
    total = sum(pairs.values())
    both = sum(count for (gold, answer), count in pairs.items() if gold == answer)
    covariance = both * total - sum(count * given[label] for label, count in right.items())
    spreads = [total**2 - sum(count**2 for count in counts.values()) for counts in (right, given)]
    return covariance / math.sqrt(math.prod(spreads)) if all(spreads) else 0.0


def exact_span(answer: str, right: str) -> float:
    """Whether an answer is one of the right ones, which semicolons part, but for what SQuAD leaves out."""
    return _best(lambda gold: float(_words(answer) == _words(gold)), right)


def f1_span(answer: str, right: str) -> float:
    """The F1 of an answer's words by the nearest of the right ones (Rajpurkar et al. 2016)."""
    return _best(lambda gold: _f1(_words(answer), _words(gold)), right)


def exam_points(answer: str, right: str, task: str, kind: str) -> int:
    """The points for an answer of the exam (USE).

    Args:
        answer: What was given.
        right: The right one: a word or several that count, or numbers, all parted by commas.
        task: The question's number in the exam.
        kind: `text`, `matching`, or one of the kinds of choices.
    """
    gold = right.split(",")
    if kind == "text":
        return int(_NO_LETTER.sub("", answer).lower() in gold)
    given = answer.split(",")
    if kind == "matching":
        return sum(map(str.__eq__, gold, given)) if len(gold) == len(given) else 0
    if task == EXAM_TASK_WITH_PARTS:
        given += ["-1"] * (len(gold) - len(given))
        return max(0, len(set(gold) & set(given)) - len(given) + len(gold))
    return int(set(gold) == set(given))


def _best(metric: Callable[[str], float], right: str) -> float:
    return max(map(metric, right.split(";")))


def _words(text: str) -> list[str]:
    """Without case, punctuation and articles, as SQuAD compares."""
    return _ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split()


def _f1(answer: list[str], right: list[str]) -> float:
    if not answer or not right:
        return float(answer == right)
    common = (Counter(answer) & Counter(right)).total()
    return 2 * common / (len(answer) + len(right))
