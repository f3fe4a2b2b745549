"""Questions that were asked before."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.synthesis.checks.near_duplicates import SeenQuestions


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("When did the Vasa sink?", "when did the vasa sink"),
        ("What is the capital of Norway?", "Which city is the capital of Norway?"),
        ("In what year did the Vasa sink?", "When did the Vasa sink?"),
        (
            "Why did the warship Vasa sink on her maiden voyage?",
            "Why on its maiden voyage did the warship Vasa sink?",
        ),
        ("Какова наибольшая глубина озера Байкал?", "Какую наибольшую глубину имеет озеро Байкал?"),
    ],
)
def test_the_same_question_in_other_words_is_not_new(first: str, second: str) -> None:
    seen = SeenQuestions()
    assert seen.is_new(first, "a")
    assert not seen.is_new(second, "a")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("When was Albert Einstein born in Germany?", "Where was Albert Einstein born in Germany?"),
        ("What was the population of Oslo in 1990?", "What was the population of Oslo in 2000?"),
        ("Who was the father of Peter the Great?", "Who was the mother of Peter the Great?"),
        ("Когда построили Эйфелеву башню в Париже?", "Кто построил Эйфелеву башню в Париже?"),
        ("Why?", "How?"),
    ],
)
def test_other_questions_are_new(first: str, second: str) -> None:
    seen = SeenQuestions()
    assert seen.is_new(first, "a")
    assert seen.is_new(second, "a")


def test_other_documents_may_be_asked_alike_but_not_the_same() -> None:
    seen = SeenQuestions()
    assert seen.is_new("What is the capital of Norway?", "a")
    assert seen.is_new("Which city is the capital of Norway?", "b")
    assert not seen.is_new("what is the capital of norway", "c")


@given(st.lists(st.tuples(st.text(max_size=40), st.sampled_from("ab")), max_size=30))
def test_what_was_asked_is_never_new_again(asked: list[tuple[str, str]]) -> None:
    seen = SeenQuestions()
    for question, parent in asked:
        seen.is_new(question, parent)
        assert not seen.is_new(question, parent)


def test_many_questions_are_remembered() -> None:
    seen = SeenQuestions()
    questions = [f"What happened to ship {number} of the fleet in the storm?" for number in range(20_000)]
    assert all(seen.is_new(question, str(number // 4)) for number, question in enumerate(questions))
    assert not any(seen.is_new(question, "elsewhere") for question in questions)
