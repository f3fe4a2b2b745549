"""Russian documents: passport, INN (taxpayer number), SNILS (social insurance number).

- INN: 10 digits (companies) or 12 (persons), the last or the last two of which are check digits (order of the
  Federal Tax Service ММВ-7-6/435@ of 29 June 2012). One of ten numbers passes, so `ИНН` or `INN` must stand
  before it.
- SNILS: 11 digits, the last two a check number (decision of the Pension Fund 192p of 31 July 2006, from
  number 001-001-998 on). Written `NNN-NNN-NNN NN` it is found anywhere, otherwise behind `СНИЛС`.
- Passport: series of 4 digits and number of 6 without a check digit, behind `паспорт` or `серия`.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from filters.pii.text import (
    CLASSES,
    DIGIT,
    byte_at,
    context_before,
    ends_apart,
    number,
    run_end,
    starts_apart,
    word_at,
    word_list,
)
from filters.text.kernel import kernel

_REACH = 64
_INN_WORDS = word_list("инн inn")
_SNILS_WORDS = word_list("снилс* snils*")
_PASSPORT_WORDS = word_list("серия серии паспорт*")
_NUMBER_SIGNS = word_list("номер* №* n*")
_INN_WEIGHTS = (3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8)
_FIRST_CHECKED_SNILS = 1001999


@kernel
def inn_end(data, at, floor, end):
    """Where the taxpayer number ends that starts with the digit at `at`; 0 if there is none."""
    stop = run_end(data, at, min(end, at + 13), DIGIT)
    if stop - at == 10:
        valid = _check(data, at, 9) == data[stop - 1] - 48
    elif stop - at == 12:
        valid = _check(data, at, 10) == data[stop - 2] - 48 and _check(data, at, 11) == data[stop - 1] - 48
    else:
        return 0
    if not valid or number(data, at, stop) == 0:
        return 0
    if not starts_apart(data, at, floor) or not ends_apart(data, stop, end):
        return 0
    return stop if context_before(data, at, floor, _REACH, _INN_WORDS) else 0


@kernel
def _check(data, at, length):
    """The check digit that follows so many digits of a taxpayer number."""
    total = 0
    for index in range(length):
        total += _INN_WEIGHTS[len(_INN_WEIGHTS) - length + index] * (data[at + index] - 48)
    return total % 11 % 10


@kernel
def snils_end(data, at, floor, end):
    """Where the insurance number ends that starts with the digit at `at`; 0 if there is none."""
    stop = run_end(data, at, min(end, at + 12), DIGIT)
    formatted = stop - at == 3
    if formatted:
        for size in (3, 3, 2):
            separator = byte_at(data, stop, end)
            if separator != ord("-") and (separator != ord(" ") or size == 3):
                return 0
            first = stop + 1
            stop = run_end(data, first, min(end, first + size + 1), DIGIT)
            if stop - first != size:
                return 0
    elif stop - at != 11:
        return 0
    if not starts_apart(data, at, floor) or not ends_apart(data, stop, end) or not _is_snils(data, at, stop):
        return 0
    return stop if formatted or context_before(data, at, floor, _REACH, _SNILS_WORDS) else 0


@kernel
def _is_snils(data, at, stop):
    """Whether the last two of eleven digits are the check number of the others."""
    whole = total = seen = 0
    for index in range(at, stop):
        if CLASSES[data[index]] & DIGIT:
            digit = data[index] - 48
            whole = whole * 10 + digit
            total += digit * max(0, 9 - seen)
            seen += 1
    return whole // 100 >= _FIRST_CHECKED_SNILS and total % 101 % 100 == whole % 100


@kernel
def passport_end(data, at, floor, end):
    """Where the series and number end whose first digit is at `at`; 0 if there are none."""
    stop = run_end(data, at, min(end, at + 11), DIGIT)
    if stop - at == 2:
        stop = _digits_behind(data, _after_space(data, stop, end), end, 2)
        if stop == 0:
            return 0
        stop = _digits_behind(data, _after_number_sign(data, stop, end), end, 6)
    elif stop - at == 4:
        stop = _digits_behind(data, _after_number_sign(data, stop, end), end, 6)
    elif stop - at != 10:
        return 0
    if stop == 0 or not starts_apart(data, at, floor) or not ends_apart(data, stop, end):
        return 0
    return stop if context_before(data, at, floor, _REACH, _PASSPORT_WORDS) else 0


@kernel
def _digits_behind(data, at, end, size):
    """Where the run of exactly so many digits at `at` ends; 0 if there is none."""
    stop = run_end(data, at, min(end, at + size + 1), DIGIT)
    return stop if stop - at == size else 0


@kernel
def _after_number_sign(data, at, end):
    """The end of what stands between series and number: a comma, a space, `№`, `N` or `номер`, a space."""
    at = _after_space(data, at + (byte_at(data, at, end) == ord(",")), end)
    stop = word_at(data, at, end, _NUMBER_SIGNS)
    if stop >= 0:
        at = _after_space(data, stop + (byte_at(data, stop, end) == ord(":")), end)
    return at


@kernel
def _after_space(data, at, end):
    return at + (byte_at(data, at, end) == ord(" "))
