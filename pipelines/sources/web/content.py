"""What can be read of an archive from front to back: a buffer that knows where in the file its bytes are."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from pipelines.sources.web.members import Piece


class Place(NamedTuple):
    """A place in an archive."""

    member: int
    """Where in the file the member begins that holds it."""
    inner: int
    """Its distance from there, in unpacked bytes."""
    stored: int
    """How much of the file lies before it."""

    @property
    def position(self) -> str:
        """For people."""
        return f"byte {self.member}" + (f", unpacked byte {self.inner}" if self.inner else "")

    @property
    def key(self) -> str:
        """The same for ids."""
        return f"{self.member}" + (f"+{self.inner}" if self.inner else "")


class _Mark(NamedTuple):
    """A piece in the buffer."""

    start: int
    """How much content lies before it."""
    size: int
    member: int
    inner: int
    stored: int
    """How much of the file lies before it."""
    ends: int


class Content:
    """Content that is peeked at, taken and skipped; it stops before a fault until that is passed.

    Args:
        pieces: The pieces of the content.
        size: Where it ends, if it is not compressed; None where nobody knows.
    """

    def __init__(self, pieces: Iterator[Piece], size: int | None) -> None:
        self._pieces = pieces
        self._size = size
        self._data = bytearray()
        self._marks: deque[_Mark] = deque()
        self._offset = 0
        self._filled = 0
        self._member = -1
        self._inner = 0
        self._stored = -1
        self._ended = False
        self.fault: Piece | None = None
        """What follows behind the bytes that can still be peeked at."""

    def peek(self, size: int) -> bytes:
        """Up to `size` bytes; fewer before the end or a fault."""
        self._fill(size)
        return bytes(memoryview(self._data)[:size])

    def holds(self, size: int) -> bool:
        """Whether there are `size` more bytes before the end and before any fault."""
        self._fill(size)
        return len(self._data) >= size

    def take(self, size: int) -> bytes:
        """The next `size` bytes, or what there is of them."""
        data = self.peek(size)
        self._drop(len(data))
        return data

    def skip(self, size: int) -> int:
        """Pass over up to `size` bytes, no further than to the next member; how many there were."""
        if not size or not self._fill(1):
            return 0
        mark = self._marks[0]
        step = min(size, mark.start + mark.size - self._offset)
        self._drop(step)
        return step

    def begins_member(self) -> bool:
        """Whether a member of a compressed file begins here."""
        self._fill(1)
        if self._size is not None or not self._marks:
            return False
        return not self._marks[0].inner and self._marks[0].start == self._offset

    def reaches(self, size: int) -> bool:
        """Whether `size` more bytes may be there, as far as can be told without reading them."""
        return self._size is None or self._place_of_head().stored + size <= self._size

    def member_starts(self, stop: int) -> list[int]:
        """Where members begin among the next `stop` bytes, but for the first."""
        if self._size is not None:
            return []
        self._fill(stop)
        inside = (mark.start - self._offset for mark in self._marks if not mark.inner)
        return [at for at in inside if 0 < at < stop]

    def place(self) -> Place:
        """Where the next byte or the fault is."""
        self._fill(1)
        return self._place_of_head()

    def pass_fault(self) -> Piece:
        """Go on behind the fault."""
        fault, self.fault = self.fault, None
        assert fault is not None and not self._data, "what is before the fault is taken first"
        self._member = -1
        self._stored = fault.ends
        return fault

    def _place_of_head(self) -> Place:
        if not self._marks:
            member = self.fault.begins if self.fault is not None else self._member
            inner = self._inner if member == self._member else 0
            return Place(max(0, member), inner if self._size is None else 0, max(0, self._stored))
        mark = self._marks[0]
        done = self._offset - mark.start
        stored = mark.stored + (mark.ends - mark.stored) * done // max(1, mark.size)
        if self._size is not None:
            return Place(mark.member + done, 0, stored)
        return Place(mark.member, mark.inner + done, stored)

    def _fill(self, size: int) -> bool:
        """Read until `size` bytes are there; False if nothing is."""
        while len(self._data) < size and self.fault is None and not self._ended:
            piece = next(self._pieces, None)
            if piece is None:
                self._ended = True
            elif piece.fault is not None:
                self.fault = piece
            else:
                self._add(piece)
        return bool(self._data)

    def _add(self, piece: Piece) -> None:
        if piece.begins != self._member:
            self._member, self._inner = piece.begins, 0
            self._stored = piece.begins if self._stored < 0 else self._stored
        if piece.data:
            size = len(piece.data)
            self._marks.append(_Mark(self._filled, size, self._member, self._inner, self._stored, piece.ends))
            self._data += piece.data
            self._filled += size
            self._inner += size
        self._stored = piece.ends

    def _drop(self, size: int) -> None:
        del self._data[:size]
        self._offset += size
        while self._marks and self._marks[0].start + self._marks[0].size <= self._offset:
            self._marks.popleft()
