"""Counts as people write them in a recipe: ``10B``, ``2M``, ``300k``."""

import re
from fractions import Fraction
from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema

_SCALE = {"": 1, "k": 10**3, "m": 10**6, "b": 10**9, "t": 10**12}
_PATTERN = re.compile(r"([0-9][0-9_]*(?:\.[0-9]+)?)\s*([kmbt]?)", re.IGNORECASE)


def parse_quantity(value: object) -> int:
    """Read a count: an integer, a whole float (``1e9``), or a string such as ``"1.5B"`` or ``"300k"``.

    The suffixes are decimal: k = 10^3, M = 10^6, B = 10^9, T = 10^12, in either case.

    Raises:
        ValueError: the value is not a whole, non-negative count.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, float) and value.is_integer() and value >= 0:
        return int(value)
    match = _PATTERN.fullmatch(value.strip()) if isinstance(value, str) else None
    if match:
        count = Fraction(match[1].replace("_", "")) * _SCALE[match[2].lower()]
        if count.denominator == 1:
            return int(count)
    raise ValueError(
        f"{value!r} is not a count; write a whole number, or one with k, M, B or T, such as 2.5M."
    )


def parse_share(value: object) -> object:
    """A share as a number, or written as `2%`."""
    if isinstance(value, str) and value.endswith("%"):
        return float(value.removesuffix("%")) / 100
    return value


Share = Annotated[float, BeforeValidator(parse_share), Field(ge=0, le=1)]
"""A pydantic field type: a number from 0 to 1 that may be written ``2%``."""

Quantity = Annotated[
    int,
    BeforeValidator(parse_quantity),
    WithJsonSchema(
        {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "examples": ["10B", "300k"]}]}
    ),
]
"""A pydantic field type: an int that may be written ``10B``, ``2M`` or ``300k``."""
