"""Passages: overlapping windows over documents that start and end between sentences or lines where they can.

A document is cut into blocks of half a passage's words, and a passage is two blocks in a row. So what is
shorter than a block mostly lies whole in one passage. All of it is done on bytes, a batch of documents at
once.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from filters.text.texts import Texts, text_buffers

SIZES = (32, 128)
"""Words of a passage, about; characters where a script writes no spaces.

Among other words the vector of a question fades: of 60 questions of MMLU in other words, in the middle of
prose, all-MiniLM-L6-v2 finds the right one first for 90 % by passages of 32 words, for 75 % by 64 and for
58 % by 128. Programs and long items need the longer ones.
"""

Numbers = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]
Flags = npt.NDArray[np.bool_]

_LETTERS = np.array([chr(byte).isalnum() or byte in b"_" or byte >= 0x80 for byte in range(256)])
_SPACES = np.array([chr(byte).isspace() and byte < 0x80 for byte in range(256)])
_IDEOGRAPH = np.array([0xE3 <= byte <= 0xE9 for byte in range(256)])
"""First bytes of U+3000 to U+9FFF: kana, Chinese characters and their punctuation."""
_MARKS = ((0xE2, 0x80), (0xE2, 0x81), (0xE3, 0x80), (0xEF, 0xBC), (0xEF, 0xBD))
"""How the punctuation U+2000 to U+207F, U+3000 to U+303F and of full width begins, each of three bytes."""
_STOPS = np.frombuffer("。！？".encode(), np.uint8).reshape(3, 3)


class Words(NamedTuple):
    """The words of a batch of documents laid end to end, by their bytes."""

    data: Bytes
    """In lower case, where that takes as many bytes."""
    documents: Numbers
    """Where each document starts, and the end."""
    starts: Numbers
    ends: Numbers


class Passages(NamedTuple):
    """The passages of a batch of documents."""

    row: Numbers
    """The document."""
    first: Numbers
    """First byte, counted from the start of the batch."""
    last: Numbers
    """The byte behind the last."""
    start: Numbers
    """First character in the document."""
    end: Numbers
    """The character behind the last."""

    def chosen(self, which: Numbers) -> Passages:
        """Some of them, by number."""
        return Passages(*(column[which] for column in self))


def find_words(texts: Texts) -> Words:
    """The words of documents: runs of letters and digits, and single ideographs."""
    lowered = pc.utf8_lower(texts)
    same = pc.equal(pc.binary_length(lowered), pc.binary_length(texts))
    data, documents = _laid_out(pc.if_else(same, lowered, texts))
    word = _LETTERS[data] & ~_punctuation(data)
    edge = np.zeros(len(data) + 1, bool)  # where a document starts or ends, whatever its bytes
    edge[documents] = True
    alone = _IDEOGRAPH[data] & word
    begins = word & (edge[:-1] | alone | ~_shifted(word) | _shifted(alone, 3))
    starts = np.flatnonzero(begins)
    stops = np.flatnonzero(word & (edge[1:] | ~np.append(word[1:], False) | np.append(begins[1:], False))) + 1
    return Words(data, documents, starts, stops)


def _laid_out(texts: Texts) -> tuple[Bytes, Numbers]:
    """The bytes of documents laid end to end, of a slice of a column too, and where each starts."""
    data, offsets = text_buffers(texts)
    return data[offsets[0] : offsets[-1]], offsets - offsets[0]


def _punctuation(data: Bytes) -> Flags:
    """The bytes of punctuation outside ASCII."""
    second = np.append(data[1:], 0)
    leads = np.zeros(len(data), bool)
    for lead, following in _MARKS:
        leads |= (data == lead) & (second == following)
    latin = data == 0xC2  # U+0080 to U+00BF
    found: Flags = leads | _shifted(leads) | _shifted(leads, 2) | latin | _shifted(latin)
    return found


def _shifted(flags: Flags, by: int = 1) -> Flags:
    """The flags of the bytes `by` places before."""
    moved = np.zeros_like(flags)
    moved[by:] = flags[:-by]
    return moved


def find_passages(texts: Texts, words: Words) -> Passages:
    """The passages of documents of each of the sizes; none of a document without words."""
    found = [passages_of_size(texts, words, size) for size in SIZES]
    spans = np.concatenate([np.stack([one.first, one.last], axis=1) for one in found])
    _, different = np.unique(spans, axis=0, return_index=True)  # a short document is a passage of every size
    return Passages(*map(np.concatenate, zip(*found, strict=True))).chosen(different)


def passages_of_size(texts: Texts, words: Words, size: int) -> Passages:
    """The passages of documents of about `size` words."""
    data, documents, starts, _ = words
    step = max(1, size // 2)
    before = np.searchsorted(starts, documents)  # words before each document
    counts = np.diff(before)
    blocks = -(-counts // step)
    row = np.repeat(np.arange(len(counts)), blocks)
    number = np.arange(len(row)) - np.repeat(np.cumsum(blocks) - blocks, blocks)
    first = starts[before[row] + number * step]
    first = np.where(number == 0, documents[row], _at_border(data, first, np.roll(first, 1)))
    final = np.roll(number, -1) == 0 if len(row) else np.zeros(0, bool)
    last = np.where(final, documents[row + 1], np.roll(first, -1))
    # A passage is a block and the next one; the last block is one by itself only where it is the only one.
    starting = ~final | (number == 0)
    last = np.where(final, last, np.roll(last, -1))[starting]
    row, first = row[starting], first[starting]
    characters = np.concatenate([[0], np.cumsum((_laid_out(texts)[0] & 0xC0) != 0x80)])
    origin = characters[documents[row]]
    return Passages(row, first, last, characters[first] - origin, characters[last] - origin)


def sentence_ends(data: Bytes) -> Flags:
    """The last byte of each mark that ends a sentence."""
    stop = np.isin(data, np.frombuffer(b".!?", np.uint8)) & np.append(_SPACES[data[1:]], True)
    ideographic = np.zeros(len(data), bool)
    for sign in _STOPS:
        ideographic[2:] |= (data[:-2] == sign[0]) & (data[1:-1] == sign[1]) & (data[2:] == sign[2])
    found: Flags = stop | ideographic
    return found


def _at_border(data: Bytes, wanted: Numbers, earliest: Numbers) -> Numbers:
    """The last border of a sentence or line up to each wanted place and behind the earliest, or the place."""
    borders = np.concatenate([[0], np.flatnonzero(sentence_ends(data) | (data == ord("\n"))) + 1])
    found = borders[np.searchsorted(borders, wanted, "right") - 1]
    return np.where(found > earliest, found, wanted)


def passage_texts(texts: Texts, passages: Passages) -> list[str]:
    """The text of each passage."""
    data, _ = _laid_out(texts)
    pairs = zip(passages.first.tolist(), passages.last.tolist(), strict=True)
    return [data[first:last].tobytes().decode() for first, last in pairs]


def as_texts(texts: list[str]) -> pa.LargeStringArray:
    """A column of texts."""
    return pa.array(texts, pa.large_string())
