"""C4's line rules against datatrove's filter, sentence count aside."""

from __future__ import annotations

import pyarrow as pa
import pytest
from datatrove.data import Document
from datatrove.pipeline.filters.c4_filters import C4QualityFilter
from hypothesis import given
from hypothesis import strategies as st

from filters.edits.c4_lines import edit_lines
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


@given(documents, st.booleans())
def test_lines_are_kept_as_datatrove_keeps_them(text: str, terminal_punctuation: bool) -> None:
    text = text.encode("utf-8", "replace").decode().replace("{", "(")
    if "lorem ipsum" in text.lower():
        return
    assert edit(text, terminal_punctuation) == datatrove(text, terminal_punctuation)


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
