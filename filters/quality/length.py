"""Signals of a document's size."""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import numpy as np

from filters.quality.documents import Documents
from filters.quality.signal import Family, count
from filters.text.kernel import kernel
from filters.text.lines import line_end

VERSION = 1

SIGNALS = (
    count("bytes", "Bytes of UTF-8."),
    count("characters", "Unicode code points."),
    count("words", "Words by the chosen definition; by `unicode`, punctuation marks are words too."),
    count("lines", "Lines as str.splitlines counts them."),
)


def _measure(documents: Documents, table: np.ndarray) -> None:
    table[:, 0] = documents.sizes
    table[:, 1] = documents.characters
    table[:, 2] = np.diff(documents.words.first)
    _count_lines(documents.data, documents.starts, documents.ends, documents.classes, table)


@kernel
def _count_lines(data, starts, ends, classes, table):
    for document in range(starts.size):
        lines = 0
        at = starts[document]
        while at < ends[document]:
            _, at = line_end(data, at, ends[document], classes)
            lines += 1
        table[document, 3] = lines


FAMILY = Family("length", VERSION, SIGNALS, _measure)
