"""Cutting text where no token of a SentencePiece vocabulary reaches over, so that words merge as the text would."""

# mypy: allow-untyped-defs, allow-untyped-calls

from typing import Any

import numpy as np
import numpy.typing as npt

from tokenizer_tools.compiled import entry, inline_kernel
from tokenizer_tools.fast.characters import character_width, code_point

_BITS = 17
_SHIFT = np.uint64(64 - _BITS)
_FIRST, _SECOND = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93)


def build_joins(model: dict[str, Any]) -> npt.NDArray[np.uint8] | str:
    """For the hash of two characters whether one may stand before the other in a token that is merged."""
    if "merges" not in model:
        return "it is not a BPE tokenizer"
    tokens = ("".join(merge.split(" ", 1) if isinstance(merge, str) else merge) for merge in model["merges"])
    points = np.frombuffer("\0".join(tokens).encode("utf-32-le"), np.uint32).astype(np.int64)
    joins = np.zeros(1 << _BITS, np.uint8)
    _fill(joins, points)
    return joins


@inline_kernel
def _place(first, second):
    state = np.uint64(first) * _FIRST + np.uint64(second) * _SECOND
    return np.int64(state * _FIRST >> _SHIFT)


@entry
def _fill(joins, points):
    for place in range(len(points) - 1):
        joins[_place(points[place], points[place + 1])] = 1


@inline_kernel
def piece_end(text, at, end, joins):
    """The end of the piece that begins at `at`: where the next two characters stand together in no token."""
    character = code_point(text, at)
    at += character_width(text[at])
    while at < end:
        following = code_point(text, at)
        if not joins[_place(character, following)]:
            return at
        character = following
        at += character_width(text[at])
    return at
