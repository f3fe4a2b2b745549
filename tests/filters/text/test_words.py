from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given

from filters.text.words import find_words, word_space, word_tables
from tests.filters.strategies import documents


def split(text: str, whitespace: bool = False) -> list[str]:
    data = np.frombuffer(text.encode(), dtype=np.uint8)
    words = find(data, [0, len(data)], whitespace)[0]
    found = [bytes(data[word["start"] : word["end"]]).decode() for word in words]
    assert [len(word) for word in found] == words["length"].tolist()
    return found


def find(data: np.ndarray, bounds: list[int], whitespace: bool = False) -> list[np.ndarray]:
    """The words of each document between two neighbours of `bounds`."""
    offsets = np.array(bounds)
    space = word_space(len(data))
    first = np.empty(len(offsets), dtype=np.int64)
    find_words(data, offsets[:-1], offsets[1:], word_tables(), whitespace, *space, first)
    return [space.words[begin:end] for begin, end in pairwise(first)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Hello, world!", "Hello , world !"),
        ("They'd've said: don't.", "They 'd 've said : do n't ."),
        ("cannot gonna", "can not gon na"),
        ("user-id cannot-do", "user - id cannot - do"),
        ("(see above): yes", "( see above ): yes"),
        ("e.g. the U.S. and Ph.D. at 10a.m.", "e.g. the U.S. and Ph.D. at 10 a.m."),
        ("It costs US$5, 20€ or 50%.", "It costs US$ 5 , 20 € or 50 % ."),
        ("5km 3-day 1-2 10MB", "5 km 3 - day 1 - 2 10 MB"),
        ("well-known and/or either/or x=y", "well - known and/or either / or x = y"),
        ("wait... what?! no..", "wait ... what ? ! no .."),
        ("end.Start a.b 1,000 a,b", "end . Start a.b 1,000 a , b"),
        ("James' dog's 'quoted'", "James ' dog 's ' quoted '"),
        ("see http://example.com/a?b=c, me@mail.org", "see http://example.com/a?b=c , me@mail.org"),
        ("www.x.co.uk:8080/path (https://a.io)", "www.x.co.uk:8080/path ( https://a.io )"),
        ("a -- b—c d–e", "a -- b — c d – e"),
        ("«Привет», — сказал он…", "« Привет » , — сказал он …"),
        ("что-то т.е. 5кг", "что - то т.е . 5 кг"),
        (":-) ok :) foo:)", ":-) ok :) foo :)"),
        ("hi👍🏽there ©2024", "hi 👍 🏽there © 2024"),
        ("°C. 20°C.", "° C . 20 ° C ."),
        ("漢字かな。次", "漢字かな。次"),
    ],
)
def test_unicode_words_follow_the_affix_rules(text: str, words: str) -> None:
    assert split(text) == words.split()


@given(documents)
def test_unicode_words_are_the_text_without_white_space(text: str) -> None:
    text = text.encode("utf-8", "replace").decode()
    words = split(text)
    assert "".join(words) == "".join(text.split())
    assert all(words)


@given(documents)
def test_whitespace_words_are_those_of_str_split(text: str) -> None:
    text = text.encode("utf-8", "replace").decode()
    assert split(text, whitespace=True) == text.split()


@given(documents)
def test_what_is_remembered_is_what_is_found(text: str) -> None:
    data = np.frombuffer((text * 2).encode("utf-8", "replace"), dtype=np.uint8)
    first, again = find(data, [0, len(data) // 2, len(data)])
    assert first.tolist() == again.tolist()


@pytest.mark.parametrize("space", [" ", "\n", "\x1f", "\x85", "\xa0", "\u2028", "\u3000"])
@pytest.mark.parametrize("before", range(58, 68))
def test_white_space_across_the_blocks_of_64_bytes(space: str, before: int) -> None:
    text = "x" * before + space + "y," + space * 40 + "é" * 70 + space
    assert split(text, whitespace=True) == text.split()
    assert split(text + "z" * 64, whitespace=True) == (text + "z" * 64).split()


@pytest.mark.parametrize(
    "character", ["!", ")", "(", ".", "'", "─", "👍", "\u200b", "\u0301", "@", "-", "a@", "a.", "/"]
)
def test_long_runs_are_split_completely(character: str) -> None:
    text = character * 200_000
    assert "".join(split(text)) == text


def test_bytes_that_are_not_utf8_do_not_crash() -> None:
    data = np.frombuffer(b"\xff\xfe ok \xed\xa0\x80 \xf0\x9f end\xc3", dtype=np.uint8)
    words = find(data, [0, len(data)])[0]
    assert 0 < len(words) <= len(data)
    assert words["end"].max() <= len(data)
