"""Text from outside, made fit to be printed: it can steer no terminal, and stands where it seems to stand."""

import re

_CONTROL = "\x00-\x08\x0b-\x1f\x7f-\x9f"
_DIRECTION = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f"
_LINES = "\u2028\u2029"
_SURROGATES = "\ud800-\udfff"
_HARMFUL = re.compile(f"[{_CONTROL}{_DIRECTION}{_LINES}{_SURROGATES}]")
_HARMFUL_OR_BREAK = re.compile(f"[\t\n{_HARMFUL.pattern[1:]}")
_PICTURES = {**{chr(code): chr(0x2400 + code) for code in range(0x20)}, "\x7f": "\N{SYMBOL FOR DELETE}"}


def printable(text: str) -> str:
    """The text with a picture or U+FFFD in the place of each character that a terminal would obey.

    These are control characters except line feeds and tabs, marks that turn the direction of text, separators
    of lines and paragraphs, and lone surrogates.
    """
    return _HARMFUL.sub(_picture, text)


def one_line(text: str) -> str:
    """The same for a name, in which line feeds and tabs are strange as well."""
    return _HARMFUL_OR_BREAK.sub(_picture, text)


def storable(text: str) -> str:
    """The text without halves of characters, which JSON's escapes can make and UTF-8 cannot write."""
    return text.encode("utf-8", "replace").decode()


def escaped_json(text: str) -> str:
    r"""JSON whose strings hold such characters as escapes, ``\uXXXX``: the values stay the same."""
    return _HARMFUL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _picture(found: re.Match[str]) -> str:
    return _PICTURES.get(found[0], "\N{REPLACEMENT CHARACTER}")
