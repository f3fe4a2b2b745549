"""Check digits, as the documents that define them put them; and valid numbers to plant."""

from __future__ import annotations


def luhn_is_valid(digits: str) -> bool:
    doubled = [int(digit) * (1 + index % 2) for index, digit in enumerate(reversed(digits))]
    return sum(number // 10 + number % 10 for number in doubled) % 10 == 0


def inn_check(digits: str, weights: tuple[int, ...]) -> str:
    return str(sum(weight * int(digit) for weight, digit in zip(weights, digits, strict=False)) % 11 % 10)


TEN = (2, 4, 10, 3, 5, 9, 4, 6, 8)
ELEVEN = (7, *TEN)
TWELVE = (3, *ELEVEN)


def inn_is_valid(digits: str) -> bool:
    if not int(digits):
        return False
    if len(digits) == 10:
        return digits[9] == inn_check(digits, TEN)
    return digits[10:] == inn_check(digits, ELEVEN) + inn_check(digits, TWELVE)


def snils_check(number: str) -> str:
    total = sum(int(digit) * (9 - index) for index, digit in enumerate(number))
    return "00" if total % 101 == 100 else f"{total % 101:02d}"


def snils_is_valid(digits: str) -> bool:
    return int(digits[:9]) > 1001998 and digits[9:] == snils_check(digits[:9])


def with_luhn(digits: str) -> str:
    return next(digits + last for last in "0123456789" if luhn_is_valid(digits + last))


def with_inn(digits: str) -> str:
    if len(digits) == 9:
        return digits + inn_check(digits, TEN)
    digits += inn_check(digits, ELEVEN)
    return digits + inn_check(digits, TWELVE)
