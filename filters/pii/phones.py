"""Phone numbers: international with a plus, Russian, North American.

No filter before this one validates them: Dolma's takes any three, three and four digits. Here a number is
international (E.164) with `+` and 10 to 13 digits, of which Russian (`+7`) and North American (`+1`) ones
have 11; or it has the shape in which Russian or North American numbers are written, that is how its digits
are grouped. A group may be in brackets, and between groups stand a space, a hyphen, a full stop or several of
them. North American numbers obey the numbering plan: area and exchange start with 2 to 9. Shapes that are
also those of other numbers, such as digits alone, need a word like `phone` or `тел` before them.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from filters.kernel import kernel
from filters.pii.text import (
    CLASSES,
    DIGIT,
    byte_at,
    byte_before,
    context_before,
    ends_apart,
    run_end,
    starts_apart,
)

_REACH = 32
_WORDS = (
    b"ph",
    b"tel",
    b"cell",
    b"call",
    b"fax",
    b"sms",
    b"phone*",
    b"telephone*",
    b"mobile*",
    b"whatsapp*",
    b"viber*",
    "тел*".encode(),
    "моб*".encode(),
    "сот*".encode(),
    "факс*".encode(),
    "звон*".encode(),
)
_FEWEST, _MOST = 10, 13

# Sizes of the groups, a hexadecimal digit each.
_RUSSIAN = (0x13322, 0x1334, 0x137, 0x13223, 0x13232, 0x14222, 0x1433, 0x1424, 0x146, 0x15122, 0x1523, 0x155)
_RUSSIAN_JOINED = (0x4322, 0x434)
_RUSSIAN_LOCAL = (0x3322, 0x334, 0x37, 0x3223, 0x3232, 0x4222, 0x433, 0x424, 0x46, 0x5122, 0x523, 0x55)


@kernel
def phone(data, at, floor, end):
    """Where the number with the first digit at `at` starts and ends; the end is 0 if there is none."""
    before = byte_before(data, at, floor)
    plus = before == ord("+")
    bracket = before == ord("(")
    start = at - 1 if plus or bracket else at
    found = 0
    if (
        data[at] == ord("0")
        or not starts_apart(data, start, floor)
        or byte_before(data, start, floor) == ord("+")
    ):
        return start, 0
    digits = shape = dots = spaces = 0
    stop = at
    while True:
        first = stop
        stop = run_end(data, first, min(end, first + _MOST + 1), DIGIT)
        digits += stop - first
        if digits > _MOST or (bracket and shape == 0 and byte_at(data, stop, end) != ord(")")):
            break
        shape = shape << 4 | (stop - first)
        if digits >= _FEWEST and dots != 1 and ends_apart(data, stop, end):
            if plus:
                valid = _is_international(data, at, stop, digits)
            else:
                valid = _is_national(data, start, at, stop, floor, digits, shape, bracket, spaces)
            if valid:
                found = stop
        separator, stop = _separator(data, stop, end)
        if separator == 0:
            break
        dots += separator == ord(".")
        spaces += separator == ord(" ")
    return start, found


@kernel
def _separator(data, at, end):
    """What stands between the groups that end and start here, and where the next starts; 0 if none does.

    `)`, a space, a hyphen or full stop, a space, `(`, of which any may be missing. What counts is the hyphen
    or full stop, then a bracket, then a space.
    """
    kind = 0
    here = at
    if byte_at(data, here, end) == ord(")"):
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
    if byte_at(data, here, end) == ord("("):
        kind = ord("(") if kind == 0 or kind == ord(" ") else kind
        here += 1
    if kind == 0 or CLASSES[byte_at(data, here, end)] & DIGIT == 0:
        return 0, at
    return kind, here


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
def _is_international(data, at, stop, digits):
    if data[at] == ord("7"):
        return digits == 11 and _digit(data, at, stop, 1) >= 3
    if data[at] == ord("1"):
        return digits == 11 and _digit(data, at, stop, 1) >= 2 and _digit(data, at, stop, 4) >= 2
    return True


@kernel
def _is_national(data, start, at, stop, floor, digits, shape, bracket, spaces):
    """Whether digits in groups of these sizes are a Russian or North American number."""
    lead = data[at] - 48
    if digits == 11 and not bracket and (lead == 7 or lead == 8):
        if _digit(data, at, stop, 1) < 3:
            return False
        for known in _RUSSIAN:
            if shape == known:
                return True
        if shape == 0x4322 or shape == 0x434:
            return spaces == 0 or lead == 8
        mobile = _digit(data, at, stop, 1) == 9
        return mobile and (shape == 0xB or shape == 0x1A or shape == 0x47) and _named(data, start, floor)
    if digits == 11:
        american = lead == 1 and shape == 0x1334
        american &= _digit(data, at, stop, 1) >= 2 and _digit(data, at, stop, 4) >= 2
        return american and (spaces < 3 or _named(data, start, floor))
    if digits != 10:
        return False
    if lead >= 2 and _digit(data, at, stop, 3) >= 2 and (shape == 0x334 or shape == 0xA):
        return bracket or (shape == 0x334 and spaces < 2) or _named(data, start, floor)
    if lead < 3:
        return False
    for known in _RUSSIAN_LOCAL:
        if shape == known:
            return bracket or (spaces == 0 and shape == 0x3322) or _named(data, start, floor)
    return shape == 0xA and lead == 9 and _named(data, start, floor)


@kernel
def _digit(data, at, stop, index):
    """The digit at a place, other bytes aside."""
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
