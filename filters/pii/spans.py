"""The spans of personal data and secrets in documents."""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from filters.pii.kinds import wanted_kinds
from filters.pii.scan import next_span
from filters.pii.top_level_domains import top_level_domains
from filters.text.kernel import driver

SPAN = np.dtype([("document", np.int64), ("start", np.int64), ("end", np.int64), ("kind", np.int64)])
"""Something that was found: its document, its first byte, the byte behind its last, its place in `KINDS`."""


def find_spans(data: np.ndarray, starts: np.ndarray, ends: np.ndarray, kinds: Collection[str]) -> np.ndarray:
    """The spans of some kinds in the documents `data[starts[i]:ends[i]]`, in their order: `SPAN`.

    Raises:
        ValueError: A kind is unknown.
    """
    spans: np.ndarray = _find(data, starts, ends, wanted_kinds(kinds), top_level_domains())
    return spans


@driver
def _find(data, starts, ends, wanted, domains):
    spans = np.empty(256, dtype=SPAN)
    count = 0
    for document in range(starts.size):
        at, end = starts[document], ends[document]
        while True:
            start, stop, kind = next_span(data, at, end, wanted, domains)
            if stop == 0:
                break
            if count == spans.size:
                more = np.empty(2 * count, dtype=SPAN)
                more[:count] = spans
                spans = more
            span = spans[count]
            span.document, span.start, span.end, span.kind = document, start, stop, kind
            count += 1
            at = stop
    return spans[:count]
