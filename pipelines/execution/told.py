"""What a task says on the way, before it ends."""

from typing import NamedTuple


class Told(NamedTuple):
    """How far a task has come."""

    line: str


COMPILING = Told("compiling kernels; the next run finds them compiled")
"""That its time goes into compiling kernels."""
