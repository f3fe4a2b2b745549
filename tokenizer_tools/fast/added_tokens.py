"""Finding added tokens in text before it is cut into words: the leftmost, and of these the longest."""

# mypy: allow-untyped-defs, allow-untyped-calls

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tokenizer_tools.compiled import entry, inline_kernel, kernel
from tokenizer_tools.fast.memory import bytes_before

SKIPPED = -2
"""The id of an added token that is found but stays text."""

_FEW = 4
"""Bytes that tokens begin with, up to which 32 bytes of text are searched for each of them at once."""

_ROOM = 16
"""Added tokens a text for which there is room before they are counted."""


class AddedTokens(NamedTuple):
    """Added tokens in the order of their bytes."""

    content: npt.NDArray[np.uint8]
    offsets: npt.NDArray[np.int64]
    ids: npt.NDArray[np.int64]
    firsts: npt.NDArray[np.uint8]
    """The bytes that tokens begin with."""
    begins: npt.NDArray[np.bool_]
    """Whether a token begins with each byte."""


def build_added_tokens(definition: dict[str, Any], *, control_tokens: bool) -> AddedTokens | str | None:
    """The added tokens that text is cut at; why they cannot be found here; None if there are none."""
    tokens = [token for token in definition.get("added_tokens", []) if token["content"]]
    active = [token for token in tokens if control_tokens or not token["special"]]
    if not active:
        return None
    for token in active:
        if token.get("lstrip") or token.get("rstrip") or token.get("single_word"):
            return f"its added token {token['content']!r} takes what is beside it into account"
    normalized = {bool(token.get("normalized", not token["special"])) for token in tokens}
    if len(normalized) > 1 or (normalized == {True} and definition.get("normalizer") is not None):
        return "its added tokens are sought in normalised text"
    ids = _ids(tokens, definition["model"].get("vocab", {}))
    numbers = {
        token["content"].encode(): number if control_tokens or not token["special"] else SKIPPED
        for token, number in zip(tokens, ids, strict=True)
    }
    contents = sorted(numbers)
    firsts = np.array(sorted({content[0] for content in contents}), np.uint8)
    return AddedTokens(
        np.frombuffer(b"".join(contents), np.uint8),
        np.cumsum([0, *map(len, contents)], dtype=np.int64),
        np.array([numbers[content] for content in contents], np.int64),
        firsts,
        np.isin(np.arange(256), firsts),
    )


def _ids(tokens: list[dict[str, Any]], vocabulary: dict[str, int]) -> list[int]:
    """The ids that the library gives them: the vocabulary's, else the next after all, whatever they name."""
    ids: list[int] = []
    for token in tokens:
        following = max(len(vocabulary), max(ids, default=-1) + 1)
        ids.append(vocabulary.get(token["content"], following))
    return ids


def cut_at_added_tokens(
    tokens: AddedTokens, data: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]] | None:
    """Segments, and for each row their number before its end; None where no row holds an added token."""
    places = np.empty((_ROOM * len(offsets), 4), np.int64)
    found = find_added(data, offsets, tokens, places)
    if not found:
        return None
    if found > len(places):
        places = np.empty((found, 4), np.int64)
        find_added(data, offsets, tokens, places)
    places = places[:found]
    rows = np.arange(1, len(offsets)) + 2 * np.searchsorted(places[:, 0], np.arange(1, len(offsets)))
    segments = np.empty((len(offsets) - 1 + 2 * found, 3), np.int64)
    _cut(offsets, places, segments)
    return segments, rows


@entry
def find_added(data, offsets, tokens, places):
    """Write row, start, stop and id of each added token to `places`, as many as fit; returns their number."""
    found = 0
    for row in range(len(offsets) - 1):
        at, end = offsets[row], offsets[row + 1]
        while at < end:
            others = _bytes_before_token(tokens, data, at)
            if others:
                at += others
                continue
            token = _longest(data, at, end, tokens)
            if token < 0:
                at += 1
                continue
            length = tokens.offsets[token + 1] - tokens.offsets[token]
            if tokens.ids[token] >= 0:
                if found < len(places):
                    places[found, 0] = row
                    places[found, 1] = at
                    places[found, 2] = at + length
                    places[found, 3] = tokens.ids[token]
                found += 1
            at += length
    return found


@inline_kernel
def _bytes_before_token(tokens, data, at):
    """How many of the next bytes, at most 32, are sure to come before the next token."""
    if len(tokens.firsts) > _FEW or at + 32 > len(data):
        return np.int64(not tokens.begins[data[at]])
    others = np.int64(32)
    for first in tokens.firsts:
        others = min(others, bytes_before(data, at, first))
    return others


@kernel
def _longest(data, at, end, tokens):
    """The longest token at a place, -1 if there is none."""
    low, high = 0, len(tokens.ids)
    best, depth = -1, 0
    while low < high and at + depth < end:
        byte = data[at + depth]
        low = _bound(tokens, low, high, depth, byte)
        high = _bound(tokens, low, high, depth, byte + 1)
        depth += 1
        if low < high and tokens.offsets[low + 1] - tokens.offsets[low] == depth:
            best = low
            low += 1
    return best


@kernel
def _bound(tokens, low, high, depth, byte):
    """The first of tokens, alike in `depth` bytes and all longer, whose next byte is not less than `byte`."""
    while low < high:
        middle = (low + high) >> 1
        if np.int64(tokens.content[tokens.offsets[middle] + depth]) < byte:
            low = middle + 1
        else:
            high = middle
    return low


@entry
def _cut(offsets, places, segments):
    place, segment = 0, 0
    for row in range(len(offsets) - 1):
        start = offsets[row]
        while place < len(places) and places[place, 0] == row:
            segments[segment] = (start, places[place, 1], -1)
            segments[segment + 1] = (places[place, 1], places[place, 2], places[place, 3])
            start = places[place, 2]
            segment += 2
            place += 1
        segments[segment] = (start, offsets[row + 1], -1)
        segment += 1
