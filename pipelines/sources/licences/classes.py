"""Classes of licences: what may be done with what is under them."""

from __future__ import annotations

import re
from functools import lru_cache

from pipelines.sources.licences.spdx import DISTINCT, REFERENCE, categories

VERSION = 1
"""Of the classes of licences."""

PERMISSIVE, COPYLEFT, NON_COMMERCIAL = "permissive", "copyleft", "non-commercial"
CLASSES = (PERMISSIVE, COPYLEFT, NON_COMMERCIAL)
_OF_CATEGORY = {
    "Permissive": PERMISSIVE,
    "Public Domain": PERMISSIVE,
    "Copyleft": COPYLEFT,
    "Copyleft Limited": COPYLEFT,
}
"""ScanCode's classes. What is neither (no derivatives, source-available, commercial) is of no class here."""
_NON_COMMERCIAL = re.compile(r"(?:^|-)nc(?:-|$)|non-?commercial|research")
_WITHOUT_VERSION = {
    "bsd": PERMISSIVE,
    "public-domain": PERMISSIVE,
    "cc-by": PERMISSIVE,
    "cc-by-sa": COPYLEFT,
    PERMISSIVE: PERMISSIVE,
    COPYLEFT: COPYLEFT,
}
"""Licences that are declared by their kind alone, as `LicenseRef-bsd`."""


@lru_cache(DISTINCT)
def class_of(licence: str) -> str | None:
    """The class of a single licence by its id; None where it is of none, or not known.

    A licence that forbids commercial use is `NON_COMMERCIAL` whatever else it asks.
    """
    folded = licence.casefold()
    if _NON_COMMERCIAL.search(folded.removeprefix(REFERENCE.casefold())):
        return NON_COMMERCIAL
    if folded.startswith(REFERENCE.casefold()) and folded not in categories():
        return _WITHOUT_VERSION.get(folded.removeprefix(REFERENCE.casefold()))
    return _OF_CATEGORY.get(categories().get(folded, ""))


def is_known(licence: str) -> bool:
    """Whether it is known what a single licence allows: it is in SPDX's list, or has a class."""
    return licence.casefold() in categories() or class_of(licence) is not None
