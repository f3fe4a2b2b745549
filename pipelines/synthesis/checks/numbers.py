"""Numbers as they are written: `1,066`, `10 000`, `3,5`, `12.05.1999`, `2 million`, `двадцать один`."""

from __future__ import annotations

import re
from functools import lru_cache

from pipelines.synthesis.checks.words import words

_DIGITS = re.compile(
    r"(?<![^\W\d_])(?:\d{1,3}(?:[ \u00a0\u202f'’]\d{3})+(?!\d)(?:[.,]\d+)?|\d+(?:[.,:/]\d+)*)"
    r"(?:\s{0,2}(?P<scale>hundred|thousand|million|billion|trillion|тыс|млн|млрд|трлн|миллион|миллиард|триллион|Millionen|Milliarden|万|亿)\w{0,3})?",
    re.IGNORECASE,
)
_SCALES = {
    "hundred": 1e2, "thousand": 1e3, "тыс": 1e3, "million": 1e6, "млн": 1e6, "миллион": 1e6, "millionen": 1e6,
    "billion": 1e9, "млрд": 1e9, "миллиард": 1e9, "milliarden": 1e9, "trillion": 1e12, "трлн": 1e12,
    "триллион": 1e12, "万": 1e4, "亿": 1e8,
}  # fmt: skip
_GROUPED = re.compile(r"\d{1,3}(?:([.,])\d{3})(?:\1\d{3})*")
_LIST_MARK = re.compile(r"^[ \t>*_#-]*(?:\(?\d{1,2}[.)]|\d{1,2}\))(?=[ \t*_])", re.MULTILINE)
_YEARS = re.compile(r"(?<!\d)(\d{2})(\d{2})[-–—/](\d{2})(?!\d)")
_ROMAN = re.compile(r"\b[IVXLC]{1,8}\b")
_ROMAN_VALUES = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100}
_ENGLISH = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
    " seventeen eighteen nineteen twenty"
).split()
_ENGLISH_ORDINALS = (
    "zeroth first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth"
    " fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth"
).split()
_TENS = "thirty forty fifty sixty seventy eighty ninety".split()
_MONTHS = (
    ("jan", "январ", "janv"), ("feb", "феврал", "févr"), ("mar", "март", "märz"), ("apr", "апрел", "avril"),
    ("may", "май", "мая"), ("jun", "июн", "juin"), ("jul", "июл", "juil"), ("aug", "август", "août"),
    ("sep", "сентябр"), ("oct", "октябр", "okt"), ("nov", "ноябр"), ("dec", "декабр", "dez"),
)  # fmt: skip
_BY_WORD: dict[str, float] = {
    **{word: value for value, word in enumerate(_ENGLISH)},
    **{word: value for value, word in enumerate(_ENGLISH_ORDINALS)},
    **{word: 30 + 10 * value for value, word in enumerate(_TENS)},
    **{f"{word[:-1]}ieth": 30 + 10 * value for value, word in enumerate(_TENS)},
    "once": 1, "twice": 2, "thrice": 3, "single": 1, "both": 2, "pair": 2, "couple": 2, "dozen": 12,
    "half": 50, "hundred": 100, "hundredth": 100, "thousand": 1000,
    "double": 2, "doubled": 2, "triple": 3, "tripled": 3,
}  # fmt: skip
_RUSSIAN = tuple(
    (re.compile(pattern), float(value))
    for pattern, value in (
        ("одинн?адцат", 11), ("двенадцат", 12), ("тринадцат", 13), ("четырнадцат", 14), ("пятнадцат", 15),
        ("шестнадцат", 16), ("семнадцат", 17), ("восемнадцат", 18), ("девятнадцат", 19), ("двадцат", 20),
        ("тридцат", 30), ("сорок", 40), ("пят[ьи]десят", 50), ("шест[ьи]десят", 60), ("сем[ьи]десят", 70),
        ("вос[еь]м[ьи]десят", 80), ("девянос", 90), ("двест|двухсот", 200), ("трист|трехсот", 300),
        ("четыре?ст|четырехсот", 400), ("пят[ьи]с[от]", 500), ("шест[ьи]с[от]", 600), ("сем[ьи]с[от]", 700),
        ("вос[еь]м[ьи]с[от]", 800), ("девят[ьи]с[от]", 900),
        ("один$|одн[аоиу]|перв", 1), ("дв[ауе]$|двух|двум|двои|двое|втор|дважды|об[ае]$", 2),
        ("три$|трех|трем|трет|трое|трижды", 3), ("четыр|четверт|четверо", 4), ("пят[ьиеыо]", 5),
        ("шест[ьиеыо]", 6), ("сем[ьи]$|седьм|семер", 7), ("вос[еь]м", 8), ("девят", 9), ("десят", 10),
        ("ст[оа]$|сотн|сотый", 100),
        ("тысяч", 1000), ("полов", 50), ("нол|нул", 0),
    )
)  # fmt: skip
"""Beginnings of folded words, the longer numbers first."""


