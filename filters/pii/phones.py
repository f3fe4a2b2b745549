"""Phone numbers: international with a plus, Russian, North American.

Dolma's filter takes any three, three and four digits. Here a number is international (E.164) with `+` and 10
to 13 digits, of which Russian (`+7`) and North American (`+1`) ones have 11; or it has the shape in which
Russian or North American numbers are written, that is how its digits are grouped. The first group, with its
plus if it has one, or the second may be in brackets, and between groups stand a space, a hyphen, a full stop
or several of them. North American numbers obey the numbering plan: area and exchange start with 2 to 9.
Shapes that are also those of other numbers, such as digits alone, need a word like `phone` or `тел` before
them; Russian mobile numbers, any word in Cyrillic. Russian area codes start with 3, 4, 7, 8 or 9. Left as
they are: the numbers 555-0100 to 555-0199, which are kept for fiction.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from filters.pii.text import (
    CLASSES,
    DIGIT,
    byte_at,
    byte_before,
    context_before,
    cyrillic_before,
    ends_apart,
    run_end,
    starts_apart,
    word_list,
)
from filters.text.kernel import kernel

_REACH = 24
_WORDS = word_list(
    "ph tel cell call fax sms phone* telephone* mobile* whatsapp* viber* тел* моб* сот* факс* звон*"
)
_FEWEST, _MOST = 10, 13

_FICTION = (5, 5, 5, 0, 1)

# Sizes of the groups, a hexadecimal digit each.
_RUSSIAN = (0x13322, 0x1334, 0x137, 0x13223, 0x13232, 0x14222, 0x1433, 0x1424, 0x146, 0x15122, 0x1523, 0x155)
_RUSSIAN_JOINED = (0xB, 0x1A, 0x47, 0x4322, 0x434)
_RUSSIAN_LOCAL = (0x3322, 0x334, 0x37, 0x3223, 0x3232, 0x4222, 0x433, 0x424, 0x46, 0x5122, 0x523, 0x55)


@kernel
def phone(data, at, floor, end):
    """Where the number with the first digit at `at` starts and ends; the end is 0 if there is none."""
    plus = byte_before(data, at, floor) == ord("+")
    group = run_end(data, at, min(end, at + 6), DIGIT)
    behind_bracket = byte_before(data, at - plus, floor) == ord("(")
    bracket = opened = behind_bracket and byte_at(data, group, end) == ord(")")
    start = at - plus - bracket
    found = 0
    if data[at] == ord("0") or byte_before(data, start, floor) == ord("+"):
        return start, 0
    digits = shape = dots = 0
    separator = 0
    stop = at
    while True:
        first = stop
        stop = run_end(data, first, min(end, first + _MOST + 1), DIGIT)
        digits += stop - first
        if digits > _MOST or (opened and byte_at(data, stop, end) != ord(")")):
            break
        shape = shape << 4 | (stop - first)
        closed = stop + opened
        if digits >= _FEWEST and dots != 1 and ends_apart(data, closed, end):
            if plus:
                valid = _is_international(data, start, at, floor, digits, shape)
            else:
                in_groups = bracket or separator != ord(" ")
                valid = _is_national(data, start, at, floor, digits, shape, bracket, in_groups)
            if valid:
                found = closed
        separator, opened, stop = _separator(data, stop, end, opened, shape < 16)
        if separator == 0:
            break
        dots += separator == ord(".")
    return start, found if found and starts_apart(data, start, floor) else 0


@kernel
def _separator(data, at, end, opened, may_open):
    """What stands between two groups, 0 if it is no separator; whether a bracket opens there; where it ends.

    `)` where a bracket is open, a space, a hyphen or full stop, a space, `(` before the second group: any may
    be missing. What counts is the hyphen or full stop, then a bracket, then a space.
    """
    kind = 0
    here = at
    if opened:
        kind = ord(")")
        here += 1
    here, space = _after_space(data, here, end)
    kind = ord(" ") if space and kind == 0 else kind
    mark = byte_at(data, here, end)
    if mark == ord("-") or mark == ord("."):
        kind = mark
        here += 1
    elif (
        mark == 0xE2 and byte_at(data, here + 1, end) == 0x80 and 0x90 <= byte_at(data, here + 2, end) <= 0x94
    ):
        kind = ord("-")
        here += 3
    here, space = _after_space(data, here, end)
    kind = ord(" ") if space and kind == 0 else kind
    opens = may_open and byte_at(data, here, end) == ord("(")
    if opens:
        kind = ord("(") if kind == 0 or kind == ord(" ") else kind
        here += 1
    if kind == 0 or CLASSES[byte_at(data, here, end)] & DIGIT == 0:
        return 0, False, at
    return kind, opens, here


@kernel
def _after_space(data, at, end):
    """Where a space or no-break space ends, and whether there is one."""
    lead = byte_at(data, at, end)
    if lead == ord(" "):
        return at + 1, True
    if lead == 0xC2 and byte_at(data, at + 1, end) == 0xA0:
        return at + 2, True
    return at, False


@kernel
def _is_international(data, start, at, floor, digits, shape):
    if data[at] == ord("7"):
        return digits == 11 and _digit(data, at, 1) >= 3
    if data[at] == ord("1"):
        return digits == 11 and _is_american(data, at, 1)
    return shape != 0xA or _named(data, start, floor)


@kernel
def _is_national(data, start, at, floor, digits, shape, bracket, in_groups):
    """Whether digits in groups of these sizes are a Russian or North American number."""
    lead = data[at] - 48
    if digits == 11 and not bracket and (lead == 7 or lead == 8):
        return _digit(data, at, 1) >= 3 and _is_russian(data, start, at, floor, shape)
    if digits == 11:
        american = lead == 1 and shape == 0x1334 and _is_american(data, at, 1)
        return american and (in_groups or _named(data, start, floor))
    if digits != 10 or (shape == 0x334 and _is_fiction(data, at, 3)):
        return False
    if (shape == 0x334 or shape == 0xA) and _is_american(data, at, 0):
        return (in_groups and shape == 0x334) or _named(data, start, floor)
    if lead < 3 or lead == 5 or lead == 6:
        return False
    for known in _RUSSIAN_LOCAL:
        if shape == known:
            return bracket or (in_groups and shape == 0x3322) or _named(data, start, floor)
    return shape == 0xA and _named(data, start, floor)


@kernel
def _is_russian(data, start, at, floor, shape):
    """Whether eleven digits that start with 7 or 8 are grouped as Russian numbers are."""
    for known in _RUSSIAN:
        if shape == known:
            return True
    for known in _RUSSIAN_JOINED:
        if shape == known:
            mobile = _digit(data, at, 1) == 9
            return _named(data, start, floor) or (mobile and cyrillic_before(data, start, floor, _REACH))
    return False


@kernel
def _is_american(data, at, area):
    """Whether area and exchange, from the digit with the number `area` on, exist and are not fiction's.

    Both start with 2 to 9 (North American Numbering Plan).
    """
    exists = _digit(data, at, area) >= 2 and _digit(data, at, area + 3) >= 2
    return exists and not _is_fiction(data, at, area + 3)


@kernel
def _is_fiction(data, at, exchange):
    """Whether the digits from the number `exchange` on are 555-0100 to 555-0199."""
    index = 0
    while index < len(_FICTION) and _digit(data, at, exchange + index) == _FICTION[index]:
        index += 1
    return index == len(_FICTION)


@kernel
def _digit(data, at, index):
    """The digit of a number, from 0 on, other bytes aside."""
    while True:
        if CLASSES[data[at]] & DIGIT:
            if index == 0:
                return data[at] - 48
            index -= 1
        at += 1


@kernel
def _named(data, start, floor):
    """Whether a word before the number says that it is a phone."""
    return context_before(data, start, floor, _REACH, _WORDS)
