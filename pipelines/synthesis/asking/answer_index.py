"""Where answers are, by key: sorted arrays, and the newest ones in a dictionary."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

_MERGED_AT = 50_000
"""New answers in the dictionary, after which they go into the arrays."""
_OFFSET_BITS = 48
_DIGITS = np.full(256, 255, np.uint8)
_DIGITS[np.frombuffer(b"0123456789abcdef", np.uint8)] = np.arange(16)

Digits = npt.NDArray[np.uint8]
"""Keys as text: shape (keys, 32)."""
Offsets = npt.NDArray[np.int64]
_Words = npt.NDArray[np.uint64]


class AnswerIndex:
    """Files, by number, and offsets of keys of 32 hexadecimal digits: 24 bytes of memory a key.

    Args:
        found: Keys, the file that they are in, and their offsets there; what is no key is left out.
    """

    def __init__(self, found: Iterable[tuple[Digits, int, Offsets]]) -> None:
        self._high, self._low, self._places = (np.empty(0, np.uint64) for _ in range(3))
        self._fresh: dict[str, int] = {}
        parts = [
            _packed(keys, offsets.astype(np.uint64) | np.uint64(_place(file, 0)))
            for keys, file, offsets in found
        ]
        if parts:
            self._merge(*map(np.concatenate, zip(*parts, strict=True)))

    def add(self, key: str, file: int, offset: int) -> None:
        """Add a key, the place of which goes before older ones."""
        self._fresh[key] = _place(file, offset)
        if len(self._fresh) >= _MERGED_AT:
            keys = np.frombuffer("".join(self._fresh).encode(), np.uint8).reshape(-1, 32)
            self._merge(*_packed(keys, np.fromiter(self._fresh.values(), np.uint64, len(self._fresh))))
            self._fresh.clear()

    def places(self, key: str) -> Iterator[tuple[int, int]]:
        """File and offset of each time that a key was added, the newest first."""
        if (place := self._fresh.get(key)) is not None:
            yield _file_and_offset(place)
        high, low = np.uint64(int(key[:16], 16)), np.uint64(int(key[16:], 16))
        begin, end = (int(np.searchsorted(self._high, high, side)) for side in ("left", "right"))
        for at in range(end - 1, begin - 1, -1):
            if self._low[at] == low:
                yield _file_and_offset(int(self._places[at]))

    def _merge(self, high: _Words, low: _Words, places: _Words) -> None:
        new = np.argsort(high, kind="stable")
        high = np.concatenate((self._high, high[new]))
        order = np.argsort(high, kind="stable")
        self._high = high[order]
        self._low = np.concatenate((self._low, low[new]))[order]
        self._places = np.concatenate((self._places, places[new]))[order]


def _packed(keys: Digits, places: _Words) -> tuple[_Words, _Words, _Words]:
    """The upper and lower halves of those keys that are some, and their places."""
    digits = _DIGITS[keys]
    right = (digits < 16).all(axis=1)
    octets = digits[right][:, ::2] << 4 | digits[right][:, 1::2]
    halves = np.ascontiguousarray(octets).view(">u8").astype(np.uint64)
    return halves[:, 0], halves[:, 1], places[right]


def _place(file: int, offset: int) -> int:
    return file << _OFFSET_BITS | offset


def _file_and_offset(place: int) -> tuple[int, int]:
    return place >> _OFFSET_BITS, place & (1 << _OFFSET_BITS) - 1
