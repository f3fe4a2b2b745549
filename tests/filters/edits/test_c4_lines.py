"""C4's line rules against datatrove's filter, sentence count aside."""

from __future__ import annotations

import re

import pyarrow as pa
import pytest
from datatrove.data import Document
from datatrove.pipeline.filters.c4_filters import C4QualityFilter
from hypothesis import assume, given
from hypothesis import strategies as st

from filters.edits.c4_lines import edit_lines
from filters.text.characters import IDEOGRAPH, TERMINAL, character_classes
from tests.filters.strategies import documents


def datatrove(text: str, terminal_punctuation: bool) -> str:
    peer = C4QualityFilter(
        filter_no_terminal_punct=terminal_punctuation,
        min_num_sentences=-1,
        filter_lorem_ipsum=False,
        filter_curly_bracket=False,
    )
    document = Document(text=text, id="0")
    peer.filter(document)
    return document.text


def edit(text: str, terminal_punctuation: bool = True) -> str:
    return edit_lines(pa.array([text], pa.large_string()), terminal_punctuation).texts.to_pylist()[0]


CLASSES = character_classes()
NO_CITATIONS = re.compile(r"\[(0\d*)?\]")


def as_in_english(text: str) -> str:
    """The text without what only we know: marks and scripts beyond English, brackets that cite nothing."""
    kept = [c for c in text if ord(c) < 128 or not CLASSES[ord(c)] & (TERMINAL | IDEOGRAPH)]
    return NO_CITATIONS.sub("", "".join(kept).replace("{", "("))


@given(documents, st.booleans())
def test_lines_are_kept_as_datatrove_keeps_them(text: str, terminal_punctuation: bool) -> None:
    text = as_in_english(text.encode("utf-8", "replace").decode())
    assume("lorem ipsum" not in text.lower() and not NO_CITATIONS.search(text))
    assert edit(text, terminal_punctuation) == datatrove(text, terminal_punctuation)


FOREIGN = """
今天天气很好。
你今天去哪里？
他说：“今天天气很好。”
（今天天气很好。）
「今日は天気がいいですね。」
『どこへ行くの？』
今日は天気がいい｡
全角の文です．
كيف حالك اليوم يا صديقي؟
یہ ایک اچھا دن ہے۔
آج کا دن اچھا ہے۔”
आज का दिन बहुत अच्छा है।
यह अध्याय समाप्त हुआ॥
ይህ ጥሩ ቀን ነው።
Սա լավ օր է։
""".split("\n")[1:-1]


@pytest.mark.parametrize("line", FOREIGN)
def test_sentences_of_all_scripts_stay(line: str) -> None:
    assert edit(line) == line
    assert edit(f"{line[:-1].rstrip('。？．｡؟۔।॥።։')}\n{line}[12]") == line, "no mark, no sentence"


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("今天天气很好", False),
        ("首页。", False),
        ("今天天气很好……", False),
        ("いい天気。", True),
        ("今" * 2000 + "。", True),
        ("今" * 500 + "x" * 1001 + "。", False),
        ("He said “it is so.”", False),
    ],
)
def test_letters_count_in_scripts_without_spaces(line: str, kept: bool) -> None:
    assert edit(line) == (line if kept else "")


@pytest.mark.parametrize("line", ["กรุงเทพมหานคร", "今天天气很好", "ຂໍຂອບໃຈ"])
def test_lines_without_spaces_are_not_too_short(line: str) -> None:
    assert edit(line, terminal_punctuation=False) == line


@pytest.mark.parametrize("line", ["Take array[0] of the int[] list.", "Sort x[0][0] and y[00] at once."])
def test_indices_are_no_citations(line: str) -> None:
    assert edit(line) == line


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("This is a line.", "This is a line."),
        ("  This is a line!  ", "This is a line!"),
        ("This is a line", ""),
        ("This is a line...", ""),
        ("Two words.", ""),
        ("A fact that is known.[12][citation needed]", "A fact that is known."),
        ("[1] A fact that is known.", "A fact that is known."),
        ("Please enable JavaScript to continue.", ""),
        ("We use cookies on this site.", ""),
        ("We use cookies { on this site.", "We use cookies { on this site."),
        ("Lorem ipsum JavaScript dolor.", "Lorem ipsum JavaScript dolor."),
        ("A line with " + "x" * 1001 + ".", ""),
    ],
)
def test_each_rule(line: str, kept: str) -> None:
    assert edit(line) == kept


def test_lines_are_conserved() -> None:
    texts = pa.array(
        ["One two three.\nNo end\nshort.\n\nUse of cookies is fine.", "", "No\rEnd\r\nHere it is."]
    )
    edited = edit_lines(texts)
    counts = dict(edited.counts)
    assert edited.texts.to_pylist() == ["One two three.", "", "Here it is."]
    assert counts.pop("citations") == 0
    assert counts.pop("lines") == sum(counts.values()) == 8
