"""SPDX expressions for what datasets, hubs, packages and files say of their licences.

A name is looked up by its words alone, so that "Apache License, Version 2.0" and "apache-2.0" are one. Names
come from the SPDX License List, their aliases and classes from `license-expression`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, cast

import orjson

VERSION = 1
"""Of what names become."""

UNKNOWN = "unknown"
"""Where nothing is declared."""
REFERENCE = "LicenseRef-"
"""Begins, as SPDX has it, the name of a licence that is not in its list."""
REFERENCE_CHARACTERS = 60
MOST_OPERANDS = 16
"""Of an expression; a longer one is no expression but a list of everything."""
LONGEST = 2_000
"""Characters of a name that count."""
DISTINCT = 1 << 16
"""So many names are remembered."""

_NOTHING = frozenset(
    "|unknown|none|null|n/a|na|nan|no license|no licence|no_license|no assertion|noassertion|unspecified|"
    "not specified|undefined|-|osi approved|see license file|see license|file|tbd".split("|")
)
_OR_LATER = re.compile(
    r"\bor(?: \(at your option\))?(?: any)? (?:later|newer|above|greater)(?: versions?)?\b", re.IGNORECASE
)
_REWORDED = [
    (re.compile(pattern), words)
    for pattern, words in (
        (r">= ?(\d[\d.]*)", r"\1+"),
        (r"&", " and "),
        (r"licen[sc]es?\b", " "),
        (_OR_LATER, "+"),
        (r"[- ]or[- ]later\b", "+"),
        (r"\bversions? ?(?=\d)|\bv(?:er)?\.? ?(?=\d)|(?<=[a-z])v(?=\d)", " "),
        (r"\blesser general public\b|\blibrary general public\b|\blesser gpl\b", "lgpl"),
        (r"\baffero general public\b|\baffero gpl\b", "agpl"),
        (r"\bgeneral public\b", "gpl"),
        (r"\bfree documentation\b", "gfdl"),
        (r"\bgnu\b(?=.*(?:gpl|gfdl))", " "),
        (r"\bmozilla public\b", "mpl"),
        (r"\beclipse public\b", "epl"),
        (r"\bboost software\b", "bsl"),
        (r"\bcreative commons\b", "cc"),
        (r"\bnon-?commercial\b", "nc"),
        (r"\bshare-?alike\b|\bshare alike\b", "sa"),
        (r"\bno ?-?deriv(?:ative)?s?(?: works)?\b", "nd"),
        (r"\bcc ?zero\b", "cc0"),
        (r"\bpublic domain dedication\b", " "),
        (r"(?:(?<=\bcc )|(?<=\bcc-))attribution\b", "by"),
        (r"\bcc(.*)\b(?:international|unported|generic|universal)\b", r"cc\1"),
    )
]
_NOISE = frozenset({"the", "public", "software", "version"})
_ALIASES = {
    "apache": "Apache-2.0",
    "asl": "Apache-2.0",
    "asl 2": "Apache-2.0",
    "al2": "Apache-2.0",
    "expat": "MIT",
    "x11 mit": "MIT",
    "new bsd": "BSD-3-Clause",
    "modified bsd": "BSD-3-Clause",
    "revised bsd": "BSD-3-Clause",
    "bsd new": "BSD-3-Clause",
    "3 clause bsd": "BSD-3-Clause",
    "bsd 3": "BSD-3-Clause",
    "bsd3": "BSD-3-Clause",
    "bsd 3 clauses": "BSD-3-Clause",
    "simplified bsd": "BSD-2-Clause",
    "freebsd": "BSD-2-Clause",
    "2 clause bsd": "BSD-2-Clause",
    "bsd 2": "BSD-2-Clause",
    "bsd 2 clauses": "BSD-2-Clause",
    "bsd": "LicenseRef-bsd",
    "bsd style": "LicenseRef-bsd",
    "gpl": "GPL-1.0-or-later",
    "gpl +": "GPL-1.0-or-later",
    "lgpl": "LGPL-2.0-or-later",
    "lgpl +": "LGPL-2.0-or-later",
    "agpl": "AGPL-3.0-or-later",
    "gfdl": "GFDL-1.1-or-later",
    "fdl": "GFDL-1.1-or-later",
    "mpl": "MPL-2.0",
    "psf": "PSF-2.0",
    "python foundation": "PSF-2.0",
    "python": "PSF-2.0",
    "isc iscl": "ISC",
    "iscl": "ISC",
    "zlib libpng": "Zlib",
    "boost": "BSL-1.0",
    "afl": "AFL-3.0",
    "academic free": "AFL-3.0",
    "artistic": "Artistic-1.0",
    "ofl": "OFL-1.1",
    "cc0": "CC0-1.0",
    "zope": "ZPL-2.1",
    "odc by": "ODC-By-1.0",
    "odbl": "ODbL-1.0",
    "pddl": "PDDL-1.0",
    "lgpl lr": "LGPLLR",
    "public domain": "LicenseRef-public-domain",
    "public domain in the usa": "LicenseRef-public-domain",
    "publicdomain": "LicenseRef-public-domain",
    "cc pdm 1": "LicenseRef-public-domain",
    "other proprietary": "LicenseRef-proprietary",
    "proprietary": "LicenseRef-proprietary",
    "all rights reserved": "LicenseRef-proprietary",
    "permissive": "LicenseRef-permissive",
    "copyleft": "LicenseRef-copyleft",
    "non-commercial": "LicenseRef-non-commercial",
}
"""What people call licences where the SPDX list has another name.

