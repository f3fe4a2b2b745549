"""Every quality signal of documents: which there are, and how they are computed for a column of texts."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pyarrow as pa

from filters.quality import (
    c4,
    code,
    fineweb,
    gopher_quality,
    gopher_repetition,
    length,
    math,
    pii,
    scripts,
)
from filters.quality.documents import batches
from filters.quality.signal import Family, Signal
from filters.text.texts import Texts
from filters.text.words import WORD_DEFINITIONS, WordDefinition

_ALL = (length, gopher_quality, gopher_repetition, c4, fineweb, code, math, scripts, pii)

FAMILIES: dict[str, Family] = {module.FAMILY.name: module.FAMILY for module in _ALL}

SIGNALS: dict[str, Signal] = {
    signal.name: signal for family in FAMILIES.values() for signal in family.signals
}


def families_of(signals: Collection[str]) -> list[str]:
    """The families to which signals belong, in the order of `FAMILIES`; other names belong to none."""
    return [
        name for name, family in FAMILIES.items() if any(signal.name in signals for signal in family.signals)
    ]


def compute_signals(
    texts: Texts, words: WordDefinition = "unicode", families: Collection[str] = tuple(FAMILIES)
) -> pa.Table:
    """The signals of each document: one row per text, one column per signal, no nulls.

    A document of more than 8 MiB is described by its first 8 MiB; only the signal `bytes` counts all.

    Args:
        texts: A string or large_string column without nulls.
        words: The definition of a word, see `filters.text.words`.
        families: The families that are computed. Columns are in the order of `SIGNALS`.

    Raises:
        ValueError: A text is null or of 2 GiB or more, or the definition of a word or a family is unknown.
    """
    if words not in WORD_DEFINITIONS:
        raise ValueError(f"Unknown word definition {words!r}. Use one of {', '.join(WORD_DEFINITIONS)}.")
    if unknown := set(families) - FAMILIES.keys():
        raise ValueError(f"Unknown families of signals: {', '.join(sorted(unknown))}.")
    chosen = [family for name, family in FAMILIES.items() if name in families]
    tables = [np.empty((len(texts), len(family.signals))) for family in chosen]
    for rows, documents in batches(texts, words):
        for family, table in zip(chosen, tables, strict=True):
            family.measure(documents, table[rows])
    columns = {
        signal.name: pa.array(values).cast(signal.type)
        for family, table in zip(chosen, tables, strict=True)
        for signal, values in zip(family.signals, table.T, strict=True)
    }
    return pa.table(columns)
