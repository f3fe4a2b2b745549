"""Words of texts, in their bytes: what stands between white space, and the terms within."""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Places = npt.NDArray[np.int64]

_BEFORE_TERM, _AFTER_TERM = r"^[^\p{L}\p{N}]+", r"[^\p{L}\p{M}\p{N}]+$"
_WIDE_SPACES = "\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"


@dataclass(frozen=True)
class FlatTexts:
    """The UTF-8 of many texts: text i is data[offsets[i]:offsets[i + 1]]."""

    data: npt.NDArray[np.uint8]
    offsets: Places

    @classmethod
    def of(cls, texts: pa.LargeStringArray | pa.ChunkedArray) -> "FlatTexts":
        """Texts without nulls; their bytes are not copied where they are one array already."""
        array = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
        array = array.cast(pa.large_string())
        _, offsets, data = array.buffers()
        if not len(array) or data is None:
            return cls(np.empty(0, np.uint8), np.zeros(len(array) + 1, np.int64))
        bounds = np.frombuffer(offsets, np.int64)[array.offset : array.offset + len(array) + 1]
        return cls(np.frombuffer(data, np.uint8)[bounds[0] : bounds[-1]], bounds - bounds[0])


@dataclass(frozen=True)
class Spans:
    """Stretches of texts, in order and not overlapping."""

    texts: FlatTexts
    starts: Places
    stops: Places

    @cached_property
    def text(self) -> Places:
        """For each the number of its text."""
        return np.searchsorted(self.texts.offsets, self.starts, side="right") - 1

    @cached_property
    def _encoded(self) -> pa.DictionaryArray:
        edges = np.zeros(len(self.texts.data) + 1, np.int8)
        edges[self.starts] += 1
        edges[self.stops] -= 1
        data = self.texts.data[np.cumsum(edges[:-1], dtype=np.int8).view(bool)]
        offsets = np.concatenate([[0], np.cumsum(self.stops - self.starts)])
        buffers = [None, pa.py_buffer(offsets), pa.py_buffer(data)]
        return pa.LargeStringArray.from_buffers(len(self.starts), *buffers[1:]).dictionary_encode()

    @property
    def distinct(self) -> pa.LargeStringArray:
        """What they say, each once."""
        return self._encoded.dictionary

    @property
    def number(self) -> Places:
        """For each its number in `distinct`."""
        numbers: Places = self._encoded.indices.to_numpy()
        return numbers


def words_of(texts: FlatTexts) -> Spans:
    """The words: runs of characters that are not white space (Unicode's White_Space) within a text.

    They say little for scripts that write no spaces.
    """
    ink = ~_white_space(texts.data)
    begins, ends = ink.copy(), ink.copy()
    begins[1:] &= ~ink[:-1]
    ends[:-1] &= ~ink[1:]
    filled = np.flatnonzero(np.diff(texts.offsets))
    first, last = texts.offsets[filled], texts.offsets[filled + 1] - 1
    begins[first], ends[last] = ink[first], ink[last]
    return Spans(texts, np.flatnonzero(begins), np.flatnonzero(ends) + 1)


def terms_of(words: Spans) -> Spans:
    """The words without the signs around them, from the first letter or digit to the last."""
    right = pc.replace_substring_regex(words.distinct, _BEFORE_TERM, "")
    whole = pc.replace_substring_regex(right, _AFTER_TERM, "")
    sizes = [pc.binary_length(each).to_numpy() for each in (words.distinct, right, whole)]
    before, after = (larger - smaller for larger, smaller in pairwise(sizes))
    starts, stops = words.starts + before[words.number], words.stops - after[words.number]
    return Spans(words.texts, starts[starts < stops], stops[starts < stops])


def _white_space(data: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """For each byte whether it is of a white-space character."""
    found: npt.NDArray[np.bool_] = ((data >= 0x09) & (data <= 0x0D)) | (data == 0x20)
    two = np.flatnonzero(data[:-1] == 0xC2)
    two = two[np.isin(data[two + 1], [0x85, 0xA0])]
    three = np.flatnonzero((data[:-2] >= 0xE1) & (data[:-2] <= 0xE3))
    codes = (data[three].astype(np.int32) << 16) | (data[three + 1].astype(np.int32) << 8) | data[three + 2]
    three = three[np.isin(codes, [int.from_bytes(space.encode()) for space in _WIDE_SPACES])]
    for places, width in ((two, 2), (three, 3)):
        for byte in range(width):
            found[places + byte] = True
    return found
