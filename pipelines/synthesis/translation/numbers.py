"""Numbers of a text and of its translation: the same ones, each in the way of its language."""

from __future__ import annotations

import re
from collections import Counter

_SPACES = " \u00a0\u202f\u2009"
_GROUPED = re.compile(rf"(?<!\d)\d{{1,3}}(?:[{_SPACES}]\d{{3}})+(?!\d)")
_OTHER_DIGIT = re.compile(r"[^\D0-9]")
_SIGN = re.compile(r"(?<![^\s(\[=,:;])[-\u2013](?=\d)")
_MINUS = "\u2212"
_NUMBER = re.compile(rf"{_MINUS}?\d+(?:[.,'\u2019\u066b\u066c]\d+)*")
_STYLES = (
    re.compile(r"(?P<whole>\d{1,3}(?:[,'\u2019\u066c]\d{3})+|\d+)(?:[.\u066b](?P<part>\d+))?"),
    re.compile(r"(?P<whole>\d{1,3}(?:[.'\u2019]\d{3})+|\d+)(?:,(?P<part>\d+))?"),
)
"""How a number is read: with a decimal point, as in English, and with a decimal comma."""
_WITH_COMMA = frozenset(
    "az be bg ca cs da de el es et eu fi fr gl hr hu hy id is it ka kk lt lv mk nl no pl pt ro ru sk "
    "sl sq sr sv tr uk uz vi".split()
)
"""Languages with a decimal comma (CLDR)."""
_ROMAN = re.compile(r"\b[XVI]+\b")
_VALUES = {"I": 1, "V": 5, "X": 10}


def same_numbers(source: str, translation: str, language: str) -> bool:
    """Whether a translation has the numbers of its source, in any order, and no others.

    `1,234.5` may come back as `1 234,5`, `1.234,5` or in other digits, and the 19th century as the XIX.

    Args:
        source: A text.
        translation: Its translation.
        language: The language of the source, which tells how its numbers are read.
    """
    missing, added = _numbers(source), _numbers(translation)
    common = missing & added
    missing, added = missing - common, added - common
    romans = _romans(translation) - _romans(source)
    for number in missing.elements():
        meant = _meant(number, language)
        like = next((other for other in added if added[other] and meant in _readings(other)), None)
        if like is not None:
            added[like] -= 1
        elif romans[meant]:
            romans[meant] -= 1
        else:
            return False
    return not +added


def _numbers(text: str) -> Counter[str]:
    """The numbers of a text as they are written, in European digits; what follows no style is several."""
    text = _OTHER_DIGIT.sub(lambda found: str(int(found[0])), text)
    joined = _GROUPED.sub(lambda found: re.sub(f"[{_SPACES}]", "\u2019", found[0]), text)
    signed = _SIGN.sub(_MINUS, joined)
    found: Counter[str] = Counter()
    for number in _NUMBER.findall(signed):
        found.update([number] if _readings(number) else re.findall(r"\d+", number))
    return found


def _readings(number: str) -> list[str]:
    """The values that a number may have, as `-1234.50`, by the styles that it follows."""
    sign, digits = ("-", number[1:]) if number[0] == _MINUS else ("", number)
    read = (style.fullmatch(digits) for style in _STYLES)
    return [sign + _value(found["whole"], found["part"]) for found in read if found]


def _meant(number: str, language: str) -> str:
    """The value of a number in its language."""
    readings = _readings(number)
    return readings[-1 if language in _WITH_COMMA else 0]


def _value(whole: str, part: str | None) -> str:
    digits = re.sub(r"\D", "", whole)
    return f"{digits}.{part}" if part else digits


def _romans(text: str) -> Counter[str]:
    return Counter(str(_roman_value(numeral)) for numeral in _ROMAN.findall(text))


def _roman_value(numeral: str) -> int:
    values = [_VALUES[letter] for letter in numeral]
    pairs = zip(values, [*values[1:], 0], strict=True)
    return sum(-one if one < following else one for one, following in pairs)
