"""Phone numbers against `phonenumbers`, the library of Android: what both find, what only one of us does."""

from __future__ import annotations

import phonenumbers
import pyarrow as pa
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from phonenumbers import Leniency, PhoneNumber, PhoneNumberFormat, PhoneNumberMatcher, PhoneNumberType
from stdnum import isbn

from filters.pii.spans import find_spans
from filters.text.texts import text_buffers
from tests.filters.pii.numbers import snils_check, with_inn, with_luhn


def our_numbers(text: str) -> list[str]:
    """The numbers that we find."""
    data, offsets = text_buffers(pa.array([text], pa.large_string()))
    spans = find_spans(data, offsets[:-1], offsets[1:], ["phones"])
    return [bytes(data[span["start"] : span["end"]]).decode() for span in spans]


def their_numbers(text: str, *regions: str | None) -> list[str]:
    """The valid numbers that `phonenumbers` finds as one of the regions or another writes them."""
    matchers = [PhoneNumberMatcher(text, region, leniency=Leniency.VALID) for region in regions]
    return sorted({match.raw_string for matcher in matchers for match in matcher})


TYPES = [
    PhoneNumberType.FIXED_LINE,
    PhoneNumberType.MOBILE,
    PhoneNumberType.TOLL_FREE,
    PhoneNumberType.PREMIUM_RATE,
    PhoneNumberType.VOIP,
]
AMERICAN = [
    region
    for region in sorted(phonenumbers.SUPPORTED_REGIONS)
    if phonenumbers.country_code_for_region(region) == 1
]


@st.composite
def numbers(draw: st.DrawFn, regions: list[str]) -> PhoneNumber:
    """A valid number of one of the regions: the example of its kind with other digits at the end."""
    region = draw(st.sampled_from(regions))
    known = phonenumbers.example_number_for_type(region, draw(st.sampled_from(TYPES)))
    known = known or phonenumbers.example_number(region)
    digits = phonenumbers.national_significant_number(known)
    drawn = draw(st.text("0123456789", max_size=len(digits)))
    other = PhoneNumber(known.country_code, int(digits[: len(digits) - len(drawn)] + drawn or "0"))
    return other if phonenumbers.number_type(other) == phonenumbers.number_type(known) else known


def american(number: PhoneNumber) -> bool:
    """Whether area and exchange obey the North American plan, and the number is not kept for fiction."""
    digits = phonenumbers.national_significant_number(number)
    return len(digits) == 10 and digits[3] >= "2" and not digits[3:].startswith("55501")


def spelled(digits: str, sizes: str, separator: str, bracket: bool) -> str:
    """Digits in groups, the first perhaps in brackets."""
    groups = []
    for size in map(int, sizes):
        groups.append(digits[:size])
        digits = digits[size:]
    first = f"({groups[0]})" if bracket else groups[0]
    return separator.join([first, *groups[1:]])


INTERNATIONAL = [PhoneNumberFormat.E164, PhoneNumberFormat.INTERNATIONAL, PhoneNumberFormat.RFC3966]


@settings(max_examples=500)
@given(numbers(sorted(phonenumbers.SUPPORTED_REGIONS)), st.sampled_from(INTERNATIONAL), st.booleans())
def test_international_numbers_of_all_countries(number: PhoneNumber, form: int, in_bracket: bool) -> None:
    e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    assume(10 <= len(e164) - 1 <= 13)
    assume(number.country_code != 1 or american(number))
    written = phonenumbers.format_number(number, form).removeprefix("tel:")
    if in_bracket:
        code = f"+{number.country_code}"
        written = f"({code}){written[len(code) :]}"
    text = f"The phone is {written}, as ever."
    assert our_numbers(text) == [written]
    assert form == PhoneNumberFormat.RFC3966 or their_numbers(text, None) == [written]


