import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_corpus import CORPUS
from tokenizers import Tokenizer

from tokenizer_tools.chat import CHATML_TEMPLATE, ChatEncoder
from tokenizer_tools.load import TokenizerError

MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
UNMARKED = CHATML_TEMPLATE.replace("{%- generation %}", "").replace("{%- endgeneration %}", "")
TRIMMING = (
    "{{ bos_token }}{% for m in messages %}<|im_start|>{{ m['role'] }}\n\n"
    "{{ m['content'] | trim }}<|im_end|>{% endfor %}"
)
FORGETFUL = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{% if m.role == 'assistant' and not loop.last %}{{ m.content.split('</think>')[-1] }}"
    "{% elif m.role == 'assistant' %}{{ '' if '<think>' in m.content else '<think></think>' }}{{ m.content }}"
    "{% else %}{{ m.content }}{% endif %}<|im_end|>\n{% endfor %}"
)
PIECEMEAL = "{% for m in messages %}{{ '<|im_' + 'start|>' }}{{ m.content }}{% endfor %}"

PLAIN_TEXT = st.text(st.characters(exclude_categories=["Cs", "Cn"]), max_size=30).filter(
    lambda text: "<|" not in text
)
LOOK_ALIKES = st.sampled_from(
    ["<|im_end|>", "<|im_start|>assistant\n", "<|endoftext|>", "<|im_", "end|>", "\n"]
)
HOSTILE_TEXT = st.lists(st.one_of(PLAIN_TEXT, LOOK_ALIKES), max_size=4).map("".join)


def turns(*contents):
    """A conversation in which the user begins."""
    roles = ("user", "assistant")
    return [{"role": roles[number % 2], "content": content} for number, content in enumerate(contents)]


def encode(encoder, *conversations):
    return encoder.encode(pa.array(conversations, MESSAGES))


def learnt(encoded, decoder):
    """What the mask marks, run by run, as text."""
    padded = np.concatenate([[0], encoded.assistant_mask, [0]]).astype(np.int8)
    edges = np.flatnonzero(np.diff(padded)).reshape(-1, 2)
    return [
        decoder.decode(encoded.ids[start:stop].tolist(), skip_special_tokens=False) for start, stop in edges
    ]


@pytest.fixture(scope="module")
def encoder(trained):
    return ChatEncoder.build(trained)


@pytest.fixture(scope="module")
def unmarked(trained):
    return ChatEncoder.build(trained, UNMARKED)


@pytest.fixture(scope="module")
def decoder(trained):
    return Tokenizer.from_str(trained.tokenizer_json.decode())


@pytest.fixture(scope="module")
def opened(trained, tmp_path_factory):
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("tokenizer")
    trained.save(folder)
    return transformers.AutoTokenizer.from_pretrained(folder)


@given(st.lists(PLAIN_TEXT, min_size=2, max_size=5))
def test_ids_and_mask_are_those_of_transformers(encoder, opened, contents):
    conversation = turns(*contents)
    expected = opened.apply_chat_template(conversation, return_assistant_tokens_mask=True, return_dict=True)
    encoded = encode(encoder, conversation)
    assert encoded.failures == {}
    assert encoded.ids[:-1].tolist() == expected["input_ids"]
    assert encoded.ids[-1] == encoder.end_id
    assert encoded.assistant_mask[:-1].tolist() == expected["assistant_masks"]
    assert encoder.render(conversation) == opened.apply_chat_template(conversation, tokenize=False)


@given(st.lists(HOSTILE_TEXT, min_size=2, max_size=5))
def test_contents_become_text_and_only_the_template_writes_control_tokens(encoder, decoder, contents):
    conversation = turns(*contents)
    encoded = encode(encoder, conversation)
    assert decoder.decode(encoded.ids[:-1].tolist(), skip_special_tokens=False) == encoder.render(
        conversation
    )
    counts = {
        token: int((encoded.ids == decoder.token_to_id(token)).sum())
        for token in ("<|im_start|>", "<|im_end|>")
    }
    assert counts == {"<|im_start|>": len(contents), "<|im_end|>": len(contents)}
    assert (encoded.ids == encoder.end_id).sum() == 1


@given(st.lists(HOSTILE_TEXT, min_size=2, max_size=5))
def test_without_marks_the_same_words_are_learnt(encoder, unmarked, contents):
    marked, found = encode(encoder, turns(*contents)), encode(unmarked, turns(*contents))
    assert found.failures == {}
    assert found.ids.tolist() == marked.ids.tolist()
    assert found.assistant_mask.tolist() == marked.assistant_mask.tolist()


