"""Boilerplate: lines or paragraphs that recur across documents, such as menus, footers and cookie notices.

After the paragraph deduplication of CCNet (Wenzek et al. 2020, arXiv 1911.00359, section 3.1): what is equal
once case, accents, punctuation, white space and numbers are disregarded counts as the same. CCNet removes
whatever occurs twice, the first occurrence included. Here the same lines must stand in `min_documents`
different documents, and in one of these they stay, so that no text vanishes altogether.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from filters.dedup.exact import content_hash
from filters.text.characters import (
    SPACE,
    character_classes,
    class_at,
    count_characters,
    decode,
    find_byte,
    step,
)
from filters.text.characters import start_of_character as start_of
from filters.text.folding import SEPARATOR, word_folding
from filters.text.hashing import combine, mix
from filters.text.kernel import driver, kernel
from filters.text.lines import strip_right
from filters.text.texts import Texts, text_array, text_buffers

Keys = npt.NDArray[np.uint64]

VERSION = 1

_DIGIT = np.uint32(ord("0"))
_EXAMPLE_BYTES = 200


class Boilerplate(BaseModel):
    """What counts as boilerplate."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    unit: Literal["line", "paragraph"] = Field(
        default="line", description="What is removed: lines, or paragraphs, which blank lines separate."
    )
    min_documents: int = Field(
        default=20, ge=2, description="In how many different documents of a source it must stand."
    )
    min_length: int = Field(
        default=10, ge=1, description="Letters that it must have; what is shorter always stays."
    )

    def occurrences(self, texts: Texts, editable: npt.NDArray[np.bool_]) -> Occurrences:
        """Which lines stand in which documents.

        Args:
            texts: A string or large_string column without nulls.
            editable: Which of them are looked at: bool, one a text.
        """
        buffers = text_buffers(texts)
        folding, classes = line_folding(), character_classes()
        keys, rows = _all_keys(
            buffers.data,
            buffers.offsets,
            editable,
            folding,
            classes,
            self.unit == "paragraph",
            self.min_length,
        )
        return self.thinned([Occurrences(keys, document_keys(texts)[rows])])

    def thinned(self, found: list[Occurrences]) -> Occurrences:
        """Several occurrences as one, sorted, each once; of one line the `min_documents` lowest documents.

        Those are as many as it takes to tell whether a line recurs, and in which document it stays.
        """
        keys = np.concatenate([np.empty(0, np.uint64), *(one.keys for one in found)])
        documents = np.concatenate([np.empty(0, np.uint64), *(one.documents for one in found)])
        order = np.lexsort((documents, keys))
        keys, documents = keys[order], documents[order]
        repeated = (keys[1:] == keys[:-1]) & (documents[1:] == documents[:-1])
        distinct = np.append(True, ~repeated)[: len(keys)]
        keys, documents = keys[distinct], documents[distinct]
        few = np.arange(len(keys)) - _starts(keys) < self.min_documents
        return Occurrences(keys[few], documents[few])

    def recurring(self, found: list[Occurrences]) -> Recurring:
        """The lines that stand in enough documents."""
        keys, documents = self.thinned(found)
        starts = np.unique(_starts(keys))
        enough = starts[np.diff(np.append(starts, len(keys))) >= self.min_documents]
        return Recurring(keys[enough], documents[enough])

    def removed(self, texts: Texts, editable: npt.NDArray[np.bool_], recurring: Recurring) -> Removal:
        """The texts without what recurs, except in the document in which it stays.

        A line goes with its line break. Of the blank lines behind it those go that would stand behind another
        one or at the beginning; where it was the last, white space before it goes as well. A text without
        recurring lines stays as it is, byte by byte.
        """
        buffers = text_buffers(texts)
        size = int(buffers.offsets[-1] - buffers.offsets[0])
        offsets = np.zeros(len(buffers.offsets), dtype=np.int64)
        edited = np.empty(size, dtype=np.uint8)
        which, starts, ends, characters = _remove(
            buffers.data,
            buffers.offsets,
            editable,
            document_keys(texts),
            line_folding(),
            character_classes(),
            self.unit == "paragraph",
            self.min_length,
            recurring.keys,
            recurring.documents,
            edited,
            offsets,
        )
        found, first, times = np.unique(which, return_index=True, return_counts=True)
        examples = _examples(buffers.data, starts[first], ends[first])
        evidence = pa.table({"key": recurring.keys[found], "times": times, "example": examples})
        return Removal(text_array(edited, offsets), evidence, int(characters))


class Occurrences(NamedTuple):
    """Pairs of a line and a document that has it."""

    keys: Keys
    """Hashes of lines."""
    documents: Keys
    """Hashes of documents. Texts that are equal but for case and white space are one document."""


class Recurring(NamedTuple):
    """Lines that recur."""

    keys: Keys
    """Their hashes, ascending."""
    documents: Keys
    """The document in which each stays: the one with the lowest hash."""


class Removal(NamedTuple):
    """What is left, and what went."""

    texts: pa.LargeStringArray
    evidence: pa.Table
    """A row for each line that went: `key`, ascending, `times`, `example` (its first 200 bytes)."""
    characters: int


def document_keys(texts: Texts) -> Keys:
    """A hash for each document, the same for exact duplicates."""
    hashes = content_hash(texts)
    return np.frombuffer(hashes.buffers()[1] or b"", np.uint64).reshape(-1, 2)[:, 0].copy()


