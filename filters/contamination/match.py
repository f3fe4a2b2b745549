"""Matches: what documents have of the items of benchmarks, and where."""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from filters.contamination.align import HIT, Room, alignment_room
from filters.contamination.code import code_tables, find_code, name_memory
from filters.contamination.common_words import answer_markers
from filters.contamination.index import ANSWER, LABEL, PASSAGE, QUESTION, SOLUTION, Index
from filters.contamination.items import KINDS, MATCHES
from filters.contamination.judge import (
    FIELDS,
    FINDING,
    IS_ANSWER,
    IS_QUESTION,
    MANY_WRITE,
    Item,
    Thresholds,
    judge,
)
from filters.contamination.seeds import KEYS, find_hits, find_seeds
from filters.contamination.words import UNIT, find_words, word_tables
from filters.text.characters import count_characters
from filters.text.kernel import driver, kernel
from filters.text.texts import Texts, text_buffers

VERSION = 1

Found = tuple[np.ndarray, np.ndarray]
"""FINDING, and the spans in characters: int64, shape (findings, 2)."""
_LEAST_OF_CODE = 0.25
"""Of a solution so much is looked at, for its question may stand beside it."""


def find_matches(texts: Texts, index: Index, thresholds: Thresholds = Thresholds()) -> pa.Table:
    """What each document has of the items of an index (MATCHES), by document."""
    buffers = text_buffers(texts)
    words = _match_words(
        *buffers, word_tables(), index.words, answer_markers(), thresholds, _room(), _item_room()
    )
    if len(index.code.field) == 0:
        return _table(*words, np.zeros(len(words[0]), bool))
    low = thresholds._replace(solution=_LEAST_OF_CODE)
    code = _match_code(
        *buffers, code_tables(), name_memory(), index.code, answer_markers(), low, _room(), _item_room()
    )
    return _joined(words, code, thresholds)


def _joined(words: Found, code: Found, thresholds: Thresholds) -> pa.Table:
    """Solutions by themselves, and questions with what is found of their solution in the same document."""
    findings, spans = words
    solutions, places = code
    keys, known = (np.rec.fromarrays([f["document"], f["item"]]) for f in (findings, solutions))
    order = np.argsort(known, kind="stable")
    place = np.minimum(np.searchsorted(known[order], keys), max(len(known) - 1, 0))
    found = known[order][place] == keys if len(known) else np.zeros(len(keys), bool)
    which = order[place[found]] if len(known) else place[found]
    findings["coverage"][found, SOLUTION] = solutions["coverage"][which, SOLUTION]
    enough = solutions["coverage"][which, SOLUTION] >= thresholds.answer
    rows = np.flatnonzero(found)[enough]
    which = which[enough]
    findings["kind"][rows] = np.where(
        findings["kind"][rows] == IS_QUESTION, IS_ANSWER, findings["kind"][rows]
    )
    spans[rows, 0] = np.minimum(spans[rows, 0], places[which, 0])
    spans[rows, 1] = np.maximum(spans[rows, 1], places[which, 1])
    alone = np.ones(len(solutions), bool)
    alone[which] = False
    weight = solutions["weight"] / np.maximum(solutions["score"], 1e-6)
    solutions["score"] = solutions["weight"] / (weight + MANY_WRITE)
    alone &= solutions["score"] >= thresholds.code
    both = np.concatenate([findings, solutions[alone]])
    order = np.argsort(both["document"], kind="stable")
    by_code = np.arange(len(both)) >= len(findings)
    return _table(both[order], np.concatenate([spans, places[alone]])[order], by_code[order])


def _room() -> Room:
    return alignment_room()


def _item_room() -> Item:
    weights = (np.zeros(FIELDS, dtype=np.float32) for _ in range(2))
    numbers = (np.zeros(FIELDS, dtype=np.int64) for _ in range(4))
    return Item(
        *weights, *numbers, np.zeros(1, dtype=np.float32), np.zeros(0, dtype=np.bool_), np.zeros(1, dtype=HIT)
    )


def _table(findings: np.ndarray, spans: np.ndarray, by_code: np.ndarray) -> pa.Table:
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
        pa.array(np.where(by_code, "code", "words"), pa.string()),
    ]
    return pa.table(columns, schema=MATCHES)


