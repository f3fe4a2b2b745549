"""Payment card numbers: the issuer's first digits, the length, the check digit of Luhn.

Issuer ranges after ISO/IEC 7812 as published by the schemes: Visa 4; Mastercard 51-55 and 2221-2720; Mir
2200-2204; American Express 34 and 37; Discover 6011, 644-649, 65; UnionPay 62; JCB 3528-3589; Diners 300-305,
36, 38, 39. Digits stand alone or in the groups in which they are embossed, with one kind of separator.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from filters.pii.text import (
    CLASSES,
    DIGIT,
    any_of,
    byte_at,
    byte_before,
    context_before,
    ends_apart,
    number,
    run_end,
    starts_apart,
    word_list,
)
from filters.text.kernel import kernel

_MOST = 19
_REACH = 32
_WORDS = word_list("card* visa mastercard pan карт*")
_SHAPES = (0x4444, 0x465, 0x464, 0x44443)


@kernel
def card_end(data, at, floor, end):
    """Where the card number ends that starts with the digit at `at`; 0 if there is none."""
    first = run_end(data, at, min(end, at + _MOST + 1), DIGIT) - at
    if first > _MOST or (first != 4 and first < 14) or not starts_apart(data, at, floor):
        return 0
    if first > 4:
        plain = first <= 16 and _is_card(data, at, at + first, end, first)
        return at + first if plain and not _in_formula(data, at, at + first, floor, end) else 0
    separator = byte_at(data, at + 4, end)
    if separator != ord(" ") and separator != ord("-"):
        return 0
    found = 0
    stop = at + 4
    shape = digits = 4
    while byte_at(data, stop, end) == separator and digits < _MOST:
        group = stop + 1
        stop = run_end(data, group, min(end, group + 7), DIGIT)
        if stop == group or stop > group + 6:
            break
        digits += stop - group
        shape = shape << 4 | (stop - group)
        for known in _SHAPES:
            if shape == known and _is_card(data, at, stop, end, digits):
                found = stop
    return found


@kernel
def _in_formula(data, at, stop, floor, end):
    """Whether digits alone are an operand or argument, as random seeds and coefficients are in code."""
    after = byte_at(data, stop, end)
    if after == ord("*") or after == ord("/") or after == ord("^"):
        return True
    here = at
    while here > max(floor, at - 4) and data[here - 1] == ord(" "):
        here -= 1
    before = byte_before(data, here, floor)
    return any_of(before, b"([{*+-/^,") and not context_before(data, at, floor, _REACH, _WORDS)


@kernel
def _is_card(data, at, stop, end, digits):
    return _issued(number(data, at, at + 4), digits) and ends_apart(data, stop, end) and luhn(data, at, stop)


@kernel
def _issued(prefix, digits):
    """Whether an issuer has numbers of this length that start with these four digits."""
    if prefix // 1000 == 4:
        return digits == 16 or digits == 19
    if 5100 <= prefix < 5600 or 2221 <= prefix <= 2720 or 3528 <= prefix <= 3589:
        return digits == 16
    if prefix // 100 == 34 or prefix // 100 == 37:
        return digits == 15
    if 3000 <= prefix < 3060 or prefix // 100 == 36 or prefix // 100 == 38 or prefix // 100 == 39:
        return digits == 14
    if 2200 <= prefix <= 2204 or prefix == 6011 or 6440 <= prefix < 6600 or prefix // 100 == 62:
        return 16 <= digits <= 19
    return False


@kernel
def luhn(data, at, stop):
    """Whether the last digit is Luhn's check digit of the others (ISO/IEC 7812-1, annex B)."""
    total = 0
    double = False
    for index in range(stop - 1, at - 1, -1):
        if CLASSES[data[index]] & DIGIT:
            digit = data[index] - 48
            if double:
                digit = 2 * digit if digit < 5 else 2 * digit - 9
            total += digit
            double = not double
    return total % 10 == 0
