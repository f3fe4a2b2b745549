"""The licence of a LICENSE or COPYING file, by its text."""

from __future__ import annotations

import re

from pipelines.sources.licences.header import licence_of_header
from pipelines.sources.licences.spdx import reference, spdx_id, spdx_of_all
from pipelines.sources.licences.templates import licences_in

VERSION = 2
"""Of the licences that are found."""

FURTHER = 0.5
"""From this share of words on that are of no known licence, what they say of permission counts as terms."""
MOST_CHOICES = 3
RUNNING_TEXT = 300
"""A choice is of so many licences at most, and said in fewer words."""

_CHOICE = re.compile(
    r"\bdual(?:ly)? licensed?\b|\bdual license|\btriple licensed?\b|\beither of\b|\bone of the following\b|"
    r"\byour choice\b|\bchoose\b|\bat your option\b|\beither the\b|"
    r"\blicensed under either\b|\bany of the following\b"
)
_TERMS = re.compile(r"\blicense|\bpermission|\bpermitted|\bredistribut")
_ADDED = {
    "commons clause": "LicenseRef-commons-clause",
    "non commercial": "LicenseRef-non-commercial",
    "noncommercial": "LicenseRef-non-commercial",
    "research purposes only": "LicenseRef-non-commercial",
}
"""Terms that take from a permissive licence what it gives."""
_PROVISO = "provided that the above copyright notice and this permission notice appear in all copies"
"""What ISC has and 0BSD has not; other words of ISC differ from copy to copy by who disclaims."""
_CONTAINS = {
    "LGPL-3.0-only": {"GPL-3.0-only"},
    "LGPL-2.1-only": {"GPL-2.0-only"},
    "LGPL-2.0-only": {"GPL-2.0-only"},
}
"""Licences that come with the text of another, which they refer to."""


def licence_of_text(text: str) -> str | None:
    """The licence of which this is the text, or the notice.

    Args:
        text: A whole file; lines of copyright and the names of holders do not matter.

    Returns:
        An SPDX expression: `OR` between licences where the text gives the choice, else `AND` (a file may have
        the licences of all that is bundled); None where no licence is known by its text.
    """
    found = licences_in(text)
    rest = found.rest.split()
    if not found.ids:
        return licence_of_header(text)
    included = {name for each in found.ids for name in _CONTAINS.get(each, ())}
    names = [name for name in found.ids if name not in included]
    if "0BSD" in names and "ISC" not in names and _PROVISO in " ".join(re.findall(r"\w+", text.casefold())):
        names[names.index("0BSD")] = "ISC"
    if 1 < len(names) <= MOST_CHOICES and len(rest) < RUNNING_TEXT and _CHOICE.search(found.rest):
        return spdx_id(" OR ".join(names))
    names += [name for words, name in _ADDED.items() if words in found.rest]
    if len(rest) > FURTHER * found.words and len(names) == 1 and _TERMS.search(found.rest):
        names.append(reference("further terms"))
    return spdx_of_all(names)


def says_choice(text: str) -> bool:
    """Whether a text, in a few words, lets choose among licences that stand elsewhere."""
    words = re.findall(r"\w+", text.casefold().replace("licence", "license"))
    return len(words) < RUNNING_TEXT and _CHOICE.search(" ".join(words)) is not None
