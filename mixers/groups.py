"""Groups: which documents a weight of the mixture speaks of, as predicates over the corpus columns."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from mixers.arrays import Allocate, chunks
from mixers.budget import MixtureError

if TYPE_CHECKING:
    import polars as pl


def assign_groups(
    corpus: "pl.LazyFrame", predicates: Mapping[str, str], allocate: Allocate = np.empty
) -> pa.DictionaryArray:
    """The group of each document: the one whose predicate holds, or null.

    A predicate is an SQL expression over the columns of `corpus`, such as
    ``domain = 'law' and language in ('ru', 'en')``. Where it is null it does not hold.

    Args:
        corpus: one row per document, with the columns that predicates may name.
        predicates: group to predicate.
        allocate: makes the indices of the result.

    Returns:
        Strings, shape (documents).

    Raises:
        MixtureError: a predicate cannot be evaluated, or a document is in two groups.
    """
    import polars as pl

    names = [*predicates, None]
    count = corpus.select(pl.len()).collect().item()
    positions = allocate(count, np.int32)
    positions[:] = len(predicates)
    for number, (group, predicate) in enumerate(predicates.items()):
        holds = _evaluate(corpus, count, group, predicate)
        for chunk in chunks(count):
            found = holds[chunk].to_numpy()
            if (other := positions[chunk][found].min(initial=len(predicates))) < len(predicates):
                first = names[other]
                overlap = (_evaluate(corpus, count, first, predicates[first]) & holds).sum()
                raise MixtureError(
                    f"{overlap:,} of {count:,} documents are in both groups {first!r} and {group!r}, "
                    "and would be counted twice. Narrow one of them: "
                    f"({predicates[first]}) and not ({predicate})."
                )
            positions[chunk][found] = number
    return pa.DictionaryArray.from_arrays(positions, pa.array(names, pa.string()))


def _evaluate(corpus: "pl.LazyFrame", count: int, group: str, predicate: str) -> "pl.Series":
    """For each document whether the predicate holds."""
    import polars as pl

    try:
        found = corpus.select(holds=pl.sql_expr(predicate)).collect(engine="streaming")["holds"]
    except pl.exceptions.PolarsError as error:
        raise MixtureError(
            f"The predicate of group {group!r}, {predicate}, cannot be evaluated: {error}. It is an SQL "
            "expression; text stands in single quotes: domain = 'law' and language = 'ru'."
        ) from error
    if found.dtype != pl.Boolean or len(found) != count:
        raise MixtureError(
            f"The predicate of group {group!r}, {predicate}, does not say yes or no for each document. "
            "Compare a column with a value: domain = 'law'."
        )
    return found.fill_null(False)
