"""The compiled encoder gives the ids of the tokenizers library, for every family and any text."""

import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_corpus import CORPUS
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

from tokenizer_tools.backends import Reference
from tokenizer_tools.fast.characters import LETTER, MARK, NUMBER, SPACE, character_kinds
from tokenizer_tools.fast.cutting import UnknownTokenizerError
from tokenizer_tools.fast.encoder import FastEncoder
from tokenizer_tools.parity import HOSTILE_TEXTS
from tokenizer_tools.train import PATTERN

CL100K = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
GPT_2 = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
BYTES = GPT_2 | {"use_regex": False}


def split(pattern, behavior="Isolated", invert=False):
    first = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": behavior, "invert": invert}
    return {"type": "Sequence", "pretokenizers": [first, BYTES]}


FAMILIES = {
    "our own": {"pre_tokenizer": split(PATTERN)},
    "GPT-2": {"pre_tokenizer": GPT_2},
    "Llama 3 and OLMo": {"pre_tokenizer": split(CL100K, "Removed", True), "ignore_merges": True},
    "Qwen": {"pre_tokenizer": split(CL100K.replace("{1,3}", "")), "normalizer": {"type": "NFC"}},
    "tiktoken's spelling": {
        "pre_tokenizer": split(CL100K.replace("?\\p{L}+", "?+\\p{L}+").replace("[\\r\\n]+|", "[\\r\\n]|"))
    },
    "Llama 2": {"sentencepiece": "prepend"},
    "Gemma": {"sentencepiece": "replace"},
}
ADDED = {
    "single_word": False,
    "lstrip": False,
    "rstrip": False,
    "normalized": False,
    "special": False,
}
THINK = [
    {"id": 2000 + number, "content": content} for number, content in enumerate(("<think>", "<th", "k>a"))
]


