import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_corpus import CORPUS, texts
from tokenizers import Tokenizer

from tokenizer_tools.encode import Encoder
from tokenizer_tools.fit.span_tokens import alone, overlapping, own_tokens
from tokenizer_tools.fit.token_bytes import TokenBytes
from tokenizer_tools.fit.words import FlatTexts, words_of

DOCUMENTS = st.lists(
    st.one_of(st.sampled_from(CORPUS[:5]), st.text(st.sampled_from("ab.,ж葡😀  \n"))), max_size=6
)


@pytest.fixture(scope="module", params=["trained", "pieces"])
def files(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def encoder(files):
    return Encoder.build(files)


@settings(deadline=None)
@given(DOCUMENTS)
def test_a_word_has_the_tokens_that_overlap_it_by_the_librarys_own_record(files, encoder, documents):
    column = texts(*documents)
    words = words_of(FlatTexts.of(column))
    found = overlapping(words, *own_tokens(encoder, encoder.encode(column)), TokenBytes.of(files).lengths)
    expected = []
    tokenizer = Tokenizer.from_str(files.tokenizer_json.decode())
    space = tokenizer.token_to_id("▁")  # alone: the one that is put before a text
    for text in documents:
        encoding = tokenizer.encode(text, add_special_tokens=False)
        spans = [
            [
                number
                for number, (start, stop) in zip(encoding.ids, encoding.offsets, strict=True)
                if start < word.end() and word.start() < stop and number != space
            ]
            for word in re.finditer(r"\S+", text)
        ]
        expected += spans
    assert [
        found.ids[first : first + count].tolist()
        for first, count in zip(found.first, found.count, strict=True)
    ] == expected


def test_a_text_whose_tokens_do_not_add_up_to_it_gives_none_and_harms_no_other(pieces):
    encoder, lengths = Encoder.build(pieces), TokenBytes.of(pieces).lengths

    def counts(*documents):
        column = texts(*documents)
        words = words_of(FlatTexts.of(column))
        return overlapping(words, *own_tokens(encoder, encoder.encode(column)), lengths).count.tolist()

    good = counts("juice runs", "clear juice")
    assert counts("juice runs", "bar▁rel here", "clear juice") == [*good[:2], 0, 0, *good[2:]]
    assert min(good) > 0


def test_a_word_alone_is_encoded_as_a_text_of_its_own(words):
    encoder = Encoder.build(words)
    found = alone(words_of(FlatTexts.of(texts("the and-so barrel", "the"))), encoder)
    assert found.count.tolist() == [1, 3, 1, 1]
    assert found.ids[found.first[[0, 2, 3]]].tolist() == [3, 2, 3]
