import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_corpus import CORPUS, texts
from tokenizers import Tokenizer

from tokenizer_tools.encode import Encoder
from tokenizer_tools.load import TokenizerError
from tokenizer_tools.vocabulary.added import added_tokens
from tokenizer_tools.vocabulary.config import VocabularyExtension
from tokenizer_tools.vocabulary.extend import extend_tokenizer
from tokenizer_tools.vocabulary.gate import check_change

DOMAIN = [
    "Танины и антоцианы переходят в сусло при мацерации; малолактика смягчает кислотность.",
    "Мацерация на мезге, затем малолактика в барриках: танины становятся мягче.",
    "Malolactic fermentation softens the must; maceration extracts tannins and anthocyanins.",
] * 5


@pytest.fixture(scope="module")
def extended(trained):
    return extend_tokenizer(trained, [texts(*DOMAIN)], VocabularyExtension(tokens=120))


@pytest.fixture(scope="module")
def ids_of():
    def encode(files, text):
        return Encoder.build(files).encode(texts(text)).ids[:-1].tolist()

    return encode


@given(
    st.lists(st.one_of(st.text(st.characters(exclude_categories=["Cs"])), st.sampled_from(DOMAIN + CORPUS)))
)
def test_replacing_new_tokens_by_their_pieces_gives_the_old_ids(trained, extended, documents):
    check_change(trained, extended, documents)


def test_the_gate_refuses_pieces_that_are_not_what_was_joined(trained, extended, ids_of):
    number = next(number for number in ids_of(extended.files, DOMAIN[0]) if number in extended.pieces)
    wrong = replace(extended, pieces=extended.pieces | {number: (0,)})
    with pytest.raises(TokenizerError, match="changes how old tokens are cut"):
        check_change(trained, wrong, DOMAIN)


def test_an_extension_is_recognised_with_the_pieces_of_its_tokens(trained, extended, pieces):
    assert added_tokens(trained, extended.files) == extended.pieces
    assert added_tokens(trained, trained) == {}
    definition = json.loads(extended.files.tokenizer_json)
    new = max(extended.pieces) + 1
    definition["added_tokens"].append(dict(definition["added_tokens"][0], id=new, content="<|wine|>"))
    marked = replace(extended.files, tokenizer_json=json.dumps(definition).encode())
    (text,) = (ids for number, ids in added_tokens(trained, marked).items() if number == new)
    tokenizer = Tokenizer.from_str(trained.tokenizer_json.decode())
    assert tokenizer.decode(text) == "<|wine|>"
    with pytest.raises(TokenizerError, match="no extension"):
        added_tokens(trained, pieces)


def test_new_ids_start_above_every_id_and_old_ones_stay(trained, extended):
    first = max(trained.vocabulary.values()) + 1
    assert sorted(extended.pieces) == list(range(first, first + 120))
    assert extended.files.vocabulary.items() >= trained.vocabulary.items()
    assert Encoder.build(extended.files).max_id == first + 119
    for number, pieces in extended.pieces.items():
        assert len(pieces) > 1
        assert max(pieces) < first
        assert number in extended.files.vocabulary.values()


def test_ids_above_a_gap_and_far_added_tokens_are_respected(trained):
    definition = json.loads(trained.tokenizer_json)
    definition["added_tokens"].append(dict(definition["added_tokens"][0], id=5000, content="<|far|>"))
    base = replace(trained, tokenizer_json=json.dumps(definition).encode())
    extended = extend_tokenizer(base, [texts(*DOMAIN)], VocabularyExtension(tokens=10))
    assert min(extended.pieces) == 5001
    loaded = Tokenizer.from_str(extended.files.tokenizer_json.decode())
    assert loaded.token_to_id("<|far|>") == 5000
    assert loaded.token_to_id("<|endoftext|>") == trained.token_id("<|endoftext|>")


def test_the_domain_gets_shorter_and_the_fast_backend_agrees(trained, extended, ids_of):
    encoder = Encoder.build(extended.files, texts(*DOMAIN))
    assert (encoder.backend, encoder.refusal) == ("coupage", None)
    before, after = (ids_of(files, DOMAIN[0]) for files in (trained, extended.files))
    assert len(after) < 0.7 * len(before)
    assert set(after) & set(extended.pieces)


def test_transformers_opens_it_with_the_same_ids(extended, tmp_path, ids_of):
    transformers = pytest.importorskip("transformers")
    extended.files.save(tmp_path)
    opened = transformers.AutoTokenizer.from_pretrained(tmp_path)
    assert opened(DOMAIN[0])["input_ids"] == ids_of(extended.files, DOMAIN[0])
    assert opened.eos_token_id == extended.files.token_id("<|endoftext|>")
    assert opened.decode(opened(DOMAIN[0])["input_ids"]) == DOMAIN[0]


def test_the_order_of_the_texts_does_not_matter(trained, extended):
    again = extend_tokenizer(trained, (texts(text) for text in DOMAIN[::-1]), VocabularyExtension(tokens=120))
    assert again.files.tokenizer_json == extended.files.tokenizer_json
    assert again.pieces == extended.pieces


def test_a_base_that_looks_up_whole_words_first_keeps_its_old_cuts(trained):
    definition = json.loads(trained.tokenizer_json)
    definition["model"]["ignore_merges"] = True
    base = replace(trained, tokenizer_json=json.dumps(definition).encode())
    extended = extend_tokenizer(base, [texts(*DOMAIN, *CORPUS)], VocabularyExtension(tokens=200))
    check_change(base, extended, DOMAIN + CORPUS)
    assert len(extended.pieces) > 50


def test_merges_written_the_older_way_are_continued_in_it(trained, ids_of):
    definition = json.loads(trained.tokenizer_json)
    definition["model"]["merges"] = [" ".join(pair) for pair in definition["model"]["merges"]]
    base = replace(trained, tokenizer_json=json.dumps(definition).encode())
    extended = extend_tokenizer(base, [texts(*DOMAIN)], VocabularyExtension(tokens=20))
    assert set(ids_of(extended.files, DOMAIN[0])) & set(extended.pieces)


def test_too_little_text_gives_fewer_tokens_or_a_reason(trained):
    few = extend_tokenizer(trained, [texts("zqzq zqzq")], VocabularyExtension(tokens=100))
    assert 0 < len(few.pieces) < 100
    with pytest.raises(TokenizerError, match="more text"):
        extend_tokenizer(trained, [texts("z")], VocabularyExtension(tokens=100))


def test_a_tokenizer_without_merges_is_refused(words):
    with pytest.raises(TokenizerError, match="no merges"):
        extend_tokenizer(words, [texts("text")], VocabularyExtension(tokens=1))
