"""Matches: what documents have of the items of benchmarks, and where."""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import numpy as np
import pyarrow as pa

from filters.contamination.align import HIT, alignment_room
from filters.contamination.common_words import answer_markers
from filters.contamination.index import ANSWER, LABEL, PASSAGE, QUESTION, SOLUTION, Index
from filters.contamination.items import KINDS, MATCHES
from filters.contamination.judge import FIELDS, FINDING, Item, Thresholds, judge
from filters.contamination.seeds import find_hits, find_seeds
from filters.contamination.words import UNIT, find_words, word_tables
from filters.text.characters import count_characters
from filters.text.kernel import driver, kernel
from filters.text.texts import Texts, text_buffers

VERSION = 1


def find_matches(texts: Texts, index: Index, thresholds: Thresholds = Thresholds()) -> pa.Table:
    """What each document has of the items of an index (MATCHES), by document."""
    buffers = text_buffers(texts)
    item_room = Item(
        np.zeros(FIELDS, dtype=np.float32),
        np.zeros(FIELDS, dtype=np.float32),
        np.zeros(0, dtype=np.bool_),
        np.zeros(1, dtype=HIT),
    )
    findings, spans = _match_all(
        buffers.data, buffers.offsets, word_tables(), index.words, answer_markers(), thresholds, alignment_room(), item_room
    )
    return _table(findings, spans)


def _table(findings: np.ndarray, spans: np.ndarray) -> pa.Table:
    coverage = findings["coverage"]

    def share(*fields: int) -> pa.Array:
        values = coverage[:, fields].max(axis=1)
        return pa.array(values, mask=values < 0)

    columns = [
        pa.array(findings["document"]),
        pa.array(findings["item"].astype(np.int64)),
        pa.array(np.array(KINDS, dtype=object)[findings["kind"]], pa.string()),
        pa.array(spans[:, 0]),
        pa.array(spans[:, 1]),
        pa.array(findings["score"]),
        share(QUESTION),
        share(ANSWER, LABEL),
        share(PASSAGE),
        share(SOLUTION),
        pa.array(["words"] * len(findings), pa.string()),
    ]
    return pa.table(columns, schema=MATCHES)


@driver
def _match_all(data, offsets, tables, sequences, markers, thresholds, room, item_room):
    units = np.empty(1 << 16, dtype=UNIT)
    points = np.empty(64, dtype=np.uint32)
    found = np.empty(1 << 12, dtype=np.uint64)
    hits = np.empty(1 << 8, dtype=HIT)
    used = np.empty(1 << 8, dtype=np.bool_)
    findings = np.empty(1 << 10, dtype=FINDING)
    spans = np.empty((1 << 10, 2), dtype=np.int64)
    total = 0
    for document in range(offsets.size - 1):
        begin, end = offsets[document], offsets[document + 1]
        if end - begin > units.size:
            units = np.empty(2 * (end - begin), dtype=UNIT)
        count = find_words(data, begin, end, tables, points, units)
        seeds = find_seeds(units, count, sequences, found)
        while seeds < 0:
            found = np.empty(2 * found.size, dtype=np.uint64)
            seeds = find_seeds(units, count, sequences, found)
        if seeds == 0:
            continue
        found[:seeds].sort()
        size = find_hits(units, count, found[:seeds], sequences, room, hits)
        while size < 0:
            hits = np.empty(2 * hits.size, dtype=HIT)
            used = np.empty(hits.size, dtype=np.bool_)
            size = find_hits(units, count, found[:seeds], sequences, room, hits)
        if size == 0:
            continue
        if total + size > findings.size:
            larger = np.empty(2 * (total + size), dtype=FINDING)
            larger[:total] = findings[:total]
            findings = larger
            longer = np.empty((findings.size, 2), dtype=np.int64)
            longer[:total] = spans[:total]
            spans = longer
        new = judge(
            units, count, hits[:size], sequences, markers, thresholds, room,
            Item(item_room.coverage, item_room.whole, used, item_room.hit), findings[total:], document,
        )
        for number in range(total, total + new):
            _write_span(data, begin, units, findings[number], spans[number])
        total += new
    return findings[:total], spans[:total]


@kernel
def _write_span(data, begin, units, finding, span):
    """The characters of a finding's span."""
    first, last = units[finding.first].start, units[finding.last - 1].end
    span[0] = count_characters(data, begin, begin + first)
    span[1] = span[0] + count_characters(data, begin + first, begin + last)
