"""Matches: what documents have of the items of benchmarks, and where."""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from filters.contamination.align import HIT
from filters.contamination.code import code_tables, find_code, name_memory, next_code
from filters.contamination.common_words import answer_markers
from filters.contamination.index import ANSWER, LABEL, PASSAGE, QUESTION, SOLUTION, Index, read_only_buffers
from filters.contamination.items import KINDS, MATCHES
from filters.contamination.judge import (
    FINDING,
    IS_QUESTION,
    IS_TEMPLATE,
    MANY_WRITE,
    Rules,
    Thresholds,
    item_room,
    judge,
)
from filters.contamination.seeds import KEYS, SIZES, find_hits, find_seeds
from filters.contamination.words import UNIT, find_words, word_tables
from filters.text.characters import count_characters
from filters.text.kernel import driver
from filters.text.texts import Texts

VERSION = 1

Found = tuple[np.ndarray, np.ndarray]
"""FINDING, and the spans in characters: int64, shape (findings, 2)."""
_LEAST_OF_CODE = 0.25
"""Of a solution so much is looked at, for its question may stand beside it."""
_SAME_PROGRAM = 0.95
"""The share of a solution by itself, by weight, that makes it; less is a program of the same form."""
_LEAST_OF_PROGRAM = 6.0
"""The weight without which it is a program that many write."""


def find_matches(texts: Texts, index: Index, thresholds: Thresholds | None = None) -> pa.Table:
    """What each document has of the items of an index (MATCHES), by document, item and place."""
    thresholds = thresholds or Thresholds()
    buffers = read_only_buffers(texts)
    rules = Rules(index.words, answer_markers(), thresholds)
    words = _apart(*_match_words(*buffers, word_tables(), rules, item_room()))
    if len(index.code.field) == 0:
        return _table(*words, np.zeros(len(words[0]), bool))
    rules = Rules(index.code, answer_markers(), thresholds._replace(solution=_LEAST_OF_CODE))
    code = _apart(*_match_code(*buffers, code_tables(), name_memory(), rules, item_room()))
    return _joined(words, code, thresholds)


def _apart(findings: np.ndarray, spans: np.ndarray) -> Found:
    """Findings by document, item and place; of those of an item that overlap the one with most weight."""
    order = _order(findings, spans)
    findings, spans = findings[order], spans[order]
    kept = _outweighs(findings, spans)
    return findings[kept], spans[kept]


def _order(findings: np.ndarray, spans: np.ndarray) -> np.ndarray:
    return np.lexsort((spans[:, 0], findings["item"], findings["document"]))


@driver
def _outweighs(findings, spans):
    """Whether each finding is the heaviest of a row of overlapping ones of an item."""
    kept = np.ones(findings.size, dtype=np.bool_)
    before = 0
    for at in range(1, findings.size):
        one, other = findings[before], findings[at]
        if one.document == other.document and one.item == other.item and spans[before, 1] > spans[at, 0]:
            if other.weight <= one.weight:
                kept[at] = False
                continue
            kept[before] = False
        before = at
    return kept


def _joined(words: Found, code: Found, thresholds: Thresholds) -> pa.Table:
    """Solutions by themselves, and questions with what is found of their solution in the same document."""
    findings, spans = words
    solutions, places = code
    rows, which = _with_solution(findings, spans, solutions, places)
    findings["coverage"][rows, SOLUTION] = solutions["coverage"][which, SOLUTION]
    enough = solutions["coverage"][which, SOLUTION] >= thresholds.answer
    rows, which = rows[enough], which[enough]
    kinds = findings["kind"]
    kinds[rows] = np.where(kinds[rows] == IS_QUESTION, solutions["kind"][which], kinds[rows])
    spans[rows, 0] = np.minimum(spans[rows, 0], places[which, 0])
    spans[rows, 1] = np.maximum(spans[rows, 1], places[which, 1])
    alone = np.ones(len(solutions), bool)
    alone[which] = False
    weight = solutions["weight"] / np.maximum(solutions["score"], 1e-6)
    solutions["score"] = solutions["weight"] / (weight + MANY_WRITE)
    same = (solutions["coverage"][:, SOLUTION] >= _SAME_PROGRAM) & (solutions["weight"] >= _LEAST_OF_PROGRAM)
    solutions["kind"] = np.where(same, solutions["kind"], IS_TEMPLATE)
    alone &= same | (solutions["score"] >= thresholds.code)
    findings = np.concatenate([findings, solutions[alone]])
    spans = np.concatenate([spans, places[alone]])
    by_code = np.arange(len(findings)) >= len(words[0])
    order = _order(findings, spans)
    return _table(findings[order], spans[order], by_code[order])


