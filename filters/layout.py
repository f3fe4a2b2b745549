"""Signals of a document's size."""

from __future__ import annotations

from filters.signal import count

SIGNALS = (
    count("bytes", "Bytes of UTF-8."),
    count("characters", "Unicode code points."),
    count("words", "Words by the chosen definition; by `unicode`, punctuation marks are words too."),
    count("lines", "Lines as str.splitlines counts them."),
)
