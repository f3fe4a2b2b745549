"""How much of a source is read: a sample spread evenly over its files, not its beginning.

Data sets are sorted more often than not (by date, by language, by length), so their first files say little of
the rest. Pieces of the files are put into one order that depends on the files alone, and a limit takes the
first of them: it does not depend on the number of workers, and a smaller limit's sample is part of a larger
one's. The order visits FILES files at a time, evenly spread, and of each one piece after the other, evenly
spread within it; so a limit looks into no more files than it takes from.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import xxhash

if TYPE_CHECKING:
    from pipelines.sources.base import Unit


VERSION = 1
"""To be raised when the same limit gives other documents."""

FILES = 64
"""A sample is drawn from so many files before further ones are looked into."""
PIECES = 1000
"""A source is cut into about so many pieces to choose from, or more: they are no larger than parts."""

_SCALE = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "b": 10**9, "t": 10**12}
_LIMIT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(?:([kmgt]?)b|([kmb]?)\s*documents?)\s*", re.IGNORECASE)

Cut = Callable[[int], "Sequence[Unit]"]
"""Cuts a file into units of about so many bytes."""

CountRecords = Callable[["Unit"], int]
"""Counts the records of a unit, bad ones included, whose number is not known from planning."""


@dataclass(frozen=True)
class Limit:
    """How much of a source is read.

    `100k documents`: exactly so many of its records, bad ones included.
    `2GB`: pieces until their bytes reach the limit: at most one piece more. Bytes are those of `Unit.bytes`:
    uncompressed for JSONL, Parquet, CSV and text; as stored for compressed files.
    """

    documents: int | None = None
    bytes: int | None = None

    @classmethod
    def parse(cls, text: str) -> Limit:
        """Read `100k documents` or `2GB`; decimal units."""
        match = _LIMIT.fullmatch(text)
        if match is None:
            raise ValueError(f"a limit is written '100k documents' or '2GB', not {text!r}")
        number, byte_scale, document_scale = match.groups()
        amount = round(float(number) * _SCALE[(byte_scale or document_scale or "").lower()])
        if amount < 1:
            raise ValueError(f"a limit of {text!r} leaves nothing")
        return cls(documents=amount) if document_scale is not None else cls(bytes=amount)

    def sample(
        self, files: Mapping[str, Cut], total: int, part_bytes: int, count: CountRecords
    ) -> list[Unit]:
        """The units within the limit, in the order of the files.

        Args:
            files: How each file is cut, by its path; it is when something of it is to be taken.
            total: Bytes of all files.
            part_bytes: No piece is much larger.
            count: Counts the records of units that do not know them; only a limit in documents asks.
        """
        in_documents = self.documents is not None
        size = max(1, min(part_bytes, total // PIECES))
        left = self.documents or self.bytes or 0
        taken: dict[str, dict[int, _Piece]] = {}
        for file, piece in _pieces(files, size, count if in_documents else None):
            stop = min(piece.stop, piece.start + left) if in_documents else piece.stop
            taken.setdefault(file, {})[piece.index] = replace(piece, stop=stop)
            left -= stop - piece.start if in_documents else piece.bytes
            if left <= 0:
                break
        chosen = (taken[file] for file in files if file in taken)
        return _joined([own[index].and_before() for own in chosen for index in sorted(own)], part_bytes)


def _joined(units: list[Unit], part_bytes: int) -> list[Unit]:
    """The units with those of a file that follow on each other as one, up to `part_bytes`."""
    whole: list[Unit] = []
    for unit in units:
        before = whole[-1] if whole else None
        if before is not None and before.bytes < part_bytes and _goes_on(before, unit):
            rows = (before.rows or 0) + (unit.rows or 0)
            whole[-1] = replace(before, stop=unit.stop, bytes=before.bytes + unit.bytes, rows=rows)
        else:
            whole.append(unit)
    return whole


def _goes_on(before: Unit, unit: Unit) -> bool:
    """Whether a unit begins where the one before it ends, with no record between them left out."""
    same = (before.file, before.format, before.stop) == (unit.file, unit.format, unit.start)
    return same and before.rows is not None and before.first_row + before.rows == unit.first_row


@dataclass(frozen=True)
class _Piece:
    """Some consecutive records of a unit; all there is where nobody knows how many it has."""

    unit: Unit
    index: int
    """The unit's number in its file."""
    records: int
    """How many the unit has."""
    start: int
    stop: int

    @property
    def bytes(self) -> int:
        """Its share of the unit's."""
        if not self.records:
            return self.unit.bytes
        return self.unit.bytes * self.stop // self.records - self.unit.bytes * self.start // self.records

    def and_before(self) -> Unit:
        """The unit up to the end of this piece."""
        if self.stop == self.records:
            return self.unit
        return replace(self.unit, rows=self.stop, bytes=replace(self, start=0).bytes)


def _pieces(files: Mapping[str, Cut], size: int, count: CountRecords | None) -> Iterator[tuple[str, _Piece]]:
    """All pieces with their file, in the order in which they are taken."""
    names = list(files)
    order = [names[index] for index in _evenly(len(names), "/".join(names))]
    for first in range(0, len(order), FILES):
        pieces = {file: _of_file(file, files[file], size, count) for file in order[first : first + FILES]}
        while pieces:
            for file in list(pieces):
                piece = next(pieces[file], None)
                if piece is None:
                    del pieces[file]
                else:
                    yield file, piece


def _of_file(file: str, cut: Cut, size: int, count: CountRecords | None) -> Iterator[_Piece]:
    """A file's pieces: the first of each of its units, then the second of each."""
    units = cut(size)
    records = [count(unit) if count and unit.rows is None else unit.rows or 0 for unit in units]
    pieces = [max(1, min(known, unit.bytes // size)) for unit, known in zip(units, records, strict=True)]
    order = _evenly(len(units), file)
    for number in range(max(pieces, default=0)):
        for index in order:
            if number < pieces[index]:
                start = records[index] * number // pieces[index]
                stop = records[index] * (number + 1) // pieces[index]
                yield _Piece(units[index], index, records[index], start, stop)


def _evenly(number: int, seed: str) -> list[int]:
    """The numbers below `number` so that the first few, however many, are spread evenly over all.

    This is van der Corput's sequence in base 2, begun at a place that `seed` decides.
    """
    bits = max(1, (number - 1).bit_length())
    sequence = (int(f"{index:0{bits}b}"[::-1], 2) for index in range(1 << bits))
    first = xxhash.xxh3_64_intdigest(seed.encode("utf-8", "surrogateescape"))
    return [(index + first) % number for index in sequence if index < number]
