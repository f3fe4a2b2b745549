"""What is said in conversations is found and put back where it was, whatever it is."""

import json

import pyarrow as pa
import pyarrow.compute as pc
from hypothesis import given
from hypothesis import strategies as st

from pipelines.sources.conversation_text import rendered, revised
from pipelines.sources.conversations import read_conversation
from pipelines.sources.schema import MESSAGES

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
KEYS = st.sampled_from(["name", "id", "arguments", "city"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)
ARGUMENTS = st.dictionaries(KEYS, VALUES, max_size=3)
CALLS = st.lists(
    st.builds(
        lambda arguments: {"id": "c", "function": {"name": "f", "arguments": arguments}},
        ARGUMENTS | ARGUMENTS.map(json.dumps) | TEXT,
    ),
    max_size=2,
)
TURN = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "tool"]), "content": TEXT},
    optional={"reasoning": TEXT, "tool_calls": CALLS, "weight": st.sampled_from([0, 1]), "note": TEXT},
)
BESIDE = st.fixed_dictionaries(
    {}, optional={"documents": st.lists(st.fixed_dictionaries({"text": TEXT}), min_size=1, max_size=2)}
)
RECORDS = st.lists(st.tuples(st.lists(TURN, min_size=1, max_size=3), BESIDE), min_size=1, max_size=4)


def columns(records):
    read = [read_conversation({"messages": turns, **beside}, "messages") for turns, beside in records]
    fields = pa.array([each.template_fields for each in read], pa.string())
    return pa.array([each.messages for each in read], MESSAGES), fields


def parsed(fields):
    return [json.loads(each or "{}") for each in fields.to_pylist()]


def doubled(texts):
    return pc.binary_join_element_wise(texts, texts, pa.scalar("", pa.large_string()))


@given(RECORDS)
def test_an_edit_that_changes_nothing_leaves_all_as_it_was(records):
    messages, fields = columns(records)
    same_messages, same_fields = revised(messages, fields, lambda texts: texts)
    assert same_messages.equals(messages)
    assert [x and json.loads(x) for x in same_fields.to_pylist()] == [
        x and json.loads(x) for x in fields.to_pylist()
    ]
    assert rendered(same_messages, same_fields).equals(rendered(messages, fields))


def strings(value):
    """The value with its strings doubled."""
    if isinstance(value, dict):
        return {name: strings(item) for name, item in value.items()}
    if isinstance(value, list):
        return [strings(item) for item in value]
    return value * 2 if isinstance(value, str) else value


def check_arguments(old, new):
    """Their strings are doubled, also where they are JSON, which stays JSON."""
    try:
        assert json.loads(new) == strings(json.loads(old))
    except (TypeError, ValueError):
        assert new == strings(old)


@given(RECORDS)
def test_an_edit_reaches_every_string_that_is_said(records):
    messages, fields = columns(records)
    new_messages, new_fields = revised(messages, fields, doubled)
    for (turns, beside), new_turns, new in zip(
        records, new_messages.to_pylist(), new_fields.to_pylist(), strict=True
    ):
        new = json.loads(new) if new else {}
        assert new.get("documents", []) == strings(beside.get("documents", []))
        extras = new.get("messages", [{}] * len(turns))
        for turn, new_turn, extra in zip(turns, new_turns, extras, strict=True):
            assert new_turn == {"role": turn["role"], "content": turn["content"] * 2}
            assert extra.get("reasoning_content") == extra.get("reasoning") == strings(turn.get("reasoning"))
            assert extra.get("note") == strings(turn.get("note"))
            for call, new_call in zip(turn.get("tool_calls", []), extra.get("tool_calls", []), strict=True):
                assert (new_call["id"], new_call["function"]["name"]) == ("c", "f")
                check_arguments(call["function"]["arguments"], new_call["function"]["arguments"])


def test_an_argument_keeps_all_that_an_edit_does_not_change():
    written = '{ "number": 12345678901234567890123, "price": 1.10, "to": "a" }'
    call = {"function": {"name": "f", "arguments": written}}
    messages, fields = columns([([{"role": "assistant", "tool_calls": [call]}], {})])
    _, changed = revised(messages, fields, doubled)
    found = json.loads(changed[0].as_py())["messages"][0]["tool_calls"][0]["function"]["arguments"]
    assert found == written.replace('"a"', '"aa"')
