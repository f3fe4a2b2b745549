"""The `outcome:` section: what contradicts itself, and names that no other section has."""

import pytest
from pydantic import ValidationError

from pipelines.errors import UserError
from pipelines.recipe.load import validate_recipe
from pipelines.recipe.outcome import Outcome
from pipelines.recipe.yaml_text import parse_recipe_text
from tests.pipelines.corpus import RECIPE


@pytest.mark.parametrize(
    "section",
    [
        {"prompt": "a", "prompt_file": "b"},
        {"domain": ["law"], "general": ["law"]},
        {"merge": [0.5, 0.5]},
        {"merge": [0]},
        {"merge": [1]},
        {"margins": {"score": -1}},
        {"weights": [0.5]},
        {"remedies": {"replay": ["25%"]}},  # of no general text
        {"general": ["web"], "remedies": {"replay": ["25%", 0.25]}},
        {"general": ["web"], "remedies": {"replay": ["100%"]}},
        {"remedies": {"lr": [0]}},
    ],
)
def test_a_section_that_contradicts_itself_is_refused(section):
    with pytest.raises(ValidationError):
        Outcome.model_validate(section)


def recipe(section: str) -> str:
    return RECIPE.format(corpus="/corpus", tokenizer="train: {vocabulary_size: 600}") + section


def test_groups_and_tasks_are_those_of_other_sections():
    good = "evaluate: {harness: [mmlu]}\noutcome: {domain: [law], general: [web], general_tasks: [mmlu]}\n"
    assert validate_recipe(parse_recipe_text(recipe(good), "mine.yaml")).outcome.general == ("web",)
    for section, words in (
        ("outcome: {general: [wbe]}\n", "there is no group `wbe` (there are: law, web)"),
        ("outcome: {domain: [tax]}\n", "outcome.domain|there is no group `tax`"),
        ("outcome: {general_tasks: [mmlu]}\n", "`evaluate.harness` does not ask `mmlu`"),
    ):
        with pytest.raises(UserError) as refused:
            validate_recipe(parse_recipe_text(recipe(section), "mine.yaml"))
        assert words.split("|")[-1] in str(refused.value)
