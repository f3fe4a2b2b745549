from __future__ import annotations

import numpy as np
import pytest

from filters.contamination.index import build_index
from tests.filters.contamination.items import ADD_UP, EGGS, index_of, items, kinds, matches, rare_text


def test_the_first_of_twins_is_found():
    index = index_of({"question": EGGS}, {"question": EGGS.upper()}, {"question": EGGS, "benchmark": "other"})
    assert index.items["same_as"].to_pylist() == [0, 0, 2]
    assert kinds(index, EGGS) == [(0, "question"), (2, "question")]


def test_items_with_other_code_are_no_twins():
    index = index_of(*({"question": "Add.", "solution": code} for code in (ADD_UP, ADD_UP + "\nprint(3)")))
    assert index.items["same_as"].to_pylist() == [0, 1]


def test_weights_and_what_cannot_be_written():
    series = [{"question": EGGS.replace("16", str(number)), "solution": ADD_UP} for number in range(300)]
    index = index_of(*series, {"question": rare_text(700, 1)})
    for sequences in (index.words, index.code):
        assert sequences.weights.size == sequences.units.size > 0
        assert 0.05 <= sequences.weights.min() <= sequences.weights.max() <= 1
        arrays = [value for value in sequences if isinstance(value, np.ndarray)]
        assert not any(array.flags.writeable for array in arrays)


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [{"question": ""}],
        [{"question": "?!", "label": "—", "choices": ["", "."]}],
        [{"passage": "\0"}, {"solution": "\0"}],
        [{"question": "x", "choices": [], "label": ""}],
        [{"question": "é"}, {"question": "\u200b\u0301"}],
        [{"label": "A"}] * 3,
    ],
)
def test_items_of_almost_nothing(rows):
    index = index_of(*rows)
    assert len(index.items) == len(rows)
    for match in matches(index, "", " ", "?!", "\0", "x", rare_text(50, 1), EGGS):
        assert match["start"] < match["end"]


def test_an_answer_of_marks_is_not_there():
    index = index_of({"question": EGGS, "label": "—", "choices": ["!", "?"], "answer": "..."})
    assert kinds(index, EGGS + " — !") == [(0, "question")]


@pytest.mark.parametrize(
    "question",
    ["a " * 300_000, "a" * 1_000_000, "ก" * 300_000, "= " * 100_000, "\0" * 1_000_000, "1," * 300_000],
)
def test_hostile_items_and_documents(question):
    index = index_of({"question": question}, {"question": EGGS})
    assert (1, "question") in kinds(index, f"{question} {EGGS} {question}")


def test_many_items_that_differ_in_a_number():
    form = "How many pears does Tom have if he buys {} of them and eats three of these pears after lunch?"
    index = index_of(*({"question": form.format(number)} for number in range(10_000)))
    assert kinds(index, form.format(4711)) == [(4711, "question")]


def test_fifty_thousand_items():
    rows = items(*({"question": rare_text(6, number)} for number in range(50_000)))
    index = build_index(rows)
    assert (777, "question") in kinds(index, f"{rare_text(6, 777)}.")
    assert build_index(rows.slice(0, 0)).items.num_rows == 0


def test_an_item_a_hundred_thousand_times():
    copies = 100_000
    found = matches(index_of({"question": EGGS}), f"{EGGS} " * copies)
    assert [match["start"] for match in found] == [number * (len(EGGS) + 1) for number in range(copies)]
