"""Conversations rendered by their shape give what rendering each of them by itself gives."""

import json
from dataclasses import replace
from functools import cache

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.chat_templates import MARKED, TEMPLATES, make_tokenizer
from tokenizer_tools.chat import CHATML_TEMPLATE, ChatEncoder
from tokenizer_tools.load import load_tokenizer

MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
ENOUGH = 20
"""Conversations of one shape after which it is learnt."""

TURN = "<|im_start|>{{ m.role }}\n%s<|im_end|>\n"
LOOP = "{%% for m in messages %%}" + TURN + "{%% endfor %%}"
CURIOUS = {
    "looks for thoughts": LOOP % "{{ m.content.split('</think>')[-1] if '</think>' in m.content else m.content }}",
    "measures length": LOOP % "{{ m.content }}{{ '.' * (m.content | length % 3) }}",
    "measures a joined text": LOOP % "{{ m.content }}{{ ('' ~ m.content) | length }}",
    "measures a set block": LOOP % "{% set c %}{{ m.content }}{% endset %}{{ c }}{{ c | length }}",
    "measures in a macro": "{% macro say(c) %}{{ c }}{% endmacro %}"
    + LOOP % "{% set c = say(m.content) %}{{ c }}{{ c | length }}",
    "speaks through a macro": "{% macro say(c) %}{{ c }}{% endmacro %}" + LOOP % "{{ say(m.content) | trim }}",
    "asks whether it is within": LOOP % "{{ m.content }}{{ '!' if m.content in 'a Yes. b' else '' }}",
    "asks whether it is one of some": LOOP % "{{ m.content }}{{ '!' if m.content in ['Yes.', 'b'] else '' }}",
    "compares": LOOP % "{{ m.content }}{{ '!' if m.content == 'Yes.' else '' }}",
    "compares messages": LOOP % "{{ m.content }}{{ '!' if m.content == messages[0].content else '' }}",
    "orders": LOOP % "{{ m.content }}{{ '!' if m.content > 'Y' else '' }}",
    "shouts": LOOP % "{{ m.content | upper }}",
    "shouts by a method": LOOP % "{{ m.content.upper() }}",
    "cuts": LOOP % "{{ m.content[:5] }}",
    "spells": LOOP % "{% for c in m.content %}{{ c }}-{% endfor %}",
    "quotes": LOOP % "{{ m.content | tojson }}",
    "escapes": LOOP % "{{ m.content | e }}",
    "counts": LOOP % "{{ m.content }}{{ m.content | int }}",
    "formats": LOOP % "{{ '%s' % m.content }}{{ ('%s' % m.content) | length }}",
    "formats by a method": LOOP % "{{ '{:>9}'.format(m.content) }}",
    "replaces": LOOP % "{{ m.content.replace('e', 'E') }}",
    "replaces in a literal": LOOP % "{{ 'Yes. No.'.replace(m.content, '') }}{{ m.content }}",
    "looks into a literal": LOOP % "{{ m.content }}{{ '!' if 'Yes. No.'.startswith(m.content) else '' }}",
    "strips marks": LOOP % "{{ m.content.strip('.') }}",
    "strips on one side": LOOP % "{{ m.content.lstrip() }}",
    "begins": LOOP % "{{ m.content }}{{ '!' if m.content.startswith(('Yes', ' ')) else '' }}",
    "takes what is empty as missing": LOOP % "{{ m.content or 'nothing' }}",
    "takes parts": LOOP % "{% if m.content is string %}{{ m.content }}{% else %}{% for p in m.content %}{{ p.text }}"
    "{% endfor %}{% endif %}",
    "has a default prompt": "{% if messages[0].role != 'system' %}<|im_start|>system\nBe brief.<|im_end|>\n"
    "{% endif %}" + LOOP % "{{ m.content }}",
    "leaves the system out": "{% for m in messages if m.role != 'system' %}"
    + TURN % "{{ m.content }}"
    + "{% endfor %}",
    "prompts with a thought": LOOP % "{{ m.content }}"
    + "{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n{% endif %}",
    "hides what was said": "{% for m in messages %}"
    + TURN % "{{ m.content if loop.last or m.role != 'assistant' else '<think>' + m.content }}"
    + "{% endfor %}",
    "repeats": LOOP % "{{ m.content }}{{ m.content }}",
    "says nothing of marks": "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}",
}
CURIOUS = {name: text.replace("%%", "%") for name, text in CURIOUS.items()}