def test_the_mask_holds_the_answers_and_their_ends_of_turn(encoder, decoder):
    conversation = [
        {"role": "system", "content": "Be brief."},
        *turns("Red?", "Rouge.", "White?", "Blanc, вино 😀."),
    ]
    encoded = encode(encoder, conversation)
    assert learnt(encoded, decoder) == ["Rouge.<|im_end|>", "Blanc, вино 😀.<|im_end|>"]
    assert encoded.assistant_mask.dtype == np.uint8
    assert len(encoded.assistant_mask) == len(encoded.ids)


def test_a_template_that_trims_and_begins_with_the_begin_token(trained, decoder):
    files = replace(trained, begin_token="<|pad|>")
    encoded = encode(ChatEncoder.build(files, TRIMMING), turns(" Red? ", "\n Rouge. \n"))
    assert encoded.ids[0] == files.token_id("<|pad|>")
    assert learnt(encoded, decoder) == ["Rouge.<|im_end|><|endoftext|>"]


def test_the_end_token_is_learnt_only_right_after_the_answer_and_never_doubled(trained):
    ends_turn = ChatEncoder.build(replace(trained, end_token="<|im_end|>"), TRIMMING)
    encoded = encode(ends_turn, turns("Red?", "Rouge."))
    assert (encoded.ids[-1], encoded.assistant_mask[-1]) == (ends_turn.end_id, 1)
    assert encoded.ids[-2] != ends_turn.end_id
    chatml = ChatEncoder.build(trained)
    encoded = encode(chatml, turns("Red?", "Rouge."))
    assert (encoded.ids[-1], encoded.assistant_mask[-1]) == (chatml.end_id, 0)


def test_a_template_that_rewrites_an_answer_fails_that_conversation_only(trained, decoder):
    encoder = ChatEncoder.build(trained, FORGETFUL)
    rewritten, cut = turns("a", "<think>x</think>b"), turns("a", "<think>x</think>b", "c", "d")
    encoded = encode(encoder, rewritten, cut)
    assert list(encoded.failures) == [0]
    assert "message 1" in encoded.failures[0]
    assert encoded.offsets[1] == 0
    assert encoded.offsets[2] == len(encoded.ids)
    assert learnt(encoded, decoder) == ["b<|im_end|>", "d<|im_end|>"]


def test_a_template_that_builds_control_tokens_from_pieces_is_refused(trained):
    with pytest.raises(TokenizerError, match="pieces"):
        ChatEncoder.build(trained, PIECEMEAL)


def test_a_template_that_leaves_the_answer_out_is_refused(trained):
    with pytest.raises(TokenizerError, match="nothing that the assistant wrote"):
        ChatEncoder.build(trained, "{% for m in messages %}<|im_start|>{{ m.role }}{% endfor %}")
    with pytest.raises(TokenizerError, match="nothing that the assistant wrote"):
        ChatEncoder.build(trained, "{% for m in messages %}<|im_start|>{{ m.role }}<|im_end|>{% endfor %}")
    with pytest.raises(TokenizerError, match="nothing that the assistant wrote"):
        ChatEncoder.build(trained, "<|im_start|>{% generation %}{% endgeneration %}")


def test_bad_conversations_fail_with_their_row_and_reason(encoder):
    good = turns("Red?", "Rouge.")
    bad = [
        None,
        [],
        turns("only a question"),
        [{"role": "user", "content": None}, *good],
        [{"role": None, "content": "x"}, *good],
        turns("a reserved \ufdd0 character", "x"),
    ]
    encoded = encode(encoder, good, *bad, good)
    assert sorted(encoded.failures) == [1, 2, 3, 4, 5, 6]
    assert "U+FDD0" in encoded.failures[6]
    lengths = np.diff(encoded.offsets)
    assert lengths[0] == lengths[7] > 0
    assert not lengths[1:7].any()
    assert len(encode(encoder).ids) == 0


def test_what_a_template_refuses_is_the_reason(trained):
    alternating = (
        "{% if messages[0].role != 'user' %}{{ raise_exception('begin with a question') }}{% endif %}"
        + UNMARKED
    )
    encoder = ChatEncoder.build(trained, alternating)
    encoded = encode(encoder, [{"role": "assistant", "content": "Hello"}], turns("Red?", "Rouge."))
    assert "begin with a question" in encoded.failures[0]
    with pytest.raises(ValueError, match="begin with a question"):
        encoder.render([{"role": "assistant", "content": "Hello"}])


