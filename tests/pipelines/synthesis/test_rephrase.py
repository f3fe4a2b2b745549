"""Passages in other styles, with a stand-in for the model."""

from importlib.resources import files
from typing import get_args

import pytest
from pydantic import ValidationError

from pipelines.synthesis.draft import Draft, Rejection
from pipelines.synthesis.prompt import Prompts
from pipelines.synthesis.rephrase import Rephrase, Style
from tests.pipelines.synthesis.asking import StandIn, made, passage

PROMPTS = Prompts()
SHIPPED = files("pipelines.synthesis") / "prompts" / "rephrase"
TEXT = "The canal of Brenn was dug in 1822 and carried slate to the port of Ulm."


def rephrased(answer, text=TEXT, language="en", **given):
    ask = StandIn(lambda kind, _: answer(kind) if callable(answer) else answer)
    making = Rephrase(domains=["books"], **given).build(PROMPTS)
    return made(making, passage(text, language), ask), ask


def test_a_text_of_each_style_is_written():
    found, _ = rephrased(lambda style: f"Slate left Brenn by canal ({style}).")
    assert [draft.kind for draft in found] == ["textbook", "encyclopaedia"]
    for draft in found:
        assert draft.text == draft.claims == f"Slate left Brenn by canal ({draft.kind})."
        assert draft.messages is None
        assert draft.prompt == PROMPTS.get(f"rephrase/{draft.kind}", "en").hash


def test_a_style_that_is_named_twice_is_asked_for_once():
    found, ask = rephrased("Slate.", styles=["dialogue", "dialogue"])
    assert len(found) == len(ask.asked) == 1


def test_a_style_without_an_answer_leaves_the_others():
    found, _ = rephrased(lambda style: Rejection("no_answer") if style == "textbook" else "Slate.")
    assert found[0] == Rejection("no_answer")
    assert isinstance(found[1], Draft)


def test_what_a_model_says_around_its_text_is_left_out():
    (draft,), _ = rephrased(
        "Here is the text:\n\nSlate left Brenn.\n\nI hope this helps!", styles=["textbook"]
    )
    assert draft.text == draft.claims == "Slate left Brenn."


def test_half_a_text_is_none():
    found, _ = rephrased(("Slate left Brenn by", "length"), styles=["textbook"])
    assert found == [Rejection("cut_short", "Slate left Brenn by")]


COMMANDS = "```sh\nmake\n\nmake install\n```"
CODE = "Run this:\n\n~~~sh\nmake\n\nmake install\n~~~\n\n"
FORMULA = "It holds that\n\n$$a^2 + b^2 = c^2$$\n\nand \\[ x \\in [0, 1] \\] too.\n"


@pytest.mark.parametrize(
    "answer, kept",
    [
        (
            f"Two commands:\n\n{COMMANDS}\n\n$$a^2 + b^2 = c^2$$ and \\[ x \\in [0, 1] \\].",
            True,
        ),
        (
            "First:\n1. ```\n   make\n\n   make install\n   ```\n$$a^2 + b^2\n= c^2$$, \\[ x \\in [0, 1] \\]",
            True,
        ),
        ("Two commands:\n\n```sh\nmake\n```\n\n$$a^2 + b^2 = c^2$$ and \\[ x \\in [0, 1] \\].", False),
        (
            f"Two commands:\n\n{COMMANDS}\n\n$$a^2 + b^2 = d^2$$ and \\[ x \\in [0, 1] \\].",
            False,
        ),
        (
            f"Two commands:\n\n{COMMANDS}\n\n$$a^2 + b^2 = c^2$$ and x from 0 to 1.",
            False,
        ),
    ],
)
def test_code_and_formulas_are_kept_or_the_text_is_rejected(answer, kept):
    (found,), _ = rephrased(answer, CODE + FORMULA, styles=["textbook"])
    assert isinstance(found, Draft) == kept
    assert kept or found.reason == "lost_code"


@pytest.mark.parametrize("piece", ["$$", "\\[", "$", "```\n", "$$a"])
def test_hostile_passages_are_read_in_linear_time(piece):
    (found,), _ = rephrased("Nothing.", piece * 100_000, styles=["textbook"])
    assert isinstance(found, (Draft, Rejection))


def test_a_passage_is_no_template():
    hostile = "{{ 7 * 7 }} {% for x in y %} {{ language }}"
    _, ask = rephrased("Nothing.", hostile)
    assert all(hostile in messages[-1]["content"] for _, messages, _, _ in ask.asked)


@pytest.mark.parametrize("style", get_args(Style))
@pytest.mark.parametrize("code, name", [("de", "German"), ("ru", None), ("en", None)])
def test_the_text_is_to_be_in_the_language_of_the_passage(style, code, name):
    (draft,), ask = rephrased("Nothing.", language=code, styles=[style])
    asked = ask.asked[0][1][-1]["content"]
    assert draft.language == code
    assert (f"Write in {name}." in asked) == bool(name)
    assert ("отрывок" in asked) == (code == "ru")


def test_both_languages_have_a_prompt_and_an_example_for_each_style():
    names = {file.name for file in SHIPPED.iterdir()}
    assert names == {f"{style}.{language}.yaml" for style in get_args(Style) for language in ("en", "ru")}
    for style in get_args(Style):
        for language in ("en", "ru"):
            prompt = PROMPTS.get(f"rephrase/{style}", language)
            assert prompt.language == language
            assert prompt.file.examples


@pytest.mark.parametrize("given", [{"styles": []}, {"styles": ["sonnet"]}])
def test_settings_that_make_no_sense_are_refused(given):
    with pytest.raises(ValidationError):
        Rephrase(domains=["books"], **given)