def without_list_marks(text: str) -> str:
    """The text without the numbers that count its own lines."""
    return _LIST_MARK.sub(" ", text)


def written_numbers(text: str) -> list[tuple[str, frozenset[float]]]:
    """The numbers in digits, and what each may be: `1.500` is 1500 or 1.5, `12.05.1999` three."""
    found: list[tuple[str, frozenset[float]]] = []
    for match in _DIGITS.finditer(text):
        scale = _SCALES.get((match["scale"] or "").lower(), 0.0)
        digits = match[0][: match.start("scale") - match.start()].strip() if scale else match[0]
        parts = re.split("[.,:/]", digits)
        if (len(parts) > 2 and not _GROUPED.fullmatch(digits)) or re.search("[:/]", digits):
            found += [(part, frozenset((float(part),))) for part in parts]
            continue
        values = _values(digits)
        found.append((match[0], frozenset(round(value * scale, 6) for value in values) if scale else values))
    return found


def _values(digits: str) -> frozenset[float]:
    plain = re.sub("[ \u00a0\u202f'’]", "", digits)
    if len(plain) > 40:
        return frozenset()
    values = set()
    if _GROUPED.fullmatch(plain):
        values.add(float(re.sub("[.,]", "", plain)))
    if plain.count(".") + plain.count(",") <= 1:
        values.add(float(plain.replace(",", ".")))
    return frozenset(values)


def numbers_said(text: str) -> frozenset[float]:
    """All numbers of a text: in digits, in words, in Roman figures, and the months of its dates."""
    said = {value for written, values in written_numbers(text) for value in (*values, *_unscaled(written))}
    said.update(float(first + last) for first, _, last in _YEARS.findall(text))
    said.update(float(roman_value(figure)) for figure in _ROMAN.findall(text))
    before = 0.0
    for word in words(text):
        value = _BY_WORD.get(word)
        if value is None:
            value = _russian_value(word)
        if value is not None:
            said.add(value)
            if value < before:
                value = before + value
            elif before and value in (100, 1000):
                value = before * value
            said.add(value)
        elif before and word in _SCALES:
            said.add(before * _SCALES[word])
        said.update(_months(word))
        before = value or 0.0
    return frozenset(said)


@lru_cache(maxsize=1 << 16)
def _russian_value(word: str) -> float | None:
    return next((value for pattern, value in _RUSSIAN if pattern.match(word)), None)


@lru_cache(maxsize=1 << 16)
def _months(word: str) -> tuple[float, ...]:
    return tuple(float(month) for month, names in enumerate(_MONTHS, start=1) if word.startswith(names))


def _unscaled(written: str) -> frozenset[float]:
    digits = re.match(r"[\d.,]+", written)
    return _values(digits[0].strip(".,")) if digits else frozenset()


def roman_value(figure: str) -> int:
    """What a Roman figure is worth."""
    values = [_ROMAN_VALUES[letter] for letter in figure]
    return sum(
        -value if value < following else value
        for value, following in zip(values, [*values[1:], 0], strict=True)
    )
