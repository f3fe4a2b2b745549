"""The signals of each source as the page holds them: few bytes, so that fifty sources fit."""

from __future__ import annotations

import zlib
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

COMPRESSED_FROM = 20_000
"""Bytes of JSON: smaller ones are written as they are."""


def signals_on_page(signals: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Of each source its signals, `as_json` or, where they are large, `deflated` (zlib, in base64).

    A signal's `places` are its points and intervals from the lowest to the highest, each
    `[low, high, documents, otherwise_kept]`; of a point low is high. What has no end in the report ends at
    the smallest or largest value, which is then `within_intervals`.
    """
    for source in signals:
        found = [_signal(each) for each in source["signals"]]
        content = orjson.dumps(found)
        entry = {name: source[name] for name in ("source", "documents", "kept", "about")}
        if len(content) < COMPRESSED_FROM:
            yield entry | {"signals": found}
        else:
            yield entry | {"deflated": b64encode(zlib.compress(content, 9)).decode()}


def _signal(signal: Mapping[str, Any]) -> dict[str, Any]:
    points, intervals = signal["points"], signal["intervals"]
    low = [signal["smallest"] if end is None else end for end in intervals["low"]]
    high = [signal["largest"] if end is None else end for end in intervals["high"]]
    at = points["value"]
    places = [
        *zip(at, at, points["documents"], points["otherwise_kept"], strict=True),
        *zip(low, high, intervals["documents"], intervals["otherwise_kept"], strict=True),
    ]
    ends = {"smallest": None in intervals["low"], "largest": None in intervals["high"]}
    return {
        **{name: signal[name] for name in ("signal", "doc", "rules", "smallest", "largest")},
        "places": sorted(places),
        "within_intervals": ends,
        "missing": signal.get("missing", {"documents": 0, "otherwise_kept": 0}),
    }
