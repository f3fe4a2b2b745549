"""Which characters the bytes of a page stand for: byte order mark, HTTP header, `meta`, then a guess.

The order and the names are those of WHATWG's Encoding and HTML standards: a page that says latin1 means
windows-1252. A page that is valid UTF-8 and in what it says it is not whole, is UTF-8.
"""

from __future__ import annotations

import re
from typing import NamedTuple

META_BYTES = 1024
"""So far into a page its charset is looked for (WHATWG, "prescan a byte stream")."""
MOST_REPLACED = 0.01
"""Share of characters that may be undecodable before another charset is tried, and the page given up."""

_MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_META = re.compile(rb"<meta[^>]+charset\s*=\s*[\"']?\s*([^\s\"'/>;]+)", re.IGNORECASE)
_XML = re.compile(rb"\s*<\?xml[^>]+encoding\s*=\s*[\"']([^\"'>]+)", re.IGNORECASE)
_COMMENT = re.compile(rb"<!--.*?-->", re.DOTALL)
_MORE_LABELS = {
    "latin-1": "cp1252",
    "utf-16be": "utf-16-be",
    "x-mac-cyrillic": "mac_cyrillic",
    "x-mac-ukrainian": "mac_cyrillic",
    "macintosh": "mac_roman",
    "x-mac-roman": "mac_roman",
    "iso-8859-8-e": "iso8859-8",
}
"""Labels that the library does not know."""


class Characters(NamedTuple):
    """The text of a page's bytes."""

    text: str
    charset: str
    """As Python calls it."""
    replaced: int
    """Characters that stand for undecodable bytes."""

    @property
    def is_readable(self) -> bool:
        """Whether nearly all could be decoded."""
        return self.replaced <= MOST_REPLACED * len(self.text)

    @property
    def is_mostly_foreign(self) -> bool:
        """Whether far more characters beyond ASCII could be decoded than could not."""
        beyond_ascii = len(self.text) - len(self.text.encode("ascii", "ignore"))
        return beyond_ascii > 10 * self.replaced


def decode(data: bytes, declared: str | None = None) -> Characters:
    """The characters of a page. `declared`: the charset of its HTTP header."""
    for mark, charset in _MARKS:
        if data.startswith(mark):
            return _decoded(data[len(mark) :], charset)
    said = codec(declared) or _said_within(data)
    if said is not None:
        found = _decoded(data, said)
        if not found.replaced:
            return found
    utf8 = _decoded(data, "utf-8")
    if not utf8.replaced or (said is None and utf8.is_mostly_foreign):
        return utf8
    if said is not None and found.is_readable:
        return found
    guess = _guessed(data)
    return guess if said is None or guess.replaced < found.replaced else found


def codec(label: str | None) -> str | None:
    """Python's codec for a label of a charset; None if there is none by that name."""
    from resiliparse.parse.encoding import map_encoding_to_html5

    name = (label or "").strip().strip("\"'").lower()
    if not name:
        return None
    return _MORE_LABELS.get(name) or map_encoding_to_html5(name, fallback_utf8=False)


def _said_within(data: bytes) -> str | None:
    """The charset that a page itself names; one of two bytes a character it cannot mean."""
    xml = _XML.match(data[:META_BYTES])
    found = xml or _META.search(_COMMENT.sub(b"", data[:META_BYTES]))
    name = codec(found[1].decode("ascii", "replace")) if found else None
    return "utf-8" if name in ("utf-16-le", "utf-16-be") else name


def _guessed(data: bytes) -> Characters:
    from resiliparse.parse.encoding import detect_encoding

    return _decoded(data, codec(detect_encoding(data)) or "cp1252")


def _decoded(data: bytes, charset: str) -> Characters:
    try:
        return Characters(data.decode(charset), charset, 0)
    except UnicodeDecodeError:
        text = data.decode(charset, "replace")
    present = data.count("\ufffd".encode()) if charset == "utf-8" else 0
    return Characters(text, charset, text.count("\ufffd") - present)
