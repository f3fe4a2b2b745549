"""HumanEval rewritten by a model, in Python and in JavaScript: what tokens and structure of code find."""

from random import Random

from benchmarks.contamination.data import Data, code_file
from benchmarks.contamination.matching import Guard, solution_scores
from benchmarks.contamination.report import share, show

FALSE_ALARMS = 0.01


def threshold_at(scores: list[float], share: float) -> float:
    """The lowest threshold that no more than a share of the scores is above."""
    ordered = sorted(scores, reverse=True)
    return ordered[int(share * len(ordered))]


def measure(data: Data, random: Random) -> None:
    """Recall at the threshold that calls 1 % of as many MBPP solutions a solution of HumanEval.

    `found`: any item scores above the threshold, which is what is asked of the solutions of MBPP too;
    `as itself`: the item that was rewritten does.
    """
    guard = Guard([{**each, "question": None} for each in data.humaneval])
    others = [code_file(each) for each in random.sample(data.mbpp, len(data.humaneval))]
    of_others = [max(scores.values(), default=0.0) for scores in solution_scores(guard, others)]
    threshold = threshold_at(of_others, FALSE_ALARMS)
    rows = []
    for name, texts in (
        ("untouched", [code_file(each) for each in data.humaneval]),
        ("rewritten in Python", data.rewritten("python")),
        ("rewritten in JavaScript", data.rewritten("js")),
        ("MBPP (false alarms)", others),
    ):
        found = solution_scores(guard, texts)
        any_item = [max(scores.values(), default=0.0) > threshold for scores in found]
        itself = [scores.get(row, 0.0) > threshold for row, scores in enumerate(found)]
        rows.append([name, share(any_item), "-" if texts is others else share(itself)])
    show(
        f"HumanEval's solutions at {FALSE_ALARMS:.0%} false alarms (coverage above {threshold:.3f})",
        ["documents", "found", "as itself"],
        rows,
    )
