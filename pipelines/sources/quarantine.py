"""Bad records in words: how much was lost of an input, and what a command says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from pipelines.errors import UserError
from pipelines.plain import complain
from pipelines.sources.base import BadRecord, Loss, Quarantine


@dataclass(frozen=True)
class Losses:
    """What was lost of an input."""

    reasons: Mapping[str, Loss]
    input_bytes: int
    read: int | None = None
    """Records, bad ones included; None where not all is read yet."""

    @classmethod
    def build(cls, reasons: Mapping[str, tuple[int, int]], input_bytes: int, read: int) -> Self:
        """From records and bytes by reason."""
        return cls({reason: Loss(*numbers) for reason, numbers in reasons.items()}, input_bytes, read)

    @property
    def records(self) -> int:
        """How many records were lost; where nobody knows how many, one."""
        return sum(loss.records for loss in self.reasons.values())

    @property
    def bytes(self) -> int:
        """How many bytes were lost."""
        return sum(loss.bytes for loss in self.reasons.values())

    @property
    def share_of_bytes(self) -> float:
        """Of the input."""
        return self.bytes / max(1, self.input_bytes)

    @property
    def share(self) -> float:
        """Of bytes or of records, whichever is more."""
        return max(self.share_of_bytes, self.records / self.read if self.read else 0.0)

    def in_words(self) -> str:
        """Records and bytes, and why: `3 of 2,103 records, 30.0% of the bytes (corrupt zstd)`."""
        of = f" of {self.read:,}" if self.read is not None else ""
        reasons = ", ".join(sorted(self.reasons, key=lambda reason: -self.reasons[reason].bytes))
        return f"{self.records:,}{of} records, {self.share_of_bytes:.2%} of the bytes ({reasons})"


def count_quarantine(quarantine: Quarantine, documents: int) -> dict[str, int]:
    """Count by reason, and tell, the bad records of a command that makes no folder of results for them.

    Raises UserError when there are no documents, or fewer than bad records.
    """
    first = quarantine.first
    if first and quarantine.lost_records > documents:
        raise too_few_good(documents, quarantine.lost_records, first, "Mend the files.")
    if not documents:
        raise UserError("the files hold no document", hint="Give files with at least one record.")
    reasons = {reason: loss.records for reason, loss in quarantine.losses.items()}
    tell(reasons, f"the first: {first.file}:{first.position}" if first else "")
    return reasons


def formats_in_words(recognised: Mapping[str, int]) -> str | None:
    """The formats of conversations that records without a text were found to have."""
    return " and ".join(sorted(recognised)) or None


def tell(reasons: dict[str, int], where: str) -> None:
    """Say on standard error what was left out; nothing if nothing was."""
    if reasons:
        each = ", ".join(f"{reason} ({number:,})" for reason, number in sorted(reasons.items()))
        complain(f"warning: bad records were left out: {each}; {where}")


def too_few_good(documents: int, bad: int, first: BadRecord, hint: str) -> UserError:
    """The error that most records are bad."""
    whole = bad + documents
    few = (
        f"only {documents:,} of the {whole:,} records are documents"
        if documents
        else (f"none of the {whole:,} records is a document")
    )
    return UserError(
        f"{few}; the first bad one: {first.described}",
        file=first.file,
        place=first.position,
        hint=f"A record needs a string called `text`, or a conversation that `--messages` names. {hint}",
    )
