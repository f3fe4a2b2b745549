"""Boilerplate against a slow, obvious reference."""

from __future__ import annotations

import re
from collections import defaultdict

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.dedup.boilerplate import Boilerplate, document_keys
from filters.text.folding import DROPPED, IDEOGRAPH, SEPARATOR, word_folding
from tests.filters.strategies import documents

FOLDING = word_folding()
LINES = [
    "Read more",
    "read MORE »",
    "Copyright 2019",
    "Copyright 2021, 10:30",
    "Página 1",
    "pagina 22",
    "  ",
    "",
]
lines = st.one_of(st.sampled_from(LINES), st.sampled_from(LINES), documents)
texts_of_lines = st.lists(lines, max_size=8).map("\n".join)
settings = st.builds(
    Boilerplate,
    unit=st.sampled_from(["line", "paragraph"]),
    min_documents=st.integers(2, 4),
    min_length=st.integers(1, 8),
)


def folded(line: str) -> str:
    """A line without what does not matter; `#` is a number."""
    kept = []
    for character in line:
        if character.isdecimal():
            kept.append("#")
            continue
        point = int(FOLDING[ord(character)])
        if point not in (DROPPED, SEPARATOR):
            plain = chr(point & ~IDEOGRAPH)
            kept.append("#" if plain in "0123456789" else plain)
    return re.sub("#+", "#", "".join(kept))


def units(text: str, unit: str) -> list[str]:
    """Lines with their breaks, or paragraphs and the blank lines between them."""
    found: list[str] = []
    for line in re.findall("[^\n]*\n|[^\n]+", text):
        if unit == "paragraph" and found and line.strip() and found[-1].strip():
            found[-1] += line
        else:
            found.append(line)
    return found


def reference(texts: list[str], config: Boilerplate) -> list[str]:
    keys = document_keys(pa.array(texts, pa.large_string())).tolist()
    where = defaultdict(set)
    for key, text in zip(keys, texts, strict=True):
        for piece in units(text, config.unit):
            where[folded(piece)].add(key)
    stays = {
        line: min(found)
        for line, found in where.items()
        if len(found) >= config.min_documents and len(line.replace("#", "")) >= config.min_length
    }
    return [_without(text, key, stays, config.unit) for key, text in zip(keys, texts, strict=True)]


def _without(text: str, key: int, stays: dict[str, int], unit: str) -> str:
    kept: list[str] = []
    gap = False
    for piece in units(text, unit):
        if piece.strip() and stays.get(folded(piece), key) != key:
            gap = True
        elif not (gap and not piece.strip() and (not kept or not kept[-1].strip())):
            kept.append(piece)
            gap = False
    return "".join(kept).rstrip() if gap else "".join(kept)


def apply(texts: list[str], config: Boilerplate, parts: int = 1) -> list[str]:
    """The whole way, with the documents in several parts."""
    arrays = [pa.array(texts[part::parts], pa.large_string()) for part in range(parts)]
    editable = [np.ones(len(array), bool) for array in arrays]
    found = [config.occurrences(*pair) for pair in zip(arrays, editable, strict=True)]
    recurring = config.recurring(found)
    edited = [
        config.removed(*pair, recurring).texts.to_pylist() for pair in zip(arrays, editable, strict=True)
    ]
    return [edited[number % parts][number // parts] for number in range(len(texts))]


@given(st.lists(texts_of_lines, max_size=8), settings, st.integers(1, 3))
def test_the_reference_agrees(texts, config, parts):
    texts = [text.encode("utf-8", "replace").decode() for text in texts]
    assert apply(texts, config, parts) == reference(texts, config)


@given(st.lists(texts_of_lines, max_size=6), settings)
def test_lines_below_the_threshold_are_never_touched(texts, config):
    texts = [text.encode("utf-8", "replace").decode() for text in texts]
    rare = config.model_copy(update={"min_documents": len(texts) + 2})
    assert apply(texts, rare) == texts


def one(texts: list[str], **config) -> list[str]:
    return apply(texts, Boilerplate(**({"min_documents": 3, "min_length": 4} | config)))


FOOTER = "© 2024 Example — all rights reserved"


def test_a_footer_goes_from_all_documents_but_one():
    texts = [f"Story {chr(97 + n) * 9}.\n\n{FOOTER.replace('2024', str(2000 + n))}" for n in range(5)]
    edited = one(texts)
    assert sum(text == new for text, new in zip(texts, edited, strict=True)) == 1
    assert sum(new == text.split("\n")[0] for text, new in zip(texts, edited, strict=True)) == 4


def test_blank_lines_around_it_become_one():
    texts = [f"Start {chr(97 + n) * 9}.\n\nRead more\n\n\nEnd {chr(97 + n) * 9}.\n" for n in range(4)]
    assert sum("." + "\n\n" + "End" in new for new in one(texts)) == 3


def test_copies_of_a_document_are_one_document():
    article = "A line of some length.\nAnother line, longer still."
    assert one([article] * 9 + ["Something else."]) == [article] * 9 + ["Something else."]
    assert one([article, article.upper(), article.replace(" ", "  ")] * 3)[0] == article


def test_short_lines_and_conversations_stay():
    texts = [f"Yes\nA story about {chr(97 + n) * 9}." for n in range(5)]
    assert one(texts) == texts
    config = Boilerplate(min_documents=2, min_length=1)
    array = pa.array([f"Same line\n{n}{chr(97 + n)}" for n in range(4)], pa.large_string())
    editable = np.array([True, False, True, False])
    recurring = config.recurring([config.occurrences(array, editable)])
    edited = config.removed(array, editable, recurring).texts.to_pylist()
    assert edited[1::2] == array.to_pylist()[1::2]
    assert sorted(map(len, edited[::2])) == [2, 12]


def test_a_paragraph_goes_as_a_whole_or_not_at_all():
    notice = "We value your privacy.\nAccept all of our cookies."
    texts = [f"{notice}\n\nStory {chr(97 + n) * 9}.\nAccept all of our cookies." for n in range(4)]
    edited = one(texts, unit="paragraph")
    assert sorted(len(text) - len(new) for text, new in zip(texts, edited, strict=True)) == [0] + [51] * 3
    assert all(new.endswith("Accept all of our cookies.") for new in edited)


def test_what_went_is_counted_with_an_example():
    config = Boilerplate(min_documents=2, min_length=3)
    line = "ж" * 150 + "<script>"
    array = pa.array(
        [f"{line}\nRead more\nread more!\nstory {chr(97 + n) * 5}" for n in range(3)], pa.large_string()
    )
    editable = np.ones(3, bool)
    removal = config.removed(array, editable, config.recurring([config.occurrences(array, editable)]))
    rows = sorted(removal.evidence.select(["times", "example"]).to_pylist(), key=lambda row: row["times"])
    assert rows[0] == {"times": 2, "example": "ж" * 100}
    assert rows[1]["times"] == 4 and rows[1]["example"] in ("Read more", "read more!")
    assert removal.characters == 2 * (len(line) + len("Read more") + len("read more!"))


@pytest.mark.parametrize(
    "text", ["\n" * 2_000_000, "!" * 5_000_000, "a\n" * 1_000_000, "ж" * 2_000_000, "1 " * 10**6]
)
def test_hostile_texts_take_linear_time(text):
    assert one([text, "x", "y"]) == [text, "x", "y"]
    assert one([text, text + "b", text + "c"])[0] is not None
