"""Measures of new text."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.synthesis.diversity import (
    compression_ratio,
    copied_share,
    distinct_ngrams,
    embedding_spread,
    expansion,
    sample_words,
)

TEXTS = st.lists(st.text("ab cd\n.", max_size=30), max_size=20)


def test_distinct_ngrams_count_repetitions_within_texts_alone():
    sample = [["a", "b", "a", "b"], ["a", "b"]]
    assert distinct_ngrams(sample, 1) == 2 / 6
    assert distinct_ngrams(sample, 2) == 2 / 4  # ab ba ab, ab; no b-a between the two
    assert distinct_ngrams(sample, 3) == 1
    assert distinct_ngrams(sample, 5) is None
    assert distinct_ngrams([], 1) is None


@given(TEXTS, st.integers(1, 50), st.randoms())
def test_samples_are_bounded_and_know_no_order(texts: list[str], words: int, rng: random.Random):
    sample = sample_words(texts, words)
    total = sum(len(text.replace(".", " ").split()) for text in texts)
    assert sum(map(len, sample)) == min(words, total)
    shuffled = rng.sample(texts, len(texts))
    assert sample_words(shuffled, words) == sample


def test_more_text_of_a_kind_keeps_its_figures():
    rng = random.Random(1)
    words = [f"w{number}" for number in range(5_000)]
    texts = [" ".join(rng.choices(words, k=50)) for _ in range(4_000)]
    few, many = (distinct_ngrams(sample_words(part, 10_000), 1) for part in (texts[:400], texts))
    assert few == pytest.approx(many, rel=0.05)
    assert distinct_ngrams(sample_words(texts), 1) < few / 2


def test_what_is_repeated_shows():
    rng = random.Random(1)
    words = [f"w{number}" for number in range(2_000)]
    varied = sample_words([" ".join(rng.choices(words, k=50)) for _ in range(100)])
    same = sample_words([" ".join(rng.choices(words, k=50))] * 100)
    assert compression_ratio(same) > 5 * compression_ratio(varied)
    assert distinct_ngrams(same, 2) < distinct_ngrams(varied, 2)
    assert compression_ratio([]) is None


@given(st.integers(2, 12), st.integers(1, 6), st.integers(0, 1000))
def test_the_spread_is_the_mean_of_all_pairs(count: int, dimensions: int, seed: int):
    vectors = np.random.default_rng(seed).normal(size=(count, dimensions)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    pairs = [1 - vectors[a] @ vectors[b] for a in range(count) for b in range(a)]
    assert embedding_spread(vectors) == pytest.approx(np.mean(pairs), abs=1e-5)


def test_one_text_has_no_spread():
    assert embedding_spread(np.ones((1, 1), np.float32)) is None
    assert embedding_spread(np.empty((0, 0), np.float32)) is None


def test_what_is_copied():
    passage = "The mill at Eling grinds grain with the tide, twice a day."
    assert copied_share(passage, [passage]) == 1
    assert copied_share("THE MILL at Eling grinds grain", ["nothing", passage]) == 1
    assert copied_share("With the tide the mill at Eling grinds grain", [passage]) == 2 / 5
    assert copied_share("Grain is ground at Eling by the tide", [passage]) == 0
    assert copied_share("too short", ["too short"]) == 0


def test_expansion():
    assert expansion(455, 13) == 35
    assert expansion(5, 0) is None


@pytest.mark.parametrize("text", ["a" * 1_000_000, "\ud800", "\x00", ". " * 500_000])
def test_hostile_texts_are_measured(text: str):
    sample = sample_words([text, text])
    for n in (1, 2, 3):
        distinct_ngrams(sample, n)
    compression_ratio(sample)
    assert 0 <= copied_share(text, [text]) <= 1
