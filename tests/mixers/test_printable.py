"""Text from outside is fit to be printed, and JSON keeps its values."""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixers.printable import escaped_json, one_line, printable

MARKS = "\u061c\u200e\u200f"
any_text = st.text(
    st.characters(codec=None) | st.sampled_from("\x1b\x9b\x07\r\n\t\x7f\u202e\u2066\u2028\ud800")
)


def is_harmful(character: str) -> bool:
    """Whether a terminal may do something else than show it, by Unicode's own tables."""
    kind, direction = unicodedata.category(character), unicodedata.bidirectional(character)
    turns = direction in {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"} or character in MARKS
    return kind in {"Cc", "Cs", "Zl", "Zp"} or turns


@given(any_text)
def test_nothing_harmful_is_left_and_all_else_stays(text):
    shown = printable(text)
    assert len(shown) == len(text)
    for before, after in zip(text, shown, strict=True):
        assert not is_harmful(after) or after in "\n\t"
        assert after == before or is_harmful(before)
    assert printable(shown) == shown


@given(any_text)
def test_a_name_stays_on_its_line(text):
    assert not set(one_line(text)) & set("\n\t\r")
    assert one_line(text.replace("\n", "").replace("\t", "")) == printable(
        text.replace("\n", "").replace("\t", "")
    )


def test_control_characters_are_seen_as_what_they_are():
    assert printable("a\x1b[2Jb\x07\x7f") == "a␛[2Jb␇␡"
    assert one_line("a\nb") == "a␊b"


@given(st.dictionaries(any_text, any_text | st.lists(any_text)))
def test_escaped_json_is_the_same_value(value):
    written = escaped_json(json.dumps(value, ensure_ascii=False))
    assert json.loads(written) == value
    assert not any(is_harmful(character) for character in written)


@pytest.mark.parametrize("text", ["naïve", "русский", "日本語", "👩‍🔬", "שלום", "a\tb\nc"])
def test_text_of_any_script_stays(text):
    assert printable(text) == text
