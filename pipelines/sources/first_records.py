"""Reads the first records of a source's files, and estimates the rest from them. Reads little of any file."""

from __future__ import annotations

import io
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any, BinaryIO

import orjson
import pyarrow as pa
import pyarrow.compute as pc
from typing_extensions import override

from pipelines.sources.base import Quarantine, Reason, Unit
from pipelines.sources.compressed import open_stream, split_compression, stored_rate
from pipelines.sources.fields import FieldMap
from pipelines.sources.formats import FORMATS, RecordOptions, plan_files, suffix_of
from pipelines.sources.limit import Limit
from pipelines.sources.listing import InputFile
from pipelines.sources.preview import Preview, Refused
from pipelines.sources.quarantine import formats_in_words
from pipelines.sources.schema import PART_SCHEMA

RECORDS = 20
"""At least so many are read of a file that has them."""
WINDOW_BYTES = 1 << 20
"""About so much is read of a file's content: enough records for a mean that can be relied on."""
LARGEST_WINDOW_BYTES = 64 << 20
LOCAL_FILES = 3
"""Of each format so many files are looked into, evenly spread; of remote ones the first."""
CUT_ANYWHERE = ("jsonl", "json array", "csv", "text lines", "conllu", "web archive")
"""Formats that are read from front to back, so that the beginning of a file can be read alone."""


def preview_files(name: str, options: RecordOptions, files: Sequence[InputFile]) -> Preview:
    """The first records of the source called `name`, which consists of these files.

    Raises:
        OSError: A remote file could not be read.
    """
    by_kind = sorted((file for file in files if file.size or file.denied), key=_kind)
    looks: list[_Look] = []
    whole = _Amount()
    for _, group in groupby(by_kind, _kind):
        same = list(group)
        seen = [_look(file, options, options.preview_map(name)) for file in _spread(same)]
        looks += seen
        whole += _extrapolated(seen, same)
    return _preview(looks, whole.within(options.limit), sum(file.size for file in files))


class Refusals(Quarantine):
    """A quarantine that keeps the first bad records whole."""

    def __init__(self, file: str = "") -> None:
        super().__init__()
        self._file = file
        self.number = 0
        self.shown: list[Refused] = []

    @override
    def add(
        self, file: str, position: str, reason: Reason, record: bytes | str = b"", **lost: int | None
    ) -> None:
        self.number += 1
        if len(self.shown) < RECORDS:
            self.shown.append(Refused(self._file or file, position, reason.value, _fields(record)))


def _fields(record: bytes | str) -> dict[str, Any]:
    data = record.encode("utf-8", "replace") if isinstance(record, str) else record
    try:
        value = orjson.loads(data[max(0, data.find(b"{")) :])
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


@dataclass(frozen=True)
class _Front(InputFile):
    """The beginning of a file's content."""

    content: bytes = field(default=b"", kw_only=True)

    @override
    def open(self) -> BinaryIO:
        return io.BytesIO(self.content)


def _front(file: InputFile, size: int) -> tuple[_Front, float] | None:
    """The first `size` bytes of a file's content and what share of it they are; None if that is all of it."""
    with open_stream(file) as stream:
        content = stream.read(size)
        if not stream.read(1):
            return None
        share = len(content) * stored_rate(stream) / file.size
    plain, _ = split_compression(file.path)
    return _Front(plain, file.location, len(content), content=content), min(1.0, share)


@dataclass(frozen=True)
class _Amount:
    """How much there is of a source."""

    records: float = 0
    text: float = 0
    unit_bytes: float = 0
    stored: float = 0

    def __add__(self, other: _Amount) -> _Amount:
        return _Amount(
            self.records + other.records,
            self.text + other.text,
            self.unit_bytes + other.unit_bytes,
            self.stored + other.stored,
        )

    def times(self, factor: float) -> _Amount:
        return _Amount(
            self.records * factor, self.text * factor, self.unit_bytes * factor, self.stored * factor
        )

    def within(self, limit: str | None) -> _Amount:
        """What a limit leaves of it."""
        bound = Limit.parse(limit) if limit else Limit()
        if bound.documents is not None and self.records > bound.documents:
            return self.times(bound.documents / self.records)
        if bound.bytes is not None and self.unit_bytes > bound.bytes:
            return self.times(bound.bytes / self.unit_bytes)
        return self


@dataclass(frozen=True)
class _Look:
    """What the beginning of a file holds, and how much the file holds if it goes on like that."""

    documents: pa.Table
    refused: list[Refused]
    amount: _Amount
    format: str
    recognised: Counter[str] = field(default_factory=Counter)


def _look(file: InputFile, options: RecordOptions, field_map: FieldMap) -> _Look:
    unit = next(iter(plan_files([file], sys.maxsize, options.text_document == "line")))
    if unit.format not in FORMATS:
        denied = Refused(file.path, "", Reason.PERMISSION.value)
        return _Look(PART_SCHEMA.empty_table(), [denied], _Amount(records=1), unit.format)
    if FORMATS[unit.format].count_unit is not None and unit.format not in CUT_ANYWHERE:
        return _look_into_archive(file, unit, field_map)
    window = 0 if options.contents else WINDOW_BYTES
    front, records, share = _beginning(file, unit, window)
    stop = front.size if isinstance(front, _Front) else unit.stop
    documents, bad = _read(file, front, replace(unit, rows=records, stop=stop), field_map)
    found = _Amount(
        max(1, documents.num_rows + bad.number),
        pc.sum(pc.binary_length(documents.column("text"))).as_py() or 0,
    )
    amount = replace(found.times(1 / share), unit_bytes=unit.bytes, stored=file.size)
    return _Look(documents, bad.shown, amount, unit.format, bad.recognised)


