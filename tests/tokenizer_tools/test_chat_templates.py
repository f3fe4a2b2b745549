"""Conversations with all their fields under eight families' templates, against transformers."""

import json
from copy import deepcopy

import numpy as np
import pyarrow as pa
import pytest

from tests.chat_templates import MARKED, TEMPLATES, make_tokenizer
from tokenizer_tools.chat import ChatEncoder
from tokenizer_tools.load import load_tokenizer

MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": 'Looks out of the window, "as is".',
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
        },
    }
]


def user(content):
    return {"role": "user", "content": content}


def says(content, **fields):
    return {"role": "assistant", "content": content, **fields}


def calls(*cities, content=None, **fields):
    """A turn that asks for the weather."""
    tool_calls = [
        {
            "id": f"callnum0{number}",
            "type": "function",
            "function": {"name": "get_weather", "arguments": {"city": city, "days": 3}},
        }
        for number, city in enumerate(cities)
    ]
    return says(content, tool_calls=tool_calls, **fields)


def result(number, content):
    return {"role": "tool", "content": content, "tool_call_id": f"callnum0{number}", "name": "get_weather"}


SYSTEM = {"role": "system", "content": "Be brief."}
ASKED_ONCE = [user("Rome?"), calls("Rome"), result(0, '{"sky": "clear"}'), says("Clear.")]
PLAIN = {
    "one turn": [user("Red?"), says("Rouge, вино 😀.")],
    "several turns": [
        user("Red?"),
        says("Rouge."),
        user("White?"),
        says("Blanc."),
        user("Rosé?"),
        says("Yes."),
    ],
    "the same answer twice": [
        user("Red?"),
        says("Yes."),
        user("White?"),
        says("Yes."),
        user("So?"),
        says("No."),
    ],
    "system": [SYSTEM, user("Red?"), says("Rouge."), user("White?"), says("Blanc.")],
    "ends with a question": [user("Red?"), says("Rouge."), user("White?")],
    "inner white space": [user("  Red?\n"), says("Rouge.\n\n  Blanc."), user("\n"), says("Ok\t.")],
    "thoughts in the content": [user("2+2?"), says("<think>\nadd\n</think>\n\n4"), user("3+3?"), says("6")],
}
EDGES = {"white space at the edges": [user(" Red? "), says("\n Rouge. \n"), user("So?"), says(" Ja \n")]}
WITH_TOOLS = {
    "a call and its result": ASKED_ONCE,
    "a call last": [user("Rome?"), calls("Rome")],
    "words beside the call": [
        user("Rome?"),
        calls("Rome", content="Let me see."),
        result(0, "x"),
        says("Clear."),
    ],
    "calls in several turns": [
        *ASKED_ONCE,
        user("And Bonn?"),
        calls("Bonn"),
        result(0, "rain"),
        says("Rain."),
    ],
    "system and calls": [SYSTEM, *ASKED_ONCE, user("Thanks."), says("Welcome.")],
    "quotes and braces": [user("Rome?"), calls('Ro"me\\{}\n<b>'), result(0, "x"), says("Clear.")],
}
TWO_CALLS = {
    "two calls at once": [
        *(user("Rome and Bonn?"), calls("Rome", "Bonn"), result(0, "sun"), result(1, "rain"), says("Both.")),
        *(user("And?"), says("No more.")),
    ]
}
REASONING = {
    "reasoning": [user("2+2?"), says("4", reasoning_content="add them")],
    "reasoning in earlier turns": [
        *(user("2+2?"), says("4", reasoning_content="add them"), user("3+3?")),
        says("6", reasoning_content="once more"),
    ],
    "reasoning and calls": [
        *(user("Rome?"), calls("Rome", reasoning_content="ask"), result(0, "sun")),
        says("Sun.", reasoning_content="told"),
    ],
    "reasoning and calls in earlier turns": [
        *(user("Rome?"), calls("Rome", reasoning_content="ask"), result(0, "sun")),
        *(says("Sun.", reasoning_content="told"), user("Bonn?"), calls("Bonn", reasoning_content="ask")),
        *(result(0, "rain"), says("Rain.")),
    ],
}


