"""Where a conversation that is too long may be shortened, and what of header tokens is learnt."""

import json
import re
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from tests.chat_templates import MARKED, TEMPLATES, make_tokenizer
from tokenizer_tools.backends import Backend
from tokenizer_tools.chat import ChatEncoder
from tokenizer_tools.load import load_tokenizer
from tokenizer_tools.span_masks import ByteSpanEncoder

MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
QUESTIONS = st.text(st.sampled_from(" \n\tabcé葡😀.,:?1"), max_size=40)
ANSWERS = st.sampled_from(["Yes.", "It is sunny, 24 degrees.", "Четыре 😀"])
GAP = "GAP"


def message(role, content):
    return {"role": role, "content": content}


def encode(encoder, *conversations):
    return encoder.encode(pa.array(conversations, MESSAGES))


def shortened(encoded, decoder):
    """The text of each shortened conversation that the encoding allows, and the ids that are missing."""
    places = np.flatnonzero(encoded.resume)
    for place in places[1:]:
        kept = np.delete(encoded.ids, slice(places[0], place))
        yield decoder.decode(kept.tolist(), skip_special_tokens=False), slice(places[0], place)


@pytest.fixture(scope="module")
def families(tmp_path_factory):
    """For each family the encoder with its template, the one with marks, and what undoes the ids."""
    found = {}
    for name in TEMPLATES:
        files = load_tokenizer(make_tokenizer(tmp_path_factory.mktemp(name), name))
        decoder = Tokenizer.from_str(files.tokenizer_json.decode())
        found[name] = ChatEncoder.build(files), ChatEncoder.build(files, MARKED[name]), decoder
    return found


def is_shortened(text, content):
    """Whether the text is the content without a span of it that ends before its last character."""
    return any(content.startswith(text[:kept]) and content.endswith(text[kept:]) for kept in range(len(text)))


@pytest.mark.parametrize("marked", [0, 1], ids=["without marks", "with marks"])
@pytest.mark.parametrize("name", TEMPLATES)
@given(system=st.none() | st.just("Be brief."), contents=st.tuples(QUESTIONS, ANSWERS, QUESTIONS, ANSWERS))
@settings(max_examples=25, deadline=None)
def test_a_shortened_conversation_is_rendered_as_one_with_a_shorter_question(
    families, name, marked, system, contents
):
    encoder, decoder = families[name][marked], families[name][2]
    roles = ["user", "assistant"] * 2
    turns = [message(role, content) for role, content in zip(roles, contents, strict=True)]
    first = [message("system", system)] if system else []
    encoded = encode(encoder, [*first, *turns])
    assert not encoded.failures
    if re.search("[a-c]", contents[0]):
        assert encoded.resume.any()
    same = (lambda text: "".join(text.split())) if name == "phi" else str  # its tokens take white space
    before, after = map(same, encoder.render([*first, message("user", GAP), *turns[1:]]).split(GAP))
    question = same(contents[0])
    for text, missing in shortened(encoded, decoder):
        assert missing.stop <= np.flatnonzero(encoded.assistant_mask)[0]
        assert same(text).startswith(before)
        middle, found, end = same(text)[len(before) :].rpartition(after)
        assert found and end in ("", TEMPLATES[name][1].end) and "\ufffd" not in middle and middle.strip()
        assert is_shortened(middle, question) or is_shortened(middle, question.strip())


def test_turns_between_go_too_where_the_rendering_stays_that_of_a_conversation(families):
    encoder, _, decoder = families["llama3"]
    turns = [message("system", "Be brief."), *(message("user", f"{n} red press") for n in "abc")]
    encoded = encode(encoder, [*turns, message("assistant", "Yes.")])
    texts = [text for text, _ in shortened(encoded, decoder)]
    for number in range(1, len(turns)):
        rest = encoder.render([turns[0], *turns[number:], message("assistant", "Yes.")])
        assert (rest + "<|end_of_text|>" in texts) == (number > 1)
    assert all(text.count("Be brief.") == 1 and "Yes.<|eot_id|>" in text for text in texts)


def test_a_system_prompt_that_stands_in_a_later_turn_stays(families):
    encoder, _, decoder = families["llama3"]
    turns = [message("user", "a red press"), message("system", "Be brief."), message("user", "a blend")]
    encoded = encode(encoder, [*turns, message("assistant", "Yes.")])
    texts = [text for text, _ in shortened(encoded, decoder)]
    assert texts and all("Be brief." in text and "a blend" in text for text in texts)


