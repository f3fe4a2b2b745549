"""What a file is by its name alone, where it is no document."""

from __future__ import annotations

import os
import re
from pathlib import PurePosixPath

from pipelines.sources.compressed import split_compression
from pipelines.sources.listing import printable

TEXT_SUFFIXES = (".txt", ".md")

ABOUT_THE_DATA = re.compile(
    r"(README|LICEN[CS]ES?)(?![A-Z])|(COPYING|NOTICE)(?![^.])", re.IGNORECASE | re.DOTALL
)


def about_the_data(path: str, suffix: str | None) -> str | None:
    """README, LICENSE and the like, if a file is called so and `suffix` is none of records."""
    match = ABOUT_THE_DATA.match(os.path.basename(path))
    return match[0].upper() if match and suffix in (None, *TEXT_SUFFIXES) else None


def unread_suffix(path: str) -> str:
    """The suffix of a file that no format reads."""
    name = PurePosixPath(printable(path).lower())
    suffixes = name.suffixes[-2:] if split_compression(name.name)[1] else name.suffixes[-1:]
    return "".join(suffixes) or "no suffix"
