"""Pieces of input that are read on their own, and what they weigh."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Unit:
    """One piece of input that is read on its own: a file, or a range of its lines or row groups."""

    file: str
    """Path relative to the source's root; part of the doc_id of every document without an id of its own."""
    format: str
    """Name of the format that reads it."""
    start: int
    """First byte, row group, batch or file of the range, as the format counts."""
    stop: int
    """End of the range, exclusive."""
    first_row: int
    """Number of records before this unit in the file."""
    bytes: int
    """Size of the input, uncompressed where that is known without reading it. What is lost weighs as much."""
    first_line: int = 0
    """Number of lines before this unit in the file; differs from `first_row` by the blank lines."""
    rows: int | None = None
    """Records to read, bad ones included; None reads to the end."""
    content: str | None = None
    """The hash of the file that was listed; None where it is not known."""
    mean_file: int = 0
    """The mean of the source's files, as `bytes` counts them."""

    @property
    def whole_file(self) -> int:
        """What a truncated or unreadable file weighs: at least a mean one, as nobody knows what is gone."""
        return max(self.bytes, self.mean_file)

    def without(self, read: int) -> tuple[int, int | None]:
        """The bytes and records that are lost if there is no more to be had than `read` records."""
        if not self.rows:
            return self.whole_file, self.rows
        left = max(0, self.rows - read)
        return Shares(self.bytes, self.rows).of(self.rows - left, self.rows), left


@dataclass(frozen=True)
class Shares:
    """Bytes that are divided among records, without a rest."""

    bytes: int
    records: int
    first: int = 0
    """The number of the first one."""

    def of(self, record: int, stop: int | None = None) -> int:
        """The bytes of one record, or of those up to `stop`."""
        start = record - self.first
        end = start + 1 if stop is None else stop - self.first
        return self.bytes * end // self.records - self.bytes * start // self.records
