"""Every quality signal of documents: which there are, and how they are computed for a column of texts."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pyarrow as pa

from filters.quality import c4, code, fineweb, gopher_quality, gopher_repetition, math, pii, scripts
from filters.quality import length as layout
from filters.quality.documents import batches
from filters.quality.signal import Family, Signal
from filters.text.texts import Texts
from filters.text.words import WORD_DEFINITIONS, WordDefinition

FAMILIES: tuple[Family, ...] = (
    layout.FAMILY,
    gopher_quality.FAMILY,
    gopher_repetition.FAMILY,
    c4.FAMILY,
    fineweb.OF_LINES,
    fineweb.OF_WORDS,
    code.FAMILY,
    math.FAMILY,
    scripts.FAMILY,
    pii.FAMILY,
)

SIGNALS: dict[str, Signal] = {signal.name: signal for family in FAMILIES for signal in family.signals}


def compute_signals(
    texts: Texts, words: WordDefinition = "unicode", names: Collection[str] | None = None
) -> pa.Table:
    """The signals of each document: one row per text, one column per signal, no nulls.

    A document of more than 8 MiB is described by its first 8 MiB; only the signal `bytes` counts all.

    Args:
        texts: A string or large_string column without nulls.
        words: The definition of a word, see `filters.words`.
        names: The signals that are wanted, all by default. Columns are in the order of `SIGNALS`.

    Raises:
        ValueError: A text is null or of 2 GiB or more, or the definition of a word or a signal is unknown.
    """
    if words not in WORD_DEFINITIONS:
        raise ValueError(f"Unknown word definition {words!r}. Use one of {', '.join(WORD_DEFINITIONS)}.")
    wanted = set(SIGNALS if names is None else names)
    if not wanted <= set(SIGNALS):
        raise ValueError(f"Unknown signals: {', '.join(sorted(wanted - set(SIGNALS)))}.")
    families = [family for family in FAMILIES if wanted & {signal.name for signal in family.signals}]
    tables = [np.empty((len(texts), len(family.signals))) for family in families]
    for rows, documents in batches(texts, words):
        for family, table in zip(families, tables, strict=True):
            family.measure(documents, table[rows])
    columns = {
        signal.name: pa.array(values).cast(signal.type)
        for family, table in zip(families, tables, strict=True)
        for signal, values in zip(family.signals, table.T, strict=True)
        if signal.name in wanted
    }
    return pa.table(columns)
