"""Words counted by group, weighted, and in bounded memory."""

import numpy as np
import pyarrow as pa
import pytest
from small_corpus import texts
from vocabulary_texts import DOMAIN, FAMILIES

from tokenizer_tools.load import TokenizerError
from tokenizer_tools.vocabulary import words as words_module
from tokenizer_tools.vocabulary.family import Family
from tokenizer_tools.vocabulary.words import WordCounter


def as_dict(counted):
    return dict(zip(counted.words.to_pylist(), counted.counts.tolist(), strict=True))


def test_words_are_those_of_the_pre_tokenizer_and_nulls_are_none(trained):
    counter = WordCounter(trained)
    counter.add(pa.chunked_array([texts("Tannin tannin.", None), texts("tannin")]))
    assert as_dict(counter.counts()) == {b"Tannin": 1, b" tannin": 1, b".": 1, b"tannin": 1}
    assert as_dict(WordCounter(trained).counts()) == {}


def test_words_of_the_sentencepiece_kind_begin_with_spaces_and_end_with_lines(pieces):
    counter = WordCounter(pieces)
    counter.add(texts("one  two\n\nthree"))
    assert as_dict(counter.counts()) == {"▁one".encode(): 1, "▁▁two".encode(): 1, b"\n\n": 1, b"three": 1}


LONG = "vat " * 10_000  # three stretches of 16 KiB have begun; four where spaces are letters of three bytes


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("order", [1, -1])
def test_stretches_are_places_in_texts_whatever_their_order(families, family, order):
    counter = WordCounter(families[family])
    documents = [LONG, "one vat ", "a vat and a vat ", "none"][::order]
    counter.add(texts(*documents[:1]))
    counter.add(texts(*documents[1:]))
    counted = counter.counts()
    held = dict(zip(counted.words.to_pylist(), counted.stretches.tolist(), strict=True))
    assert held[b" vat"] == 5 if b" vat" in held else held["▁vat".encode()] == 6
    assert all(held[word] <= count for word, count in as_dict(counted).items())


def test_weights_are_shares_of_tokens(trained):
    counter = WordCounter(trained)
    counter.add(texts(*DOMAIN), "a")
    counter.add(texts("Barrels and vats."), "b")
    counter.add(texts("never"), "c")
    tokens = {}
    for group in "ab":
        alone = counter.counts({group: 1})
        tokens[group] = np.diff(Family(trained).segment(alone.words).offsets) @ alone.counts
    weighted = counter.counts({"a": 1, "b": 3, "none": 9})
    assert b"never" not in weighted.words.to_pylist()
    total = np.diff(Family(trained).segment(weighted.words).offsets) @ weighted.counts
    assert total == pytest.approx(sum(tokens.values()))
    assert as_dict(weighted)[b"Barrels"] == pytest.approx(0.75 * total / tokens["b"])
    assert as_dict(counter.counts())[b"Barrels"] == 1
    assert weighted.words.to_pylist() == sorted(weighted.words.to_pylist())


def test_beyond_the_bound_the_rarest_words_are_dropped(trained, monkeypatch):
    monkeypatch.setattr(words_module, "MOST_WORDS", 20)
    counter = WordCounter(trained)
    often = ["often", "more", "still"]
    counter.add(texts(*often * 5, *(f"word{chr(97 + at)}" for at in range(26))))
    kept = as_dict(counter.counts())
    assert len(kept) <= 20 and all(kept[word.encode()] == 5 for word in often)


def test_a_tokenizer_that_cannot_be_changed_is_refused_at_once(words):
    with pytest.raises(TokenizerError, match="no merges"):
        WordCounter(words)