Without a version the GPL may be taken in any (its section 9); Apache, MPL and others are their present one.
"""
_PARENTHESES = re.compile(r"(?<=[\w.+])(?<!\bor)(?<!\band)(?<!\bwith) ?\([^()]*\)", re.IGNORECASE)
"""Behind a name; behind an operator they hold an operand."""
_OPERATOR = re.compile(r"\s+(?:and/or|and|or|with)\s+|[()]|\s*[,;|/]\s*|\s\+\s|\s*\|\|\s*", re.IGNORECASE)
_URL = re.compile(r"(?:https?:)?//\S+|\b(?:www\.|creativecommons\.org/)\S+", re.IGNORECASE)
_CREATIVE_COMMONS = re.compile(
    r"creativecommons\.org/(?:licenses/([a-z-]+)|publicdomain/(zero|mark))/(\d\.\d)"
)


def spdx_id(name: str) -> str:
    """The SPDX expression for a licence as it is declared.

    Args:
        name: An id of SPDX or of a hub, a name, a trove classifier, an expression, or a URL, in any case.

    Returns:
        The expression in its simplest form; `LicenseRef-` with the name's letters and digits for what is not
        in SPDX's list; `UNKNOWN` where nothing is declared. `spdx_id` of it is itself.
    """
    return _remembered(name[:LONGEST])


def spdx_of_all(names: Iterable[str]) -> str:
    """The expression for several licences of which none says that one may choose: all of them hold."""
    known = dict.fromkeys(found for name in names if (found := spdx_id(name)) != UNKNOWN)
    if len(known) > MOST_OPERANDS:
        return reference(" and ".join(known))
    return (_simplest(" AND ".join(f"({found})" for found in known)) if known else None) or UNKNOWN


def known_id(name: str) -> str | None:
    """The SPDX expression for a name, an expression or a URL; None where it is not known by it."""
    found = _resolved(" ".join(name.split()))
    return None if found is None or found == UNKNOWN else found


def reference(name: str) -> str:
    """The `LicenseRef-` of a name."""
    cleaned = re.sub("[^a-z0-9.]+", "-", name.removeprefix(REFERENCE).casefold())
    cleaned = cleaned[:REFERENCE_CHARACTERS].strip("-.")
    digest = hashlib.blake2b(name.encode("utf-8", "replace"), digest_size=4).hexdigest()
    return REFERENCE + (cleaned or f"unnamed-{digest}")


def operands(expression: str) -> list[str]:
    """The single licences of an expression, without exceptions, each once."""
    symbols = _licensing().license_symbols(expression, unique=True, decompose=True)
    return [symbol.key for symbol in symbols if not symbol.is_exception]


def parsed(expression: str) -> Any:
    """The tree of an expression that `spdx_id` gave, as `license-expression` makes it."""
    return _licensing().parse(expression)


def listed_ids() -> dict[str, str]:
    """The ids of SPDX's list by their lower-case forms, and those of which these are other names."""
    return _ids()


@cache
def categories() -> dict[str, str]:
    """ScanCode's class of each id of SPDX's list, such as `Permissive`, by the id in lower case."""
    return {key.casefold(): category for key, category, exception in _index() if not exception}


@lru_cache(DISTINCT)
def _remembered(name: str) -> str:
    text = " ".join(name.split())
    return _resolved(text) or reference(text)


def _resolved(text: str) -> str | None:
    return _single(text) or _expression(text)


def _single(text: str) -> str | None:
    """The id of what is one licence."""
    if text.startswith("License ::"):
        text = text.rpartition(" :: ")[2]
    text = text.strip(" .,;:'\"[]")
    folded = text.casefold()
    if folded in _NOTHING:
        return UNKNOWN
    if (exact := _ids().get(folded)) is not None:
        return exact
    if folded.startswith(REFERENCE.casefold()) and re.fullmatch(r"[\w.-]+", text, re.ASCII):
        return reference(text[len(REFERENCE) :])
    if url := _URL.search(text):
        if (of_url := _of_url(url[0])) is not None and _URL.sub("", text).strip(" ()<>:.,-") == "":
            return of_url
        text = _URL.sub("", text)
    named = _names()
    return named.get(_key(text)) or named.get(_key(_PARENTHESES.sub("", text)))


