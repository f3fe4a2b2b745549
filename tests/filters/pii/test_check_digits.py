"""Check digits against python-stdnum: the same verdict on any digits. It does not know SNILS."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum import luhn
from stdnum.ru import inn

from filters.pii import cards
from filters.pii.masking import mask_pii


def digits(fewest: int, most: int) -> st.SearchStrategy[str]:
    return st.text("0123456789", min_size=fewest, max_size=most)


def is_found(kind: str, text: str) -> bool:
    return mask_pii(pa.array([text]), [kind]).counts[kind] == 1


@given(digits(0, 18), st.sampled_from(["", " ", "-"]))
def test_luhn(number: str, separator: str) -> None:
    for last in "0123456789":
        data = np.frombuffer(separator.join(number + last).encode(), dtype=np.uint8)
        assert cards.luhn(data, 0, len(data)) == luhn.is_valid(number + last)


@given(st.one_of(digits(9, 9), digits(11, 11)).filter(int))
def test_last_digit_of_a_taxpayer_number(number: str) -> None:
    for last in "0123456789":
        assert is_found("inns", f"ИНН {number}{last}") == inn.is_valid(number + last)


@given(digits(10, 10).filter(int))
def test_both_check_digits_of_a_person(number: str) -> None:
    valid = number + inn.calc_personal_check_digits(number)
    assert is_found("inns", f"ИНН {valid}")
    for other in (f"{(int(valid[10:]) + step) % 100:02d}" for step in range(1, 100)):
        assert not is_found("inns", f"ИНН {number}{other}")
        assert not inn.is_valid(number + other)


@given(digits(1, 15).filter(lambda number: len(number) not in (10, 12)))
def test_other_lengths_are_no_taxpayer_numbers(number: str) -> None:
    assert not is_found("inns", f"ИНН {number}")
    assert not inn.is_valid(number)


@pytest.mark.parametrize("number", ["0" * 10, "0" * 12])
def test_where_we_differ_zeros_are_nobody(number: str) -> None:
    assert inn.is_valid(number)
    assert not is_found("inns", f"ИНН {number}")
