"""Types that the sections of a recipe share."""

from __future__ import annotations

from typing import Annotated

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
)

STRICT = ConfigDict(frozen=True, extra="forbid")


NAME = r"^[a-z0-9][a-z0-9_]*$"


Name = Annotated[str, Field(pattern=NAME)]


Share = Annotated[float, BeforeValidator(lambda value: parse_share(value)), Field(ge=0, le=1)]


Problem = tuple[tuple[str | int, ...], str]


def parse_share(value: object) -> object:
    """A share as a number, or written as `2%`."""
    if isinstance(value, str) and value.endswith("%"):
        return float(value.removesuffix("%")) / 100
    return value
