"""The kinds of personal data and secrets, and what is put in their place."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import numpy as np


class Kind(NamedTuple):
    """A kind of personal data or secret, and its mask."""

    name: str
    mask: str
    """What replaces it. No mask looks like anything that is found, so masking again changes nothing."""
    doc: str


KINDS = (
    Kind("emails", "<email>", "Email addresses."),
    Kind("ips", "<ip>", "Public IP addresses, version 4 and 6."),
    Kind("phones", "<phone>", "Phone numbers: international, Russian, North American."),
    Kind("cards", "<card>", "Payment card numbers."),
    Kind("passports", "<passport>", "Russian passports: series and number."),
    Kind("inns", "<inn>", "Russian taxpayer numbers."),
    Kind("snils", "<snils>", "Russian social insurance numbers."),
    Kind("api_keys", "<api_key>", "Keys, tokens and passwords of services."),
    Kind("private_keys", "<private_key>", "Private keys in PEM."),
)
EMAIL, IP, PHONE, CARD, PASSPORT, INN, SNILS, API_KEY, PRIVATE_KEY = range(len(KINDS))

ALL = tuple(kind.name for kind in KINDS)
"""The names of all kinds."""


def wanted_kinds(names: Collection[str]) -> np.ndarray:
    """The kinds of these names as a mask over `KINDS`: bool.

    Raises:
        ValueError: A kind is unknown.
    """
    unknown = sorted(set(names) - set(ALL))
    if unknown:
        raise ValueError(
            f"Unknown kinds of personal data: {', '.join(unknown)}. Use some of {', '.join(ALL)}."
        )
    return np.array([name in names for name in ALL])
