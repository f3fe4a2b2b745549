"""Every quality signal of documents: which there are, and how they are computed for a column of texts."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator

import numpy as np
import pyarrow as pa

from filters import c4, code, fineweb, gopher_quality, gopher_repetition, layout, math, scripts
from filters.characters import start_of_character
from filters.documents import Documents
from filters.pii import signals as pii
from filters.signal import Family, Signal
from filters.texts import Buffers, Texts, text_buffers
from filters.words import WORD_DEFINITIONS, WordDefinition, word_space

FAMILIES: tuple[Family, ...] = (
    layout.FAMILY,
    gopher_quality.FAMILY,
    gopher_repetition.FAMILY,
    c4.FAMILY,
    fineweb.FAMILY,
    code.FAMILY,
    math.FAMILY,
    scripts.FAMILY,
    pii.FAMILY,
)

SIGNALS: dict[str, Signal] = {signal.name: signal for family in FAMILIES for signal in family.signals}

_LONGEST_READ = 1 << 23
"""Bytes of a document that are read; what it needs in memory is at most about 75 times as much."""

_BATCH = 1 << 18
"""Bytes of text after which a batch is full: what is found in it, words above all, then stays in cache."""


def compute_signals(
    texts: Texts, words: WordDefinition = "unicode", names: Collection[str] | None = None
) -> pa.Table:
    """The signals of each document: one row per text, one column per signal, no nulls.

    A document of more than 8 MiB, some eight novels, is described by its first 8 MiB, so that memory is
    bounded whatever is in it; only the signal `bytes` counts all.

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
    buffers = text_buffers(texts)
    families = [family for family in FAMILIES if wanted & {signal.name for signal in family.signals}]
    tables = [np.empty((len(buffers.offsets) - 1, len(family.signals))) for family in families]
    for first, documents in _batches(buffers, words):
        for family, table in zip(families, tables, strict=True):
            family.measure(documents, table[first : first + len(documents.starts)])
    columns = {
        signal.name: pa.array(values).cast(signal.type)
        for family, table in zip(families, tables, strict=True)
        for signal, values in zip(family.signals, table.T, strict=True)
        if signal.name in wanted
    }
    if "bytes" in columns:
        columns["bytes"] = pa.array(np.diff(buffers.offsets))
    return pa.table(columns)


def _batches(buffers: Buffers, definition: WordDefinition) -> Iterator[tuple[int, Documents]]:
    """The documents in batches, each with the row of its first document."""
    data, offsets = buffers
    starts, ends = offsets[:-1], offsets[1:].copy()
    for row in np.flatnonzero(ends - starts > _LONGEST_READ):
        ends[row] = start_of_character(data, starts[row] + _LONGEST_READ, starts[row])
    firsts = [0]
    while firsts[-1] < len(starts):
        full = np.searchsorted(offsets, offsets[firsts[-1]] + _BATCH)
        firsts.append(max(firsts[-1] + 1, int(full)))
    firsts[-1] = len(starts)
    batches = [slice(first, after) for first, after in itertools.pairwise(firsts)]
    sizes = [int((ends[batch] - starts[batch]).sum()) for batch in batches]
    space = word_space(max(sizes, default=0))
    for batch in batches:
        yield batch.start, Documents(data, starts[batch], ends[batch], definition, space)
