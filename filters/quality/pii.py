"""Signals: how much personal data and how many secrets a document has."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from filters.pii.kinds import ALL, KINDS
from filters.pii.spans import find_spans
from filters.quality.documents import Documents
from filters.quality.signal import Family, count
from filters.text.texts import Texts, text_buffers

VERSION = 1

SIGNALS = tuple(count(f"pii_{kind.name}", kind.doc) for kind in KINDS)


def pii_counts(texts: Texts) -> pa.Table:
    """How often each kind occurs in each document: one row per text, one int64 column per entry of `SIGNALS`.

    Args:
        texts: A string or large_string column without nulls.

    Raises:
        ValueError: A text is null or of 2 GiB or more.
    """
    data, offsets = text_buffers(texts)
    table = _count(data, offsets[:-1], offsets[1:])
    return pa.table(dict(zip((signal.name for signal in SIGNALS), table.T, strict=True)))


def _count(data: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """How often each kind occurs in each document: int64, shape (documents, kinds)."""
    spans = find_spans(data, starts, ends, ALL)
    cells = np.bincount(spans["document"] * len(KINDS) + spans["kind"], minlength=len(starts) * len(KINDS))
    return cells.reshape(len(starts), len(KINDS))


def _measure(documents: Documents, table: np.ndarray) -> None:
    table[:] = _count(documents.data, documents.starts, documents.ends)


FAMILY = Family("pii", VERSION, SIGNALS, _measure)
