"""Line ends: against a plain reference, and the verdicts that must not hang on them."""

from __future__ import annotations

import re

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from filters.edits.edits import EDITS, make_edits, with_normal_lines
from filters.edits.normalize_lines import normalize
from filters.quality.rules import PRESETS, all_failed, first_failed, preset
from filters.quality.signals import compute_signals, families_of
from tests.filters.strategies import documents

BREAK = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
TRAILING = re.compile("[\\s\x1c-\x1f\u200b\u2060\ufeff]+\\Z")


def reference(text: str) -> str:
    text = text.replace("\0", "").lstrip("\ufeff")
    return "\n".join(TRAILING.sub("", line) for line in BREAK.sub("\n", text).split("\n"))


def normal(text: str) -> str:
    return normalize(pa.array([text], pa.large_string())).texts.to_pylist()[0]


BREAKS = ["\n", "\r", "\r\n", "\r\r\n", "\r\0\n", "\x0b", "\x0c", "\x85", "\u2028", "\u2029"]
BLANKS = [" ", "  ", "\t", "\xa0", "\u3000", "\x1c", "\u200b", "\u2060", "\ufeff", "\0"]
ends = st.sampled_from([*BREAKS, *BLANKS, "a", "я", "漢", "…", "Å"])
line_ends = st.lists(st.one_of(ends, ends, st.text(max_size=3)), max_size=30).map("".join)
long_lines = st.builds("{}{}{}".format, st.text("aя漢 ", min_size=50, max_size=150), ends, line_ends)
texts = st.one_of(line_ends, long_lines, documents).map(lambda text: text.encode("utf-8", "replace").decode())


@settings(max_examples=300)
@example("\ufeff\0\ufeffOne. \0\r\0\nTwo.\u200b \u2028\ufeff")
@given(texts)
def test_normal_is_what_the_reference_says(text: str) -> None:
    assert normal(text) == reference(text)


@given(texts)
def test_normal_lines_stay(text: str) -> None:
    once = normal(text)
    edited = normalize(pa.array([once], pa.large_string()))
    assert edited.texts.to_pylist() == [once]
    assert set(edited.counts.values()) == {0}


@given(st.lists(texts, max_size=5), st.integers(0, 3))
def test_documents_are_normalised_apart(column: list[str], skipped: int) -> None:
    for array in (
        pa.array(column, pa.string())[skipped:],
        pa.chunked_array([column[skipped:], []], pa.large_string()),
    ):
        edited = normalize(array)
        edited.texts.validate(full=True)
        assert edited.texts.type == pa.large_string()
        assert edited.texts.to_pylist() == [reference(text) for text in column[skipped:]]


def test_what_was_done_is_counted() -> None:
    edited = normalize(pa.array(["\ufeffa \r\nb\0\n", "c\rd\t\u2028", "clean\n"]))
    assert edited.texts.to_pylist() == ["a\nb\n", "c\nd\n", "clean\n"]
    assert edited.counts == {"line_breaks": 3, "trailing_blanks": 2, "nulls": 1, "byte_order_marks": 1}


def test_code_keeps_its_indentation() -> None:
    assert normal("def f():\r\n\tif x:\r\n\t\treturn 1  \r\n") == "def f():\n\tif x:\n\t\treturn 1\n"


SENTENCES = (
    "It was a bright cold day in April, and the clocks were striking thirteen.",
    "He did not look up",
    "- Yes",
    "Это был холодный ясный день, и часы били тринадцать раз подряд.",
    "— Да, — сказал он…",
    "",
    "Menu | Home",
)
ENDS = ("\n", "\r\n", "\r", " \n", "\t\r\n", "\xa0\n", "\u200b\n", "\u2028", "\x85", "\0\n")
RULES = tuple(rule for name in PRESETS if name != "bad_words" for rule in preset(name, {}))


@settings(max_examples=30)
@given(st.lists(st.sampled_from(SENTENCES), min_size=1, max_size=40))
def test_no_verdict_hangs_on_line_ends(lines: list[str]) -> None:
    for edits in ([], ["c4_lines"]):
        edited = pa.array([end.join(lines) for end in ENDS], pa.large_string())
        for edit in with_normal_lines(make_edits(edits)):
            edited = edit.apply(edited).texts
        signals = compute_signals(edited, families=families_of([rule.signal for rule in RULES]))
        assert len(set(first_failed(signals, RULES).to_pylist())) == 1
        assert set(all_failed(signals, RULES).values()) <= {0, len(ENDS)}


def named(edits: list[str]) -> list[str]:
    return [edit.name for edit in with_normal_lines(make_edits(edits))]


@pytest.mark.parametrize(
    ("edits", "made"),
    [
        ([], ["normalize_lines"]),
        (["mask_pii", "fix_encoding"], ["normalize_lines", "mask_pii", "fix_encoding"]),
        (["fix_encoding", "c4_lines"], ["fix_encoding", "normalize_lines", "c4_lines"]),
        (["mask_pii", "normalize_lines"], ["mask_pii", "normalize_lines"]),
    ],
)
def test_lines_are_normalised_first_but_behind_repairs_of_encodings(
    edits: list[str], made: list[str]
) -> None:
    assert named(edits) == made


def test_mojibake_at_line_ends_is_repaired_all_the_same() -> None:
    """`Р`, `х` and `à` read as Latin-1 end with what looks like a no-break space and a line break."""
    text = "Слух о ХРАХ, сахар х\nПустых РАХ Р\nvoilà\nи так далее"
    column = pa.array([text.encode().decode("latin-1")], pa.large_string())
    for edit in with_normal_lines((EDITS["fix_encoding"](),)):
        column = edit.apply(column).texts
    assert column.to_pylist() == [text]
