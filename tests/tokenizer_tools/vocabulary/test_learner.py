"""Continued merging against a plain one that counts everything anew each time."""

from collections import Counter
from itertools import islice, pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenizer_tools.vocabulary.learn import Learner

FIRST_NEW = 5
FIXED = 4

WORDS = st.dictionaries(
    st.lists(st.integers(0, FIRST_NEW - 1), max_size=9).map(tuple), st.integers(1, 4), max_size=12
)


def plain(words, wanted):
    """The parts and gains of each join."""
    words, joins = dict(words), []
    for new in range(FIRST_NEW, FIRST_NEW + wanted):
        gains = Counter()
        for parts in {pair for word in words for pair in pairwise(word) if FIXED not in pair}:
            gains[parts] = sum(
                (len(word) - len(joined(word, parts, new))) * count for word, count in words.items()
            )
        best = min(gains, key=lambda parts: (-gains[parts], parts), default=None)
        if best is None or gains[best] < 2:
            break
        joins.append((best, gains[best]))
        again = Counter()
        for word, count in words.items():
            again[joined(word, best, new)] += count
        words = again
    return joins


def joined(word, parts, new):
    result, at = [], 0
    while at < len(word):
        found = word[at : at + 2] == parts
        result.append(new if found else word[at])
        at += 1 + found
    return tuple(result)


@given(WORDS, st.integers(0, 12))
@settings(deadline=None)
def test_it_joins_what_plain_merging_joins(words, wanted):
    symbols = np.array([symbol for word in words for symbol in word], np.int32)
    offsets = np.cumsum([0, *map(len, words)])
    fixed = np.arange(FIRST_NEW) == FIXED
    learner = Learner(symbols, offsets, np.array([*words.values()], np.float64), fixed, {})
    found = islice(learner.learn(lambda parts: True), wanted)
    assert [(join.parts, join.gain) for join in found] == plain(words, wanted)


def test_a_character_comes_before_what_it_is_part_of():
    symbols = np.array([0, 3, 1], np.int32)
    fixed = np.array([False, False, False, True])
    learner = Learner(symbols, np.array([0, 3]), np.array([4.0]), fixed, {3: 2})
    joins = [(join.parts, join.gain) for join in learner.learn(lambda parts: True)]
    assert joins == [((3,), 8.0), ((0, 4), 4.0), ((5, 1), 4.0)]
