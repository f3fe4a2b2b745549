"""Bad records of files that are read outside of a run: counted and reported."""

from __future__ import annotations

from collections import Counter

from pipelines.errors import UserError
from pipelines.plain import complain
from pipelines.sources.base import Quarantine


def count_quarantine(quarantine: Quarantine, documents: int) -> dict[str, int]:
    """Count by reason, and tell, the bad records of a command that makes no folder of results for them.

    Raises UserError when there are no documents.
    """
    first = quarantine.table().slice(0, 1).to_pylist()
    if not documents:
        if first:
            raise _nothing_good(len(quarantine), first[0], "Mend the files.")
        raise UserError("the files hold no document", hint="Give files with at least one record.")
    reasons = dict(Counter(reason for _, _, reason, _ in quarantine.rows))
    tell(reasons, f"the first: {first[0]['file']}:{first[0]['position']}" if first else "")
    return reasons


def tell(reasons: dict[str, int], where: str) -> None:
    """Say on standard error what was left out; nothing if nothing was."""
    if reasons:
        each = ", ".join(f"{reason} ({number:,})" for reason, number in sorted(reasons.items()))
        complain(f"warning: bad records were left out: {each}; {where}")


def _nothing_good(records: int, first: dict[str, str], hint: str) -> UserError:
    return UserError(
        f"none of the {records} records is a document; the first: {first['reason']}",
        file=first["file"],
        place=first["position"],
        hint=f"A record needs a string called `text`. {hint}",
    )
