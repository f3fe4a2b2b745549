import re
from itertools import chain

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from small_corpus import texts

from tokenizer_tools.fit.words import FlatTexts, terms_of, words_of

WHITE_SPACE = "\t\n\x0b\x0c\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B)))
WHITE_SPACE += "\u2028\u2029\u202f\u205f\u3000"
TEXTS = st.lists(
    st.text(st.one_of(st.sampled_from(WHITE_SPACE + "ab.ж葡😀"), st.characters(exclude_categories=["Cs"])))
)


def said(spans):
    return [spans.distinct[int(number)].as_py() for number in spans.number]


@settings(deadline=None)
@given(TEXTS)
def test_words_stand_between_unicode_white_space(documents):
    words = words_of(FlatTexts.of(texts(*documents)))
    expected = [re.findall(f"[^{WHITE_SPACE}]+", text) for text in documents]
    assert said(words) == list(chain.from_iterable(expected))
    assert np.bincount(words.text, minlength=len(documents)).tolist() == [len(found) for found in expected]


def test_a_slice_of_an_array_has_its_own_words():
    column = texts("no", "a b", "", "c", "no")
    assert said(words_of(FlatTexts.of(column[1:4]))) == ["a", "b", "c"]


def test_terms_are_words_without_the_signs_around_them():
    words = words_of(FlatTexts.of(texts("«Вино», — (it's) ... 3.14! e\u0301, x-y")))
    assert said(terms_of(words)) == ["Вино", "it's", "3.14", "e\u0301", "x-y"]
