"""Conversations with all their fields under eight families' templates, against transformers."""

import json
import re
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
SPACED = [user(" Red? "), says("\n Rouge. \n"), user("So?"), says(" Ja \n")]
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
        taken = PLAIN if name == "phi" else PLAIN | {"white space at the edges": SPACED}
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
    templates = {name: re.sub(r"\{%- (end)?generation %\}", "", TEMPLATES[name][0]) for name in TEMPLATES}
    return {
        name: ChatEncoder.build(load_tokenizer(folders[name]), template)
        for name, template in templates.items()
    }


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


def learnt(ids, mask, tokenizer):
    """What the mask marks, run by run, as text."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask, [0]]).astype(np.int8))).reshape(-1, 2)
    return [tokenizer.decode(list(ids[start:stop])) for start, stop in edges]


def words_learnt(encoded, tokenizer):
    return learnt(encoded.ids.tolist(), encoded.assistant_mask, tokenizer)


def expected_of(tokenizer, conversation, tools):
    """Ids and mask of transformers, ended by our rule.

    Without Phi's header, which transformers takes for generated where it takes an answer's white space.
    """
    expected = tokenizer.apply_chat_template(
        conversation, tools=tools, return_assistant_tokens_mask=True, return_dict=True
    )
    ids, mask = expected["input_ids"], expected["assistant_masks"]
    header = tokenizer.get_vocab().get("<|assistant|>")
    mask = [int(bool(one) and number != header) for number, one in zip(ids, mask, strict=True)]
    if ids[-1] != tokenizer.eos_token_id:
        ids, mask = [*ids, tokenizer.eos_token_id], [*mask, mask[-1]]
    return ids, mask


@pytest.mark.parametrize(("name", "conversation"), CASES)
def test_ids_and_masks_are_those_of_transformers(name, conversation, opened, marked, unmarked):
    tools = TOOLS if has_tools(conversation) else None
    ids, mask = expected_of(opened[name], as_taken(name, conversation), tools)
    for encoder in (marked[name], unmarked[name]):
        for form in (conversation, with_strings(conversation)):
            encoded = encode(encoder, form, tools)
            assert encoded.ids.tolist() == ids
            assert words_learnt(encoded, opened[name]) == learnt(ids, mask, opened[name])
            assert encoded.assistant_mask.tolist() == mask


def test_tokens_that_eat_white_space_give_the_ids_of_transformers(opened, marked, unmarked):
    ids, _ = expected_of(opened["phi"], SPACED, None)
    for encoder in (marked["phi"], unmarked["phi"]):
        encoded = encode(encoder, SPACED)
        assert encoded.ids.tolist() == ids
        assert [words.endswith("<|end|>") for words in words_learnt(encoded, opened["phi"])] == [True, True]


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_turn_of_weight_zero_is_seen_and_not_learnt(name, opened, marked, unmarked):
    conversation = [user("Red?"), says("Rouge.", weight=0), user("White?"), says("Blanc."), user("Rosé?")]
    conversation += [says("Rosa.", weight=0)]
    whole = [says(m["content"]) if "weight" in m else m for m in conversation]
    for encoder in (marked[name], unmarked[name]):
        encoded = encode(encoder, conversation)
        assert encoded.ids.tolist() == encode(encoder, whole).ids.tolist()
        assert words_learnt(encoded, opened[name]) == [words_learnt(encode(encoder, whole), opened[name])[1]]


def test_a_call_of_weight_zero_is_not_learnt(opened, marked, unmarked):
    conversation = [user("Rome?"), calls("Rome", weight=0), result(0, "sun"), says("Sun.")]
    for name in ("qwen3", "mistral", "phi", "deepseek", "llama3"):
        for encoder in (marked[name], unmarked[name]):
            (words,) = words_learnt(encode(encoder, conversation, TOOLS), opened[name])
            assert "Sun." in words
            assert "get_weather" not in words


def test_where_all_turns_have_weight_zero_there_is_nothing_to_learn(marked):
    encoded = marked["qwen3"].encode(*columns([user("Red?"), says("Rouge.", weight=0)]))
    assert "weight 0" in encoded.failures[0]


def test_what_a_template_starts_an_answer_with_is_learnt_unless_the_prompt_holds_it(opened, unmarked):
    thought = "<think>\n\n</think>\n\nRouge.<|im_end|>"
    conversation = [user("Red?"), says("Rouge.")]
    assert words_learnt(encode(unmarked["qwen3"], conversation), opened["qwen3"]) == [thought]
    unthinking = encode(unmarked["qwen3"], conversation, chat_template_kwargs={"enable_thinking": False})
    assert words_learnt(unthinking, opened["qwen3"]) == ["Rouge.<|im_end|>"]


def test_settings_of_a_record_reach_the_template(unmarked):
    conversation = [user("Rome?"), calls("Rome", content="")]
    settings = {"builtin_tools": ["other"], "date_string": "1 May 2020"}
    messages, fields = columns(conversation, TOOLS, chat_template_kwargs=settings)
    rendering = unmarked["llama3"].render(messages[0].as_py(), fields[0].as_py())
    assert "Today Date: 1 May 2020" in rendering
    assert rendering.endswith("<|eom_id|>")


LEFT_OUT = {
    "qwen3": {"name", "tool_call_id"},
    "llama3": {"name", "tool_call_id", "content", "reasoning_content"},
    "mistral": {"name", "content", "reasoning_content", "system"},
    "deepseek": {"name", "tool_call_id", "reasoning_content", "tools"},
    "phi": {"name", "tool_call_id", "reasoning_content"},
}


@pytest.mark.parametrize("name", LEFT_OUT)
def test_fields_that_a_template_does_not_use_are_counted(name, marked, unmarked):
    asks = calls("Rome", content="Let me see.", reasoning_content="ask")
    conversation = [SYSTEM, user("Rome?"), asks, result(0, "sun"), says("Sun.")]
    messages, fields = columns(conversation, TOOLS)
    for encoder in (marked[name], unmarked[name]):
        encoded = encoder.encode(pa.concat_arrays([messages] * 3), pa.concat_arrays([fields] * 3))
        assert encoded.left_out == dict.fromkeys(LEFT_OUT[name], 3)


def test_reasoning_that_a_template_shows_only_in_the_last_turn_is_counted_where_it_is_hidden(unmarked):
    earlier = [user("2+2?"), says("4", reasoning_content="add"), user("3+3?"), says("6")]
    assert encode(unmarked["qwen3"], earlier).left_out == {"reasoning_content": 1}
    both = [*earlier[:3], says("6", reasoning_content="add too")]
    assert encode(unmarked["qwen3"], both).left_out == {"reasoning_content": 1}
    assert encode(unmarked["qwen3"], REASONING["reasoning"]).left_out == {}
    assert encode(unmarked["qwen3"], PLAIN["system"]).left_out == {}


def test_a_turn_that_says_nothing_without_its_call_is_not_learnt(opened, marked, unmarked):
    for encoder in (marked["chatml"], unmarked["chatml"]):
        encoded = encode(encoder, ASKED_ONCE, TOOLS)
        assert words_learnt(encoded, opened["chatml"]) == ["Clear.<|im_end|>"]
        assert set(encoded.left_out) == {"tools", "tool_calls", "tool_call_id", "name"}
        assert "leaves out" in encoder.encode(*columns([user("Rome?"), calls("Rome")], TOOLS)).failures[0]


def test_null_content_is_empty_where_a_template_would_write_none(opened, unmarked):
    for name in ("gemma3", "zephyr"):
        conversation = [user("Rome?"), calls("Rome"), user("And?"), says("Clear.")]
        encoded = encode(unmarked[name], conversation, TOOLS)
        assert "None" not in opened[name].decode(encoded.ids)
        assert len(words_learnt(encoded, opened[name])) == 1


ENDS = {
    "qwen3": ["<|im_end|>"],
    "llama3": ["<|eot_id|>"],
    "gemma3": ["<end_of_turn>"],
    "mistral": ["</s>"],
    "phi": ["<|end|>"],
    "deepseek": ["<｜end▁of▁sentence｜>"],
    "chatml": ["<|im_end|>"],
    "zephyr": ["</s>"],
}


@pytest.mark.parametrize("name", TEMPLATES)
def test_turns_end_with_the_control_token_of_the_family(name, opened, marked, unmarked):
    expected = tuple(opened[name].convert_tokens_to_ids(ENDS[name]))
    assert marked[name].turn_ends == unmarked[name].turn_ends == expected


def test_a_call_may_end_with_a_token_of_its_own(folders, opened):
    template = TEMPLATES["llama3"][0].replace("if builtin_tools is defined else '<|eot_id|>'", "")
    encoder = ChatEncoder.build(load_tokenizer(folders["llama3"]), template)
    expected = opened["llama3"].convert_tokens_to_ids(["<|eot_id|>", "<|eom_id|>"])
    assert encoder.turn_ends == tuple(sorted(expected))


LOOK_ALIKES = [
    "<|im_end|>",
    "<|im_start|>assistant\n",
    "</s>",
    "[INST]",
    "<|eot_id|>",
    "<｜Assistant｜>",
    '"',
]
HOSTILE = st.lists(st.sampled_from([*LOOK_ALIKES, "a", "\n", "é", "\\u0041"]), max_size=4).map("".join)


@settings(max_examples=25, deadline=None)
@given(*[HOSTILE] * 6)
def test_look_alikes_anywhere_in_a_conversation_stay_text(
    opened, marked, unmarked, city, words, thought, described, key, answer
):
    asks = calls(city, content=words, reasoning_content=thought)
    asks["tool_calls"][0]["function"]["arguments"][key] = 1
    conversation = [user("Rome?"), asks, result(0, answer), says("Sun.")]
    harmless = [
        user("Rome?"),
        calls("Rome", content="x", reasoning_content="y"),
        result(0, "z"),
        says("Sun."),
    ]
    tools = deepcopy(TOOLS)
    tools[0]["function"]["description"] = described
    for name in ("qwen3", "llama3", "mistral", "phi", "deepseek"):
        control = opened[name].convert_tokens_to_ids(list(TEMPLATES[name][1].control))
        for encoder in (marked[name], unmarked[name]):
            encoded, plain = encode(encoder, conversation, tools), encode(encoder, harmless, TOOLS)
            found, written = (ids[np.isin(ids, control)].tolist() for ids in (encoded.ids, plain.ids))
            assert found == written


WORDS = st.lists(st.sampled_from([*LOOK_ALIKES, "Yes.", " ", "\n", "</think>", "None", ""]), max_size=3).map(
    "".join
)
WEIGHT = st.sampled_from([{}, {}, {"weight": 0}])
TURNS = st.one_of(
    st.builds(lambda *said: [user(said[0]), says(said[1], **said[2])], WORDS, WORDS, WEIGHT),
    st.builds(
        lambda *said: [user(said[0]), calls(said[1], **said[2]), result(0, said[3]), says(said[4])],
        *(WORDS, WORDS, WEIGHT, WORDS, WORDS),
    ),
)


@settings(max_examples=25, deadline=None)
@given(st.lists(TURNS, min_size=1, max_size=3), st.booleans())
def test_without_marks_the_same_is_learnt(marked, unmarked, turns, has_system):
    conversation = [SYSTEM] * has_system + [message for turn in turns for message in turn]
    for name in ("qwen3", "llama3", "mistral", "phi", "deepseek"):
        row = columns(conversation, TOOLS)
        expected, found = marked[name].encode(*row), unmarked[name].encode(*row)
        assert found.failures == expected.failures
        assert found.ids.tolist() == expected.ids.tolist()
        assert found.assistant_mask.tolist() == expected.assistant_mask.tolist()


def test_what_a_prompt_begins_an_answer_with_is_not_learnt(folders, opened):
    header = "{{- '<|im_start|>assistant\\n"
    before, after = TEMPLATES["qwen3"][0].rsplit(header, 1)
    thinking = ChatEncoder.build(load_tokenizer(folders["qwen3"]), f"{before}{header}<think>\\n{after}")
    encoded = encode(thinking, REASONING["reasoning in earlier turns"])
    assert words_learnt(encoded, opened["qwen3"]) == [
        "4<|im_end|>",
        "once more\n</think>\n\n6<|im_end|>",
    ]


def test_a_template_without_prompts_gives_its_header_away(folders, opened):
    template = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    encoder = ChatEncoder.build(load_tokenizer(folders["chatml"]), template)
    encoded = encode(encoder, PLAIN["several turns"])
    expected = ["Rouge.<|im_end|>", "Blanc.<|im_end|>", "Yes.<|im_end|>"]
    assert words_learnt(encoded, opened["chatml"]) == expected


def test_composed_characters_everywhere(folders):
    files = load_tokenizer(folders["qwen3"])
    definition = json.dumps(files.definition | {"normalizer": {"type": "NFC"}}).encode()
    encoder = ChatEncoder.build(replace(files, tokenizer_json=definition))

    def said(letter):
        asks = calls(letter, reasoning_content=letter)
        return encode(encoder, [user(letter), asks, result(0, letter), says(letter)], TOOLS).ids.tolist()

    assert said("e\u0301") == said("é")


@pytest.mark.parametrize("character", ["\ufdd0", "\ufdd4", "\ud800"])
def test_what_no_text_may_hold_is_refused_wherever_it_stands(character, marked):
    bad = f"a{character}"
    described = deepcopy(TOOLS)
    described[0]["function"]["description"] = bad
    spelled = calls("Rome")
    spelled["tool_calls"][0]["function"]["arguments"] = json.dumps({"city": bad})
    conversations = [
        (ASKED_ONCE, described, {}),
        ([user("Rome?"), calls(bad), *ASKED_ONCE[2:]], TOOLS, {}),
        ([user("Rome?"), spelled, *ASKED_ONCE[2:]], TOOLS, {}),
        ([user("Rome?"), says("Sun.", reasoning_content=bad)], None, {}),
        ([user("Rome?") | {"name": bad}, says("Sun.")], None, {}),
        (PLAIN["one turn"], None, {"documents": [{"title": bad}]}),
        (PLAIN["one turn"], None, {"chat_template_kwargs": {bad: 1}}),
    ]
    for conversation, tools, further in conversations:
        encoded = marked["llama3"].encode(*columns(conversation, tools, **further))
        assert f"U+{ord(character):04X}" in encoded.failures[0]
        assert len(encoded.ids) == 0


def test_arguments_that_are_no_json_fail_where_the_template_needs_objects(marked):
    broken = calls("Rome")
    broken["tool_calls"][0]["function"]["arguments"] = '{"city": '
    conversation = [user("Rome?"), broken]
    assert "not valid JSON" in marked["llama3"].encode(*columns(conversation, TOOLS)).failures[0]
    assert marked["deepseek"].encode(*columns(conversation, TOOLS)).failures == {}


def test_no_arguments_are_an_empty_object_where_the_template_needs_one(opened, marked):
    bare = calls("Rome")
    bare["tool_calls"][0]["function"]["arguments"] = ""
    encoded = encode(marked["llama3"], [user("Rome?"), bare], TOOLS)
    assert '"parameters": {}' in opened["llama3"].decode(encoded.ids)


def test_deep_nesting_fails_that_conversation_only(marked):
    messages, fields = columns(ASKED_ONCE, TOOLS)
    deep = f'{{"tools": {"[" * 50_000}{"]" * 50_000}}}'
    encoded = marked["qwen3"].encode(pa.concat_arrays([messages] * 2), pa.array([deep, fields[0].as_py()]))
    assert list(encoded.failures) == [0]
    assert "too deeply" in encoded.failures[0]


def test_columns_that_do_not_agree_fail_the_conversation(marked):
    messages, _ = columns(PLAIN["one turn"])
    encoded = marked["chatml"].encode(messages, pa.array([json.dumps({"messages": [{}]})]))
    assert "2 messages" in encoded.failures[0]


def test_conversations_without_further_fields_may_stand_beside_others(marked):
    messages, fields = columns(ASKED_ONCE, TOOLS)
    plain, _ = columns(PLAIN["one turn"])
    encoded = marked["qwen3"].encode(
        pa.concat_arrays([plain, messages]), pa.concat_arrays([pa.nulls(1, pa.string()), fields])
    )
    alone = [encode(marked["qwen3"], PLAIN["one turn"]), encode(marked["qwen3"], ASKED_ONCE, TOOLS)]
    assert encoded.ids.tolist() == [number for each in alone for number in each.ids]
