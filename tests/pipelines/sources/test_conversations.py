"""Conversations in the ways in which datasets write them: through JSON lines and Parquet alike."""

import io
import json

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

USER, ASSISTANT = {"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}
ASKED = [USER, ASSISTANT]
CALL = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": {"city": "Bonn"}}}
TEXT_CALL = {"type": "function", "function": {"name": "look", "arguments": '{"city":"Bonn"}'}}
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
BARE_TOOL = TOOL["function"]


@pytest.fixture(params=["jsonl", "parquet"])
def read_records(request, read):
    """Read records from a file of the format."""

    def _read(*records, **options):
        if request.param == "jsonl":
            return read({"f.jsonl": b"\n".join(map(orjson.dumps, records))}, **options)
        file = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(list(records)), file)
        return read({"f.parquet": file.getvalue()}, **options)

    return _read


def beside(document):
    """What a template gets besides roles and contents."""
    return json.loads(document["template_fields"]) if document["template_fields"] else None


FORMATS = {
    "openai": ({"messages": ASKED}, ASKED),
    "sharegpt": (
        {"conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}]},
        ASKED,
    ),
    "sharegpt with system": (
        {"conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}], "system": "S"},
        [{"role": "system", "content": "S"}, *ASKED],
    ),
    "alpaca": (
        {"instruction": "Q", "input": "I", "output": "A"},
        [{"role": "user", "content": "Q\n\nI"}, ASSISTANT],
    ),
    "alpaca without input": ({"instruction": "Q", "input": "", "output": "A"}, ASKED),
    "alpaca with history": (
        {"instruction": "Q", "output": "A", "system": "S", "history": [["q", "a"]]},
        [
            {"role": "system", "content": "S"},
            {"role": "user", "content": "q"},
            {"role": "assistant", "content": "a"},
            *ASKED,
        ],
    ),
    "question_answer": ({"question": "Q", "answer": "A"}, ASKED),
    "question_answer with context": (
        {"question": "Q", "answer": "A", "context": "C"},
        [{"role": "user", "content": "C\n\nQ"}, ASSISTANT],
    ),
    "prompt_completion": ({"prompt": "Q", "completion": "A"}, ASKED),
    "prompt_completion of turns": ({"prompt": [USER], "completion": [ASSISTANT]}, ASKED),
    "preference": ({"prompt": "Q", "chosen": "A", "rejected": "B"}, ASKED),
    "preference of turns": (
        {"prompt": [USER], "chosen": [ASSISTANT], "rejected": [{"role": "assistant", "content": "B"}]},
        ASKED,
    ),
    "preference of whole conversations": ({"prompt": "Q", "chosen": ASKED, "rejected": ASKED}, ASKED),
}


@pytest.mark.parametrize("named", [True, False], ids=["named", "recognised"])
@pytest.mark.parametrize("case", FORMATS)
def test_formats(read_records, case, named):
    record, messages = FORMATS[case]
    name = case.split()[0]
    reading = read_records(record, **({"messages": name} if named else {}))
    assert reading.documents[0]["messages"] == messages and not reading.quarantine
    assert reading.texts == ["\n\n".join(message["content"] for message in messages)]
    assert reading.set_aside.recognised == ({} if named else {name: 1})
    assert set(json.loads(reading.documents[0]["metadata"])) == {"rejected"} & set(record)


def test_fields_of_each_turn(read_records):
    fields = {"user": ["meta.task", "input"], "assistant": "output", "system": "rules"}
    reading = read_records(
        {"meta": {"task": "T", "n": 1}, "input": "I", "output": "A", "rules": "S"},
        {"meta": {"task": "T", "n": 1}, "input": "", "output": "A", "rules": None},
        {"meta": {"task": None, "n": 1}, "input": "", "output": "A", "rules": "S"},
        messages=fields,
    )
    assert [[turn["content"] for turn in each["messages"]] for each in reading.documents] == [
        ["S", "T\n\nI", "A"],
        ["T", "A"],
    ]
    assert json.loads(reading.documents[0]["metadata"])["meta"] == {"n": 1}
    assert [reason for _, reason in reading.reasons] == ["messages are malformed"]


def test_a_field_wins_over_a_format_of_its_name(read_records):
    reading = read_records({"openai": ASKED, "messages": [USER]}, messages="openai")
    assert reading.documents[0]["messages"] == ASKED


def test_text_wins_and_what_fits_two_formats_is_left_alone(read_records):
    assert read_records({"text": "T", "messages": ASKED}).documents[0]["messages"] is None
    both = read_records({"messages": ASKED, "prompt": "Q", "completion": "A"})
    assert [reason for _, reason in both.reasons] == ["no text field"]


TURNS = {
    "a tool call": ({"role": "assistant", "content": None, "tool_calls": [CALL]}, {"tool_calls": [CALL]}),
    "reasoning": ({**ASSISTANT, "reasoning_content": "R"}, {"reasoning_content": "R"}),
    "reasoning by another name": (
        {**ASSISTANT, "thinking": "R"},
        {"thinking": "R", "reasoning_content": "R"},
    ),
    "a function call of old": (
        {"role": "assistant", "content": None, "function_call": TEXT_CALL["function"]},
        {"tool_calls": [TEXT_CALL]},
    ),
    "a function call of ShareGPT": (
        {"from": "function_call", "value": json.dumps(CALL["function"])},
        {"tool_calls": [{"type": "function", "function": CALL["function"]}]},
    ),
    "calls as a string": (
        {"role": "assistant", "content": None, "tool_calls": json.dumps([CALL])},
        {"tool_calls": [CALL]},
    ),
    "what a template may know": (
        {**ASSISTANT, "name": "Ann", "mood": ["glad"]},
        {"name": "Ann", "mood": ["glad"]},
    ),
    "no calls": ({**ASSISTANT, "tool_calls": [], "name": None}, None),
}


@pytest.mark.parametrize("case", TURNS)
def test_what_a_turn_has_besides_its_content(read_records, case):
    turn, more = TURNS[case]
    (document,) = read_records({"messages": [USER, turn]}).documents
    content = turn.get("content") if "from" not in turn else None
    assert document["messages"] == [USER, {"role": "assistant", "content": content}]
    assert beside(document) == (None if more is None else {"messages": [{}, more]})


def test_the_answer_of_a_tool(read_records):
    for turn in (
        {"role": "tool", "content": "ok", "tool_call_id": "c1"},
        {"from": "observation", "value": "ok", "tool_call_id": "c1"},
        {"role": "function", "content": "ok", "tool_call_id": "c1"},
    ):
        (document,) = read_records({"messages": [USER, turn, ASSISTANT]}).documents
        assert document["messages"][1] == {"role": "tool", "content": "ok"}
        assert beside(document) == {"messages": [{}, {"tool_call_id": "c1"}, {}]}


@pytest.mark.parametrize(
    "tools",
    [{"tools": [TOOL]}, {"tools": json.dumps([TOOL])}, {"tools": [BARE_TOOL]}, {"functions": [BARE_TOOL]}],
    ids=["tools", "a string", "bare tools", "functions"],
)
def test_tools(read_records, tools):
    (document,) = read_records({"messages": ASKED, **tools}).documents
    assert beside(document) == {"tools": [TOOL]} and document["metadata"] == "{}"


def test_documents_and_options_of_the_template(read_records):
    more = {"documents": [{"title": "T", "text": "D"}], "chat_template_kwargs": {"enable_thinking": False}}
    (document,) = read_records({"messages": ASKED, **more}).documents
    assert beside(document) == more


SPELLINGS = [
    {"weight": 0},
    {"train": False},
    {"training": False},
    {"trainable": False},
    {"masked": True},
    {"loss": False},
    {"loss_mask": 0},
    {"learn": False},
    {"weight": 0.0, "train": False},
]


@pytest.mark.parametrize("spelling", SPELLINGS, ids=str)
def test_a_turn_that_is_seen_and_not_learnt(read_records, spelling):
    learnt = {name: type(value)(not value) for name, value in spelling.items()}
    turns = [USER, {**ASSISTANT, **spelling}, USER, {**ASSISTANT, **learnt}]
    (document,) = read_records({"messages": turns}).documents
    assert beside(document) == {"messages": [{}, {"weight": 0}, {}, {}]}


PARTS = [{"type": "text", "text": "A "}, {"type": "text", "text": "B"}]


def test_parts_of_text_are_joined(read_records):
    (document,) = read_records({"messages": [{"role": "user", "content": PARTS}]}).documents
    assert document["messages"] == [{"role": "user", "content": "A B"}]


IMAGE = {"type": "image_url", "image_url": "u"}
REFUSED = {
    "an image": (
        [{"role": "user", "content": [*PARTS, {"type": "image_url", "image_url": "u"}]}],
        "more than text",
    ),
    "half a weight": ([USER, {**ASSISTANT, "weight": 0.5}], "weight"),
    "two weights": ([USER, {**ASSISTANT, "weight": 1, "train": False}], "weight"),
    "a part of a turn": ([USER, {**ASSISTANT, "train_detail": [{"train": False}]}], "weight"),
    "nothing said": ([USER, {"role": "assistant", "content": None}], "malformed"),
    "no JSON": ([USER, {"from": "function_call", "value": "look(Bonn)"}], "tool calls"),
    "a call of nothing": (
        [USER, {"role": "assistant", "content": "A", "tool_calls": [{"id": "c"}]}],
        "tool calls",
    ),
    "no role": ([USER, {"content": "A"}], "malformed"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_conversation_is_set_aside_with_its_reason(read_records, case):
    turns, reason = REFUSED[case]
    reading = read_records({"messages": turns})
    ((_, said),) = reading.reasons
    assert not reading.documents
    assert reason in said


def test_tools_that_are_none(read_records):
    reading = read_records({"messages": ASKED, "tools": "a hammer"}, {"messages": ASKED, "tools": ""})
    assert [reason for _, reason in reading.reasons] == ["tools are malformed"]
    assert beside(reading.documents[0]) is None


def test_a_corpus_part_is_read_as_it_was_written(read_records):
    turn = {"role": "assistant", "content": None, "reasoning_content": "R", "tool_calls": [CALL], "weight": 0}
    (first,) = read_records(
        {"messages": [USER, turn, {"role": "tool", "content": "ok"}], "tools": [TOOL]}
    ).documents
    (second,) = read_records({**first, "id": "x"}, messages="messages").documents
    for name in ("messages", "template_fields", "text"):
        assert second[name] == first[name]


def test_nulls_that_fill_structs_of_columns_are_no_arguments(read_records):
    """Two calls of different functions: a struct column has the arguments of both in each."""
    other = {"type": "function", "function": {"name": "add", "arguments": {"x": 1, "y": 2}}}
    first = {"type": "function", "function": {"name": "look", "arguments": {"city": "Bonn"}}}
    turns = [USER, {"role": "assistant", "content": None, "tool_calls": [first, other]}]
    (document,) = read_records({"messages": turns}).documents
    assert beside(document)["messages"][1]["tool_calls"] == [first, other]


def test_the_text_holds_what_is_thought_and_called(read_records):
    turn = {"role": "assistant", "content": "A", "reasoning_content": "R", "tool_calls": [CALL]}
    reading = read_records({"messages": [USER, turn, {"role": "tool", "content": "fine"}]})
    assert reading.texts == ['Q\n\nR\n\nA\n\nlook {"city": "Bonn"}\n\nfine']


def test_turns_and_tools_within_a_field_and_as_json(read_records):
    whole = {"body": {"messages": json.dumps(ASKED), "tools": [json.dumps(TOOL)]}}
    (document,) = read_records(whole, messages="body.messages").documents
    assert document["messages"] == ASKED
    assert beside(document) == {"tools": [TOOL]}