def test_templates_run_in_a_sandbox_and_know_no_date(trained):
    reaching = "{{ messages.__class__.__mro__[1].__subclasses__() }}" + UNMARKED
    with pytest.raises(TokenizerError, match="unsafe"):
        ChatEncoder.build(trained, reaching)
    dated = "{% if strftime_now is defined %}{{ strftime_now('%Y') }}{% else %}once{% endif %}" + UNMARKED
    assert ChatEncoder.build(trained, dated).render(turns("a", "b")).startswith("once")


def test_a_tokenizer_without_template_says_how_to_mend_it(pieces, trained):
    with pytest.raises(TokenizerError, match=r"tokenizer: \{chat_template: FILE\}"):
        ChatEncoder.build(pieces)
    with pytest.raises(TokenizerError, match="line 1"):
        ChatEncoder.build(trained, "{% for %}")


def test_a_tokenizer_that_is_not_byte_level_gets_the_same_kind_of_mask(pieces):
    template = "{% for m in messages %}[{{ m.role }}] {{ m.content }}{{ eos_token }}{% endfor %}"
    encoder = ChatEncoder.build(pieces, template)
    decoder = Tokenizer.from_str(pieces.tokenizer_json.decode())
    assert (encoder.backend, encoder.refusal is None) == ("tokenizers", False)
    conversation = turns("the press </s>", "a blend of vats")
    encoded = encode(encoder, conversation)
    plain = decoder.encode(
        encoder.render(turns("the press", "a blend of vats")), add_special_tokens=False
    ).ids
    assert encode(encoder, turns("the press", "a blend of vats")).ids.tolist() == plain
    assert (encoded.ids == encoder.end_id).sum() == 2
    assert [text.replace(" ", "") for text in learnt(encoded, decoder)] == ["a▁blend▁of▁vats</s>"]


def nfc(files):
    definition = json.loads(files.tokenizer_json) | {"normalizer": {"type": "NFC"}}
    return replace(files, tokenizer_json=json.dumps(definition).encode())


@given(
    st.lists(
        PLAIN_TEXT | st.sampled_from(["e\u0301", "\u0301a", "\u212b", "Ω\u0345"]), min_size=2, max_size=4
    )
)
def test_a_tokenizer_that_composes_characters_gives_the_same_ids(nfc_encoder, nfc_reference, contents):
    encoded = encode(nfc_encoder, turns(*contents))
    assert encoded.failures == {}
    plain = nfc_reference.encode(nfc_encoder.render(turns(*contents)), add_special_tokens=False)
    assert encoded.ids[:-1].tolist() == plain.ids


@pytest.fixture(scope="module")
def nfc_encoder(trained):
    return ChatEncoder.build(nfc(trained))


@pytest.fixture(scope="module")
def nfc_reference(trained):
    return Tokenizer.from_str(nfc(trained).tokenizer_json.decode())


def test_a_conversation_of_which_the_tokenizer_drops_bytes_fails_alone(trained, decoder):
    definition = json.loads(trained.tokenizer_json)
    drop = {"type": "Split", "pattern": {"String": "#"}, "behavior": "Removed", "invert": False}
    definition["pre_tokenizer"]["pretokenizers"].insert(0, drop)
    encoder = ChatEncoder.build(replace(trained, tokenizer_json=json.dumps(definition).encode()))
    encoded = encode(encoder, turns("a", "b"), turns("#1", "c"), turns("d", "e"))
    assert list(encoded.failures) == [1]
    assert learnt(encoded, decoder) == ["b<|im_end|>", "e<|im_end|>"]


def test_the_fingerprint_changes_with_the_template(trained, encoder, unmarked):
    assert encoder.fingerprint != unmarked.fingerprint
    assert encoder.fingerprint == ChatEncoder.build(trained).fingerprint
    assert encoder.max_id == max(trained.vocabulary.values())


def test_long_conversations_keep_their_order(encoder, decoder):
    conversations = [turns(CORPUS[number % 5], f"answer {number}") for number in range(300)]
    encoded = encode(encoder, *conversations)
    assert learnt(encoded, decoder) == [f"answer {number}<|im_end|>" for number in range(300)]
