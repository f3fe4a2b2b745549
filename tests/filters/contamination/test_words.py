from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.contamination.words import CLAUSE, NUMBER, QUOTED, SENTENCE, UNIT, find_words, word_tables
from tests.filters.strategies import documents


class Word(NamedTuple):
    text: str
    hash: int
    flags: int


def words(text: str, before: bytes = b"", behind: bytes = b"") -> list[Word]:
    """The words of a text that stands in a buffer between others."""
    content = text.encode()
    data = np.frombuffer(before + content + behind, dtype=np.uint8)
    units = np.empty(len(content) + 1, dtype=UNIT)
    points = np.empty(64, dtype=np.uint32)
    begin = len(before)
    count = find_words(data, begin, begin + len(content), word_tables(), points, units)
    assert count <= len(content)
    return [
        Word(content[unit["start"] : unit["end"]].decode(), int(unit["hash"]), int(unit["flags"]))
        for unit in units[:count]
    ]


def hashes(text: str) -> list[int]:
    return [word.hash for word in words(text)]


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("The CAFÉ", "the cafe"),
        ("don't won’t rock`n", "dont wont rockn"),
        ("80,000 1,234,567 1'000", "80000 1234567 1000"),
        ("Ｆｕｌｌ　ｗｉｄｔｈ １６", "full width 16"),
        ("ze\u200bro wi\u00addth \ufeffmark e\u0301", "zero width mark e"),
        ("dogs cats' boxes ponies houses", "dog cat boxe pony house"),
        ("красная красный красные", "красн красн красн"),
        ("яблоками яблоках яблоки", "яблок яблок яблок"),
        ("Ёлка", "елка"),
        ("sсhооl pеаce", "school peace"),  # some letters Cyrillic
        ("мoлoкo xлeб", "молоко хлеб"),  # some letters Latin
        ("аррlе", "apple"),  # most letters Cyrillic, but none looks like an l
        ("карта карты картой", "карт карт карт"),  # in the stem all look Latin, in the endings not
        ("x == y", "x = y"),
        ("a^^b", "a ^ b"),
    ],
)
def test_the_same_in_other_writing(text, same):
    assert hashes(text) == hashes(same)


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("80,000", "80,00"),
        ("3.14", "3.15"),
        ("3.14", "314"),
        ("1 2", "12"),
        ("glass", "glas"),  # no plural
        ("bus", "bu"),
        ("a+b", "a-b"),
        ("x ∈ y", "x ∉ y"),
        ("дом", "том"),
        ("слон", "слан"),
        ("a" * 64, "a" * 63),
        ("abcdefghijklmnop", "abcdefghijklmnopq"),
        ("пять", "шесть"),
    ],
)
def test_other_words(text, other):
    assert hashes(text) != hashes(other)


def test_a_number_is_one_word():
    found = words("80,000 of 3.14 x2 12.")
    assert [word.text for word in found] == ["80,000", "of", "3.14", "x2", "12"]
    assert [bool(word.flags & NUMBER) for word in found] == [True, False, True, False, True]


def test_characters_without_spaces_are_words_of_their_own():
    assert [word.text for word in words("小明有16个")] == ["小", "明", "有", "16", "个"]
    assert len(words("ไทย")) == 3


def test_flags_tell_what_stands_before_a_word():
    found = words('One two, three: four (five). Six "seven eight" nine\nten «eleven» twelve')
    flags = {word.text: word.flags for word in found}
    sentence = {"One", "Six", "ten"}
    assert {text for text, flag in flags.items() if flag & SENTENCE} == sentence
    assert {text for text, flag in flags.items() if flag & CLAUSE} == {"four", "five", "seven", "nine"} | (
        {"Six", "eleven", "twelve"}
    )
    assert {text for text, flag in flags.items() if flag & QUOTED} == {"seven", "eight", "eleven"}


def test_an_open_quotation_mark_ends_with_its_paragraph():
    assert [word.flags & QUOTED for word in words('"open\nstill\n\nclosed')] == [QUOTED, QUOTED, 0]


surroundings = st.sampled_from([b"", b"a", b" ", b"'s", "é".encode(), b"7", b".", b"x" * 70, b" " * 70])


@given(
    word=st.text(st.sampled_from("abcdeiosuyzABESXY"), min_size=1, max_size=20),
    before=surroundings,
    behind=surroundings,
    end=st.sampled_from(["", " ", ".", ", ", "-", "\n", " tail" * 20]),
)
def test_a_word_is_the_same_wherever_it_stands(word, before, behind, end):
    """Near the end of the buffer words are read letter by letter, elsewhere many at once."""
    (alone,) = words(word)
    first = words(word + end, before, behind)[0]
    assert (first.text, first.hash) == (word, alone.hash)


@given(documents)
def test_words_are_pieces_of_the_text(text):
    data = text.encode()
    content = np.frombuffer(data + bytes(80), dtype=np.uint8)
    for buffer in (content, content[: len(data)]):
        units = np.empty(len(data) + 1, dtype=UNIT)
        count = find_words(buffer, 0, len(data), word_tables(), np.empty(64, np.uint32), units)
        end = 0
        for unit in units[:count]:
            assert end <= unit["start"] < unit["end"] <= len(data)
            end = unit["end"]
            data[unit["start"] : end].decode()
            data[:end].decode()


@given(documents, surroundings, surroundings)
def test_words_do_not_depend_on_what_stands_around_the_document(text, before, behind):
    assert words(text, before, behind) == words(text)
