"""Signals: how much personal data and how many secrets a document has."""

from __future__ import annotations

import numpy as np

from filters.pii.kinds import ALL, KINDS
from filters.pii.spans import find_spans
from filters.quality.documents import Documents
from filters.quality.signal import Family, count

VERSION = 2

SIGNALS = tuple(count(f"pii_{kind.name}", kind.doc) for kind in KINDS)


def _measure(documents: Documents, table: np.ndarray) -> None:
    spans = find_spans(documents.data, documents.starts, documents.ends, ALL)
    cells = spans["document"] * len(KINDS) + spans["kind"]
    table[:] = np.bincount(cells, minlength=table.size).reshape(table.shape)


FAMILY = Family("pii", VERSION, SIGNALS, _measure)