@dataclass(frozen=True)
class _Metered(InputFile):
    """A file of which is counted how far it was read."""

    meter: _Meter = field(kw_only=True)

    @override
    def open(self) -> BinaryIO:
        self.meter.raw = super().open()
        return self.meter


class _Enough(Exception):
    """More of an archive was read than its first records are worth."""


class _Meter(io.RawIOBase, BinaryIO):
    """An open file that knows how much of it was read."""

    raw: BinaryIO
    read_bytes = 0
    is_cut = False
    """Whether it was not read to its end."""

    @override
    def seek(self, position: int, whence: int = 0, /) -> int:
        return self.raw.seek(position, whence)

    @override
    def read(self, size: int = -1, /) -> bytes:
        if self.read_bytes > LARGEST_WINDOW_BYTES:
            raise _Enough
        data = self.raw.read(size)
        self.read_bytes += len(data)
        return data

    @override
    def close(self) -> None:
        self.raw.close()
        super().close()


def _look_into_archive(file: InputFile, unit: Unit, field_map: FieldMap) -> _Look:
    """The first members of an archive: of a large one about a window, or more until there is a document."""
    meter = _Meter()
    metered = _Metered(file.path, file.location, file.size, meter=meter)
    documents, bad = _read(file, metered, unit, field_map)
    found = _Amount(
        max(1, documents.num_rows + bad.number),
        pc.sum(pc.binary_length(documents.column("text"))).as_py() or 0,
    )
    share = min(1.0, meter.read_bytes / file.size) if meter.is_cut else 1.0
    amount = replace(found.times(1 / share), unit_bytes=unit.bytes, stored=file.size)
    return _Look(documents, bad.shown, amount, unit.format, bad.recognised)


def _beginning(file: InputFile, unit: Unit, window: int) -> tuple[InputFile, int | None, float]:
    """What is read of a file: where from, how many records (None for all), and what share of it that is.

    `window`: about so much of it.
    """
    if unit.format not in CUT_ANYWHERE:
        rows = unit.rows or 0
        wanted = max(RECORDS, rows * window // max(1, unit.bytes))
        return (file, wanted, wanted / rows) if wanted < rows else (file, unit.rows, 1.0)
    count = FORMATS[unit.format].count
    assert count is not None, "what is read from front to back can be counted"
    window = max(window, WINDOW_BYTES // 64)
    while (found := _front(file, window)) is not None:
        front, share = found
        whole_records = count(front) - 1  # the last one is cut
        if whole_records >= RECORDS or window >= LARGEST_WINDOW_BYTES:
            return front, max(0, whole_records), share
        window *= 8
    return file, unit.rows, 1.0


def _read(file: InputFile, front: InputFile, unit: Unit, field_map: FieldMap) -> tuple[pa.Table, Refusals]:
    bad = Refusals(file.path if isinstance(front, _Front) else "")
    tables: list[pa.Table] = []
    try:
        for table in FORMATS[unit.format].read(front, unit, field_map, bad):
            tables.append(table)
            if isinstance(front, _Metered) and front.meter.read_bytes > WINDOW_BYTES:
                raise _Enough
    except _Enough:
        assert isinstance(front, _Metered), "only archives are read in this way"
        front.meter.is_cut = True
    except PermissionError:
        bad.add(file.path, "", Reason.PERMISSION)
    except (OSError, pa.ArrowInvalid) as error:
        if file.remote and not isinstance(error, FileNotFoundError):
            raise
        bad.add(file.path, "", Reason.UNREADABLE)
    return _joined(tables), bad


def _extrapolated(seen: list[_Look], same: list[InputFile]) -> _Amount:
    """What all files of a kind hold, by what some of them do."""
    looked_at = sum((look.amount for look in seen), _Amount())
    whole = looked_at.times(sum(file.size for file in same) / max(1, looked_at.stored))
    how = FORMATS.get(seen[0].format)  # none of files that may not be read
    return replace(whole, records=len(same)) if how and how.is_document else whole


def _preview(looks: list[_Look], whole: _Amount, stored: int) -> Preview:
    refused = tuple(each for look in looks for each in look.refused)
    return Preview(
        _joined([look.documents for look in looks]),
        refused[:RECORDS],
        round(whole.records),
        round(whole.text),
        min(stored, round(whole.stored)),
        formats_in_words(sum((look.recognised for look in looks), Counter())),
    )


def _joined(tables: Sequence[pa.Table]) -> pa.Table:
    return pa.concat_tables([PART_SCHEMA.empty_table(), *tables])


def _spread(files: list[InputFile]) -> Iterator[InputFile]:
    """Some of the files, the first among them."""
    number = 1 if files[0].remote else min(LOCAL_FILES, len(files))
    return (files[index * len(files) // number] for index in range(number))


def _kind(file: InputFile) -> tuple[str, str]:
    """Format and compression, by the name."""
    return suffix_of(file.path) or "", file.path.rpartition(".")[2].lower()
