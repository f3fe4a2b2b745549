"""Signals: how much personal data and how many secrets a document has."""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import numpy as np
import pyarrow as pa

from filters.documents import Documents
from filters.kernel import kernel
from filters.pii.kinds import ALL, KINDS, wanted_kinds
from filters.pii.scan import next_span
from filters.pii.top_level_domains import top_level_domains
from filters.signal import Family, count
from filters.texts import Texts, text_buffers

SIGNALS = tuple(count(f"pii_{kind.name}", kind.doc) for kind in KINDS)


def pii_counts(texts: Texts) -> pa.Table:
    """How often each kind occurs in each document: one row per text, one int64 column per entry of `SIGNALS`.

    Args:
        texts: A string or large_string column without nulls.

    Raises:
        ValueError: A text is null or of 2 GiB or more.
    """
    data, offsets = text_buffers(texts)
    table = np.empty((len(offsets) - 1, len(SIGNALS)))
    _count(data, offsets[:-1], offsets[1:], wanted_kinds(ALL), top_level_domains(), table)
    return pa.table(
        [pa.array(values).cast(signal.type) for signal, values in zip(SIGNALS, table.T, strict=True)],
        names=[signal.name for signal in SIGNALS],
    )


def _measure_documents(documents: Documents, table: np.ndarray) -> None:
    _count(documents.data, documents.starts, documents.ends, wanted_kinds(ALL), top_level_domains(), table)


@kernel
def _count(data, starts, ends, wanted, domains, table):
    table[:] = 0
    for document in range(starts.size):
        at, end = starts[document], ends[document]
        while True:
            _, stop, kind = next_span(data, at, end, wanted, domains)
            if stop == 0:
                break
            table[document, kind] += 1
            at = stop


FAMILY = Family(SIGNALS, _measure_documents)
