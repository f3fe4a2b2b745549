from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from filters.dedup.candidates import BUCKET_PAIRS, HUBS, WHOLE_BUCKET, candidate_pairs, ends, merged, pairs_of
from filters.dedup.minhash import NO_WORDS


def as_set(pairs: np.ndarray) -> set[tuple[int, int]]:
    return set(zip(*map(np.ndarray.tolist, ends(pairs)), strict=True))


@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))))
def test_a_pair_is_a_number_with_its_ends_in_order(pairs: list[tuple[int, int]]) -> None:
    a, b = (np.array([pair[side] for pair in pairs], dtype=np.int64) for side in (0, 1))
    packed = pairs_of(a, b)
    assert as_set(packed) == {(min(pair), max(pair)) for pair in pairs}


@given(st.lists(st.integers(0, 6), max_size=40), st.integers(0, 10))
def test_small_buckets_make_all_pairs_once_but_those_of_references(keys: list[int], references: int) -> None:
    documents = np.arange(len(keys))[::-1] * 3
    pairs = candidate_pairs(np.array(keys, dtype=np.uint64), documents, references)
    expected = {
        (min(documents[x], documents[y]), max(documents[x], documents[y]))
        for x, y in itertools.combinations(range(len(keys)), 2)
        if keys[x] == keys[y] and y >= references
    }
    assert list(zip(*map(np.ndarray.tolist, ends(pairs.pairs)), strict=True)) == sorted(expected)
    assert pairs.bounded == 0


def test_texts_without_words_are_in_no_pair() -> None:
    keys = np.array([NO_WORDS, 7, NO_WORDS, 7], dtype=np.uint64)
    assert as_set(candidate_pairs(keys, np.arange(4)).pairs) == {(1, 3)}
    assert len(candidate_pairs(keys[:0], np.arange(0)).pairs) == 0


def test_huge_buckets_are_bounded_and_counted() -> None:
    size = 5000
    pairs = candidate_pairs(np.zeros(size, dtype=np.uint64), np.arange(size))
    assert len(pairs.pairs) + pairs.bounded == size * (size - 1) // 2
    assert len(pairs.pairs) < 50 * size
    made = as_set(pairs.pairs)
    assert len(made) == len(pairs.pairs)
    assert all((hub, document) in made for hub in range(HUBS) for document in range(WHOLE_BUCKET, size))


def test_in_huge_buckets_the_best_references_and_the_best_others_are_compared_with_all() -> None:
    size, references = 400, 150
    found = candidate_pairs(np.zeros(size, dtype=np.uint64), np.arange(size), references)
    made = as_set(found.pairs)
    assert not any(b < references for _, b in made)
    others = range(references, size)
    assert all((hub, document) in made for hub in range(HUBS) for document in others)
    hubs = range(references, references + HUBS)
    assert all((hub, document) in made for hub in hubs for document in others if hub < document)
    everything = size * (size - 1) // 2 - references * (references - 1) // 2
    assert len(made) + found.bounded == everything


def test_the_pairs_of_a_bucket_have_a_limit() -> None:
    size = 1_000_000
    found = candidate_pairs(np.zeros(size, dtype=np.uint64), np.arange(size))
    a, b = ends(found.pairs)
    assert size <= len(a) <= BUCKET_PAIRS
    assert np.array_equal(np.unique(b[a == 0]), np.arange(1, size))
    assert len(a) + found.bounded == size * (size - 1) // 2


@given(st.integers(0, 2**32), st.integers(1, 3), st.integers(0, 300), st.integers(0, 60))
def test_more_documents_make_no_new_pair_of_two_earlier_ones(
    seed: int, buckets: int, size: int, references: int
) -> None:
    generator = np.random.default_rng(seed)
    keys = generator.integers(0, buckets, size, dtype=np.uint64)
    documents = generator.permutation(size)
    earlier = generator.random(size) < 0.6
    before = candidate_pairs(keys[earlier], documents[earlier], int(earlier[:references].sum()))
    after = candidate_pairs(keys, documents, references)
    known = set(documents[earlier].tolist())
    assert {pair for pair in as_set(after.pairs) if known.issuperset(pair)} <= as_set(before.pairs)


@given(st.lists(st.lists(st.integers(0, 50)), max_size=5), st.integers(1, 9))
def test_merged_bands_hold_every_pair_once_in_order(bands: list[list[int]], run_size: int) -> None:
    runs = list(merged([np.sort(np.array(band, dtype=np.uint64)) for band in bands], run_size))
    assert np.concatenate(runs).tolist() == sorted({pair for band in bands for pair in band})


def test_merged_runs_are_small() -> None:
    generator = np.random.default_rng(3)
    bands = [np.sort(generator.integers(0, 10**6, 20_000, dtype=np.uint64)) for _ in range(5)]
    runs = list(merged(bands, 10_000))
    assert max(map(len, runs)) < 11_000
    assert np.array_equal(np.concatenate(runs), np.unique(np.concatenate(bands)))
