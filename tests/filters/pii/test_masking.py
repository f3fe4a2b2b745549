"""Masks against a slow reference, on planted items, and on hostile text."""

from __future__ import annotations

import re
import string
from random import Random

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.pii.kinds import ALL, KINDS
from filters.pii.masking import mask_pii
from filters.quality.signals import compute_signals
from tests.filters.pii import reference
from tests.filters.pii.numbers import snils_check, with_inn, with_luhn
from tests.filters.strategies import texts

MASKS = {kind.name: kind.mask for kind in KINDS}


def mask(text: str) -> str:
    return mask_pii(pa.array([text], pa.large_string())).texts.to_pylist()[0]


def digits(size: int, first: str = "0123456789") -> st.SearchStrategy[str]:
    rest = st.text("0123456789", min_size=size - 1, max_size=size - 1)
    return st.builds("{}{}".format, st.sampled_from(first), rest)


def grouped(number: str, sizes: tuple[int, ...], separator: str) -> str:
    pieces = []
    for size in sizes:
        pieces.append(number[:size])
        number = number[size:]
    return separator.join(pieces)


BASE62 = string.ascii_letters + string.digits
random_key = st.integers(0, 2**32).map(lambda seed: "".join(Random(seed).sample(BASE62, 62)))
words = st.text(string.ascii_lowercase, min_size=2, max_size=9)
emails = st.builds(
    "{}.{}{}@{}.{}".format,
    words,
    words,
    st.integers(0, 99),
    words,
    st.sampled_from(["com", "ru", "co.uk", "museum"]),
)
ips = st.one_of(
    st.builds(
        "{}.{}.{}.{}".format,
        st.integers(11, 99),
        st.integers(32, 255),
        st.integers(0, 255),
        st.integers(0, 255),
    ),
    st.builds("2a0{:x}:{:x}:{:x}::{:x}".format, *[st.integers(1, 15)] + [st.integers(1, 65535)] * 3),
)
phones = st.one_of(
    st.builds(
        lambda number, form: form.format(number[:3], number[3:6], number[6:8], number[8:]),
        digits(10, "3489"),
        st.sampled_from(
            ["+7 ({}) {}-{}-{}", "8 ({}) {}-{}-{}", "8-{}-{}-{}-{}", "+7{}{}{}{}", "+7 {} {} {} {}"]
        ),
    ),
    st.builds(
        lambda area, exchange, line, form: form.format(area, exchange, line),
        digits(3, "23456789"),
        digits(3, "2346789"),
        digits(4),
        st.sampled_from(["({}) {}-{}", "{}-{}-{}", "+1 {} {} {}", "1-{}-{}-{}", "{}.{}.{}"]),
    ),
    st.builds("+44 20 {} {}".format, digits(4), digits(4)),
)
cards = st.one_of(
    st.builds(lambda n: grouped(with_luhn("4" + n), (4, 4, 4, 4), " "), digits(14)),
    st.builds(lambda n: with_luhn("53" + n), digits(13)),
    st.builds(lambda n: grouped(with_luhn("2202" + n), (4, 4, 4, 4), "-"), digits(11)),
    st.builds(lambda n: grouped(with_luhn("37" + n), (4, 6, 5), " "), digits(12)),
)
items = st.one_of(
    emails.map(lambda item: ("emails", "", item)),
    ips.map(lambda item: ("ips", "", item)),
    phones.map(lambda item: ("phones", "", item)),
    cards.map(lambda item: ("cards", "", item)),
    st.builds(
        lambda before, item: ("passports", before, item),
        st.sampled_from(["паспорт ", "Паспорт серии ", "серия: "]),
        st.builds("{}{}{} {}".format, digits(2), st.sampled_from(["", " "]), digits(2), digits(6)),
    ),
    st.builds(
        lambda before, number: ("inns", before, with_inn(number)),
        st.sampled_from(["ИНН ", "инн: ", "ИНН организации "]),
        st.one_of(digits(9, "123456789"), digits(10, "123456789")),
    ),
    digits(9, "123456789").map(lambda n: ("snils", "", f"{grouped(n, (3, 3, 3), '-')} {snils_check(n)}")),
    st.builds(
        lambda form, key: ("api_keys", "", form[0] + (key + key)[: form[1]]),
        st.sampled_from(
            [("ghp_", 36), ("github_pat_", 82), ("sk_live_", 24), ("sk-ant-api03-", 95), ("npm_", 36)]
        ),
        random_key,
    ),
    random_key.map(
        lambda key: (
            "private_keys",
            "",
            f"-----BEGIN RSA PRIVATE KEY-----\n{key}\n{key}\n-----END RSA PRIVATE KEY-----",
        )
    ),
)
plain = st.lists(
    st.one_of(
        words,
        st.sampled_from(["Привет,", "мир.", "v1.2.3", "2024-01-15", "12:30", "3.14", "«да»", "漢字", "—"]),
    ),
    max_size=5,
).map(" ".join)


