"""Fields of nested records by dotted paths; a field whose very name has the dots goes first."""

from __future__ import annotations

from typing import Any

ABSENT = object()


def found_at(record: dict[str, Any], path: str) -> Any:
    """The value at a path, or ABSENT."""
    holder, name = _holder(record, path)
    return holder.get(name, ABSENT)


def taken_from(record: dict[str, Any], path: str) -> Any:
    """The same, and the field is removed."""
    holder, name = _holder(record, path)
    return holder.pop(name, ABSENT)


def _holder(record: dict[str, Any], path: str) -> tuple[dict[str, Any], str]:
    if "." not in path or path in record:
        return record, path
    *parents, name = path.split(".")
    inner: Any = record
    for parent in parents:
        inner = inner.get(parent) if isinstance(inner, dict) else None
    return (inner if isinstance(inner, dict) else {}), name
