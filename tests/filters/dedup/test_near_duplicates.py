"""Signatures, candidates and true similarities, beside Python sets and datasketch."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import datasketch
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.dedup.candidates import candidate_pairs, ends, merged
from filters.dedup.exact import content_hash, first_equal
from filters.dedup.jaccard import batches, verified
from filters.dedup.minhash import NO_WORDS, MinHash
from filters.dedup.survivors import survivors
from tests.filters.dedup.near_copies import (
    all_candidates,
    band_matrix,
    edited_copies,
    folded_words,
    jaccard,
    joined,
    pairs_of_similarity,
    plain_words,
    shingle_set,
)
from tests.filters.strategies import documents


def similarity_of(a: str, b: str, ngram: int = 5) -> float:
    return float(verified(np.array([0]), np.array([1]), pa.array([a, b]), ngram)[0])


def sketch(words: list[str], ngram: int, permutations: int) -> datasketch.MinHash:
    found = datasketch.MinHash(num_perm=permutations, seed=7)
    found.update_batch([" ".join(shingle).encode() for shingle in shingle_set(words, ngram)])
    return found


# --- True similarity


@given(documents, documents, st.integers(1, 6))
def test_similarity_is_that_of_python_sets(a: str, b: str, ngram: int) -> None:
    texts = [text.encode("utf-8", "replace").decode() for text in (a, b)]
    # A part of one in the other, or two unrelated texts are hardly ever similar.
    for second in (texts[1], texts[0] + texts[1], texts[0][: len(texts[0]) // 2]):
        expected = jaccard(folded_words(texts[0]), folded_words(second), ngram)
        assert similarity_of(texts[0], second, ngram) == pytest.approx(expected, abs=1e-12)


@given(documents, documents, st.integers(1, 6))
def test_similarity_is_symmetric_and_one_with_itself(a: str, b: str, ngram: int) -> None:
    texts = pa.array([text.encode("utf-8", "replace").decode() for text in (a, b)])
    ab, ba, aa = verified(np.array([0, 1, 0]), np.array([1, 0, 0]), texts, ngram)
    assert ab == ba
    assert 0 <= ab <= 1
    assert aa == (1.0 if folded_words(texts[0].as_py()) else 0.0)


@pytest.mark.parametrize("ngram", [1, 3, 5])
def test_similarity_of_many_pairs(ngram: int) -> None:
    words = edited_copies(40)
    a, b = map(np.array, zip(*itertools.combinations(range(40), 2), strict=True))
    expected = [jaccard(words[i], words[j], ngram) for i, j in zip(a, b, strict=True)]
    assert verified(a, b, joined(words), ngram) == pytest.approx(expected, abs=1e-12)


def test_words_are_compared_without_case_accents_and_punctuation() -> None:
    text = "The café, in — Paris: today's ÉLAN vital; Ёлка и №5, ｆｕｌｌ-width 12.5%"
    assert folded_words(text) == plain_words(text)
    assert similarity_of(text, " ".join(plain_words(text))) == 1.0
    assert similarity_of(text, text.replace("12", "13")) < 1.0


def test_scripts_without_spaces_are_compared_by_character() -> None:
    text = "今天天气很好我们去公园散步然后回家吃饭"
    assert similarity_of(text, text[:-1] + "酒") == pytest.approx(14 / 16)
    for line in ("ภาษาไทยเขียนติดกัน", "ひらがなとカタカナと漢字", "ພາສາລາວ"):
        visible = folded_words(line)
        assert visible and all(len(word) == 1 for word in visible)
        assert similarity_of(line, f"{line[:6]}, {line[6:]}!") == 1.0


@given(
    st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=60),
    st.lists(st.integers(1, 30), min_size=13, max_size=13),
    st.integers(1, 90),
)
def test_batches_are_as_long_as_their_documents_fit(
    pairs: list[tuple[int, int]], sizes: list[int], limit: int
) -> None:
    a, b = (np.array([pair[side] for pair in pairs], dtype=np.int64) for side in (0, 1))
    bounds = batches(a, b, np.array(sizes), limit).tolist()

    def size_of(start: int, stop: int) -> int:
        return sum(sizes[document] for document in {*a[start:stop].tolist(), *b[start:stop].tolist()})

    assert bounds == sorted(set(bounds))
    assert (bounds[0], bounds[-1]) == (0, len(pairs))
    for start, stop in itertools.pairwise(bounds):
        assert stop == start + 1 or size_of(start, stop) <= limit + max(sizes)
        assert stop == len(pairs) or size_of(start, stop + 1) > limit - max(sizes)


# --- Signatures


def test_signatures_estimate_similarity_as_well_as_datasketch() -> None:
    words = edited_copies(120)
    hasher = MinHash(bands=16, rows=8)
    signatures = np.array(hasher.signatures(joined(words)).to_pylist())
    ours, theirs = [], []
    for at in range(0, len(words), 2):
        truth = jaccard(words[at], words[at + 1], 5)
        peers = [sketch(document, 5, 128) for document in words[at : at + 2]]
        ours.append((signatures[at] == signatures[at + 1]).mean() - truth)
        theirs.append(peers[0].jaccard(peers[1]) - truth)
        # Both estimate the same number: each within five standard deviations of 128 draws.
        assert abs(ours[-1]) < 5 * np.sqrt(truth * (1 - truth) / 128) + 1e-9
    assert np.sqrt(np.mean(np.square(ours))) < 1.15 * np.sqrt(np.mean(np.square(theirs)))
    assert abs(np.mean(ours)) < 0.01


def test_signatures_ignore_case_accents_punctuation_and_white_space() -> None:
    texts = pa.array(["The café, in — Paris: today's ÉLAN vital", "the cafe in paris\ntoday s elan vital"])
    first, second = MinHash().signatures(texts).to_pylist()
    assert first == second


def test_short_texts_have_one_shingle_and_texts_without_words_match_nothing() -> None:
    texts = pa.array(["one two", "One, two!", "one three", "", "?!", "\u0301"])
    keys = band_matrix(MinHash(), texts)
    assert (keys[0] == keys[1]).all()
    assert (keys[0] != keys[2]).all()
    assert (keys[3:] == NO_WORDS).all()
    assert len(candidate_pairs(keys[:, 0], np.arange(6)).pairs) == 1


def test_signatures_depend_on_text_and_seed_alone() -> None:
    texts = joined(edited_copies(5))
    whole = MinHash(seed=3).signatures(texts)
    assert whole == MinHash(seed=3).signatures(pa.chunked_array([texts.slice(0, 3), texts.slice(3)]))
    assert whole.slice(4, 3).to_pylist() == MinHash(seed=3).signatures(texts.slice(4, 3)).to_pylist()
    assert whole != MinHash(seed=4).signatures(texts)
    sliced = MinHash(seed=3).band_keys(whole.slice(4, 3)).to_pylist()
    assert sliced == MinHash(seed=3).band_keys(whole).to_pylist()[4:7]


def test_signatures_of_another_configuration_are_refused() -> None:
    signatures = MinHash(bands=2, rows=3).signatures(pa.array(["a"]))
    with pytest.raises(ValueError, match="Compute them again"):
        MinHash().band_keys(signatures)


# --- Candidates


@pytest.mark.parametrize(("bands", "rows"), [(14, 8), (20, 5)])
@pytest.mark.parametrize("similarity", [0.5, 0.7, 0.8, 0.9])
def test_pairs_are_caught_as_often_as_theory_and_datasketch_say(
    similarity: float, bands: int, rows: int
) -> None:
    count = 250
    words = pairs_of_similarity(similarity, count, seed=round(100 * similarity) + bands)
    truth = np.array([jaccard(words[at], words[at + 1], 5) for at in range(0, 2 * count, 2)])
    assert truth == pytest.approx(similarity, abs=0.01)
    a, b = all_candidates(MinHash(bands=bands, rows=rows), joined(words))
    caught = int(np.sum((a % 2 == 0) & (b == a + 1)))
    index = datasketch.MinHashLSH(params=(bands, rows), num_perm=bands * rows)
    theirs = 0
    for at in range(0, 2 * count, 2):
        first, second = (sketch(document, 5, bands * rows) for document in words[at : at + 2])
        index.insert(str(at), first)
        theirs += str(at) in index.query(second)
    chance = 1 - (1 - truth**rows) ** bands
    bound = 4.5 * np.sqrt(np.sum(chance * (1 - chance))) + 1
    assert abs(caught - chance.sum()) < bound
    assert abs(theirs - chance.sum()) < bound


# --- From texts to survivors


def deduplicated(texts: pa.LargeStringArray, threshold: float = 0.8):
    a, b = all_candidates(MinHash(), texts)
    count = len(texts)
    similarity = verified(a, b, texts, 5)
    groups = first_equal(content_hash(texts))
    return survivors(np.arange(count), groups, a, b, similarity, np.ones(count, bool), threshold)


def test_no_document_is_removed_that_is_not_similar_to_its_survivor() -> None:
    generator = np.random.default_rng(11)
    pool = [f"w{number}" for number in range(3000)]
    made: list[list[str]] = []
    for number in range(600):
        if number % 4 and made:
            words = list(made[generator.integers(0, len(made))])  # also copies of copies
            for at in generator.integers(0, len(words), generator.integers(0, 12)):
                words[at] = pool[generator.integers(0, len(pool))]
        else:
            words = [pool[index] for index in generator.integers(0, len(pool), generator.integers(30, 250))]
        made.append(words)
    found = deduplicated(joined(made))
    removed = np.flatnonzero(~found.kept)
    assert len(removed) > 100
    for document in removed:
        survivor = found.kept_doc[document]
        assert found.kept[survivor]
        truth = jaccard(made[document], made[survivor], 5)
        assert truth >= 0.8 and found.similarity[document] == pytest.approx(truth)


def test_planted_duplicates_are_found() -> None:
    words = edited_copies(400, seed=5)
    found = deduplicated(joined(words))
    planted = [at for at in range(0, len(words), 2) if jaccard(words[at], words[at + 1], 5) >= 0.8]
    assert len(planted) > 100
    assert sum(found.kept_doc[at + 1] == at for at in planted) >= 0.95 * len(planted)
    assert set(np.flatnonzero(~found.kept)) <= {at + 1 for at in planted}


HOSTILE = {
    "exclamation marks": lambda: "!" * 8000,
    "brackets": lambda: ")" * 8000,
    "rules": lambda: "─" * 8000,
    "emoji": lambda: "👍🏽👨‍👩‍👧" * 2000,
    "zero width": lambda: "\u200b\ufeff\u00ad" * 3000,
    "combining": lambda: "a" + "\u0301" * 8000,
    "one letter": lambda: "a" * 100_000,
    "one word again and again": lambda: "again " * 20_000,
    "letters between marks": lambda: "a!" * 10_000,
    "words cut by zero width": lambda: "in\u200bvis\u00adible " * 4000,
    "Han": lambda: "漢字" * 5000,
    "two shingles in turn": lambda: "a b c d e " * 5000,
    "one word": lambda: "word",
    "empty": lambda: "",
    "replaced": lambda: "\ufffd" * 500,
    "null": lambda: "a\0b " * 500,
}


@pytest.mark.parametrize("made", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_texts_have_the_similarity_of_python_sets(made: Callable[[], str]) -> None:
    text = made()
    copy = text + " and five more words here"
    words = folded_words(text)
    assert similarity_of(text, copy) == pytest.approx(jaccard(words, folded_words(copy), 5), abs=1e-12)
    keys = band_matrix(MinHash(), pa.array([text, text]))
    assert (keys[0] == keys[1]).all()
    assert (keys[0] == NO_WORDS).any() == (not words)


def test_very_many_tiny_documents() -> None:
    count = 200_000
    generator = np.random.default_rng(2)
    words = pa.array([f"w{number}" for number in range(50)])
    columns = [words.take(pa.array(generator.integers(0, 50, count))) for _ in range(3)]
    marks = pa.array(["", "!", "?!", "...", " -", "\u200b"]).take(pa.array(generator.integers(0, 6, count)))
    texts = pa.compute.binary_join_element_wise(*columns, " ")
    texts = pa.compute.binary_join_element_wise(texts, marks, "").cast(pa.large_string())
    groups = first_equal(content_hash(texts))
    different = np.flatnonzero(groups == np.arange(count))
    keys = band_matrix(MinHash(), texts)[different]
    bands = [candidate_pairs(keys[:, band], different).pairs for band in range(keys.shape[1])]
    pairs = np.concatenate(list(merged(bands, 1 << 20)))
    assert len(pairs) <= 3 * len(different)  # six ways to write the same three words make at most 15 pairs
    found = survivors(
        np.arange(count),
        groups,
        *ends(pairs),
        verified(*ends(pairs), texts, 5),
        np.ones(count, bool),
        0.8,
    )
    said = {tuple(folded_words(text)) for text in texts.to_pylist()}
    assert found.kept.sum() == len(said)
    assert found.cluster_size.sum() == np.square(np.bincount(found.component)).sum()