Planted = tuple[str, tuple[str, str, str]]


@given(st.lists(st.tuples(plain, items), min_size=1, max_size=4), plain)
def test_planted_items_are_masked_and_nothing_else(planted: list[Planted], last: str) -> None:
    text = " | ".join([f"{before} ; {context}{item}" for before, (_, context, item) in planted] + [last])
    masks = " | ".join(
        [f"{before} ; {context}{MASKS[kind]}" for before, (kind, context, _) in planted] + [last]
    )
    masked = mask_pii(pa.array([text]))
    assert masked.texts.to_pylist() == [masks]
    assert masked.counts == {name: sum(kind == name for _, (kind, _, _) in planted) for name in ALL}
    assert mask(masks) == masks


pieces = st.one_of(
    items.map(lambda item: item[1] + item[2]),
    items.map(lambda item: item[2][:-1]),
    items.map(lambda item: item[2][1:]),
    items.map(lambda item: re.sub(r"\d", lambda found: str((int(found[0]) + 1) % 10), item[2], count=1)),
    st.text("0123456789 -+().", max_size=16),
    st.sampled_from(
        "@ . - _ + % / : , ( ) < > = ' \" ; | \n тел. паспорт ИНН СНИЛС серия № номер card version phone "
        "ОКПД2 код релизы обновление рис. п. Chrome appVersion сервер IP с from и 3.0.95.36 26.20.15.110 8.3 "
        "token= api_key: <email> <ip> <inn> -----BEGIN".split(" ")
    ),
    words,
)
documents = st.one_of(
    st.lists(st.tuples(pieces, st.sampled_from(["", "", " ", ".", "-", ", "])).map("".join), max_size=8).map(
        "".join
    ),
    texts,
    st.text("0123456789 -+().:@abcdefABCDEF/", max_size=60),
)


@settings(max_examples=200)
@given(documents)
def test_masks_are_those_of_the_reference(text: str) -> None:
    text = text.encode("utf-8", "replace").decode()
    assert mask(text) == reference.mask(text)


@settings(max_examples=200)
@given(documents)
def test_masking_again_changes_nothing(text: str) -> None:
    masked = mask(text.encode("utf-8", "replace").decode())
    assert mask(masked) == masked


@given(st.lists(documents, max_size=6), st.integers(0, 3), st.sets(st.sampled_from(ALL)))
def test_documents_are_masked_apart(column: list[str], skipped: int, kinds: set[str]) -> None:
    column = [text.encode("utf-8", "replace").decode() for text in column]
    array = pa.array(column, pa.string())[skipped:]
    masked = mask_pii(array, kinds)
    assert masked.texts.to_pylist() == [
        mask_pii(pa.array([text]), kinds).texts.to_pylist()[0] for text in column[skipped:]
    ]
    assert masked.texts.type == pa.large_string()
    masked.texts.validate(full=True)
    assert set(masked.counts) == kinds
    everything = mask_pii(array).counts
    table = compute_signals(array, families=["pii"])
    assert {name: sum(table[f"pii_{name}"].to_pylist()) for name in ALL} == everything


def test_unknown_kinds_are_named() -> None:
    with pytest.raises(ValueError, match="shoe_size"):
        mask_pii(pa.array(["x"]), ["emails", "shoe_size"])


HOSTILE = (
    *'@ 1 - . + ( 1- 1. a@ a. @a. +1 2a00: =" sk- eyJ \xa0 \u0301'.split(" "),
    *("1 ", "-----BEGIN ", "-----BEGIN RSA PRIVATE KEY-----\n", "паспорт ", "ИНН 1", "8 (916) "),
)


@pytest.mark.parametrize("piece", HOSTILE)
def test_hostile_text_is_linear(piece: str) -> None:
    """Megabytes of a piece that starts a candidate: a kernel that looks back or ahead too far never ends."""
    assert mask(piece * 500) == reference.mask(piece * 500)
    text = piece * (10_000_000 // len(piece))
    assert mask(text) == text