TWICE = "{% for m in messages %}<|im_start|>{{ m.content }}<|im_end|>{% endfor %}{{ messages[0].content }}"
UNASKED = "{% for m in messages if m.role != 'user' %}<|im_start|>{{ m.content }}<|im_end|>{% endfor %}"


@pytest.mark.parametrize(
    ("template", "roles"),
    [(None, ["assistant"]), (TWICE, ["user", "assistant"]), (UNASKED, ["user", "assistant"])],
    ids=["no turn before the answer", "a question that stands twice", "a question left out"],
)
def test_nothing_may_go_where_the_first_text_is_not_found_without_doubt(trained, template, roles):
    encoded = encode(ChatEncoder.build(trained, template), [message(role, role) for role in roles])
    assert not encoded.failures and not encoded.resume.any()


WHITE_SPACE = ["", " ", "\n", "\t\t", " \n ", "\n\n\t"]


def with_space_takers(files, lstrip):
    """Phi's tokenizer, whose headers take the white space after them; its end of turn that before it, too."""
    definition = json.loads(files.tokenizer_json)
    for token in definition["added_tokens"]:
        token["lstrip"] = lstrip and token["content"] == "<|end|>"
    return replace(files, tokenizer_json=json.dumps(definition).encode())


@pytest.fixture(scope="module")
def phi(tmp_path_factory):
    return load_tokenizer(make_tokenizer(tmp_path_factory.mktemp("phi"), "phi"))


@pytest.mark.parametrize(
    "template", [TEMPLATES["phi"][0], MARKED["phi"]], ids=["without marks", "with marks"]
)
@pytest.mark.parametrize("lstrip", [False, True])
def test_tokens_that_take_white_space_are_learnt_only_where_they_are_the_answers_own(phi, lstrip, template):
    files = with_space_takers(phi, lstrip)
    encoder, decoder = ChatEncoder.build(files, template), Tokenizer.from_str(files.tokenizer_json.decode())
    answers = [
        before + text + after for before in WHITE_SPACE for text in ("Yes.", "") for after in WHITE_SPACE
    ]
    encoded = encode(encoder, *([message("user", " Red? "), message("assistant", text)] for text in answers))
    assert not encoded.failures
    for number, answer in enumerate(answers):
        row = slice(*encoded.offsets[number : number + 2])
        learnt = encoded.ids[row][encoded.assistant_mask[row] == 1].tolist()
        text = answer.strip() if lstrip else answer.lstrip()
        assert decoder.decode(learnt, skip_special_tokens=False) == text + "<|end|>"


def test_an_end_of_turn_outside_the_marks_is_not_learnt_for_the_white_space_it_takes(phi):
    files = with_space_takers(phi, lstrip=True)
    outside = MARKED["phi"].replace("{{- '<|end|>' }}", "").replace("{{- '\\n' }}", "{{- '<|end|>\\n' }}")
    encoder, decoder = ChatEncoder.build(files, outside), Tokenizer.from_str(files.tokenizer_json.decode())
    encoded = encode(encoder, [message("user", "Red?"), message("assistant", "Yes. \n")])
    learnt = encoded.ids[encoded.assistant_mask == 1].tolist()
    assert decoder.decode(learnt, skip_special_tokens=False) == "Yes."
    assert decoder.token_to_id("<|end|>") in encoded.ids


class BreaksDown(Backend):
    """A byte is a token; a text that begins with an exclamation mark has none."""

    name = "breaks down"

    def encode(self, texts):
        pieces = [b"" if text.startswith("!") else text.encode() for text in texts.to_pylist()]
        return np.array(list(b"".join(pieces)), np.uint32), np.cumsum([0, *map(len, pieces)])


def test_a_text_on_which_the_tokenizer_breaks_down_changes_nothing_in_the_next():
    encoder = ByteSpanEncoder(BreaksDown(), np.ones(256, np.int64))
    texts, whole = ["ab", "!cdef", "ghi"], [(0, 2)]
    encoded = encoder.encode(texts, [whole, [(0, 5)], [(2, 3)]], [whole, [(0, 5)], [(1, 2)]])
    assert encoded.offsets.tolist() == [0, 2, 2, 5]
    assert encoded.mask.tolist() == [1, 1, 0, 0, 1]
    assert encoded.begins.tolist() == [True, True, False, True, False]
