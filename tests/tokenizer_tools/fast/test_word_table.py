"""The words of texts are counted as the tokenizers library cuts them."""

import json
from collections import Counter

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_corpus import CORPUS
from tokenizers import Tokenizer

from tokenizer_tools.fast.cutting import UnknownTokenizerError
from tokenizer_tools.fast.word_table import WordTable

ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


def counted(table):
    words, counts, _ = table.words()
    return {word.decode(): count for word, count in zip(words.to_pylist(), counts.tolist(), strict=True)}


def words_of(tokenizer, texts):
    cut = tokenizer.pre_tokenizer.pre_tokenize_str
    return Counter(text[start:stop] for text in texts for _, (start, stop) in cut(text))


@settings(deadline=None)
@given(texts=st.lists(st.one_of(ANY_TEXT, st.sampled_from(CORPUS)), max_size=6))
def test_words_are_counted_as_the_library_cuts_them(trained, texts):
    table = WordTable(trained.definition)
    for text in texts:
        table.add(pa.array([text, None], pa.large_string()))
    assert counted(table) == words_of(Tokenizer.from_str(trained.tokenizer_json.decode()), texts)


def test_a_table_grows_with_its_words(trained):
    letters = str.maketrans("0123456789", "abcdefghij")
    texts = [" ".join(f"word{number}".translate(letters) for number in range(90_000)), "x" * 500_000]
    table = WordTable(trained.definition)
    before = table.nbytes
    table.add(pa.array(texts, pa.large_string()))
    assert counted(table) == words_of(Tokenizer.from_str(trained.tokenizer_json.decode()), texts)
    assert table.nbytes > before


def test_pieces_of_a_sentencepiece_kind_join_to_the_texts_and_hide_no_merge(pieces):
    table = WordTable(pieces.definition)
    table.add(pa.array(CORPUS, pa.large_string()))
    tokenizer = Tokenizer.from_str(
        json.dumps(pieces.definition | {"post_processor": None, "normalizer": None})
    )
    tokens = Counter()
    for word, count in counted(table).items():
        tokens.update({token: count for token in tokenizer.encode(word).tokens})
    whole = Tokenizer.from_str(json.dumps(pieces.definition | {"post_processor": None}))
    right = {token for text in CORPUS for token in whole.encode(text).tokens}
    assert tokens.keys() == right


def test_an_unknown_tokenizer_is_refused(words):
    with pytest.raises(UnknownTokenizerError):
        WordTable(words.definition)
