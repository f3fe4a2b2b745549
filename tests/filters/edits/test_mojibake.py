"""Mojibake is found and repaired; nothing else is touched."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.edits.mojibake import repair, suspicious
from tests.filters.strategies import documents

RUSSIAN = "Привет, мир! Это проверка — «кавычки», «ёлки» и Россия. Рыба в лесу №5."
MISREADINGS = ("windows-1252", "latin-1", "windows-1251", "koi8-r", "cp866", "mac-cyrillic")
WESTERN = "L’été à Zürich: 5 £, 20 °C — “señor” François naïve."


def misread(text: str, encoding: str) -> str:
    """UTF-8 taken for another encoding; its undefined bytes become controls, as browsers do it."""
    return "".join(
        bytes([byte]).decode(encoding) if _defined(byte, encoding) else chr(byte) for byte in text.encode()
    )


def _defined(byte: int, encoding: str) -> bool:
    try:
        return bool(bytes([byte]).decode(encoding))
    except UnicodeDecodeError:
        return False


def repaired(text: str) -> str:
    return repair(pa.array([text])).texts.to_pylist()[0]


@pytest.mark.parametrize("encoding", MISREADINGS)
def test_russian_is_repaired_from_whatever_it_was_taken_for(encoding):
    wrong = misread(RUSSIAN, encoding)
    assert repaired(wrong) == RUSSIAN
    assert repaired(wrong.replace("\u00a0", " ")) == RUSSIAN
    around = "Верное начало {} и верный конец.\nСтрока без ошибок."
    assert repaired(around.format(wrong)) == around.format(RUSSIAN)


@pytest.mark.parametrize("encoding", ["windows-1252", "latin-1", "windows-1250", "macroman"])
def test_western_text_is_repaired(encoding):
    text = WESTERN if encoding != "windows-1250" else "doesn’t — “quoted”"
    assert repaired(misread(text, encoding)) == text


def test_controls_are_read_as_windows_1252():
    assert repaired("\x93Hello\x94 \x85 it\x92s") == "“Hello” … it’s"


@pytest.mark.parametrize(
    "text",
    [
        RUSSIAN,
        WESTERN,
        "С…С…Саша, П…П…Петя, Р…Р…Р…",
        "СССР» и МВД… «ТАСС», «ГАЗПРОМ» В\u00a0России 5\u00a0°С",
        "„Spaß“ CAFÉ” Âge «Âme» ŠKODA „ČESKÁ“",
        "┌─┬─┐\n├─┼─┤ ░▒▓",
        "Ελληνικά «ΓΕΙΑ», עברית, العربية, 漢字, हिन्दी, 👍🏽",
        "“curly” ‘quotes’ ﬁ ligature ＦＵＬＬ width &amp; e\u0301",
        "",
    ],
)
def test_what_is_right_stays(text):
    assert repaired(text) == text


@given(st.lists(documents, max_size=4))
def test_only_suspicious_texts_change_and_ascii_is_never_suspicious(texts):
    texts = [text.encode("utf-8", "replace").decode() for text in texts]
    array = pa.array(texts, pa.large_string())
    flags = suspicious(array)
    result = repair(array)
    assert result.texts.type == pa.large_string()
    for text, flag, new in zip(texts, flags, result.texts.to_pylist(), strict=True):
        assert flag or new == text
        assert not (flag and text.isascii())
        assert repaired(text) == new


@given(st.text(alphabet=st.characters(codec="latin-1"), max_size=300))
def test_any_bytes_read_as_latin_1_are_survived(text):
    new = repaired(text)
    assert new.encode() and new.count("\n") == text.count("\n") if text else new == ""


def test_long_hostile_lines_take_linear_time():
    for piece in ("Ã©", "Ð", "Рё", "РёР", "п©я", "â€", "Â ", "\x85", "в„", "—А"):
        text = piece * (2_000_000 // len(piece))
        assert isinstance(repaired(text), str)