@driver
def _match_words(data, offsets, tables, sequences, markers, thresholds, room, item_room):
    """The findings in all documents, and their spans in characters."""
    scratch = _scratch()
    points = np.empty(64, dtype=np.uint32)
    found = np.empty(1 << 10, dtype=FINDING), np.empty((1 << 10, 2), dtype=np.int64)
    total = 0
    for document in range(offsets.size - 1):
        begin, end = offsets[document], offsets[document + 1]
        scratch = _with_units(scratch, end - begin)
        count = find_words(data, begin, end, tables, points, scratch.units)
        scratch, found, total = _match(
            data,
            begin,
            count,
            document,
            sequences,
            markers,
            thresholds,
            room,
            item_room,
            scratch,
            found,
            total,
        )
    return found[0][:total], found[1][:total]


@driver
def _match_code(data, offsets, tables, memory, sequences, markers, thresholds, room, item_room):
    """The same by code."""
    scratch = _scratch()
    found = np.empty(1 << 10, dtype=FINDING), np.empty((1 << 10, 2), dtype=np.int64)
    total = 0
    for document in range(offsets.size - 1):
        begin, end = offsets[document], offsets[document + 1]
        scratch = _with_units(scratch, end - begin)
        count = find_code(data, begin, end, tables, memory, scratch.units)
        scratch, found, total = _match(
            data,
            begin,
            count,
            document,
            sequences,
            markers,
            thresholds,
            room,
            item_room,
            scratch,
            found,
            total,
        )
    return found[0][:total], found[1][:total]


class Scratch(NamedTuple):
    """Room for one document."""

    units: np.ndarray
    """UNIT."""
    keys: np.ndarray
    """uint64, KEYS."""
    seeds: np.ndarray
    """uint64."""
    hits: np.ndarray
    """HIT."""
    used: np.ndarray
    """bool, one a hit."""


@driver
def _scratch():
    return Scratch(
        np.empty(1 << 16, dtype=UNIT),
        np.empty(KEYS, dtype=np.uint64),
        np.empty(1 << 12, dtype=np.uint64),
        np.empty(1 << 8, dtype=HIT),
        np.empty(1 << 8, dtype=np.bool_),
    )


@driver
def _with_units(scratch, size):
    """Room for so many units."""
    if size <= scratch.units.size:
        return scratch
    return Scratch(np.empty(2 * size, dtype=UNIT), scratch.keys, scratch.seeds, scratch.hits, scratch.used)


@driver
def _match(
    data, begin, count, document, sequences, markers, thresholds, room, item_room, scratch, found, total
):
    """Adds what a document, whose first `count` units are in `scratch`, has of the items."""
    units, keys, seeds, hits, used = scratch
    number = find_seeds(units, count, sequences, keys, seeds)
    while number < 0:
        seeds = np.empty(2 * seeds.size, dtype=np.uint64)
        number = find_seeds(units, count, sequences, keys, seeds)
    if number == 0:
        return Scratch(units, keys, seeds, hits, used), found, total
    seeds[:number].sort()
    size = find_hits(units, count, seeds[:number], sequences, room, hits)
    while size < 0:
        hits = np.empty(2 * hits.size, dtype=HIT)
        used = np.empty(hits.size, dtype=np.bool_)
        size = find_hits(units, count, seeds[:number], sequences, room, hits)
    findings, spans = found
    if total + size > findings.size:
        findings = np.append(findings, np.empty(total + size, dtype=FINDING))
        spans = np.append(spans, np.empty((total + size, 2), dtype=np.int64)).reshape(-1, 2)
    item = Item(
        item_room.coverage,
        item_room.whole,
        item_room.numbers,
        item_room.found,
        item_room.replaced,
        item_room.size,
        item_room.asked,
        used,
        item_room.hit,
    )
    new = judge(
        units, count, hits[:size], sequences, markers, thresholds, room, item, findings[total:], document
    )
    for place in range(total, total + new):
        _write_span(data, begin, units, findings[place], spans[place])
    return Scratch(units, keys, seeds, hits, used), (findings, spans), total + new


@kernel
def _write_span(data, begin, units, finding, span):
    """The characters of a finding's span."""
    first, last = units[finding.first].start, units[finding.last - 1].end
    span[0] = count_characters(data, begin, begin + first)
    span[1] = span[0] + count_characters(data, begin + first, begin + last)
