"""Numbers of a text and of its translation: the same ones, each in the way of its language."""

from __future__ import annotations

import re
from collections import Counter

_SPACES = " \u00a0\u202f\u2009"
_GROUPED = re.compile(rf"(?<!\d)\d{{1,3}}(?:[{_SPACES}]\d{{3}})+(?!\d)")
_NUMBER = re.compile(r"\d+(?:[.,'\u2019\u066b\u066c]\d+)*")
_STYLES = (
    re.compile(r"(?P<whole>\d{1,3}(?:[,'\u2019\u066c]\d{3})+|\d+)(?:[.\u066b](?P<part>\d+))?"),
    re.compile(r"(?P<whole>\d{1,3}(?:\.\d{3})+|\d+)(?:,(?P<part>\d+))?"),
)
"""How a number is read: with a decimal point, as in English, and with a decimal comma."""
_ROMAN = re.compile(r"\b[XVI]+\b")
_VALUES = {"I": 1, "V": 5, "X": 10}

Readings = frozenset[str]
"""The values that a number may have, as `1234.50`."""


def same_numbers(source: str, translation: str) -> bool:
    """Whether a translation has the numbers of its source, in any order, and no others.

    `1,234.5` may come back as `1 234,5`, `1.234,5` or in other digits, and the 19th century as the XIX.
    """
    missing, added = _numbers(source), _numbers(translation)
    common = missing & added
    missing, added = missing - common, added - common
    romans = Counter(map(_roman_value, _ROMAN.findall(translation))) - Counter(
        map(_roman_value, _ROMAN.findall(source))
    )
    for number, times in missing.items():
        for _ in range(times):
            like = next((other for other in added if added[other] and _readings(other) & _readings(number)), None)
            if like is not None:
                added[like] -= 1
            elif number.isdecimal() and romans[int(number[:3])] > 0 and len(number) < 3:
                romans[int(number)] -= 1
            else:
                return False
    return not +added


def _numbers(text: str) -> Counter[str]:
    """The numbers of a text as they are written, in European digits; what is no number in any style is several."""
    text = "".join(str(int(char)) if char.isdecimal() and not char.isascii() else char for char in text)
    joined = _GROUPED.sub(lambda found: re.sub(f"[{_SPACES}]", "\u2019", found[0]), text)
    found: Counter[str] = Counter()
    for number in _NUMBER.findall(joined):
        found.update([number] if _readings(number) else re.findall(r"\d+", number))
    return found


def _readings(number: str) -> Readings:
    read = (style.fullmatch(number) for style in _STYLES)
    return frozenset(_value(found["whole"], found["part"]) for found in read if found)


def _value(whole: str, part: str | None) -> str:
    digits = re.sub(r"\D", "", whole)
    return f"{digits}.{part}" if part else digits


def _roman_value(numeral: str) -> int:
    values = [_VALUES[letter] for letter in numeral]
    return sum(-one if one < following else one for one, following in zip(values, [*values[1:], 0], strict=True))
