"""What happens to a source's records before they are documents: taken apart, chosen, completed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from pipelines.sources.base import Reason
from pipelines.sources.paths import found_at, taken_from

Record = tuple[int | str, int, int, int, Any]
"""A parsed record and where it was found: its 0-based number among the file's records (`3.0` for the first of
those nested in the fourth), the 0-based number of its first line (-1 in a file without lines), the byte where
that line begins, its bytes, and its value."""

Value = str | int | bool
Wanted = Mapping[str, Value | tuple[Value, ...]]
"""Fields and the value, or one of the values, that they have in the records that are read."""


@dataclass(frozen=True)
class Failed:
    """In the place of a record whose contents could not be had."""

    reason: Reason
    record: dict[str, Any]


class Completion(Protocol):
    """Adds to records what lies elsewhere."""

    def complete(self, records: Iterable[Record]) -> Iterator[Record]:
        """The records in their order; the value of one that cannot be completed is a `Failed`."""
        ...


@dataclass(frozen=True)
class Preparation:
    """What is done with the records of a source."""

    nested: str | None = None
    """The field with a list of the true records."""
    where: Wanted = field(default_factory=dict)
    contents: Completion | None = None

    def __bool__(self) -> bool:
        return bool(self.nested or self.where or self.contents)

    def prepare(self, records: Iterable[Record]) -> Iterator[Record]:
        """The records that are to become documents; what is no record is left as it is, to be set aside."""
        found = iter(records)
        if self.nested:
            found = _taken_apart(found, self.nested)
        if self.where:
            found = (record for record in found if self._is_wanted(record[-1]))
        return self.contents.complete(found) if self.contents else found

    def _is_wanted(self, value: Any) -> bool:
        if not isinstance(value, dict):
            return True
        return all(
            found_at(value, path) in (wanted if isinstance(wanted, tuple) else (wanted,))
            for path, wanted in self.where.items()
        )


NOTHING = Preparation()


def _taken_apart(records: Iterable[Record], path: str) -> Iterator[Record]:
    """The records nested in each, with the other fields of the one around them."""
    for number, line, byte, size, value in records:
        inner = found_at(value, path) if isinstance(value, dict) else None
        if not isinstance(inner, list):
            yield number, line, byte, size, value
            continue
        taken_from(value, path)
        for index, each in enumerate(inner):
            own = value | each if isinstance(each, dict) else each
            share = size * (index + 1) // len(inner) - size * index // len(inner)
            yield f"{number}.{index}", line, byte, share, own
