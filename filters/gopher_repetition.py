"""Signals of Gopher's repetition rules (Rae et al. 2021, arXiv 2112.11446, table A1), counted as datatrove
does.

An n-gram can only repeat where the (n-1)-grams that begin and end it repeat. So each length is counted only
at the positions that survived the one before, which in ordinary text are few after the third.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import numpy as np

from filters.characters import SPACE, class_at, class_before, count_characters, step, step_back
from filters.hashing import combine, find_slot, hash_bytes, mix, slots_for
from filters.kernel import inline_kernel, kernel
from filters.signal import ratio

TOP_NGRAMS = (2, 3, 4)
DUPLICATE_NGRAMS = (5, 6, 7, 8, 9, 10)

SIGNALS = (
    ratio("dup_paragraph_fraction", "Paragraphs that occurred before in the document."),
    ratio("dup_paragraph_char_fraction", "Characters of such paragraphs, of all characters."),
    ratio("dup_line_fraction", "Lines that occurred before in the document."),
    ratio("dup_line_char_fraction", "Characters of such lines, of all characters."),
    *(
        ratio(f"top_{n}gram_char_fraction", f"Characters of the most frequent {n}-gram of words.")
        for n in TOP_NGRAMS
    ),
    *(
        ratio(f"dup_{n}gram_char_fraction", f"Characters of repeated {n}-grams of words.")
        for n in DUPLICATE_NGRAMS
    ),
)


@kernel
def gopher_repetition(data, begin, end, classes, characters, words, count, scratch, row):
    """Fills `row` with the signals above; needs `words.lengths`."""
    row[:] = 0.0
    low, high = _strip(data, begin, end, classes)
    paragraphs, repeated, repeated_characters = _repeats(data, low, high, 2, scratch)
    row[0] = repeated / max(paragraphs, 1)
    row[1] = repeated_characters / max(characters, 1)
    lines, repeated, repeated_characters = _repeats(data, begin, end, 1, scratch)
    row[2] = repeated / max(lines, 1)
    row[3] = repeated_characters / max(characters, 1)
    _repeated_ngrams(words.hashes, words.lengths, count, characters, scratch, row[4:])


@kernel
def _strip(data, begin, end, classes):
    """The range `data[begin:end]` without white space at its ends."""
    while begin < end and class_at(data, begin, end, classes) & SPACE:
        begin = step(data, begin, end)
    while begin < end and class_before(data, end, begin, classes) & SPACE:
        end = step_back(data, end, begin)
    return begin, end


@kernel
def _repeats(data, begin, end, newlines, scratch):
    """Splits at runs of at least so many newlines; returns the parts, those seen before, and their
    characters.

    A text that starts or ends with such a run has an empty part there, as Python's `re.split` has it.
    """
    parts = repeated = characters = 0
    mask = slots_for(_count_newlines(data, begin, end) + 2) - 1
    seen = scratch.table[: mask + 1]
    seen[:] = 0
    start = at = begin
    while at <= end:
        if at < end and data[at] != 10:
            at += 1
            continue
        after = at
        while after < end and data[after] == 10:
            after += 1
        if at < end and after - at < newlines:
            at = after
            continue
        key = hash_bytes(data, start, at)
        slot = find_slot(seen, mask, key)
        if seen[slot]:
            repeated += 1
            characters += count_characters(data, start, at)
        seen[slot] = key
        parts += 1
        if at == end:
            break
        start = at = after
    return parts, repeated, characters


@kernel
def _count_newlines(data, begin, end):
    found = 0
    for at in range(begin, end):
        found += data[at] == 10
    return found


@kernel
def _repeated_ngrams(hashes, lengths, words, characters, scratch, row):
    """Characters in the most frequent 2- to 4-gram and in repeated 5- to 10-grams, as fractions of `characters`."""
    alive, keys, slots = scratch.alive, scratch.keys, scratch.slots
    live = words
    for index in range(words):
        alive[index] = index
        keys[index] = hashes[index]
    for n in range(1, 11):
        if n > 1:
            live = _extend(hashes, alive, keys, live, n, words)
        mask = slots_for(live) - 1
        table, counts = scratch.table[: mask + 1], scratch.counts[: mask + 1]
        table[:] = 0
        counts[:] = 0
        for index in range(live):
            slot = find_slot(table, mask, keys[index])
            table[slot] = keys[index]
            counts[slot] += 1
            slots[index] = slot
        if 2 <= n <= 4 and words >= n:
            row[n - 2] = _top(lengths, alive, slots, counts, live, n) / characters
        live = _keep_repeated(alive, keys, slots, counts, live)
        if n >= 5:
            row[n - 2] = _duplicated(lengths, alive, slots, counts, live, n) / max(characters, 1)


@kernel
def _extend(hashes, alive, keys, live, n, words):
    """Turns the repeated (n-1)-grams into the n-grams that may repeat; returns how many there are."""
    kept = 0
    for index in range(live - 1):
        position = alive[index]
        if alive[index + 1] == position + 1 and position + n <= words:
            alive[kept] = position
            keys[kept] = mix(combine(keys[index], hashes[position + n - 1])) | np.uint64(1)
            kept += 1
    return kept


@kernel
def _keep_repeated(alive, keys, slots, counts, live):
    """Keeps the n-grams that occur more than once; returns how many there are."""
    kept = 0
    for index in range(live):
        if counts[slots[index]] > 1:
            alive[kept] = alive[index]
            keys[kept] = keys[index]
            slots[kept] = slots[index]
            kept += 1
    return kept


@kernel
def _top(lengths, alive, slots, counts, live, n):
    """Characters, with spaces between words, of all occurrences of the most frequent n-gram; the first one if tied."""
    position, most = 0, 1
    for index in range(live):
        if counts[slots[index]] > most:
            position, most = alive[index], counts[slots[index]]
    return (_span(lengths, position, n) + n - 1) * most


@kernel
def _duplicated(lengths, alive, slots, counts, live, n):
    """Characters of n-grams met before, left to right and without overlap."""
    found = 0
    free = 0
    for index in range(live):
        if alive[index] < free:
            continue
        slot = slots[index]
        if counts[slot] < 0:
            found += _span(lengths, alive[index], n)
            free = alive[index] + n
        counts[slot] = -1
    return found


@inline_kernel
def _span(lengths, position, n):
    """Characters of the n words from `position` on."""
    total = 0
    for index in range(position, position + n):
        total += lengths[index]
    return total
