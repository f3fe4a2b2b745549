"""What the rows of a plan are made of: tokens by any column of its documents."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mixers.arrays import chunks
from mixers.layout import UNUSED
from mixers.plan import MixturePlan

LISTED = 200
"""Languages that are counted by name. Sources may call languages what they like."""
OTHERS = "other"
UNDETERMINED = "und"
PACKS_AT_ONCE = 1 << 18

Codes = npt.NDArray[np.int32]


def encoded(column: pa.ChunkedArray, plan: MixturePlan) -> tuple[Codes, list[str | None]]:
    """The values of a column of strings as numbers, one a document of the plan, and what they stand for."""
    names: dict[str | None, int] = {}
    codes: Codes = plan.allocate(len(column), np.int32)
    first = 0
    for chunk in column.chunks:
        values = chunk.dictionary_encode(null_encoding="encode")
        numbers = [names.setdefault(name, len(names)) for name in values.dictionary.to_pylist()]
        codes[first : first + len(chunk)] = np.array(numbers, np.int32)[values.indices.to_numpy()]
        first += len(chunk)
    return codes, list(names)


def tokens_by_code(codes: Codes, number: int, plan: MixturePlan) -> npt.NDArray[np.int64]:
    """Tokens of the rows by the code of their documents, as often as they occur there; shape (number)."""
    sums, packs, uses = np.zeros(number, np.int64), plan.packs, plan.uses_of_pack
    for start in range(0, len(packs), PACKS_AT_ONCE):
        offsets = packs.offsets[start : start + PACKS_AT_ONCE + 1]
        pieces = slice(int(offsets[0]), int(offsets[-1]))
        used = np.repeat(uses[start : start + PACKS_AT_ONCE], np.diff(offsets)).astype(np.int64)
        np.add.at(sums, codes[packs.document[pieces]], packs.tokens[pieces] * used)
    return sums


def by_language(languages: pa.ChunkedArray, plan: MixturePlan) -> list[dict[str, Any]]:
    """Of each group and language the documents used, and their tokens as often as they occur in the rows.

    The most tokens of a group come first. Languages beyond the most frequent are `OTHERS`.

    Args:
        languages: Of the documents of the plan, in its order.
        plan: Which part of which document lies in which row.
    """
    codes, names = encoded(languages, plan)
    listed = np.argsort(-_used(codes, len(names), plan), kind="stable")[:LISTED]
    number_of = np.full(len(names), len(listed), np.int32)
    number_of[listed] = np.arange(len(listed))
    named = [names[code] or UNDETERMINED for code in listed.tolist()] + [OTHERS]
    groups = plan.documents.groups
    for chunk in chunks(len(codes)):
        codes[chunk] = number_of[codes[chunk]] * len(groups) + plan.documents.group[chunk]
    documents = _used(codes, len(named) * len(groups), plan)
    tokens = tokens_by_code(codes, len(documents), plan)
    rows = [
        {
            "group": groups[code % len(groups)],
            "language": named[code // len(groups)],
            "documents": int(documents[code]),
            "tokens": int(tokens[code]),
        }
        for code in np.flatnonzero(documents).tolist()
    ]
    return sorted(rows, key=lambda row: (row["group"], -row["tokens"], row["language"]))


def _used(codes: Codes, number: int, plan: MixturePlan) -> npt.NDArray[np.int64]:
    """Documents that the plan uses by their code; shape (number)."""
    counts = np.zeros(number, np.int64)
    for chunk in chunks(len(codes)):
        counts += np.bincount(codes[chunk][plan.use_of_document[chunk] != UNUSED], minlength=number)
    return counts
