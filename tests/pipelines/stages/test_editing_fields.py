"""Edits of what a template gets beside contents: words are reached, names and numbers stay, JSON stays."""

import json

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.edits.edits import EDITS
from pipelines.stages.editing_fields import edited_fields

MAIL = "ann.lee@mail-server.net"
MASK = EDITS["mask_pii"]()


def edited(fields):
    (done,), counts = edited_fields(pa.array([json.dumps(fields)]), MASK)
    return json.loads(done.as_py()), counts


def call(arguments):
    return {"id": "c1", "type": "function", "function": {"name": "send", "arguments": arguments}}


@pytest.mark.parametrize("written", [lambda value: value, json.dumps], ids=["an object", "a string"])
def test_words_of_a_turn_are_reached_also_in_json_within_json(written):
    arguments = {"to": MAIL, "name": f"Ann <{MAIL}>", "lines": ['say "hi"', MAIL], "times": 2, "no": None}
    turn = {"reasoning_content": f"Ask {MAIL}.", "tool_calls": [call(written(arguments))], "name": "bot"}
    done, counts = edited({"messages": [{}, turn], "tools": [{"name": "send"}]})
    after = done["messages"][1]
    assert after["reasoning_content"] == "Ask <email>." and after["name"] == "bot"
    found = after["tool_calls"][0]["function"]["arguments"]
    assert (json.loads(found) if isinstance(found, str) else found) == {
        "to": "<email>",
        "name": "Ann <<email>>",
        "lines": ['say "hi"', "<email>"],
        "times": 2,
        "no": None,
    }
    assert counts["emails"] == 4 and done["tools"] == [{"name": "send"}]


def test_an_argument_that_holds_nothing_to_edit_stays_as_it_is_written():
    spaced = '{ "city" : "Bonn" }'
    done, _ = edited({"messages": [{"tool_calls": [call(spaced)]}]})
    assert done["messages"][0]["tool_calls"][0]["function"]["arguments"] == spaced


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text() | st.just(MAIL),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(st.none() | st.lists(st.dictionaries(st.text(max_size=5), VALUES, max_size=3), max_size=3)))
def test_every_document_stays_json_of_its_shape(documents):
    column = pa.array([None if d is None else json.dumps({"messages": d}) for d in documents], pa.string())
    done, _ = edited_fields(column, MASK)
    assert len(done) == len(column)
    for before, after in zip(documents, done.to_pylist(), strict=True):
        if before is None:
            assert after is None
        else:
            assert [list(turn) for turn in json.loads(after)["messages"]] == [list(turn) for turn in before]