PIECES = st.sampled_from(
    [
        *("Yes.", " ", "\n", "a", "é", "e", "\u0301", "\u1161", "😀", "Сок", "葡", "\u00a0", "\u2028", "\x1c", "."),
        *("<think>", "</think>", "<think>\n\n</think>\n\n", "<tool_response>", "<|im_end|>", "<|im_", "end|>"),
        *("assistant\n", "user", "assistant", "<|eot_id|>", "</s>", "[INST]", "<｜User｜>", "<end_of_turn>", "Be brief."),
        *("\ufdd0", "long " * 50),
    ]
)
CONTENTS = st.one_of(st.lists(PIECES, max_size=4).map("".join), st.text(max_size=8).filter(str.isprintable))
ROLES = st.one_of(
    st.integers(1, 3).map(lambda turns: ["user", "assistant"] * turns),
    st.integers(1, 2).map(lambda turns: ["system", *["user", "assistant"] * turns]),
    st.just(["user", "assistant", "user"]),
    st.lists(st.sampled_from(["user", "assistant", "system", "tool", "developer"]), min_size=1, max_size=5),
)


@st.composite
def conversations(draw):
    """Of one to three shapes, of each some that say anything and enough that are plain for it to be learnt."""
    found = []
    for roles in draw(st.lists(ROLES, min_size=1, max_size=2)):
        for hostile in draw(st.lists(st.tuples(*[CONTENTS] * len(roles)), min_size=1, max_size=6)):
            said = [f"Words {len(found)} of {role}." for role in roles]
            found += [said] * (ENOUGH // 2)
            found.append([*hostile])
            changed = draw(st.integers(0, len(roles) - 1))
            said[changed] = hostile[changed]
            found += [said, said]
        found = [
            [{"role": role, "content": content} for role, content in zip(roles, said, strict=True)]
            if isinstance(said[0], str)
            else said
            for said in found
        ]
    return draw(st.permutations(found)) if len(found) < 60 else found


def encode(encoder, rows, *, singly):
    """With fields for the template, though none is given, each conversation is rendered by itself."""
    fields = pa.array(["{}"] * len(rows)) if singly else None
    return encoder.encode(pa.array(rows, MESSAGES), fields)


def assert_same(found, expected):
    assert found.failures == expected.failures
    for name in ("ids", "offsets", "assistant_mask", "resume"):
        assert np.array_equal(getattr(found, name), getattr(expected, name)), name
    assert found.left_out == expected.left_out


def nfc(files):
    definition = json.loads(files.tokenizer_json) | {"normalizer": {"type": "NFC"}}
    return replace(files, tokenizer_json=json.dumps(definition).encode())


def two(files, template):
    """Two encoders, as what one has seen decides which fields it takes for left out."""
    return ChatEncoder(files, template), ChatEncoder(files, template)


@pytest.fixture(scope="module")
def family(tmp_path_factory):
    """Two encoders of a family."""

    def made(name, marked):
        files = load_tokenizer(make_tokenizer(tmp_path_factory.mktemp("family"), name))
        return two(files, MARKED[name] if marked else TEMPLATES[name][0])

    return cache(made)


@pytest.fixture(scope="module")
def curious(trained):
    """Two encoders with a template."""
    return cache(lambda name: two(trained, CURIOUS[name]))


def check(pair, rows):
    quick, slow = pair
    assert_same(encode(quick, rows, singly=False), encode(slow, rows, singly=True))


@pytest.mark.parametrize("marked", [False, True], ids=["without marks", "with marks"])
@pytest.mark.parametrize("name", TEMPLATES)
@settings(max_examples=12)
@given(rows=conversations())
def test_families_give_the_same(family, name, marked, rows):
    check(family(name, marked), rows)


@pytest.mark.parametrize("name", CURIOUS)
@settings(max_examples=6)
@given(rows=conversations())
def test_templates_that_look_into_contents_give_the_same(curious, name, rows):
    check(curious(name), rows)
