"""What a document has of an item: the question with its answer, the question, a passage, or a template.

Hits are of single sequences. Those of an item that stand together are judged together, and what is too short
to be searched for by itself, an answer or a choice, is looked for behind its question.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from filters.contamination.align import HIT, ROWS, Room, align, alignment_room
from filters.contamination.index import (
    ANSWER,
    ASKS,
    CHOICE,
    LABEL,
    LONGEST,
    PASSAGE,
    QUESTION,
    SOLUTION,
    TRIPLE,
    Sequences,
)
from filters.contamination.words import CLAUSE, NUMBER, SENTENCE
from filters.text.kernel import inline_kernel, kernel

FIELDS = 6
IS_ANSWER, IS_QUESTION, IS_PASSAGE, IS_TEMPLATE = range(4)
"""The kinds of a match, in the order of KINDS."""

FINDING = np.dtype(
    [
        ("document", np.int64),
        ("item", np.int32),
        ("kind", np.int32),
        ("first", np.int32),  # unit of the document
        ("last", np.int32),
        ("score", np.float32),
        ("weight", np.float32),  # of all that is found
        ("coverage", np.float32, (FIELDS,)),  # of each field, negative where the item has none
    ],
    align=True,
)


class Thresholds(NamedTuple):
    """How much of an item makes a match, as shares of its weight."""

    question: float = 0.6
    answer: float = 0.6
    passage: float = 0.6
    solution: float = 0.6
    code: float = 0.55


_SHORT = 8
"""A question of so few words must stand word by word, a sentence by itself, or with its answer or choices."""
_LEAST_EVIDENCE = 2.5
"""The weight of matched words without which a question is one that many ask."""
_LEAST_OF_SHORT = 1.0
"""The same of a short question, which must stand word by word."""
_TELLING = 0.8
"""The weight of an answer that does not stand behind any sentence."""
MANY_WRITE = 8.0
"""Weight that many solutions of other tasks share with one: it counts as missing."""
_LEAST_FOUND = 0.35
"""The share of a question, by weight, without which choices and answer say nothing: others may have them."""
_LEAST_OF_CHOICES = 5.0
"""And the weight that they must have."""
_MOST = 0.75
"""The share of a short question, by weight, that makes it with its choices."""
_ASKED = 0.5
"""The share of what the question asks, by weight, without which it is another question on the same text."""
_REACH = 64
"""Words between what belongs together."""
_NEAR = 12
"""Words between a question and a short answer."""
_BEHIND_MARKER = 4
"""Words between `answer` or the like and the answer."""


class Rules(NamedTuple):
    """What hits are judged by."""

    sequences: Sequences
    markers: np.ndarray
    """Sorted hashes of the words behind which an answer stands: uint64."""
    thresholds: Thresholds


class Item(NamedTuple):
    """Room for an item while it is judged."""

    coverage: np.ndarray
    """Weight found of each field: float32, FIELDS."""
    whole: np.ndarray
    """Weight of each field: float32, FIELDS."""
    numbers: np.ndarray
    """Numbers in each field: int64, FIELDS."""
    found: np.ndarray
    """How many of them are there: int64, FIELDS."""
    replaced: np.ndarray
    """How many of them have another one in their place: int64, FIELDS."""
    size: np.ndarray
    """Units of each field: int64, FIELDS."""
    asked: np.ndarray
    """Weight of what the question asks: float32, one."""
    hit: np.ndarray
    """One HIT."""
    alignment: Room


class Place(NamedTuple):
    """Where hits of an item stand together."""

    first: int
    last: int
    question_first: int
    question_last: int
    """-1 where there is none of the question."""
    units: int
    """Units of the question that are found."""
    asks: np.float32
    """The weight of those that ask."""


def item_room() -> Item:
    """Room for one item after another."""
    coverage, whole = np.zeros((2, FIELDS), dtype=np.float32)
    numbers, found, replaced, size = np.zeros((4, FIELDS), dtype=np.int64)
    asked, hit = np.zeros(1, dtype=np.float32), np.zeros(1, dtype=HIT)
    return Item(coverage, whole, numbers, found, replaced, size, asked, hit, alignment_room())


@kernel
def judge(units, hits, order, used, rules, item, findings, document):
    """Writes what the document has of each item (FINDING, room for one a hit); returns how many.

    `hits` are those of the document, by sequence; `order` says which of an item's has the most weight, the
    second most and so on; `used` is room for a bool a hit.
    """
    found = 0
    begin = 0
    while begin < hits.size:
        number = rules.sequences.item[hits[begin].sequence]
        end = begin
        while end < hits.size and rules.sequences.item[hits[end].sequence] == number:
            used[end] = False
            end += 1
        _measure(rules.sequences, number, item)
        for rank in range(begin, end):
            best = order[rank]
            if used[best]:
                continue
            finding = findings[found]
            finding.document = document
            finding.item = number
            place = _gather(
                units, hits[begin:end], best - begin, used[begin:end], rules.sequences, number, item
            )
            finding.kind = _kind(units, place, rules, number, item, finding)
            if finding.kind >= 0:
                _write_coverage(item, finding)
                found += 1
        begin = end
    return found


@kernel
def _gather(text, hits, best, used, sequences, number, item):
    """Adds up the hits around the best one, one of each sequence: where they stand."""
    item.coverage[:] = 0
    item.found[:] = 0
    item.replaced[:] = 0
    reach = _REACH + item.size.sum()
    own = hits[best]
    first, last = own.first, own.last
    question_first, question_last, units, asks = last, -1, 0, np.float32(0)
    choices_first = -1
    for sequence in range(sequences.of_item[number], sequences.of_item[number + 1]):
        chosen = best
        if sequence != own.sequence:
            expected = own.first + sequences.first[sequence] - sequences.first[own.sequence]
            chosen = _nearest(hits, used, sequence, own.first - reach, own.last + reach, expected)
        if chosen < 0:
            continue
        used[chosen] = True
        hit, field = hits[chosen], sequences.field[sequence]
        item.coverage[field] += hit.matched
        item.found[field] += hit.numbers
        item.replaced[field] += hit.replaced
        if field == CHOICE:
            choices_first = hit.first if choices_first < 0 else min(choices_first, hit.first)
            continue
        first, last = min(first, hit.first), max(last, hit.last)
        if field == QUESTION:
            question_first, question_last = min(question_first, hit.first), max(question_last, hit.last)
            units += hit.units
            asks += hit.asks
    if question_last < 0 and choices_first >= 0 and item.size[QUESTION] <= _SHORT:
        # Many ask a short question, so that it is in no index; the choices tell which one it is.
        for sequence in range(sequences.of_item[number], sequences.of_item[number + 1]):
            low = max(0, choices_first - _NEAR - item.size[QUESTION])
            if sequences.field[sequence] == QUESTION and _find(
                text, low, choices_first, sequences, sequence, item, _MOST
            ):
                hit = item.hit[0]
                item.coverage[QUESTION] = hit.matched
                first, question_first, question_last = hit.first, hit.first, hit.last
                units, asks = hit.units, hit.asks
    return Place(first, last, question_first, question_last, units, asks)


@kernel
def _nearest(hits, used, sequence, low, high, expected):
    """The hit of a sequence between `low` and `high` nearest to where it is expected, or -1.

    One with less than half the weight of another one does not count.
    """
    begin, end = _first_from(hits, sequence, low), hits.size
    most = np.float32(0)
    for at in range(begin, end):
        if hits[at].sequence != sequence or hits[at].last > high:
            end = at
            break
        if not used[at]:
            most = max(most, hits[at].matched)
    nearest = -1
    for at in range(begin, end):
        if used[at] or 2 * hits[at].matched < most:
            continue
        if nearest < 0 or abs(hits[at].first - expected) < abs(hits[nearest].first - expected):
            nearest = at
    return nearest


@kernel
def _first_from(hits, sequence, unit):
    """The number of the first hit, of those of a sequence and later ones, that begins at a unit or later."""
    low, high = 0, hits.size
    while low < high:
        middle = (low + high) // 2
        hit = hits[middle]
        if hit.sequence < sequence or (hit.sequence == sequence and hit.first < unit):
            low = middle + 1
        else:
            high = middle
    return low


@kernel
def _kind(units, place, rules, number, item, finding):
    """What the document has of an item there (-1: nothing); writes the span to `finding`."""
    thresholds = rules.thresholds
    kind = -1
    for field in (SOLUTION, ANSWER):
        if item.coverage[field] >= thresholds.solution * (item.whole[field] + MANY_WRITE):
            kind = IS_TEMPLATE if _has_other_numbers(item, field) else IS_ANSWER
    last = place.last
    if place.question_last >= 0 and _is_found(item, QUESTION, _LEAST_FOUND):
        reach = _REACH + min(item.size.sum(), ROWS)
        choices = _find_choices(units, place.question_last, reach, rules.sequences, number, item)
        answered, behind = _find_answer(units, place.question_last, choices, reach, rules, number, item)
        if _is_asked(units, place, choices, answered, thresholds, item):
            last = max(last, behind)
            kind = IS_ANSWER if answered else IS_QUESTION
            if _has_other_numbers(item, QUESTION):
                kind = IS_TEMPLATE
    if kind < 0 and item.coverage[PASSAGE] + item.coverage[QUESTION] >= _LEAST_EVIDENCE:
        context = item.size[QUESTION] > _SHORT and _is_found(item, QUESTION, thresholds.passage)
        if context or _is_found(item, PASSAGE, thresholds.passage):
            kind = IS_PASSAGE
    finding.first, finding.last = place.first, last
    return kind


@kernel
def _is_asked(units, place, choices, answered, thresholds, item):
    """Whether the question is there, or so many choices that it must be that one."""
    coverage, size = item.coverage, item.size[QUESTION]
    exact = (answered or _begins_clause(units, place.question_first)) and _is_exact(units, place, size)
    with_choices = choices.number > 1 and 2 * choices.listed >= choices.number
    asked = _is_found(item, QUESTION, thresholds.question) and place.asks >= _ASKED * item.asked[0]
    if size <= _SHORT:
        telling = coverage[ANSWER] + coverage[LABEL] + coverage[SOLUTION] >= _TELLING
        almost = answered and telling and place.units >= size - 1
        most = with_choices and _is_found(item, QUESTION, _MOST)
        exact &= answered or with_choices or coverage[QUESTION] >= _LEAST_OF_SHORT
        asked = exact or (asked and (almost or most) and item.size.sum() > _SHORT)
    elif coverage[QUESTION] < _LEAST_EVIDENCE:
        asked = asked and (answered or with_choices or exact)
    all_choices = choices.number > 1 and choices.listed == choices.number
    return asked or (all_choices and coverage[CHOICE] >= _LEAST_OF_CHOICES)


@kernel
def _measure(sequences, number, item):
    """Weight, units and numbers of each field of an item, and the weight of what its question asks."""
    item.asked[0] = 0
    item.whole[:] = 0
    item.numbers[:] = 0
    item.size[:] = 0
    for sequence in range(sequences.of_item[number], sequences.of_item[number + 1]):
        field = sequences.field[sequence]
        for at in range(sequences.first[sequence], sequences.first[sequence + 1]):
            item.whole[field] += sequences.weights[at]
            item.numbers[field] += sequences.flags[at] & NUMBER
            item.size[field] += 1
            if field == QUESTION and sequences.flags[at] & ASKS:
                item.asked[0] += sequences.weights[at]


@inline_kernel
def _has_other_numbers(item, field):
    """Whether a third of the numbers are others, or half of them are not there."""
    numbers, found, replaced = item.numbers[field], item.found[field], item.replaced[field]
    return (replaced > 0 and 3 * replaced >= numbers) or 2 * found < numbers


@kernel
def _write_coverage(item, finding):
    """The coverage of each field, and the score: of all that is there of the item."""
    matched = total = np.float32(0)
    for field in range(FIELDS):
        found, whole = item.coverage[field], item.whole[field]
        finding.coverage[field] = min(found / whole, np.float32(1)) if whole > 0 else -1
        if found > 0:
            matched += found
            total += whole
    finding.score = min(matched / total, np.float32(1))
    finding.weight = matched


@inline_kernel
def _is_found(item, field, share):
    return item.whole[field] > 0 and item.coverage[field] >= share * item.whole[field]


@kernel
def _is_exact(units, place, size):
    """Whether all words of a question stand there and no others, to the end of a sentence."""
    last = place.question_last
    whole = 0 < size == place.units and last - place.question_first == size
    return whole and _begins_clause(units, last)


@inline_kernel
def _begins_clause(units, at):
    """Whether a mark stands before a unit, or the end of the document."""
    return at >= units.size or units[at].flags & (SENTENCE | CLAUSE) != 0


class Choices(NamedTuple):
    """The choices behind a question."""

    number: int
    """How many there are."""
    listed: int
    """How many of them stand there."""
    behind: int
    """The unit behind them, or behind the question."""


@kernel
def _find_choices(units, low, reach, sequences, number, item):
    """Looks for the choices behind a question."""
    behind = low
    listed = choices = 0
    item.coverage[CHOICE] = 0
    for sequence in range(sequences.of_item[number], sequences.of_item[number + 1]):
        if sequences.field[sequence] != CHOICE:
            continue
        choices += 1
        hit = item.hit[0]
        size = sequences.first[sequence + 1] - sequences.first[sequence]
        found = _find(units, low, low + reach, sequences, sequence, item, 0.7)
        if found and hit.replaced == 0 and (size > TRIPLE or hit.units == size):
            listed += 1
            behind = max(behind, hit.last)
            item.coverage[CHOICE] += hit.matched
    return Choices(choices, listed, behind)


@kernel
def _find_answer(units, question_last, choices, reach, rules, number, item):
    """Looks for the answer behind a question and its choices: whether it is there, and where all ends."""
    sequences = rules.sequences
    coverage, whole = item.coverage, item.whole
    listed = choices.listed > 1
    low = choices.behind if listed else question_last
    answered = False
    last = choices.behind
    if choices.number > 0:
        coverage[ANSWER] = 0  # it may have been found among the choices
    for sequence in range(sequences.of_item[number], sequences.of_item[number + 1]):
        field = sequences.field[sequence]
        begin = sequences.first[sequence]
        size = sequences.first[sequence + 1] - begin
        if size == 0 or (field == LABEL and not listed and not sequences.flags[begin] & NUMBER):
            continue
        if field == LABEL or (field == ANSWER and size < TRIPLE):
            near = TRIPLE if field == LABEL and listed else _NEAR
            stop = _find_short(units, low, near, reach, sequences, sequence, rules.markers)
            if stop >= 0:
                answered = True
                last = max(last, stop)
                coverage[field] = whole[field]
        elif field in (ANSWER, SOLUTION) and item.size[field] <= LONGEST:
            # A longer one is found by its seeds.
            hit = item.hit[0]
            if _find(units, low, low + reach + size, sequences, sequence, item, 0.3):
                coverage[field] = max(coverage[field], hit.matched)
                last = max(last, hit.last) if hit.matched > rules.thresholds.answer * whole[field] else last
    answered |= _is_found(item, ANSWER, rules.thresholds.answer)
    answered |= _is_found(item, SOLUTION, rules.thresholds.answer)
    return answered, last


@kernel
def _find(units, low, high, sequences, sequence, item, share):
    """Whether a share of a sequence, by weight, stands in a stretch of the document: `item.hit`."""
    high = min(high, low + ROWS, units.size)
    if high <= low:
        return False
    hit = item.hit[0]
    align(units, low, high, sequences, sequence, item.alignment, hit)
    whole = np.float32(0)
    for at in range(sequences.first[sequence], sequences.first[sequence + 1]):
        whole += sequences.weights[at]
    return hit.matched >= share * whole and hit.matched > 0


@kernel
def _find_short(units, low, near, reach, sequences, sequence, markers):
    """Where a short answer ends: word by word soon behind `low`, or behind a word such as `answer`; or -1.

    A single letter, as of a choice, must stand by itself: it may be a word of the language.
    """
    begin = sequences.first[sequence]
    size = sequences.first[sequence + 1] - begin
    marker = -reach
    for at in range(low, min(units.size, low + reach) - size + 1):
        if at - low <= near or at - marker <= _BEHIND_MARKER:
            same = 0
            while same < size and units[at + same].hash == sequences.units[begin + same]:
                same += 1
            letter = size == 1 and units[at].end - units[at].start <= 2 and not units[at].flags & NUMBER
            alone = _begins_clause(units, at) and _begins_clause(units, at + 1)
            if same == size and (alone or not letter):
                return at + size
        place = np.searchsorted(markers, units[at].hash)
        if place < markers.size and markers[place] == units[at].hash:
            marker = at + 1
    return -1
