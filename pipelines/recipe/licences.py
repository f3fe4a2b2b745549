"""The `licences:` section of a recipe: which licences documents may have."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field

from pipelines.settings import STRICT
from pipelines.sources.licences.classes import CLASSES, class_of, is_known
from pipelines.sources.licences.spdx import DISTINCT, REFERENCE, known_id, listed_ids, operands, parsed


class Verdict(StrEnum):
    """What a recipe says of a licence."""

    ALLOWED = "allowed"
    DENIED = "denied"
    UNKNOWN = "unknown"


_GNU = re.compile(r"(?:[al]?gpl|gfdl)-\d\.\d", re.IGNORECASE)
"""Ids of SPDX without `-only` and `-or-later`, which stand for both here."""


def _entry(written: str) -> str:
    """An entry as it is compared: lower case, of SPDX's spelling."""
    entry = written.strip().casefold()
    if entry in CLASSES:
        return entry
    if _GNU.fullmatch(entry):
        return f"{entry}-*"
    if entry in (ids := listed_ids()):
        return ids[entry].casefold()
    if entry.startswith(REFERENCE.casefold()):
        return entry
    if re.search(r"[*?\[]", entry) and any(fnmatchcase(known, entry) for known in ids):
        return entry
    if (known := known_id(written)) and len(operands(known)) > 1:
        raise ValueError(
            f"`{written}` is several licences; name each by itself: {', '.join(operands(known))}"
        )
    near = known if known in ids.values() else _nearest(entry, [*CLASSES, *ids])
    mend = f"; did you mean `{near}`?" if near else ""
    raise ValueError(
        f"`{written}` is no licence of SPDX's list, no pattern of such, and none of the classes "
        f"{', '.join(CLASSES)}{mend}"
    )


def _nearest(entry: str, valid: Iterable[str]) -> str | None:
    found = next(iter(difflib.get_close_matches(entry, valid, n=1, cutoff=0.6)), None)
    return listed_ids().get(found, found) if found else None


Entry = Annotated[str, AfterValidator(_entry)]


class Licences(BaseModel):
    """Which licences documents may have, by SPDX id, pattern such as `GPL-*`, or class."""

    model_config = STRICT

    allow: tuple[Entry, ...] | None = Field(
        None,
        description="Licences that are allowed; all others are denied then. Null: all that are not denied.",
    )
    deny: tuple[Entry, ...] = Field((), description="Licences that are denied, whatever is allowed.")
    unknown: Literal["warn", "drop", "fail", "allow"] = Field(
        "warn",
        description="What is done with documents of which no licence is declared, or one that nobody knows.",
    )
    denied: Literal["drop", "fail"] = Field("drop", description="What is done with denied documents.")

    @property
    def drops(self) -> bool:
        """Whether any document can be dropped for its licence."""
        return self.allow is not None or bool(self.deny) or self.unknown in ("drop", "fail")

    @property
    def decisive(self) -> dict[str, Any]:
        """What decides which documents are dropped, JSON-able; nothing where none can be."""
        if not self.drops:
            return {}
        dropped = self.unknown in ("drop", "fail")
        return {**self.model_dump(mode="json", include={"allow", "deny"}), "drops_unknown": dropped}

    def verdict(self, expression: str | None) -> Verdict:
        """What the recipe says of a licence.

        Of `A OR B` one must be allowed, of `A AND B` both. A licence that SPDX does not know, and no entry
        names, is unknown, unless `allow` decides.

        Args:
            expression: As `spdx_id` gives it; None where nothing is declared.
        """
        return Verdict.UNKNOWN if expression is None else _verdict(self, expression)

    def reason(self, expression: str | None) -> str | None:
        """Why a document of this licence is dropped; None where it is not."""
        verdict = self.verdict(expression)
        if verdict == Verdict.DENIED:
            return f"licence {expression} denied"
        if verdict == Verdict.UNKNOWN and self.unknown in ("drop", "fail"):
            return f"licence {expression} unknown" if expression else "licence unknown"
        return None

    def fails(self, expression: str | None) -> bool:
        """Whether a run fails on a document of this licence."""
        verdict = self.verdict(expression)
        return (verdict == Verdict.DENIED and self.denied == "fail") or (
            verdict == Verdict.UNKNOWN and self.unknown == "fail"
        )

    def of_licence(self, written: str, licence: str) -> Verdict:
        """What the recipe says of a single licence, which may be written with an exception."""
        if _matches(self.deny, written, licence):
            return Verdict.DENIED
        if self.allow is not None:
            return Verdict.ALLOWED if _matches(self.allow, written, licence) else Verdict.DENIED
        return Verdict.ALLOWED if is_known(licence) else Verdict.UNKNOWN


def _matches(entries: Iterable[str], written: str, licence: str) -> bool:
    names = {written.casefold(), licence.casefold()}
    return any(
        class_of(licence) == entry if entry in CLASSES else any(fnmatchcase(name, entry) for name in names)
        for entry in entries
    )


@lru_cache(DISTINCT)
def _verdict(licences: Licences, expression: str) -> Verdict:
    return _of_tree(licences, parsed(expression))


def _of_tree(licences: Licences, tree: Any) -> Verdict:
    if tree.isliteral:
        licence = getattr(tree, "license_symbol", tree)
        return licences.of_licence(str(tree), str(licence))
    verdicts = {_of_tree(licences, part) for part in tree.args}
    order: tuple[Verdict, ...] = (Verdict.ALLOWED, Verdict.UNKNOWN, Verdict.DENIED)
    if tree.operator.strip() == "AND":
        order = (Verdict.DENIED, Verdict.UNKNOWN, Verdict.ALLOWED)
    return next(verdict for verdict in order if verdict in verdicts)
