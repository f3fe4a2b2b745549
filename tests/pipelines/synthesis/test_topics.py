"""Passages on the same topic."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.synthesis.augmentation.topics import related

WORDS = "tide mill court stone fever lamp river thread copper violin harbour statute".split()
TEXTS = st.lists(st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join), max_size=30)


@given(TEXTS, st.integers(0, 5))
def test_nobody_is_near_to_itself_or_to_its_copies(texts: list[str], most: int):
    near = related(texts, most)
    assert len(near) == len(texts)
    for number, others in enumerate(near):
        assert len(others) <= most
        assert len(set(others)) == len(others)
        assert all(texts[other] != texts[number] for other in others)
        assert all(set(texts[other].split()) & set(texts[number].split()) for other in others)


@given(TEXTS)
def test_fewer_are_the_first_of_more(texts: list[str]):
    assert [others[:2] for others in related(texts, 5)] == related(texts, 2)
    assert related(texts, 3) == related(list(texts), 3)


def topics(count: int, seed: int) -> tuple[list[str], list[int]]:
    """Texts of common words, and of a few words of one of several topics; and the topic of each."""
    rng = random.Random(seed)
    words = ["".join(rng.choices("aeioubdfgklmnprst", k=7)) for _ in range(400)]
    common, rare = words[:100], words[100:]
    of = [number % (count // 5) for number in range(count)]
    texts = []
    for topic in of:
        own = rare[5 * topic : 5 * topic + 5]
        texts.append(" ".join(rng.choices(common, k=80) + own))
    return texts, of


def test_texts_of_a_topic_find_each_other_among_common_words():
    texts, of = topics(200, 1)
    near = related(texts, 2)
    pairs = [(of[number], of[other]) for number, others in enumerate(near) for other in others]
    assert len(pairs) == 400
    assert all(one == other for one, other in pairs)


def test_cases_of_a_word_are_one_word():
    texts = [
        "Мельница стоит у плотины на реке Онеге.",
        "Онега шумит; возле старой мельницы построили плотину.",
        "Суд постановил отказать в иске.",
        "В иске судом было отказано, постановление вступило в силу.",
    ]
    assert related(texts, 1) == [[1], [0], [3], [2]]


@pytest.mark.parametrize(
    "texts",
    [
        [],
        [""],
        ["", ""],
        ["one alone"],
        ["a" * 1_000_000, "b" * 1_000_000],
        ["\ud800 tide", "\ud800 mill"],
        ["same text"] * 5,
    ],
)
def test_where_nothing_is_shared_nothing_is_near(texts: list[str]):
    assert related(texts, 3) == [[] for _ in texts]
