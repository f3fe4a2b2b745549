"""Long texts in pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.synthesis.chunks import chunk_spans, fenced_blocks

TEXTS = st.lists(
    st.sampled_from(
        ["word", " ", "\n", "\n\n", ". ", "```\n", "~~~\n", "    ", "。", "x = 1\n", "\r\n", "слово"]
    )
    | st.text(max_size=5),
    max_size=60,
).map("".join)


def pieces(text: str, longest: int) -> list[str]:
    return [text[start:end] for start, end in chunk_spans(text, longest)]


@given(TEXTS, st.integers(1, 60))
def test_pieces_are_the_whole_text_and_none_is_too_long_or_empty(text, longest):
    found = pieces(text, longest)
    assert "".join(found) == text
    assert all(0 < len(piece) <= longest for piece in found)
    assert (len(found) == 1) == (0 < len(text) <= longest)


@given(st.lists(st.text("abc. ", min_size=2, max_size=30).map(lambda text: f"a{text}z"), min_size=2))
def test_paragraphs_that_fit_are_not_cut(paragraphs):
    text = "\n\n".join(paragraphs)
    edges = set()
    at = 0
    for paragraph in paragraphs:
        at += len(paragraph) + 2
        edges.add(at)
    assert {end for _, end in chunk_spans(text, 40)} <= edges | {len(text)}


CODE = "```python\n" + "\n\n".join(f"value_{n} = {n}. \n" for n in range(5)) + "```\n"


@given(st.lists(st.sampled_from(["A sentence of prose.\n", "Another one. And more\n\n", CODE]), min_size=2))
def test_code_blocks_that_fit_are_not_cut(parts):
    assert len(CODE) < 150
    for piece in pieces("".join(parts), 150):
        assert piece.count("```") % 2 == 0


@pytest.mark.parametrize("opening, closing", [("~~~~", "~~~~~"), ("  ```py", "  ```"), ("````", "````  ")])
def test_a_block_ends_with_its_own_fence(opening, closing):
    block = f"{opening}\n" + "```x\n~~~ text\n\nmore\n" + f"{closing}\n"
    text = "Prose before it.\n\n" + block + "\nProse after it.\n" * 3
    assert any(block in piece for piece in pieces(text, 60))


def test_blocks_are_found_with_all_that_is_in_them():
    text = "a\n```py\nx\n\n~~~\n```\n```\ny\n```\n~~~~\n~~~\nz\n~~~~ \nb\n  ```\nopen\n"
    assert fenced_blocks(text) == ["x\n\n~~~\n", "y\n", "~~~\nz\n", "open\n"]
    assert fenced_blocks("no `code` here") == []


def test_a_block_longer_than_a_piece_is_cut_between_its_lines():
    block = "```\n" + "some code\n" * 50 + "```\n"
    assert all(piece.endswith("\n") for piece in pieces(block, 60))


def test_a_long_line_is_cut_after_sentences_then_spaces_then_anywhere():
    assert pieces("One two three. Four five six seven", 20) == ["One two three. ", "Four five six seven"]
    assert pieces("Он сказал: «Да.» Потом ушёл домой", 20)[0] == "Он сказал: «Да.» "
    assert pieces("one two three four five six", 20)[0] == "one two three four "
    assert pieces("第一句话。第二句话没有完", 8)[0] == "第一句话。"
    assert pieces("a" * 25, 10) == ["a" * 10, "a" * 10, "a" * 5]


def test_a_tail_is_not_tiny():
    assert [len(piece) for piece in pieces("a" * 101, 100)] == [91, 10]
    text = "A sentence of a paragraph.\n" * 37 + "\nEnd."
    *_, before, last = pieces(text, 1_000)
    assert len(last) >= 100
    assert before.endswith("\n")


@pytest.mark.parametrize(
    "piece", ["a", " ", "\n", ".", "`", "~", '."', "```\n", ".\u2028", "a\n\n", ") ", "\r"]
)
def test_hostile_texts_are_cut_in_linear_time(piece):
    text = piece * (1_000_000 // len(piece))
    assert "".join(pieces(text, 6_000)) == text


def test_a_piece_has_at_least_one_character():
    with pytest.raises(ValueError, match="at least one character"):
        chunk_spans("text", 0)
