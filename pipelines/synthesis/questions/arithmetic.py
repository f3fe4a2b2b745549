"""Calculations in a text, such as `3 * 40 = 120`: are they right?"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from fractions import Fraction

_SIGNS: dict[str, Callable[[Fraction, Fraction], Fraction]] = {
    "+": Fraction.__add__,
    "-": Fraction.__sub__,
    "*": Fraction.__mul__,
    "/": Fraction.__truediv__,
}
_WRITTEN = str.maketrans({"−": "-", "×": "*", "·": "*", "÷": "/", "\u00a0": " ", "\u202f": " "})
_NUMBER = r"\d{1,3}(?:[ ']\d{3})+(?:[.,]\d+)?|\d[\d.,]*"
_TOKEN = re.compile(rf" *(?:(?P<number>{_NUMBER})(?<![.,])|(?P<mark>[-+*/()]))")
_CALCULATION = re.compile(rf"(?<![\w.,])([\d(][\d ()+*/'.,-]{{0,200}}?) ?= ?(-?(?:{_NUMBER})(?<![.,]))")
_GOES_ON_BEFORE = re.compile(r"(?:[-+*/^√%)°]| :) *\Z")
_GOES_ON_AFTER = re.compile(r" *[*/^%×]| *[-+] *\d|\w")


def wrong_calculations(text: str) -> list[str]:
    """The calculations in a text whose result is not what stands there.

    Only those of numbers and the four signs are looked at: `240 kg * 6` and `10^3` are passed over. A result
    may be rounded or cut off. Commas and points may part thousands or fractions: one right reading is enough.
    """
    text = text.translate(_WRITTEN)
    return [found[0] for found in _CALCULATION.finditer(text) if _is_wrong(found, text)]


def _is_wrong(found: re.Match[str], text: str) -> bool:
    before = text[max(0, found.start() - 10) : found.start()]
    if _GOES_ON_BEFORE.search(before) or _GOES_ON_AFTER.match(text, found.end()):
        return False
    try:
        return not any(
            _is_right(_value(found[1], point), found[2].replace(" ", "").replace("'", ""), point)
            for point in ".,"
        )
    except (ValueError, ZeroDivisionError):
        return False


def _is_right(value: Fraction, shown: str, point: str) -> bool:
    decimals = len(shown.partition(point)[2])
    result = _number(shown, point)
    exact = (value * 10**decimals).denominator == 1
    return value == result or (not exact and abs(value - result) < Fraction(1, 10**decimals))


def _number(written: str, point: str) -> Fraction:
    """A number whose fraction begins at a point or a comma; the other parts thousands."""
    other = "," if point == "." else "."
    return Fraction(re.sub(rf"[ '{other}]", "", written).replace(point, "."))


def _value(written: str, point: str) -> Fraction:
    """The value of an expression with at least one sign. Raises ValueError where it is none."""
    tokens = list(_tokens(written, point))
    if not any(token in _SIGNS for token in tokens if isinstance(token, str)):
        raise ValueError("no calculation")
    value, rest = _sum(tokens)
    if rest:
        raise ValueError("more than a calculation")
    return value


_Tokens = list["Fraction | str"]


def _tokens(written: str, point: str) -> Iterator[Fraction | str]:
    at = 0
    written = written.rstrip()
    while at < len(written):
        token = _TOKEN.match(written, at)
        if not token:
            raise ValueError("no calculation")
        yield token["mark"] or _number(token["number"], point)
        at = token.end()


def _sum(tokens: _Tokens) -> tuple[Fraction, _Tokens]:
    return _joined(tokens, "+-", _product)


def _product(tokens: _Tokens) -> tuple[Fraction, _Tokens]:
    return _joined(tokens, "*/", _factor)


def _joined(
    tokens: _Tokens, signs: str, part: Callable[[_Tokens], tuple[Fraction, _Tokens]]
) -> tuple[Fraction, _Tokens]:
    value, rest = part(tokens)
    while rest and isinstance(rest[0], str) and rest[0] in signs:
        other, following = part(rest[1:])
        value, rest = _SIGNS[rest[0]](value, other), following
    return value, rest


def _factor(tokens: _Tokens) -> tuple[Fraction, _Tokens]:
    match tokens:
        case [Fraction() as number, *rest]:
            return number, rest
        case ["-", *rest]:
            value, rest = _factor(rest)
            return -value, rest
        case ["(", *rest]:
            value, rest = _sum(rest)
            if rest[:1] == [")"]:
                return value, rest[1:]
    raise ValueError("no calculation")