def _with_solution(
    findings: np.ndarray, spans: np.ndarray, solutions: np.ndarray, places: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The findings in whose document a solution of their item is, and the next one of each, else the last."""
    if len(solutions) == 0:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    keys, known = (
        np.rec.fromarrays([found["document"], found["item"], span[:, 0]])
        for found, span in ((findings, spans), (solutions, places))
    )
    place = np.searchsorted(known, keys)

    def same(which: np.ndarray) -> np.ndarray:
        found = solutions[np.clip(which, 0, len(solutions) - 1)]
        equal: np.ndarray = (found["document"] == findings["document"]) & (found["item"] == findings["item"])
        return equal & (which >= 0) & (which < len(solutions))

    which = np.where(same(place), place, place - 1)
    rows = np.flatnonzero(same(which))
    return rows, which[rows]


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
def _match_words(data, offsets, tables, rules, item):
    """The findings in all documents, and their spans in characters."""
    scratch = _scratch()
    points = np.empty(64, dtype=np.uint32)
    found = np.empty(1 << 10, dtype=FINDING), np.empty((1 << 10, 2), dtype=np.int64)
    total = 0
    for document in range(offsets.size - 1):
        begin, end = offsets[document], offsets[document + 1]
        scratch = _with_units(scratch, end - begin)
        units = scratch.units[: find_words(data, begin, end, tables, points, scratch.units)]
        scratch, found, total = _match(data, begin, units, document, rules, item, scratch, found, total)
    return found[0][:total], found[1][:total]


@driver
def _match_code(data, offsets, tables, memory, rules, item):
    """The same by code."""
    scratch = _scratch()
    found = np.empty(1 << 10, dtype=FINDING), np.empty((1 << 10, 2), dtype=np.int64)
    total = 0
    for document in range(offsets.size - 1):
        begin, end = offsets[document], offsets[document + 1]
        scratch = _with_units(scratch, end - begin)
        count, at = 0, begin
        while at < end:
            first, at = next_code(data, at, end)
            count += find_code(data, first, at, begin, tables, memory, scratch.units[count:])
        units = scratch.units[:count]
        scratch, found, total = _match(data, begin, units, document, rules, item, scratch, found, total)
    return found[0][:total], found[1][:total]


class Scratch(NamedTuple):
    """Room for one document."""

    units: np.ndarray
    """UNIT."""
    keys: np.ndarray
    """uint64, (SIZES, KEYS)."""
    seeds: np.ndarray
    """uint64."""
    hits: np.ndarray
    """HIT."""


@driver
def _scratch():
    return Scratch(
        np.empty(1 << 16, dtype=UNIT),
        np.empty((SIZES, KEYS), dtype=np.uint64),
        np.empty(1 << 12, dtype=np.uint64),
        np.empty(1 << 8, dtype=HIT),
    )


@driver
def _with_units(scratch, size):
    """Room for so many units."""
    if size <= scratch.units.size:
        return scratch
    return Scratch(np.empty(size, dtype=UNIT), scratch.keys, scratch.seeds, scratch.hits)


@driver
def _match(data, begin, units, document, rules, item, scratch, found, total):
    """Adds what a document has of the items."""
    _, keys, seeds, hits = scratch
    sequences = rules.sequences
    number = find_seeds(units, sequences, keys, seeds)
    while number < 0:
        seeds = np.empty(2 * seeds.size, dtype=np.uint64)
        number = find_seeds(units, sequences, keys, seeds)
    seeds[:number].sort()
    size = find_hits(units, seeds[:number], sequences, item.alignment, hits)
    while size < 0:
        hits = np.empty(2 * hits.size, dtype=HIT)
        size = find_hits(units, seeds[:number], sequences, item.alignment, hits)
    scratch = Scratch(scratch.units, keys, seeds, hits)
    if size == 0:
        return scratch, found, total
    findings, spans = found
    if total + size > findings.size:
        findings = np.append(findings, np.empty(total + size, dtype=FINDING))
        spans = np.append(spans, np.empty((total + size, 2), dtype=np.int64)).reshape(-1, 2)
    order, used = _by_item_and_weight(hits[:size], sequences.item), np.empty(size, dtype=np.bool_)
    new = judge(units, hits[:size], order, used, rules, item, findings[total:], document)
    _write_spans(data, begin, units, findings[total : total + new], spans[total : total + new])
    return scratch, (findings, spans), total + new


@driver
def _by_item_and_weight(hits, items):
    """The order of hits by item, and the heaviest first."""
    weights, numbers = np.empty(hits.size, dtype=np.float32), np.empty(hits.size, dtype=np.int32)
    for at in range(hits.size):
        weights[at], numbers[at] = -hits[at].matched, items[hits[at].sequence]
    order = np.argsort(weights, kind="mergesort")
    return order[np.argsort(numbers[order], kind="mergesort")]


@driver
def _write_spans(data, begin, units, findings, spans):
    """The characters of the findings of a document, counted from one to the next."""
    byte, characters = begin, 0
    for at in np.argsort(findings["first"], kind="mergesort"):
        first = begin + units[findings[at].first].start
        characters += count_characters(data, byte, first)
        byte = first
        spans[at, 0] = characters
        last = begin + units[findings[at].last - 1].end
        spans[at, 1] = characters + count_characters(data, first, last)
