"""Rényi efficiency of a tokenizer on a text."""

import numpy as np
import numpy.typing as npt

ALPHA = 2.5
"""The order that goes best with the quality of translation, in the source."""


def renyi_efficiency(
    counts: npt.NDArray[np.int64], group: npt.NDArray[np.int64], groups: int, vocabulary: int
) -> npt.NDArray[np.float64]:
    """How evenly tokens are used, between 0 and 1: H(p) / log |V|, with H(p) = log(sum of p^α) / (1 - α).

    p are the shares of the tokens, |V| is the vocabulary's size, α is `ALPHA`. Source: Zouhar et al. 2023,
    "Tokenization and the Noiseless Channel" (arXiv 2306.16842), which measures whole training corpora; of a
    small sample it is too small, as most of a vocabulary cannot occur there.

    Args:
        counts: How often a token occurs in a group, without zeros.
        group: To which group each count belongs, `0 .. groups - 1`.
        groups: How many there are.
        vocabulary: The size of the vocabulary.

    Returns:
        `[groups]`; not a number where a group has no token.
    """
    totals = np.bincount(group, weights=counts, minlength=groups)
    powers = np.bincount(group, weights=(counts / totals[group]) ** ALPHA, minlength=groups)
    with np.errstate(divide="ignore", invalid="ignore"):
        entropy = np.where(totals > 0, np.log(powers) / (1 - ALPHA), np.nan)
        efficiency: npt.NDArray[np.float64] = np.maximum(entropy, 0) / np.log(vocabulary)
    return efficiency