@lru_cache(maxsize=1)
def line_folding() -> np.ndarray:
    """What each code point becomes in the lines that are compared: uint32, shape (0x110000,).

    As for the words that MinHash compares, and every digit is `0`.
    """
    table = word_folding().copy()
    decimal = [point for point in range(len(table)) if chr(point).isdecimal()]
    table[decimal] = _DIGIT
    table[(table >= _DIGIT) & (table <= ord("9"))] = _DIGIT
    table.setflags(write=False)
    return table


def _starts(keys: Keys) -> npt.NDArray[np.int64]:
    """For each of sorted keys where its run starts."""
    begins = np.append(True, keys[1:] != keys[:-1])[: len(keys)]
    starts: npt.NDArray[np.int64] = np.maximum.accumulate(np.where(begins, np.arange(len(keys)), 0))
    return starts


def _examples(data: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> pa.LargeStringArray:
    """The beginnings of pieces of text."""
    offsets = np.zeros(len(starts) + 1, dtype=np.int64)
    copied = np.empty(_EXAMPLE_BYTES * len(starts), dtype=np.uint8)
    _copy_beginnings(data, starts, ends, copied, offsets)
    return text_array(copied, offsets)


@kernel
def _copy_beginnings(data, starts, ends, copied, offsets):
    """Writes the first bytes of each piece, whole characters, end to end into `copied`."""
    size = 0
    for index in range(starts.size):
        begin, end = starts[index], ends[index]
        if end - begin > _EXAMPLE_BYTES:
            end = start_of(data, begin + _EXAMPLE_BYTES, begin)
        for at in range(begin, end):
            copied[size] = data[at]
            size += 1
        offsets[index + 1] = size


@kernel
def _key(data, begin, end, folding):
    """The hash of a folded line, and the number of letters in it. Numbers of any length are the same."""
    state = np.uint64(0)
    letters = 0
    in_number = False
    at = begin
    while at < end:
        lead = data[at]
        point = folding[lead] if lead < 0x80 else folding[decode(data, at, end)]
        at = at + 1 if lead < 0x80 else step(data, at, end)
        if point <= SEPARATOR:  # or DROPPED
            continue
        if point == _DIGIT:
            if in_number:
                continue
            in_number = True
        else:
            in_number = False
            letters += 1
        state = combine(state, np.uint64(point))
    return mix(state), letters


@kernel
def _is_blank(data, begin, end, classes):
    """Whether there is nothing but white space."""
    while begin < end:
        if not class_at(data, begin, end, classes) & SPACE:
            return False
        begin = step(data, begin, end)
    return True


@kernel
def _unit(data, begin, end, classes, paragraph):
    """Where the line or paragraph from `begin` on ends, and whether it is blank. Blank lines are single."""
    stop = find_byte(data, begin, end, 10)
    blank = _is_blank(data, begin, stop, classes)
    while paragraph and not blank and stop < end:
        following = find_byte(data, stop + 1, end, 10)
        if _is_blank(data, stop + 1, following, classes):
            break
        stop = following
    return stop, blank


@driver
def _all_keys(data, offsets, editable, folding, classes, paragraph, min_length):
    """The keys of all lines that are long enough, and the rows of their documents."""
    keys = np.empty(1024, dtype=np.uint64)
    rows = np.empty(1024, dtype=np.int64)
    count = 0
    for document in range(offsets.size - 1):
        at, end = offsets[document], offsets[document + 1]
        while editable[document] and at < end:
            stop, blank = _unit(data, at, end, classes, paragraph)
            if not blank:
                key, letters = _key(data, at, stop, folding)
                if letters >= min_length:
                    if count == keys.size:
                        keys = np.append(keys, np.empty_like(keys))
                        rows = np.append(rows, np.empty_like(rows))
                    keys[count] = key
                    rows[count] = document
                    count += 1
            at = stop + 1
    return keys[:count], rows[:count]


@kernel
def _find_key(keys, key):
    """The place of `key` in sorted `keys`, -1 if it is not there."""
    low, high = 0, keys.size
    while low < high:
        middle = (low + high) >> 1
        if keys[middle] < key:
            low = middle + 1
        else:
            high = middle
    return low if low < keys.size and keys[low] == key else -1


@driver
def _remove(
    data,
    offsets,
    editable,
    documents,
    folding,
    classes,
    paragraph,
    min_length,
    keys,
    keepers,
    edited,
    new_offsets,
):
    """Writes the documents without recurring lines into `edited`; returns which went, and from where."""
    which = np.empty(1024, dtype=np.int64)
    starts = np.empty(1024, dtype=np.int64)
    ends = np.empty(1024, dtype=np.int64)
    count = 0
    characters = 0
    size = 0
    for document in range(offsets.size - 1):
        first = size
        at, end = offsets[document], offsets[document + 1]
        blank_before = True
        gap = False
        while at < end:
            if not editable[document]:
                stop, blank = end, False
            else:
                stop, blank = _unit(data, at, end, classes, paragraph)
            after = min(stop + 1, end)
            recurs = -1
            if editable[document] and not blank:
                key, letters = _key(data, at, stop, folding)
                if letters >= min_length:
                    recurs = _find_key(keys, key)
            if recurs >= 0 and keepers[recurs] != documents[document]:
                if count == which.size:
                    which = np.append(which, np.empty_like(which))
                    starts = np.append(starts, np.empty_like(starts))
                    ends = np.append(ends, np.empty_like(ends))
                which[count] = recurs
                starts[count] = at
                ends[count] = stop
                count += 1
                characters += count_characters(data, at, stop)
                gap = True
            elif not (blank and gap and blank_before):
                edited[size : size + after - at] = data[at:after]
                size += after - at
                blank_before = blank
                gap = False
            at = after
        if gap:
            size = strip_right(edited, first, size, classes)
        new_offsets[document + 1] = size
    return which[:count], starts[:count], ends[:count], characters