RUSSIAN_GROUPS = "3322 334 37 3223 3232 4222 433 424 46 5122 523 55".split()
SEPARATORS = [" ", "-", ".", "\xa0", "\u2010", "\u2013"]
russian = numbers(["RU", "KZ"]).map(phonenumbers.national_significant_number).filter(lambda n: len(n) == 10)


@given(
    russian, st.sampled_from(RUSSIAN_GROUPS), st.sampled_from(SEPARATORS), st.sampled_from(["+7", "8", "7"])
)
@example("9123456789", "3322", "-", "8")
def test_russian_numbers_in_groups(digits: str, sizes: str, separator: str, first: str) -> None:
    for written in (
        first + separator + spelled(digits, sizes, separator, False),
        first + " " + spelled(digits, sizes, separator, True),
    ):
        text = f"Call {written}, please."
        assert our_numbers(text) == ([] if written.count(".") == 1 else [written])
        assert their_numbers(text, "RU") == [written]


@given(
    russian, st.sampled_from(["тел. ", "Телефон: ", "phone ", "Факс "]), st.sampled_from(["+7", "8", "7", ""])
)
def test_russian_digits_alone_behind_a_word_for_phone(digits: str, word: str, first: str) -> None:
    assert our_numbers(f"{word}{first}{digits}.") == [first + digits]


@given(russian.filter(lambda number: number[0] == "9"))
def test_russian_mobile_digits_behind_cyrillic(digits: str) -> None:
    assert our_numbers(f"Пишите на 8{digits}") == [f"8{digits}"]
    assert our_numbers(f"Order 8{digits}") == []
    assert their_numbers(f"Order 8{digits}", "RU") == [f"8{digits}"]


@given(
    numbers(AMERICAN).filter(american).map(phonenumbers.national_significant_number),
    st.sampled_from("(_) _-_|_-_-_|_._._|1-_-_-_|+1 _ _ _|+1 (_) _-_|(+1) _-_-_|1 (_) _-_".split("|")),
)
def test_north_american_numbers(digits: str, form: str) -> None:
    written = form.replace("_", "{}").format(digits[:3], digits[3:6], digits[6:])
    assert our_numbers(f"Call {written} now") == [written]
    assert their_numbers(f"Call {written} now", "US") == [written]
    assert our_numbers(f"phone {digits}") == [digits]
    spaced = spelled(digits, "334", " ", False)
    assert our_numbers(f"phone {spaced}") == [spaced]
    assert our_numbers(f"values {digits}, {spaced}") == []


DIFFERENCES = {
    # By design, they find more:
    "fewer than ten digits": ("Hringið +298 211 755.", [], ["+298 211 755"]),
    "more than thirteen digits": ("Anruf +49 8177 209747910.", [], ["+49 8177 209747910"]),
    "ten digits behind a plus may be a sum": ("Gain of +6797012342.", [], ["+6797012342"]),
    "an exchange starts with 2 to 9": ("Llame +1 809-100-1106.", [], ["+1 809-100-1106"]),
    "numbers kept for fiction": ("Call 201-555-0123.", [], ["201-555-0123"]),
    "digits alone, without a word": ("code 6502530000 here", [], ["6502530000"]),
    "landline digits behind any Cyrillic": ("Заказ 84952236699", [], ["84952236699"]),
    "Kazakh mobile digits behind any Cyrillic": ("Пишите 87778830353", [], ["87778830353"]),
    "three groups and spaces, without a word": ("rows 650 253 0000", [], ["650 253 0000"]),
    "two groups in one bracket": ("(+7 495) 123-45-67", [], ["(+7 495) 123-45-67"]),
    "a plus before the bracket": ("+(44) 20 7946 0958", [], ["+(44) 20 7946 0958"]),
    "one full stop makes a fraction": ("(650) 253.0000", [], ["(650) 253.0000"]),
    "a slash between groups": ("Tel. +49 30/901820", [], ["+49 30/901820"]),
    "digits of full width": ("+７ ９１２ ３４５ ６７ ８９", [], ["+７ ９１２ ３４５ ６７ ８９"]),
    "prefixes for calls abroad": ("dial 011 44 20 7946 0958", [], ["011 44 20 7946 0958"]),
    "inside addresses of pages": ("http://a.io/6502530000", [], ["6502530000"]),
    "an extension is none": ("(650) 253-0000 ext. 12", ["(650) 253-0000"], ["(650) 253-0000 ext. 12"]),
    "decimal fractions": ("1.765939713,2.208936691,1.801", [], ["2.208936691"]),
    "differences": ("it is 90000-36000=54000", [], ["90000-36000"]),
    "times with a zone": ("2014-12-01 04:12:34.987000-08:00", [], ["34.987000-08"]),
    # By design, we find more, since we keep no list of who has which numbers:
    "country codes that nobody has": ("+210 1234 567890", ["+210 1234 567890"], []),
    "Russian area codes that nobody has": ("+7 (512) 123-45-67", ["+7 (512) 123-45-67"], []),
    "numbers that nobody has": ("+44 000 000 0000", ["+44 000 000 0000"], []),
    "lengths that a country does not have": ("+404-4180414941", ["+404-4180414941"], []),
}


