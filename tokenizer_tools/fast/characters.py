"""What kind of character each code point is, exactly as the regular expressions of `tokenizers` see it."""

# mypy: allow-untyped-defs, allow-untyped-calls

import unicodedata
from functools import cache
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from tokenizer_tools.compiled import inline_kernel
from tokenizer_tools.fast.memory import peek

LETTER = 1
MARK = 2
NUMBER = 4
SPACE = 8

_KINDS = {"L": LETTER, "M": MARK, "N": NUMBER}
_PAGE = 64
_CODE_POINTS = 0x110000
_ASSIGNABLE = (range(0xD800), range(0xF900, 0x34000), range(0xE0000, 0xE1000))
"""Where Unicode has letters, marks and numbers, and may get more: neither surrogates nor private use."""


@cache
def character_kinds() -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint8]]:
    """Page numbers by the code point's leading bits, and the kinds of the characters of each page.

    Kinds are Python's. Which younger characters there are depends on the version of Unicode that the library
    was built with, so these are asked of the library.
    """
    kinds = np.zeros(_CODE_POINTS, np.uint8)
    points = [*chain.from_iterable(_ASSIGNABLE)]
    categories = [*map(unicodedata.category, map(chr, points))]
    kinds[points] = [_KINDS.get(category[0], 0) for category in categories]
    young = [chr(point) for point, category in zip(points, categories, strict=True) if category == "Cn"]
    for character, kind in _kinds_in_library("".join(young)).items():
        kinds[ord(character)] = kind
    kinds[_SPACES] = SPACE
    pages, numbers = np.unique(kinds.reshape(-1, _PAGE), axis=0, return_inverse=True)
    return numbers.reshape(-1).astype(np.uint16), pages.reshape(-1).copy()


_SPACES = [*range(9, 14), 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000]
"""Unicode's White_Space."""


def _kinds_in_library(text: str) -> dict[str, int]:
    """Kind of each letter, mark and number of a text."""
    from tokenizers import Regex
    from tokenizers.pre_tokenizers import Split

    def runs(pattern: str, text: str) -> list[str]:
        cut = Split(Regex(pattern), "removed", invert=True).pre_tokenize_str(text)
        return [run for run, _ in cut]

    found = runs(r"\p{L}+|\p{M}+|\p{N}+", text)
    firsts = "".join(run[0] for run in found)
    kind_of_first = {
        character: kind
        for name, kind in _KINDS.items()
        for character in chain.from_iterable(runs(rf"\p{{{name}}}", firsts))
    }
    return {character: kind_of_first[run[0]] for run in found for character in run}


@inline_kernel
def character_width(byte):
    """The bytes of the character that begins with this one."""
    return 1 + (byte >= 0xC0) + (byte >= 0xE0) + (byte >= 0xF0)


@inline_kernel
def code_point(data, at):
    """The character at `at`."""
    first = np.int64(peek(data, at))
    if first < 0x80:
        return first
    point = np.int64(peek(data, at + 1)) & 0x3F
    if first < 0xE0:
        return (first & 0x1F) << 6 | point
    point = point << 6 | (np.int64(peek(data, at + 2)) & 0x3F)
    if first < 0xF0:
        return (first & 0x0F) << 12 | point
    return (first & 0x07) << 18 | point << 6 | (np.int64(peek(data, at + 3)) & 0x3F)


@inline_kernel
def kind_of(data, at, pages, kinds):
    """The kind of the character at `at`."""
    point = code_point(data, at)
    page = np.int64(peek(pages, point >> 6))
    return np.int64(peek(kinds, page << 6 | (point & 63)))
