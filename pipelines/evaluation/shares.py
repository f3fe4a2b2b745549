"""How sure shares are: of the questions of one model, and of how much more they are than another's.

The bootstrap of `intervals` knows nothing of what did not occur: where 2 % of 50 questions are answered
wrongly, its intervals hold the truth in 61 of 100 samples. Wilson's (1927, "Probable Inference, the Law of
Succession, and Statistical Inference") hold it in 94, and say of 0 of 50 that it may be 7 %. For two models
on the same questions: Bonett and Price 2012, "Adjusted Wald Confidence Interval for a Difference of Binomial
Proportions Based on Paired Data".
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from pipelines.evaluation.intervals import COVERAGE, Interval

Hits = npt.NDArray[np.bool_]
_REACH = NormalDist().inv_cdf(0.5 + COVERAGE / 2)
"""Standard deviations to either side."""


def share_interval(hits: Hits) -> Interval | None:
    """The interval of the share of `hits` `[questions]`; None without questions."""
    count = len(hits)
    if not count:
        return None
    share, extra = float(hits.mean()), _REACH**2 / count
    middle = (share + extra / 2) / (1 + extra)
    reach = _REACH * math.sqrt(share * (1 - share) / count + extra / (4 * count)) / (1 + extra)
    return max(0.0, middle - reach), min(1.0, middle + reach)


def difference_interval(hits: Hits, beside: Hits) -> Interval | None:
    """The interval of how much larger the share of `hits` is than that of another model, by question.

    Args:
        hits: `[questions]`.
        beside: The same questions of the other model.
    """
    count = len(hits) + 2
    if count == 2:
        return None
    more, less = ((hits & ~beside).sum() + 1) / count, ((beside & ~hits).sum() + 1) / count
    reach = _REACH * math.sqrt((more + less - (more - less) ** 2) / count)
    return max(-1.0, float(more - less) - reach), min(1.0, float(more - less) + reach)