def cases():
    for name in TEMPLATES:
        taken = PLAIN | EDGES
        if name in ("qwen3", "llama3", "mistral", "phi", "deepseek"):
            taken = taken | WITH_TOOLS
        if name in ("qwen3", "mistral", "phi", "deepseek"):
            taken = taken | TWO_CALLS
        if name == "qwen3":
            taken = taken | REASONING
        for case, conversation in taken.items():
            yield pytest.param(name, conversation, id=f"{name}: {case}")


CASES = list(cases())


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """The tokenizer folders of all families, with a template with marks."""
    root = tmp_path_factory.mktemp("families")
    return {name: make_tokenizer(root / name, name, template=MARKED[name]) for name in TEMPLATES}


@pytest.fixture(scope="module")
def opened(folders):
    transformers = pytest.importorskip("transformers")
    return {name: transformers.AutoTokenizer.from_pretrained(folder) for name, folder in folders.items()}


@pytest.fixture(scope="module")
def marked(folders):
    return {name: ChatEncoder.build(load_tokenizer(folder)) for name, folder in folders.items()}


@pytest.fixture(scope="module")
def unmarked(folders):
    """With the templates as models bear them."""
    unmarked = {
        name: TEMPLATES[name][0].replace("{%- generation %}", "").replace("{%- endgeneration %}", "")
        for name in TEMPLATES
    }
    return {name: ChatEncoder.build(load_tokenizer(folders[name]), unmarked[name]) for name in TEMPLATES}


def columns(conversation, tools=None, **further):
    """The two columns of the corpus for one conversation."""
    messages = [{"role": message["role"], "content": message["content"]} for message in conversation]
    fields = [{k: v for k, v in message.items() if k not in ("role", "content")} for message in conversation]
    top = {"messages": fields, "tools": tools} | further
    return pa.array([messages], MESSAGES), pa.array([json.dumps({k: v for k, v in top.items() if v})])


def encode(encoder, conversation, tools=None, **further):
    encoded = encoder.encode(*columns(conversation, tools, **further))
    assert encoded.failures == {}
    return encoded


def has_tools(conversation):
    return any("tool_calls" in message for message in conversation)


def as_taken(name, conversation):
    """DeepSeek's template takes arguments as strings only."""
    conversation = deepcopy(conversation)
    for message in conversation:
        for call in message.get("tool_calls", []):
            if name == "deepseek":
                call["function"]["arguments"] = json.dumps(call["function"]["arguments"], ensure_ascii=False)
    return conversation


def with_strings(conversation):
    return as_taken("deepseek", conversation)


def learnt(encoded, tokenizer):
    padded = np.concatenate([[0], encoded.assistant_mask, [0]]).astype(np.int8)
    edges = np.flatnonzero(np.diff(padded)).reshape(-1, 2)
    return [tokenizer.decode(encoded.ids[start:stop].tolist()) for start, stop in edges]


@pytest.mark.parametrize(("name", "conversation"), CASES)
def test_ids_and_masks_are_those_of_transformers(name, conversation, opened, marked, unmarked):
    tools = TOOLS if has_tools(conversation) else None
    expected = opened[name].apply_chat_template(
        as_taken(name, conversation), tools=tools, return_assistant_tokens_mask=True, return_dict=True
    )
    ids, mask = expected["input_ids"], expected["assistant_masks"]
    if ids[-1] != opened[name].eos_token_id:
        ids, mask = [*ids, opened[name].eos_token_id], [*mask, mask[-1]]
    for encoder in (marked[name], unmarked[name]):
        for given_form in (conversation, with_strings(conversation)):
            encoded = encode(encoder, given_form, tools)
            assert encoded.ids.tolist() == ids
            assert learnt(encoded, opened[name]) == learnt_of(ids, mask, opened[name])
            assert encoded.assistant_mask.tolist() == mask


def learnt_of(ids, mask, tokenizer):
    class Expected:
        pass

    expected = Expected()
    expected.ids, expected.assistant_mask = np.array(ids), np.array(mask)
    return learnt(expected, tokenizer)
