"""From the lines of printed pages to paragraphs: without what stands on every page, words whole again."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable
from itertools import chain

EDGE_LINES = 2
"""So many lines at the top and at the bottom of a page may be its header and footer."""

MIN_PAGES = 3
RECURRING = 0.4
"""A header stands on more than this share of the pages; left and right ones often have two."""

FULL = 0.75
"""A line shorter than this share of the usual width ends its paragraph."""

GOES_ON = 0.4
"""A line of this share of the usual width that ends within a sentence does not end its paragraph."""

_NUMBER = re.compile(r"\d+|\b[ivxlcdm]+\b", re.IGNORECASE)
_WORD_END = re.compile(r"(\w+)[-\u00ad\u2010\ufffe\x02]$")
_WORD_BEGIN = re.compile(r"\w+")
_ITEM = re.compile(r"[•▪◦‣·*–—-]\s|\(?\d{1,3}[.)]\s|(?:\d{1,2}\.)+\d{0,2}\s+[A-ZÀ-ÞΑ-ΩА-ЯЁ]")
_LEADERS = re.compile(r"(?:\.\s?){4,}\S{0,5}$")
"""The dots of a table of contents."""
_PAGE_NUMBER = re.compile(r"(\d{1,5})(?=\s|$)|.*\s(\d{1,5})$")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def joined_pages(pages: list[str]) -> str:
    """The text of pages whose lines end where the paper does."""
    lines = [[line.strip() for line in page.splitlines() if line.strip()] for page in pages]
    lines = _without_edges(lines)
    everything = list(chain.from_iterable(lines))
    width = _usual_width(everything)
    hyphenated = _inner_hyphens(everything)
    written: list[str] = []
    before = ""
    for page in lines:
        for number, line in enumerate(page):
            if not written:
                written.append(line)
            elif (whole := _unbroken(written[-1], line, hyphenated)) is not None:
                written[-1] = whole
            else:
                written += [_between(before, line, width, begins_page=number == 0), line]
            before = line
    return _CONTROL.sub("", "".join(written))


def _without_edges(pages: list[list[str]]) -> list[list[str]]:
    """The lines without headers, footers and page numbers: what recurs at the edges, whatever its numbers."""
    if len(pages) < MIN_PAGES:
        return pages
    enough = max(MIN_PAGES, RECURRING * len(pages))
    found = Counter(chain.from_iterable({_masked(line) for line in _edges(page)} for page in pages))
    recurring = {line for line, times in found.items() if times >= enough}
    first = _first_page_number(pages, enough)
    return [
        _inside(page, lambda line, number=number: _masked(line) in recurring or _number(line) == number)  # type: ignore[misc]
        for number, page in enumerate(pages, sys.maxsize if first is None else first)
    ]


def _first_page_number(pages: list[list[str]], enough: float) -> int | None:
    """What the first page's number is: headers may name a section besides, but count on with the pages."""
    firsts = Counter(
        chain.from_iterable(
            {found - index for line in _edges(page) if (found := _number(line)) is not None}
            for index, page in enumerate(pages)
        )
    )
    return next((first for first, times in firsts.most_common(1) if times >= enough), None)


def _number(line: str) -> int | None:
    """The number that a line begins or ends with."""
    found = _PAGE_NUMBER.match(line)
    return int(found[1] or found[2]) if found else None


def _edges(page: list[str]) -> list[str]:
    height = _edge(page)
    return page[:height] + page[len(page) - height :]


def _edge(page: list[str]) -> int:
    """How many lines at the top, and at the bottom, may be header and footer: not all of a short page."""
    return min(EDGE_LINES, len(page) // 3)


def _inside(page: list[str], is_header: Callable[[str], bool]) -> list[str]:
    start, stop = 0, len(page)
    while start < _edge(page) and is_header(page[start]):
        start += 1
    while stop > len(page) - _edge(page) and is_header(page[stop - 1]):
        stop -= 1
    return page[start:stop]


def _masked(line: str) -> str:
    return _NUMBER.sub("0", " ".join(line.split())).casefold()


def _usual_width(lines: list[str]) -> int:
    """The length that nine of ten lines do not exceed."""
    lengths = sorted(map(len, lines))
    return lengths[len(lengths) * 9 // 10] if lengths else 0


def _inner_hyphens(lines: list[str]) -> set[str]:
    """Words with a hyphen in the midst of a line: where a line ends in one of them, the hyphen stays."""
    return set(re.findall(r"\w+-\w+", " ".join(lines).casefold()))


def _unbroken(before: str, line: str, hyphenated: set[str]) -> str | None:
    """Two lines as one, where a word is broken between them; else None."""
    broken = _WORD_END.search(before)
    rest = _WORD_BEGIN.match(line)
    if broken is None or rest is None:
        return None
    if broken[1].isdigit() and rest[0].isdigit():
        return before + line
    if not rest[0][0].islower():
        return None
    keeps = f"{broken[1]}-{rest[0]}".casefold() in hyphenated
    return before[:-1] + ("-" if keeps else "") + line


def _between(before: str, line: str, width: int, begins_page: bool) -> str:
    """What stands between two lines: a space within a paragraph, else an end of line, or of the page."""
    is_full = len(before) >= FULL * width
    is_within = len(before) >= GOES_ON * width and (before[-1].isalpha() or before[-1] == ",")
    goes_on = is_full or (is_within and line[0].islower())
    if not goes_on or _ITEM.match(line) or _LEADERS.search(before):
        return "\n\n" if begins_page else "\n"
    return "\n\n" if begins_page and before.endswith((".", "!", "?", ":")) else " "