@pytest.mark.parametrize("name", DIFFERENCES)
def test_where_we_differ(name: str) -> None:
    text, ours, theirs = DIFFERENCES[name]
    assert our_numbers(text) == ours
    assert their_numbers(text, "US", "RU") == theirs


def digits(size: int) -> st.SearchStrategy[str]:
    return st.text("0123456789", min_size=size, max_size=size)


look_alikes = st.one_of(
    st.datetimes().map(str),
    st.datetimes().map(lambda time: time.strftime("%d.%m.%Y %H:%M")),
    st.dates().map(lambda day: f"{day:%d.%m.%Y}-{day:%d.%m.%Y}"),
    st.floats(-1e12, 1e12).map(repr),
    st.floats(-1e12, 1e12).map("{:,.2f}".format),
    st.floats(-180, 180).map("{:+.7f}".format),
    st.integers(10**9, 10**14).map(str),
    st.integers(10**9, 10**12).map("{:,}".format),
    st.integers(10**9, 10**12).map(lambda n: f"{n:,}".replace(",", " ")),
    st.uuids().map(str),
    st.ip_addresses().map(str),
    st.tuples(*[st.integers(0, 99)] * 4).map("{0[0]}.{0[1]}.{0[2]}.{0[3]}".format),
    digits(9).map(lambda n: isbn.format("978" + n + "0")),
    digits(9).map(with_inn),
    digits(10).map(with_inn),
    digits(9).map(lambda n: f"{n[:3]}-{n[3:6]}-{n[6:]} {snils_check(n)}"),
    digits(13).map(lambda n: with_luhn("22" + n)),
)


@settings(max_examples=500)
@given(st.lists(look_alikes, min_size=1, max_size=3).map(", ".join))
def test_look_alikes_are_left(text: str) -> None:
    assert our_numbers(f"See {text} there.") == []


piece = st.builds(
    "{}{}".format,
    st.text("0123456789", min_size=1, max_size=12),
    st.sampled_from([" ", "-", ".", "", " - ", ",", ") ", " (", "\xa0", "/", ":"]),
)


@settings(max_examples=500)
@given(
    st.sampled_from(["", "+7", "+1", "(", "8 9", "тел. ", "phone ", "мир "]),
    st.lists(piece, min_size=1, max_size=6).map("".join),
)
def test_all_that_is_found_is_possible(first: str, rest: str) -> None:
    for number in our_numbers(first + rest):
        digits = "".join(filter(str.isdigit, number))
        if (number[:1] == "+" and digits[:1] not in "17") or digits[-10] in "56":
            continue  # countries and Russian area codes that nobody has
        parsed = [phonenumbers.parse(number, region) for region in ("RU", "US")]
        assert any(map(phonenumbers.is_possible_number, parsed)), number