def sentencepiece(kind):
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    replace = normalizers.Replace(" ", "▁")
    prepended = normalizers.Sequence([normalizers.Prepend("▁"), replace])
    tokenizer.normalizer = prepended if kind == "prepend" else replace
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("▁*[^▁]+|▁+"), "isolated")
    special = ["<unk>", "<s>", "</s>"]
    trainer = trainers.BpeTrainer(
        vocab_size=900,
        special_tokens=special + [f"<0x{byte:02X}>" for byte in range(256)],
        limit_alphabet=100,
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    definition = json.loads(tokenizer.to_str())
    definition["added_tokens"] = [one for one in definition["added_tokens"] if one["content"] in special]
    between = {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False}
    definition["pre_tokenizer"] = None if kind == "prepend" else between
    return definition


@pytest.fixture(scope="module", params=FAMILIES)
def definition(trained, request):
    family = dict(FAMILIES[request.param])
    if "sentencepiece" in family:
        return sentencepiece(family["sentencepiece"])
    definition = trained.definition | {"added_tokens": [*trained.definition["added_tokens"]]}
    definition["model"] = definition["model"] | {"ignore_merges": family.pop("ignore_merges", False)}
    return definition | family


@pytest.fixture(scope="module", params=["added tokens", "no added tokens"])
def pair(definition, request):
    added = [ADDED | token for token in THINK] if request.param == "added tokens" else []
    whole = json.dumps(definition | {"added_tokens": [*definition["added_tokens"], *added]})
    return [kind(whole, control_tokens=False) for kind in (FastEncoder, Reference)]


def ids_of(encoder, texts):
    ids, offsets = encoder.encode(pa.array(texts, pa.large_string()))
    assert len(offsets) == len(texts) + 1
    assert offsets[-1] == len(ids)
    return [ids[offsets[row] : offsets[row + 1]].tolist() for row in range(len(texts))]


ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
TELLING = [
    *" \t\n\r\u00a0\u2028\x0b'!/.<>",
    *"aàеЖß漢ा\u0301\u0327\u093c",
    *"sSſtTmMdDrReEvVlL\u212a",
    *"12٣Ⅷ",
    *("'s", "'LL", " '", "  ", "\r\n", "▁", "\0", "\U0001f600"),
    *("<think>", "<thin", "k>a", "e\u0301", "\u1100\u1161", "barrel", " the press", "привет"),
]
PLAIN = [one for one in TELLING if one.isascii() or "а" <= one[0] <= "я"]
CUT_AT_ONCE = st.lists(st.sampled_from(PLAIN), min_size=30, max_size=90).map("".join)
"""Texts of 64 bytes and more of the characters that are cut 64 at a time."""
TEXTS = st.one_of(ANY_TEXT, st.lists(st.sampled_from(TELLING), max_size=40).map("".join), CUT_AT_ONCE)


@settings(max_examples=150, deadline=None)
@given(texts=st.lists(TEXTS, max_size=4))
def test_any_text_has_the_ids_of_the_library(pair, texts):
    fast, reference = pair
    assert ids_of(fast, texts) == ids_of(reference, texts)


def test_hostile_texts_have_the_ids_of_the_library(pair):
    fast, reference = pair
    found, right = (ids_of(encoder, [*HOSTILE_TEXTS, *CORPUS]) for encoder in (fast, reference))
    assert found == right


@pytest.mark.parametrize(
    "unit", ["a", " ", "\n", "!", "7", "'s", "Ж", "漢", "e\u0301", "ab", "\u0301", " \n"]
)
def test_runs_much_longer_than_a_word_have_the_ids_of_the_library(pair, unit):
    fast, reference = pair
    texts = [unit * number for number in (15, 16, 31, 32, 63, 64, 65, 300, 5000)]
    texts += ["x" + text + "y" for text in texts]
    assert ids_of(fast, texts) == ids_of(reference, texts)


def test_a_megabyte_of_one_letter_is_encoded(definition):
    encoder = FastEncoder(json.dumps(definition), control_tokens=False)
    once, often = (ids_of(encoder, ["a" * size])[0] for size in (1 << 10, 1 << 20))
    assert 1 < len(often) / len(once) < 1100


@settings(max_examples=30, deadline=None)
@given(texts=st.lists(TEXTS, max_size=30))
def test_a_full_memory_of_words_begins_anew_and_changes_no_id(definition, texts):
    whole = json.dumps(definition)
    small = FastEncoder(whole, control_tokens=False, cached_words=3)
    texts = [*texts, *CORPUS, *texts]
    assert ids_of(small, texts) == ids_of(Reference(whole, control_tokens=False), texts)


def test_control_tokens_are_found_where_they_are_wanted(trained):
    text = "The press<|im_start|> turns<|endoftext|><|im_start"
    found, right = (
        ids_of(kind(trained.tokenizer_json.decode(), control_tokens=True), [text])
        for kind in (FastEncoder, Reference)
    )
    assert found == right
    assert trained.token_id("<|im_start|>") in found[0]


@settings(max_examples=60, deadline=None)
@given(texts=st.lists(st.text("abcdefg1 ", max_size=80), max_size=4))
def test_added_tokens_that_begin_with_many_letters_are_found(trained, texts):
    added = [
        ADDED | {"id": 2000 + number, "content": letter + "1"} for number, letter in enumerate("abcdefg")
    ]
    whole = json.dumps(trained.definition | {"added_tokens": [*trained.definition["added_tokens"], *added]})
    fast, reference = (kind(whole, control_tokens=False) for kind in (FastEncoder, Reference))
    assert ids_of(fast, texts) == ids_of(reference, texts)


def test_slices_nulls_and_empty_arrays_are_encoded(trained):
    encoder = FastEncoder(trained.tokenizer_json.decode(), control_tokens=False)
    whole = pa.array(["the barrel", None, "", "leaks"], pa.large_string())
    ids, offsets = encoder.encode(whole)
    assert np.diff(offsets)[1:3].tolist() == [0, 0]
    assert encoder.encode(whole[3:])[0].tolist() == ids[offsets[3] :].tolist()
    assert encoder.encode(whole[:0])[1].tolist() == [0]


def test_kinds_of_all_characters_are_those_of_the_library():
    numbers, pages = character_kinds()
    kinds = pages.reshape(-1, 64)[numbers].reshape(-1)
    text = "".join(map(chr, [*range(0xD800), *range(0xE000, 0x110000)]))
    for kind, name in ((LETTER, r"\p{L}"), (MARK, r"\p{M}"), (NUMBER, r"\p{N}"), (SPACE, r"\s")):
        runs = pre_tokenizers.Split(Regex(f"{name}+"), "removed", invert=True).pre_tokenize_str(text)
        library = {ord(character) for run, _ in runs for character in run}
        assert library == {*np.flatnonzero(kinds == kind).tolist()}


UNKNOWN = {
    "another pattern": {"pre_tokenizer": split(r"\p{L}+|.")},
    "another normaliser": {"normalizer": {"type": "NFKC"}},
    "a space before each text": {"pre_tokenizer": GPT_2 | {"add_prefix_space": True}},
    "no BPE": {"model": {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"}},
    "a token that takes spaces": {"added_tokens": [ADDED | {"id": 9, "content": "<a>", "lstrip": True}]},
}


@pytest.mark.parametrize("change", UNKNOWN.values(), ids=UNKNOWN)
def test_a_tokenizer_of_another_kind_is_refused_with_the_reason(trained, change):
    with pytest.raises(UnknownTokenizerError, match=r"^(its?|the) \w+"):
        FastEncoder(json.dumps(trained.definition | change), control_tokens=False)
