"""Groups: which documents a weight of the mixture speaks of, as predicates over the corpus columns."""

from collections.abc import Mapping
from itertools import combinations
from typing import TYPE_CHECKING

import pyarrow as pa

from mixers.budget import MixtureError

if TYPE_CHECKING:
    import polars as pl


def assign_groups(corpus: pa.Table, predicates: Mapping[str, str]) -> pa.ChunkedArray:
    """The group of each document: the one whose predicate holds, or null.

    A predicate is an SQL expression over the columns of `corpus`, such as
    ``domain = 'law' and language in ('ru', 'en')``. Where it is null it does not hold.

    Args:
        corpus: one row per document, with the columns that predicates may name.
        predicates: group to predicate.

    Returns:
        Strings, shape (documents).

    Raises:
        MixtureError: a predicate cannot be evaluated, or a document is in two groups.
    """
    import polars as pl

    documents = pl.DataFrame(corpus)
    holds = {group: _evaluate(documents, group, predicate) for group, predicate in predicates.items()}
    for first, second in combinations(holds, 2):
        if overlap := (holds[first] & holds[second]).sum():
            raise MixtureError(
                f"{overlap:,} of {len(documents):,} documents are in both groups {first!r} and {second!r}, "
                "and would be counted twice. Narrow one of them: "
                f"({predicates[first]}) and not ({predicates[second]})."
            )
    names = [pl.when(found).then(pl.lit(group)) for group, found in holds.items()]
    nothing = pl.repeat(None, len(documents), dtype=pl.String)
    return pl.select(group=pl.coalesce(*names, nothing)).to_arrow()["group"].cast(pa.string())


def _evaluate(documents: "pl.DataFrame", group: str, predicate: str) -> "pl.Series":
    """For each document whether the predicate holds."""
    import polars as pl

    try:
        found = documents.select(holds=pl.sql_expr(predicate))["holds"]
    except pl.exceptions.PolarsError as error:
        raise MixtureError(
            f"The predicate of group {group!r}, {predicate}, cannot be evaluated: {error}. It is an SQL "
            "expression; text stands in single quotes: domain = 'law' and language = 'ru'."
        ) from error
    if found.dtype != pl.Boolean or len(found) != len(documents):
        raise MixtureError(
            f"The predicate of group {group!r}, {predicate}, does not say yes or no for each document. "
            "Compare a column with a value: domain = 'law'."
        )
    return found.fill_null(False)