def _of_url(url: str) -> str | None:
    folded = url.casefold()
    if match := _CREATIVE_COMMONS.search(folded):
        kind, public, version = match.groups()
        name = f"cc-{kind}-{version}" if kind else {"zero": "cc0-1.0"}.get(public, "public domain")
        return _ids().get(name) or _names().get(_key(name))
    path = re.sub(r"[?#].*|\.(?:x?html?|txt|php|md|en)\b|[>)\]}.,;\"']+$", "", folded)
    segments = [segment for segment in path.split("/") if segment]
    tails = [*segments[-1:], "-".join(segments[-2:]), *segments[-2:-1]]
    if "apache.org/licenses" in folded:
        tails.insert(0, path.rpartition("/")[2].replace("license", "apache"))
    if "opendatacommons.org" in folded and len(segments) > 3:
        tails.insert(0, "odc-by" if "by" in segments else segments[3])
    return next((found for tail in tails if (found := _ids().get(tail) or _names().get(_key(tail)))), None)


def _expression(text: str) -> str | None:
    """The simplest form of an expression of which all operands are known, or, where it is SPDX's, any."""
    text = _PARENTHESES.sub(lambda m: m[0] if _OPERATOR.search(m[0][2:-1]) else "", text)
    text = _OR_LATER.sub("+", text)
    words, known, unknown = [], 0, 0
    position = 0
    for match in [*_OPERATOR.finditer(text), None]:
        operand = text[position : match.start() if match else len(text)].strip()
        if operand:
            found = _single(operand) or _exceptions().get(operand.casefold())
            known, unknown = known + (found is not None), unknown + (found is None)
            words.append(found or reference(operand))
        if match:
            words.append(_operator(match[0].strip()))
            position = match.end()
    strict = re.search(r"\s(?:AND|OR|WITH)\s", text) is not None
    if not 1 < known + unknown <= MOST_OPERANDS or not known or (unknown and not strict) or UNKNOWN in words:
        return None
    return _simplest(" ".join(words))


def _operator(written: str) -> str:
    folded = written.casefold()
    if folded in ("or", "/", "|", "||", "and/or"):
        return "OR"
    return folded.upper() if folded in ("and", "with", "(", ")") else "AND"


def _simplest(expression: str) -> str | None:
    from license_expression import ExpressionError, ParseError

    try:
        return str(parsed(expression).simplify())
    except (ExpressionError, ParseError, AttributeError):  # the last: of nothing
        return None


def _key(name: str) -> str:
    """The words that tell a licence from others; versions without a last `.0`."""
    name = name.casefold().replace("_", "-")
    for pattern, words in _REWORDED:
        name = pattern.sub(words, name)
    found = re.findall(r"\d+(?:\.\d+)*|[^\W\d_]+|\+", name)
    return " ".join(re.sub(r"^(\d+)\.0$", r"\1", word) for word in found if word not in _NOISE)


@cache
def _licensing() -> Any:
    from license_expression import get_spdx_licensing

    return get_spdx_licensing()


def _index() -> Iterator[tuple[str, str, bool]]:
    """Id, class and whether it is an exception, of what is in SPDX's list."""
    from license_expression import get_license_index

    for entry in cast(list[dict[str, Any]], get_license_index()):
        if key := entry.get("spdx_license_key"):
            yield key, entry["category"], entry["is_exception"]


@cache
def _ids() -> dict[str, str]:
    """Licences by id, or an alias of it, in lower case."""
    symbols = [symbol for symbol in _licensing().known_symbols.values() if not symbol.is_exception]
    aliases = {alias.casefold(): symbol.key for symbol in symbols for alias in symbol.aliases}
    return aliases | {symbol.key.casefold(): symbol.key for symbol in symbols}


@cache
def _exceptions() -> dict[str, str]:
    symbols = _licensing().known_symbols.values()
    return {symbol.key.casefold(): symbol.key for symbol in symbols if symbol.is_exception}


@cache
def _names() -> dict[str, str]:
    """Licences by the words of their names; where several have the same, the first source decides."""
    listed: dict[str, str] = orjson.loads(
        files("pipelines.sources.licences").joinpath("spdx_list/names.json").read_bytes()
    )
    ids = _ids()
    found = {_key(name): known for name, known in _ALIASES.items()}
    for name, listed_id in (*((key, key) for key in listed), *((name, key) for key, name in listed.items())):
        if (current := ids.get(listed_id.casefold())) is not None:
            found.setdefault(_key(name), current)
    return found
