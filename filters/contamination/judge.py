"""What a document has of an item: the question with its answer, the question, a passage, or a template.

Hits are of single sequences. Those of an item that stand together are judged together, and what is too short to be
searched for by itself, an answer or a choice, is looked for behind its question.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from filters.contamination.align import HIT, ROWS, align
from filters.contamination.index import ANSWER, ASKS, CHOICE, LABEL, PASSAGE, QUESTION, SOLUTION, TRIPLE
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
    code: float = 0.5


_SHORT = 8
"""A question of so few words must stand word by word, as a sentence of its own, or with its answer or choices."""
_LEAST_EVIDENCE = 2.5
"""The weight of matched words without which a question is one that many ask."""
_TELLING = 0.8
"""The weight of an answer that does not stand behind any sentence."""
MANY_WRITE = 8.0
"""Weight that many solutions of other tasks share with one: it counts as missing."""
_LEAST_FOUND = 0.35
"""The share of a question, by weight, without which choices and answer say nothing: others may have them."""
_LEAST_OF_CHOICES = 5.0
"""And the weight that they must have."""
_ASKED = 0.5
"""The share of what the question asks, by weight, without which it is another question on the same text."""
_REACH = 64
"""Words between what belongs together."""
_NEAR = 12
"""Words between a question and a short answer."""
_BEHIND_MARKER = 4
"""Words between `answer` or the like and the answer."""


class Item(NamedTuple):
    """An item while it is judged."""

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
    used: np.ndarray
    """Hits that are judged: bool."""
    hit: np.ndarray
    """One HIT."""


@kernel
def judge(units, count, hits, sequences, markers, thresholds, room, item_room, findings, document):
    """Writes what the document has of each item (FINDING); `hits` are those of the document, by sequence."""
    found = 0
    begin = 0
    while begin < hits.size:
        item = sequences.item[hits[begin].sequence]
        end = begin
        while end < hits.size and sequences.item[hits[end].sequence] == item:
            item_room.used[end] = False
            end += 1
        best = _best(hits, begin, end, item_room.used)
        while best >= 0 and found < findings.size:
            finding = findings[found]
            finding.document = document
            finding.item = item
            if _judge_around(
                units,
                count,
                hits,
                begin,
                end,
                best,
                sequences,
                item,
                markers,
                thresholds,
                room,
                item_room,
                finding,
            ):
                found += 1
            best = _best(hits, begin, end, item_room.used)
        begin = end
    return found


@kernel
def _best(hits, begin, end, used):
    """The hit with the most weight that is not judged yet, -1 if there is none."""
    best = -1
    for at in range(begin, end):
        if not used[at] and (best < 0 or hits[at].matched > hits[best].matched):
            best = at
    return best


@kernel
def _judge_around(
    units, count, hits, begin, end, best, sequences, item, markers, thresholds, room, item_room, finding
):
    """Judges the item by the hits around the best one; whether there is a match."""
    _measure(sequences, item, item_room)
    coverage, whole, numbers, found, replaced, size, asked_weight, used, one = item_room
    reach = _REACH + min(size.sum(), ROWS)
    low, high = hits[best].first - reach, hits[best].last + reach
    first, last = hits[best].first, hits[best].last
    question_first, question_last = count, -1
    asks = np.float32(0)
    question_found = 0
    at = begin
    while at < end:
        sequence = hits[at].sequence
        chosen = -1
        while at < end and hits[at].sequence == sequence:
            if not used[at] and hits[at].first >= low and hits[at].last <= high:
                used[at] = True
                if chosen < 0 or at == best or (chosen != best and hits[at].matched > hits[chosen].matched):
                    chosen = at
            at += 1
        if chosen < 0:
            continue
        hit, field = hits[chosen], sequences.field[sequence]
        coverage[field] += hit.matched
        found[field] += hit.numbers
        replaced[field] += hit.replaced
        first, last = min(first, hit.first), max(last, hit.last)
        if field == QUESTION:
            question_first, question_last = min(question_first, hit.first), max(question_last, hit.last)
            asks += hit.asks
            question_found += hit.units
    kind = -1
    for field in (SOLUTION, ANSWER):
        if coverage[field] >= thresholds.solution * (whole[field] + MANY_WRITE):
            kind = IS_TEMPLATE if _has_other_numbers(numbers, found, replaced, field) else IS_ANSWER
    if question_last >= 0 and coverage[QUESTION] >= _LEAST_FOUND * whole[QUESTION]:
        behind, listed, choices = _find_choices(
            units, count, question_last, reach, sequences, item, room, one, coverage
        )
        answered, behind = _find_answer(
            units,
            count,
            question_last,
            behind,
            listed,
            reach,
            sequences,
            item,
            markers,
            thresholds,
            room,
            one,
            coverage,
            whole,
        )
        exact = _is_exact(units, count, question_first, question_last, question_found, size[QUESTION])
        exact &= answered or units[question_first].flags & (SENTENCE | CLAUSE) != 0
        with_choices = choices > 1 and 2 * listed >= choices
        asked = (
            coverage[QUESTION] >= thresholds.question * whole[QUESTION] and asks >= _ASKED * asked_weight[0]
        )
        if size[QUESTION] <= _SHORT:
            telling = coverage[ANSWER] + coverage[LABEL] + coverage[SOLUTION] >= _TELLING
            almost = answered and telling and question_found >= size[QUESTION] - 1
            asked = exact or (asked and (almost or with_choices) and size.sum() > _SHORT)
        elif coverage[QUESTION] < _LEAST_EVIDENCE:
            asked = asked and (answered or with_choices or exact)
        all_choices = choices > 1 and listed == choices and coverage[CHOICE] >= _LEAST_OF_CHOICES
        if asked or all_choices:
            last = max(last, behind)
            kind = IS_ANSWER if answered else IS_QUESTION
            if _has_other_numbers(numbers, found, replaced, QUESTION):
                kind = IS_TEMPLATE
    if kind < 0 and coverage[PASSAGE] + coverage[QUESTION] >= _LEAST_EVIDENCE:
        context = size[QUESTION] > _SHORT and _is_found(coverage, whole, QUESTION, thresholds.passage)
        if context or _is_found(coverage, whole, PASSAGE, thresholds.passage):
            kind = IS_PASSAGE
    finding.kind = kind
    finding.first, finding.last = first, last
    _write_coverage(coverage, whole, finding)
    return kind >= 0


@kernel
def _measure(sequences, item, item_room):
    """Weight, units and numbers of each field of an item, and the weight of what its question asks."""
    coverage, whole, numbers, found, replaced, size, asked_weight, _, _ = item_room
    asked_weight[0] = 0
    coverage[:] = 0
    whole[:] = 0
    numbers[:] = 0
    found[:] = 0
    replaced[:] = 0
    size[:] = 0
    for sequence in range(sequences.of_item[item], sequences.of_item[item + 1]):
        field = sequences.field[sequence]
        for at in range(sequences.first[sequence], sequences.first[sequence + 1]):
            whole[field] += sequences.weights[at]
            numbers[field] += sequences.flags[at] & NUMBER
            size[field] += 1
            if field == QUESTION and sequences.flags[at] & ASKS:
                asked_weight[0] += sequences.weights[at]


@inline_kernel
def _has_other_numbers(numbers, found, replaced, field):
    """Whether a third of the numbers are others, or half of them are not there."""
    others = replaced[field] > 0 and 3 * replaced[field] >= numbers[field]
    return others or (numbers[field] > 1 and 2 * found[field] < numbers[field])


@kernel
def _write_coverage(coverage, whole, finding):
    """The coverage of each field, and the score: of all that is there of the item."""
    matched = total = np.float32(0)
    for field in range(FIELDS):
        finding.coverage[field] = coverage[field] / whole[field] if whole[field] > 0 else -1
        if coverage[field] > 0:
            matched += coverage[field]
            total += whole[field]
    finding.score = matched / total
    finding.weight = matched


@inline_kernel
def _is_found(coverage, whole, field, share):
    return whole[field] > 0 and coverage[field] >= share * whole[field]


@kernel
def _is_exact(units, count, first, last, found, size):
    """Whether all words of a question stand there and no others, to the end of a sentence."""
    ends = SENTENCE | CLAUSE
    return (
        found == size
        and last - first == size
        and (last >= count or units[last].flags & ends != 0)
    )


@kernel
def _find_choices(units, count, low, reach, sequences, item, room, one, coverage):
    """Looks for the choices behind a question: where they end, how many are there, and of how many."""
    behind = low
    listed = choices = 0
    coverage[CHOICE] = 0
    for sequence in range(sequences.of_item[item], sequences.of_item[item + 1]):
        if sequences.field[sequence] != CHOICE:
            continue
        choices += 1
        hit = one[0]
        size = sequences.first[sequence + 1] - sequences.first[sequence]
        found = _find(units, low, min(count, low + reach), sequences, sequence, room, hit, 0.7)
        if found and hit.replaced == 0 and (size > TRIPLE or hit.units == size):
            listed += 1
            behind = max(behind, hit.last)
            coverage[CHOICE] += hit.matched
    return behind, listed, choices


@kernel
def _find_answer(
    units,
    count,
    question_last,
    behind,
    listed,
    reach,
    sequences,
    item,
    markers,
    thresholds,
    room,
    one,
    coverage,
    whole,
):
    """Looks for the answer behind a question, and behind its choices where they are: whether, and where it ends."""
    low = behind if listed > 1 else question_last
    answered = False
    last = behind
    coverage[ANSWER] = coverage[LABEL] = coverage[SOLUTION] = 0
    for sequence in range(sequences.of_item[item], sequences.of_item[item + 1]):
        field = sequences.field[sequence]
        size = sequences.first[sequence + 1] - sequences.first[sequence]
        if field == LABEL and listed < 2 and not sequences.flags[sequences.first[sequence]] & NUMBER:
            continue
        if field == LABEL or (field == ANSWER and size < TRIPLE):
            near = TRIPLE if field == LABEL and listed > 1 else _NEAR
            place = _find_short(units, count, low, near, reach, sequences, sequence, markers)
            if place >= 0:
                answered = True
                last = max(last, place)
                coverage[field] = whole[field]
        elif field in (ANSWER, SOLUTION):
            hit = one[0]
            if _find(units, low, min(count, low + reach + size), sequences, sequence, room, hit, 0.3):
                coverage[field] += hit.matched
                last = max(last, hit.last) if hit.matched > thresholds.answer * whole[field] else last
    answered |= _is_found(coverage, whole, ANSWER, thresholds.answer)
    answered |= _is_found(coverage, whole, SOLUTION, thresholds.answer)
    return answered, last


@kernel
def _find(units, low, high, sequences, sequence, room, hit, share):
    """Whether a share of a sequence, by weight, stands in a stretch of the document; `hit` says where."""
    high = min(high, low + ROWS)
    if high <= low:
        return False
    align(units, low, high, sequences, sequence, room, hit)
    whole = np.float32(0)
    for at in range(sequences.first[sequence], sequences.first[sequence + 1]):
        whole += sequences.weights[at]
    return hit.matched >= share * whole and hit.matched > 0


@kernel
def _find_short(units, count, low, near, reach, sequences, sequence, markers):
    """Where a short answer ends: word by word soon behind `low`, or behind a word such as `answer`; or -1.

    A single letter, as of a choice, must stand by itself: it may be a word of the language.
    """
    begin = sequences.first[sequence]
    size = sequences.first[sequence + 1] - begin
    marker = -reach
    for at in range(low, min(count, low + reach) - size + 1):
        if at - low <= near or at - marker <= _BEHIND_MARKER:
            same = 0
            while same < size and units[at + same].hash == sequences.units[begin + same]:
                same += 1
            letter = units[at].end - units[at].start <= 2 and not units[at].flags & NUMBER
            if same == size and size > 0 and (not letter or size > 1 or _stands_alone(units, count, at)):
                return at + size
        place = np.searchsorted(markers, units[at].hash)
        if place < markers.size and markers[place] == units[at].hash:
            marker = at + 1
    return -1


@inline_kernel
def _stands_alone(units, count, at):
    """Whether marks stand on both sides of a word."""
    ends = SENTENCE | CLAUSE
    return units[at].flags & ends != 0 and (at + 1 >= count or units[at + 1].flags & ends != 0)
