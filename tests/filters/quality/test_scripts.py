"""Shares of scripts and mixed words against a slow reference by the names of characters."""

from __future__ import annotations

import unicodedata
from collections import Counter

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.quality.scripts import SCRIPTS, script_table
from filters.quality.signals import compute_signals
from tests.filters.sentences import SENTENCES
from tests.filters.strategies import documents

NAMES = {
    "LATIN": "latin",
    "FULLWIDTH LATIN": "latin",
    "SUPERSCRIPT LATIN": "latin",
    "CYRILLIC": "cyrillic",
    "GREEK": "greek",
    "CJK": "han",
    "HIRAGANA": "kana",
    "KATAKANA": "kana",
    "KATAKANA-HIRAGANA": "kana",
    "HALFWIDTH KATAKANA-HIRAGANA": "kana",
    "HALFWIDTH KATAKANA": "kana",
    "HENTAIGANA": "kana",
    "HANGUL": "hangul",
    "HALFWIDTH HANGUL": "hangul",
    "ARABIC": "arabic",
    "HEBREW": "hebrew",
    "DEVANAGARI": "devanagari",
    "THAI": "thai",
}
SPECIAL = {
    "\u00aa": "latin",
    "\u00ba": "latin",
    "\u017f": "latin",
    "\u212a": "latin",
    "\u212b": "latin",
    "\u2126": "greek",
    "\u037a": "greek",
    "\u3005": "han",
    "\u3006": "han",
}
"""Letters whose names do not start with a script: ordinals, long s, Kelvin, Ångström, Ohm and the like."""


def script(character: str) -> str | None:
    """The script of a letter; None for what is no letter."""
    if unicodedata.category(character)[0] != "L":
        return None
    if character in SPECIAL:
        return SPECIAL[character]
    name = unicodedata.name(character, "")
    if name.startswith("MODIFIER LETTER"):  # Names without a script; taken as they are.
        return SCRIPTS[script_table()[ord(character)] - 1]
    named = next((script for start, script in NAMES.items() if name.startswith(f"{start} ")), None)
    return named or ("han" if name.startswith("CJK") else "other")


def reference(text: str) -> dict[str, float]:
    found = Counter(filter(None, map(script, text)))
    letters = found.total() or 1
    shares = {f"script_{name}": found[name] / letters for name in SCRIPTS}
    ranked = sorted((found + Counter(han=found["kana"]) - Counter(kana=found["kana"])).values())
    words = "".join(
        c if unicodedata.category(c)[0] in "LM" or unicodedata.category(c) == "Cf" else " " for c in text
    ).split(" ")
    mixed = [set(map(script, word)) for word in words]
    return {
        **shares,
        "second_script_share": ranked[-2] / letters if len(ranked) > 1 else 0,
        "mixed_script_words": sum("cyrillic" in word and bool(word & {"latin", "greek"}) for word in mixed),
    }


def signals(text: str) -> dict[str, float]:
    return compute_signals(pa.array([text], pa.large_string()), families=["scripts"]).to_pylist()[0]


def test_every_letter_has_the_script_of_its_name() -> None:
    table = script_table()
    for point in range(0x110000):
        expected = script(chr(point))
        found = SCRIPTS[table[point] - 1] if table[point] not in (0, 255) else None
        assert found == expected, f"U+{point:04X}"


@given(text=documents)
def test_signals_are_those_of_the_reference(text: str) -> None:
    assert signals(text) == pytest.approx(reference(text))


@given(text=st.text(st.sampled_from("abcабвαβγ漢かカ한ا1 -'\u0301\u200d\u00ad😀"), max_size=80))
def test_mixtures_of_scripts_are_those_of_the_reference(text: str) -> None:
    assert signals(text) == pytest.approx(reference(text))


@pytest.mark.parametrize(
    ("language", "name"),
    [
        ("en", "latin"),
        ("tr", "latin"),
        ("ru", "cyrillic"),
        ("uk", "cyrillic"),
        ("el", "greek"),
        ("zh", "han"),
        ("ko", "hangul"),
        ("ar", "arabic"),
        ("he", "hebrew"),
        ("hi", "devanagari"),
        ("th", "thai"),
        ("ka", "other"),
    ],
)
def test_sentences_are_in_their_script(language: str, name: str) -> None:
    for text in SENTENCES[language]:
        found = signals(text)
        assert found[f"script_{name}"] == 1
        assert found["second_script_share"] == 0
        assert found["mixed_script_words"] == 0


def test_japanese_is_not_mixed() -> None:
    found = signals(SENTENCES["ja"][0])
    assert found["script_han"] > 0.2
    assert found["script_kana"] > 0.4
    assert found["second_script_share"] == 0


def test_passages_in_another_language_show() -> None:
    found = signals(f"{SENTENCES['ru'][0]} {SENTENCES['en'][0]} {SENTENCES['ru'][1]}")
    assert 0.25 < found["second_script_share"] < 0.4
    assert found["mixed_script_words"] == 0


def test_homoglyphs_are_counted() -> None:
    # Latin `a`, `o`, `e`; the last word is honest, and so are the compound and the soft-hyphenated one.
    text = "Пpивет, мoй дорогoй дрyг, как дела? USB-кабель, е\u00adж"
    assert signals(text)["mixed_script_words"] == 4


@pytest.mark.parametrize("text", ["", "12345 !!! 😀👍🏽", "\u200b\u200d\ufeff", "\u0301" * 50, "\0\t\n"])
def test_texts_without_letters_have_no_script(text: str) -> None:
    assert set(signals(text).values()) == {0}


def test_ten_megabytes_of_one_character() -> None:
    for character, name in (("я", "cyrillic"), ("a", "latin"), ("漢", "han"), ("!", None), ("😀", None)):
        found = signals(character * (10_000_000 // len(character.encode())))
        assert [key for key, value in found.items() if value] == ([f"script_{name}"] if name else [])
