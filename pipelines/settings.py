"""Types that the sections of a recipe share."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from mixers.quantity import Share as Share

STRICT = ConfigDict(frozen=True, extra="forbid")


NAME = r"^[a-z0-9][a-z0-9_]*$"


Name = Annotated[str, Field(pattern=NAME)]


Place = tuple[str | int, ...]
Problem = tuple[Place, str]
