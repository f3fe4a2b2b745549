"""Check digits by python-stdnum, that of SNILS as the document that defines it puts it; numbers to plant."""

from __future__ import annotations

from stdnum import luhn
from stdnum.ru import inn


def inn_is_valid(digits: str) -> bool:
    return int(digits) > 0 and inn.is_valid(digits)


def snils_check(number: str) -> str:
    total = sum(int(digit) * (9 - index) for index, digit in enumerate(number))
    return "00" if total % 101 == 100 else f"{total % 101:02d}"


def snils_is_valid(digits: str) -> bool:
    return int(digits[:9]) > 1001998 and digits[9:] == snils_check(digits[:9])


def with_luhn(digits: str) -> str:
    return digits + luhn.calc_check_digit(digits)


def with_inn(digits: str) -> str:
    if len(digits) == 9:
        return digits + inn.calc_company_check_digit(digits)
    return digits + inn.calc_personal_check_digits(digits)
