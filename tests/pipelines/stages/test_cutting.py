"""Spans cut out of texts: whole sentences go, nothing of a span stays, all else stays as it was."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.stages.contamination.cutting import without_spans

words = st.text("abcdefghиж中é", min_size=1, max_size=6)
numbers = st.sampled_from(["3.5", "v1.2.3", "obj.method", "a.b"])


@st.composite
def texts_with_spans(draw):
    """Sentences that each occur once, with gaps between them, and spans from one to another."""
    bodies = draw(st.lists(st.lists(words | numbers, min_size=1, max_size=6), min_size=1, max_size=8))
    sentences = [
        f"{number}{' '.join(body)}{draw(st.sampled_from(['.', '!', '?', '…', '.”', '?!', '.)']))}"
        for number, body in enumerate(bodies)
    ]
    gaps = [draw(st.sampled_from([" ", "\n", "\n\n", "\n    ", "  "])) for _ in sentences]
    text = ""
    places = []
    for sentence, gap in zip(sentences, gaps, strict=True):
        places.append((len(text), len(text) + len(sentence)))
        text += sentence + gap
    spans = []
    for _ in range(draw(st.integers(1, 3))):
        first = draw(st.integers(0, len(sentences) - 1))
        last = draw(st.integers(first, len(sentences) - 1))
        start = draw(st.integers(places[first][0], places[first][1] - 1))
        end = draw(st.integers(max(start + 1, places[last][0] + 1), max(start + 1, places[last][1])))
        spans.append((start, end))
    return text, sentences, places, spans


@given(texts_with_spans())
def test_whole_sentences_go_and_all_others_stay_in_order(case):
    text, sentences, places, spans = case
    left = without_spans(text, spans)
    untouched = [
        sentence
        for sentence, (first, last) in zip(sentences, places, strict=True)
        if not any(start < last and end > first for start, end in spans)
    ]
    assert left.split() == " ".join(untouched).split()
    assert re.sub(r"\s+", " ", left).strip() == " ".join(" ".join(untouched).split())


@given(texts_with_spans())
def test_what_lies_between_two_sentences_that_stay_is_untouched(case):
    text, sentences, places, spans = case
    left = without_spans(text, spans)
    stays = [not any(start < last and end > first for start, end in spans) for first, last in places]
    for number in range(len(sentences) - 1):
        if stays[number] and stays[number + 1]:
            assert text[places[number][0] : places[number + 1][1]] in left


@given(texts_with_spans(), st.randoms())
def test_neither_the_order_of_spans_nor_their_repetition_matters(case, rng):
    text, _, _, spans = case
    shuffled = [*spans, *spans]
    rng.shuffle(shuffled)
    assert without_spans(text, shuffled) == without_spans(text, spans)


@pytest.mark.parametrize(
    ("text", "cut", "left"),
    [
        ("One. Two. Three.", "Two", "One. Three."),
        ("One. Two. Three.", "wo. Th", "One."),
        ("One. Two.", "One. Two.", ""),
        ("Pi is 3.14159 today. Next.", "14159 today", "Next."),
        ("See os.path.join here. Next.", "join here", "Next."),
        ("Head\n\nOne.\nTwo.\n\nThree.", "Two", "Head\n\nOne.\n\nThree."),
        ("Head\n\nOne.\nTwo.\n\nThree.", "One", "Head\n\nTwo.\n\nThree."),
        ("Head\n\nOne. Two.\nThree.", "One", "Head\n\nTwo.\nThree."),
        ("One.\n\nTwo.\n\nThree.", "Two", "One.\n\nThree."),
        ("a title\nthe span\nthe end", "span", "a title\nthe end"),
        ("def f():\n    a = 1\n    b = 2\n\n\ndef g():\n    c = 3\n", "a = 1", None),
        ("一二三。四五六。七八九。", "五", "一二三。七八九。"),
        ("He said “One.” Then two. Three.", "Then", "He said “One.” Three."),
        ("Он пришёл. Он ушёл… Он спит.", "ушёл", "Он пришёл. Он спит."),
    ],
)
def test_borders(text, cut, left):
    start = text.index(cut)
    if left is None:
        left = "def f():\n    b = 2\n\n\ndef g():\n    c = 3"
    assert without_spans(text, [(start, start + len(cut))]) == left


def test_a_text_without_spans_is_the_same():
    assert without_spans("  One.\n\n\n\nTwo.  ", []) == "  One.\n\n\n\nTwo.  "


def test_a_text_that_is_all_items_is_cut_in_one_go():
    text = "".join(f"Sentence {number} stands here. " for number in range(20_000))
    spans = [(match.start(), match.end()) for match in re.finditer(r"Sentence \d+[1-9] stands", text)]
    left = without_spans(text, spans)
    assert left.count("Sentence") == 20_000 - len(spans)
