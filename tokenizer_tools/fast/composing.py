"""Normalisation form C: which texts may not be in it, found by their bytes, so that only these are composed."""

# mypy: allow-untyped-defs, allow-untyped-calls

import unicodedata
from functools import cache
from itertools import chain

import numpy as np
import numpy.typing as npt

from tokenizer_tools.compiled import entry
from tokenizer_tools.fast.characters import character_width, code_point
from tokenizer_tools.fast.memory import plain_bytes


@cache
def changeable() -> npt.NDArray[np.bool_]:
    """For each code point whether a text that holds it may not be in form C."""
    may_change = np.zeros(0x110000, bool)
    points = [*chain(range(0x80, 0xD800), range(0xE000, 0x34000), range(0xE0000, 0xE1000))]
    characters = [*map(chr, points)]
    may_change[points] = [
        unicodedata.combining(character) > 0 or unicodedata.category(character) == "Cn"
        for character in characters
    ]
    for character in characters:
        if unicodedata.normalize("NFC", character) != character:
            may_change[ord(character)] = True
        for later in unicodedata.normalize("NFD", character)[1:]:
            may_change[ord(later)] = True
    return may_change


@entry
def find_changeable(data, segments, may_change, found):
    """Mark the segments that hold a changeable character."""
    for segment in range(len(segments)):
        at, end = segments[segment, 0], segments[segment, 1]
        found[segment] = False
        if segments[segment, 2] >= 0:
            continue
        while at < end:
            if at + 32 <= len(data):
                run = plain_bytes(data, at)
                at += run
                if run >= 31 or at >= end:
                    continue
            if may_change[code_point(data, at)]:
                found[segment] = True
                break
            at += character_width(data[at])


def composed(
    data: npt.NDArray[np.uint8], bounds: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """The same segments, each in form C; those that change stand behind the data."""
    from tokenizers.normalizers import NFC

    found = np.empty(len(bounds), bool)
    find_changeable(data, bounds, changeable(), found)
    numbers = np.flatnonzero(found)
    if not len(numbers):
        return data, bounds
    compose = NFC().normalize_str
    texts = [data[start:stop].tobytes().decode() for start, stop, _ in bounds[numbers].tolist()]
    changed = [compose(text).encode() for text in texts]
    ends = len(data) + np.cumsum([0, *map(len, changed)])
    bounds = bounds.copy()
    bounds[numbers, 0], bounds[numbers, 1] = ends[:-1], ends[1:]
    return np.frombuffer(b"".join([data, *changed]), np.uint8), bounds
