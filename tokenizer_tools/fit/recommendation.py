"""Whether to leave a tokenizer alone, extend it, or replace tokens that nobody needs."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from tokenizer_tools.fit.trial import SIZES, Saving, Trial

LEAST_SAVED = 0.05
"""New tokens that save less than this share of all tokens are not worth new embeddings to train."""
LEAST_STEP = 0.01
"""Further new tokens have to save so much more of all tokens."""
FEWEST_BYTES = 1 << 20
"""A trial on less text learns too few tokens to tell what a whole corpus would give."""

Verdict = Literal["leave alone", "extend", "replace"]


@dataclass(frozen=True)
class Recommendation:
    """What to do, why, and what to expect of it."""

    verdict: Verdict
    reason: str
    tokens: int
    """How many new ones; 0 where the tokenizer is left alone."""
    expected: Saving
    """What these save; of a tokenizer that is left alone, what the most new tokens would have saved."""
    doubts: list[str]
    """What the trial cannot tell."""


def recommend(trial: Trial, unneeded: Mapping[str, int]) -> Recommendation:
    """The verdict of a trial.

    *Leave alone* where even the most new tokens save less than `LEAST_SAVED`. Otherwise as many new tokens as
    still save `LEAST_STEP` more than the size before: *replace* where the vocabulary has as many tokens that
    the texts do not use, of scripts that they do without; else *extend*.

    Args:
        trial: Of an extension.
        unneeded: Script to tokens that nobody needs, as the sample has it.
    """
    best = trial.savings[-1]
    if best.saved < LEAST_SAVED:
        reason = f"{best.tokens:,} new tokens would save {best.saved:.1%}, less than {LEAST_SAVED:.0%}"
        return Recommendation("leave alone", reason, 0, best, _doubts(trial, best))
    chosen = _enough(trial.savings)
    saves = f"{chosen.tokens:,} new tokens save {chosen.saved:.1%} of all tokens"
    free = sum(unneeded.values())
    if free >= chosen.tokens:
        reason = f"{saves}, and {free:,} unused tokens are of scripts that the sample does without"
        return Recommendation("replace", reason, chosen.tokens, chosen, _doubts(trial, chosen))
    reason = f"{saves}, and only {free:,} unused tokens are of scripts that the sample does without"
    if within := [each for each in trial.savings if each.tokens <= free]:
        reason += (
            f"; replacing {within[-1].tokens:,} of these would save {within[-1].saved:.1%} and add nothing"
        )
    return Recommendation("extend", reason, chosen.tokens, chosen, _doubts(trial, chosen))


def _enough(savings: list[Saving]) -> Saving:
    """The first that saves `LEAST_SAVED`, or a later one as long as each step is worth it."""
    first = next(number for number, each in enumerate(savings) if each.saved >= LEAST_SAVED)
    chosen = savings[first]
    for smaller, larger in pairwise(savings[first:]):
        if larger.saved - smaller.saved < LEAST_STEP:
            break
        chosen = larger
    return chosen


def _doubts(trial: Trial, saving: Saving) -> list[str]:
    doubts = []
    if saving.tokens == max(SIZES) and saving.saved >= LEAST_SAVED:
        doubts.append(f"more than {saving.tokens:,} new tokens may be worth it: no more were tried")
    if trial.learnt_bytes < FEWEST_BYTES:
        doubts.append("the sample is too small: with more text to learn from, new tokens save more")
    if saving.interval is None:
        doubts.append(f"no interval: only {len(trial.documents):,} documents were measured")
    elif saving.interval[0] < LEAST_SAVED <= saving.interval[1]:
        doubts.append(f"the interval holds {LEAST_SAVED:.0%}: more documents would tell")
    return doubts
