"""Licences of documents: counted when they are read, judged by the recipe, and by the tokens of a mixture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from mixers.plan import MixturePlan
from pipelines.errors import UserError
from pipelines.execution.counts import Counts
from pipelines.recipe.licences import Licences
from pipelines.sources.licences import spdx
from pipelines.stages.composition import encoded, tokens_by_code

LICENCES = "licences"
"""Documents by licence, as they were read."""
LICENCE_TOKENS = "licence_tokens"
"""Tokens of a mixture by licence."""
LISTED = 300
"""Licences that are counted by name; of the rarest of more, which no licences are but free text, the sum."""
OTHERS = spdx.reference("others")
SHOWN = 10
"""Licences that an error names."""


def licence_reasons(policy: Licences, licences: pa.ChunkedArray) -> pl.Series:
    """Why each document is dropped for its licence; null where it is not.

    Args:
        policy: What the recipe says of licences.
        licences: As `spdx_id` gives them, null where none is known.
    """
    encoded = licences.combine_chunks().dictionary_encode(null_encoding="encode")
    reasons = pa.array(map(policy.reason, encoded.dictionary.to_pylist()), pa.string())
    return pl.Series(reasons.take(encoded.indices)).cast(pl.String)


def counted(tables: Iterable[pa.Table], counts: Counts) -> Iterator[pa.Table]:
    """The tables as they are; counts their documents by licence."""
    found: Counter[str] = Counter()
    for table in tables:
        for each in pc.value_counts(table.column("license")).to_pylist():
            found[each["values"] or spdx.UNKNOWN] += each["counts"]
        yield table
    for licence, number in listed(found).items():
        counts.add(LICENCES, number, reason=licence)


def listed(numbers: Counter[str]) -> dict[str, int]:
    """The numbers of the most frequent licences, and the sum of the others as `OTHERS`."""
    named = dict(numbers.most_common(LISTED))
    rest = numbers.total() - sum(named.values())
    return named | ({OTHERS: named.get(OTHERS, 0) + rest} if rest else {})


def check_licences(source: str, licences: Licences, counts: Counts) -> None:
    """Raises UserError when documents were read on whose licence the recipe wants the run to fail."""
    found = {count.reason: number for count, number in counts.rows(LICENCES)}
    failed = Counter({name: number for name, number in found.items() if licences.fails(_declared(name))})
    if not failed:
        return
    names = [f"{name} ({number:,})" for name, number in failed.most_common(SHOWN)]
    more = f" and {len(failed) - SHOWN:,} more" if len(failed) > SHOWN else ""
    verdicts = sorted({licences.verdict(_declared(name)) for name in failed})
    raise UserError(
        f"{failed.total():,} documents of the source `{source}` have a licence that is "
        f"{' or '.join(verdicts)}: {', '.join(names)}{more}",
        place="licences",
        hint="Leave the source out, allow these licences, or drop the documents: "
        f"{' and '.join(f'`licences.{verdict}: drop`' for verdict in verdicts)}.",
    )


def _declared(name: str) -> str | None:
    return None if name == spdx.UNKNOWN else name


def tokens_by_licence(licences: pa.ChunkedArray, plan: MixturePlan) -> dict[str, int]:
    """Tokens of each licence's documents in the rows of a plan, as often as they occur there.

    Args:
        licences: Of the documents of the plan, in its order; null where none is known.
        plan: Which part of which document lies in which row.
    """
    codes, names = encoded(licences, plan)
    sums = tokens_by_code(codes, len(names), plan)
    found = Counter({name or spdx.UNKNOWN: int(sums[code]) for code, name in enumerate(names) if sums[code]})
    return listed(found)
