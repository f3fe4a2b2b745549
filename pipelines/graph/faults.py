"""Faults, gathered so that all of them can be said at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from pipelines.errors import CoupageError, UserError, WorkError


@dataclass
class Faults:
    """What is wrong with a recipe and its inputs, and what could not be looked at."""

    found: list[UserError] = field(default_factory=list)
    unreachable: list[WorkError] = field(default_factory=list)
    """Places that did not answer: whether they are in order, nobody knows."""

    @contextmanager
    def noted(self, place: str) -> Iterator[None]:
        """Keep the error that the block raises; where it names no place in the recipe, `place` is its own."""
        try:
            yield
        except UserError as error:
            self.found.append(_placed(error, place))
        except WorkError as error:
            self.unreachable.append(_placed(error, place))
        except OSError as error:
            self.unreachable.append(
                WorkError(f"cannot be read: {error}", place=place, hint="Check the path and try again.")
            )

    def check(self) -> None:
        """Raise all that was found as one error."""
        distinct = list({str(error): error for error in self.found}.values())
        if len(distinct) == 1:
            raise distinct[0]
        if distinct:
            listed = "\n".join(f"- {error}" for error in distinct)
            raise UserError(f"{len(distinct)} faults, and nothing was done yet:\n{listed}")


Error = TypeVar("Error", bound=CoupageError)


def _placed(error: Error, place: str) -> Error:
    return type(error)(error.message, file=error.file, place=error.place or place, hint=error.hint)
