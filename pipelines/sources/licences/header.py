"""The licence that the first lines of a file name: SPDX's line, a well-known notice, a short text."""

from __future__ import annotations

import re

from pipelines.sources.licences.spdx import known_id, spdx_id, spdx_of_all
from pipelines.sources.licences.templates import licences_in

VERSION = 1
"""Of the licences that are found."""

HEAD = 8_000
"""Characters of a head that are looked at."""

_TELLING = ("licens", "licenc", "spdx", "permission", "redistribution", "public domain")
"""A head without any of these names no licence."""
_SPDX = re.compile(
    r"^(?:\s*(?:\"\"\"|'''))?[^\"'`\n]*?SPDX-License-Identifier\s*:[ \t]*([^\n\r]+)", re.I | re.M
)
"""Not within a string of a program, which names what others have."""
_CLOSING = re.compile(r"\s*(?:\*+/|-->|--%?>|#\}|%\}|\*\)|\|#|-\}|\"\"\"|'''|[#*;\"'])+\s*$")
_MARKS = re.compile(r"^[^\w(@]+|[*#/;!%\"'-]+$", re.MULTILINE)
_LATER = re.compile(
    r"or (?:\(?at your (?:option|choice)\)?,? ?)?any (?:later|newer) version|or newer|or later"
)
_CHOICE = re.compile(r"\beither\b(?! version)|\bdual.licensed\b|\balternatively\b|\byour (?:choice|option)\b")
_GNU = re.compile(
    r"\b(?:gnu )?(lesser |library |affero )?(?:general public license|l?a?gpl)\b"
    r"(?:(?:(?!\bgpl\b|\bpublic license\b).){0,160}?\bversions? (\d(?:\.\d)?\+?)|,? ?v?(\d(?:\.\d)?\+?))"
)
_NOTICES = [
    (re.compile(pattern), found)
    for pattern, found in (
        (r"\bapache license,? (?:version )?2|\bapache\.org/licenses/license-2\.0", "Apache-2.0"),
        (r"\bmozilla public license,? (?:v\.?|version) ?2|\bmozilla\.org/mpl/2\.0", "MPL-2.0"),
        (r"\bmozilla public license,? version 1\.1", "MPL-1.1"),
        (r"\beclipse public license,? (?:v\.?|version)? ?2|\beclipse\.org/legal/epl-(?:v2|2)", "EPL-2.0"),
        (r"\beclipse public license,? (?:v\.?|version)? ?1|\beclipse\.org/legal/epl-v10", "EPL-1.0"),
        (r"\bmit license\b|\bopensource\.org/licenses?/mit\b", "MIT"),
        (r"\bboost software license", "BSL-1.0"),
        (r"\bcommon development and distribution license", "CDDL-1.0"),
        (r"\bcreativecommons\.org/publicdomain/zero/1\.0", "CC0-1.0"),
        (r"\b(?:governed by|under) an? mit(?: |-)style license", "MIT"),
        (r"\b(?:governed by|under) an? bsd(?: |-)style license", "LicenseRef-bsd"),
        (
            r"\breleased into the public domain|\bplaced in(?:to)? the public domain",
            "LicenseRef-public-domain",
        ),
        (r"\bthis (?:file|code|software|work) is in the public domain", "LicenseRef-public-domain"),
    )
]
_NAMED = re.compile(
    r"\b(?:licensed|released|distributed|available|provided|published|covered|redistributed) (?:by|under) "
    r"(?:the )?(?:(?:terms|conditions) (?:and conditions )?of )?(?:either )?(?:the )?(?:an? )?"
    r"(.{2,80}?\blicense\b(?:,? \(?(?:version |v\.? ?)?\d[\w.]*)?)"
)
_LABELLED = re.compile(
    r"^\W*@?licen[sc]ed?(?:\s+under)?\s*[:=]\s*(\S.{0,80})$|^\W*@licen[sc]e\s+(\S.{0,80})$", re.I | re.M
)
_CREATIVE_COMMONS = re.compile(r"creativecommons\.org/licenses/[a-z-]+/\d\.\d")
_WHOLE = re.compile(r"\bpermission (?:is|to use)\b|\bredistribution and use\b|\bprovided 'as-is'|\bas is\b")
_PHRASES = [
    (("permission is hereby granted, free of charge",), "MIT"),
    (("permission to use, copy, modify, and/or distribute",), "ISC"),
    (("redistribution and use in source", "all advertising materials"), "BSD-4-Clause"),
    (("redistribution and use in source", "neither the name"), "BSD-3-Clause"),
    (("redistribution and use in source", "may not be used to endorse"), "BSD-3-Clause"),
    (("redistribution and use in source", "this software is provided"), "BSD-2-Clause"),
    (("redistribution and use in source",), "LicenseRef-bsd"),
]
"""What a licence begins with that the head holds only in part."""


def licence_of_header(head: str) -> str | None:
    """The licence that a file's first lines name, whatever its comments look like.

    Args:
        head: The beginning of a file; a hundred lines are enough.

    Returns:
        An SPDX expression; None where none is named.
    """
    head = head[:HEAD]
    folded = head.casefold()
    if not any(word in folded for word in _TELLING):
        return None
    if declared := _SPDX.findall(head):
        return spdx_of_all(_CLOSING.sub("", line) for line in declared)
    return named_in(head) or _whole(head)


def named_in(text: str) -> str | None:
    """The licence that a notice names; None where there is none, or only the text of a licence."""
    lines = _MARKS.sub("", text)
    if labelled := next((found for match in _LABELLED.finditer(lines) if (found := _known(match))), None):
        return labelled
    prose = " ".join(lines.split()).casefold().replace("licence", "license")
    named = [known for match in _NAMED.finditer(prose) if (known := known_id(match[1]))]
    notices = [*_gnu(prose), *(found for pattern, found in _NOTICES if pattern.search(prose))]
    notices += [known for match in _CREATIVE_COMMONS.findall(prose) if (known := known_id(match))]
    if any(" OR " in name for name in named):
        return spdx_of_all(name for name in named if " OR " in name)
    if len(set(notices)) > 1 and _CHOICE.search(_LATER.sub("", prose)):
        return spdx_id(" OR ".join(notices))
    declared = notices or named[:1]
    return spdx_of_all(declared) if declared else None


def _known(match: re.Match[str]) -> str | None:
    return known_id(_CLOSING.sub("", match[1] or match[2]))


def _gnu(prose: str) -> list[str]:
    """The licences of the GNU project that a notice names, with `-or-later` where it says so."""
    found: dict[str, str] = {}
    for match in _GNU.finditer(prose):
        short = {"lesser ": "LGPL", "library ": "LGPL", "affero ": "AGPL"}.get(match[1] or "", "GPL")
        written = re.search(r"\bl?a?gpl\b", match[0])
        name = written[0].upper() if written else short
        version = match[2] or match[3]
        later = _LATER.search(prose, match.start(), match.end() + 120)
        if known := known_id(f"{name}-{version}{'+' if later else ''}"):
            found[name] = known
    return list(found.values())


def _whole(head: str) -> str | None:
    """A short licence that stands in the head whole, or the one that it begins with."""
    prose = " ".join(_MARKS.sub("", head).split()).casefold()
    if not _WHOLE.search(prose):
        return None
    if whole := licences_in(head).ids:
        return spdx_of_all(whole)
    return next((found for phrases, found in _PHRASES if all(phrase in prose for phrase in phrases)), None)
