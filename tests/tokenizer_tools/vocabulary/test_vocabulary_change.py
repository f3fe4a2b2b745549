"""What holds for every family, whether it is extended, has tokens replaced, or both."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_corpus import CORPUS, texts
from tokenizers import Tokenizer
from vocabulary_texts import DOMAIN, EASTERN, FAMILIES

from tokenizer_tools.encode import Encoder, control_tokens
from tokenizer_tools.load import TokenizerError
from tokenizer_tools.vocabulary.added import added_tokens
from tokenizer_tools.vocabulary.bytes_per_token import bytes_per_token
from tokenizer_tools.vocabulary.change import change_vocabulary
from tokenizer_tools.vocabulary.config import VocabularyExtension, VocabularyReplacement
from tokenizer_tools.vocabulary.gate import check_change

EXTENSION, REPLACEMENT = VocabularyExtension(tokens=40), VocabularyReplacement(tokens=2, scripts=EASTERN)
CHANGES = {
    "extended": {"extension": EXTENSION, "replacement": None},
    "replaced": {"extension": None, "replacement": REPLACEMENT},
    "both": {"extension": EXTENSION, "replacement": REPLACEMENT},
}
TEXTS = st.lists(
    st.one_of(
        st.text(st.characters(exclude_categories=["Cs"])),
        st.sampled_from(DOMAIN + CORPUS),
        st.text(st.sampled_from("".join(sorted(set("".join(DOMAIN + CORPUS)))))),
    )
)


@pytest.fixture(scope="module", params=[(family, change) for family in FAMILIES for change in CHANGES])
def changed(request, families, counted):
    """A base, and what became of it."""
    family, change = request.param
    base = families[family]
    words, reference = counted(base, DOMAIN), counted(base, CORPUS)
    return base, change_vocabulary(base, words, reference=reference, **CHANGES[change])


@given(TEXTS)
@settings(deadline=None, max_examples=40)
def test_new_tokens_replaced_by_their_pieces_give_the_old_ids(changed, documents):
    check_change(*changed, documents)


def test_the_pieces_can_be_found_without_the_record(changed):
    base, result = changed
    assert added_tokens(base, result.files) == result.pieces
    assert set(result.gains) == set(result.pieces) and min(result.gains.values()) >= 2
    assert all(len(pieces) > 1 for pieces in result.pieces.values())
    assert added_tokens(base, base) == {}


def test_every_other_id_stands_for_what_it_stood_for(changed):
    base, result = changed
    loaded = Tokenizer.from_str(result.files.tokenizer_json.decode())
    above = max(base.vocabulary.values()) + 1
    assert sorted(number for number in result.pieces if number >= above) == list(
        range(above, above + len(result.pieces) - len(result.replaced))
    )
    assert set(result.replaced) == {number for number in result.pieces if number < above}
    for token, number in base.vocabulary.items():
        kept = None if number in result.replaced else number
        assert loaded.token_to_id(token) == kept
        if kept is None:
            assert result.replaced[number] == token
    assert not set(control_tokens(base).values()) & result.pieces.keys()


def test_the_domain_gets_shorter(changed, counted):
    base, result = changed
    words = counted(base, DOMAIN)
    assert bytes_per_token(result.files, words) > 1.02 * bytes_per_token(base, words)


def test_transformers_gives_the_ids_of_the_tokenizers_library(changed, tmp_path):
    transformers = pytest.importorskip("transformers")
    _, result = changed
    result.files.save(tmp_path)
    opened = transformers.AutoTokenizer.from_pretrained(tmp_path)
    loaded = Tokenizer.from_str(result.files.tokenizer_json.decode())
    found = set()
    for text in DOMAIN[:3] + CORPUS[:5]:
        assert opened(text)["input_ids"] == loaded.encode(text).ids
        found.update(loaded.encode(text).ids)
    assert found & result.pieces.keys()


def test_the_encoder_stays_as_fast_and_no_text_becomes_a_control_token(changed):
    base, result = changed
    before, after = (Encoder.build(files, texts(*DOMAIN)) for files in (base, result.files))
    assert after.backend == before.backend
    assert set(after.encode(texts(*DOMAIN)).ids.tolist()) & result.pieces.keys()


@pytest.mark.parametrize("family", FAMILIES)
def test_the_order_of_the_texts_does_not_matter(families, counted, family):
    base = families[family]
    results = [
        change_vocabulary(base, counted(base, documents), extension=EXTENSION, replacement=None)
        for documents in (DOMAIN, DOMAIN[::-1])
    ]
    assert results[0] == results[1]


@pytest.mark.parametrize("family", FAMILIES)
def test_an_extension_can_be_extended_and_its_tokens_resolved(families, counted, family):
    base = families[family]
    once = change_vocabulary(base, counted(base, DOMAIN), extension=EXTENSION, replacement=None).files
    twice = change_vocabulary(once, counted(once, DOMAIN), extension=EXTENSION, replacement=None)
    pieces = added_tokens(base, twice.files)
    assert len(pieces) == len(added_tokens(base, once)) + len(twice.pieces)
    assert max(piece for each in pieces.values() for piece in each) < min(pieces)
    for number, newer in twice.pieces.items():
        parts = [pieces.get(piece, (piece,)) for piece in newer]
        assert pieces[number] == tuple(piece for part in parts for piece in part)


@given(st.lists(st.text(st.sampled_from("abаб漢\n ё😀"), max_size=12), min_size=1))
@settings(deadline=None, max_examples=25)
@pytest.mark.parametrize("family", FAMILIES)
def test_whatever_it_learns_from_the_gate_holds(families, counted, family, documents):
    base = families[family]
    words = counted(base, documents)
    try:
        result = change_vocabulary(base, words, extension=VocabularyExtension(tokens=30), replacement=None)
    except TokenizerError as error:
        assert "occurs twice" in str(error)
    else:
        check_change(base, result, documents + DOMAIN)


def test_a_gain_ends_an_extension(trained, counted):
    words = counted(trained, DOMAIN)
    many = change_vocabulary(trained, words, extension=VocabularyExtension(min_gain=0.001), replacement=None)
    few = change_vocabulary(trained, words, extension=VocabularyExtension(min_gain=0.01), replacement=None)
    gains = list(many.gains.values())
    assert gains == sorted(gains, reverse=True)
    assert list(few.pieces) == list(many.pieces)[: len(few.pieces)] and 0 < len(few.pieces) < len(many.pieces)
    tokens = sum(len(ids) * count for ids, count in zip(_cut(trained, words), words.counts, strict=True))
    assert min(few.gains.values()) >= 0.01 * tokens > gains[len(few.pieces)]


def _cut(base, words):
    tokenizer = Tokenizer.from_str(base.tokenizer_json.decode())
    return [tokenizer.encode(word.decode()).ids for word in words.words.to_pylist()]


def test_gains_are_the_tokens_that_are_saved(trained, counted):
    words = counted(trained, DOMAIN)
    result = change_vocabulary(trained, words, extension=EXTENSION, replacement=None)
    before, after = (
        sum(len(ids) * count for ids, count in zip(_cut(files, words), words.counts, strict=True))
        for files in (trained, result.files)
    )
    assert before - after == sum(result.gains.values())


def test_a_character_that_was_bytes_becomes_a_token(families, counted):
    base = families["gemma"]
    result = change_vocabulary(base, counted(base, DOMAIN), extension=EXTENSION, replacement=None)
    number = result.files.token_id("🍷")
    assert result.pieces[number] == tuple(base.token_id(f"<0x{byte:02X}>") for byte in "🍷".encode())
    assert not any("<0x" in token for token in result.files.vocabulary.keys() - base.vocabulary.keys())


def test_no_word_goes_beyond_a_space_or_a_line(families, counted):
    for family in ("llama", "gemma", "unigram"):
        base = families[family]
        result = change_vocabulary(base, counted(base, DOMAIN), extension=EXTENSION, replacement=None)
        for token in result.files.vocabulary.keys() - base.vocabulary.keys():
            assert "▁" not in token.lstrip("▁") and "\n" not in token.strip("\n")


def test_an_added_token_that_text_spells_is_in_no_word(trained, counted):
    definition = json.loads(trained.tokenizer_json)
    mark = dict(definition["added_tokens"][0], id=len(trained.vocabulary), content="<think>", special=False)
    definition["added_tokens"].append(mark)
    base = replace(trained, tokenizer_json=json.dumps(definition).encode())
    words = counted(base, ["xyxy<think>xyxy"] * 9).words.to_pylist()
    assert words == [b"xyxy"]


def test_a_unigram_whose_added_token_would_become_text_is_refused(families, counted):
    definition = json.loads(families["unigram"].tokenizer_json)
    mark = dict(definition["added_tokens"][-1], id=definition["added_tokens"][-1]["id"] + 1, content="<☃>")
    definition["added_tokens"].append(mark)
    base = replace(families["unigram"], tokenizer_json=json.dumps(definition).encode())
    with pytest.raises(TokenizerError, match="'<☃>' holds characters that the model does not know"):
        change_vocabulary(base, counted(base, DOMAIN), extension=EXTENSION, replacement=None)


def test_a_word_of_many_texts_comes_before_one_that_is_oftener_in_a_single_one(trained, counted):
    single = " ".join(["quxzwok"] * 60)
    words = counted(trained, [single, *[f"vyrlgaph {at}" for at in range(40)]])
    first = change_vocabulary(trained, words, extension=VocabularyExtension(tokens=3), replacement=None)
    names = [name for name, number in first.files.vocabulary.items() if number in first.pieces]
    assert all(name.lstrip("Ġ") in "vyrlgaph" for name in names)
    most = change_vocabulary(trained, words, extension=VocabularyExtension(tokens=99), replacement=None)
    gains = list(most.gains.values())
    assert max(gains) > gains[0]
