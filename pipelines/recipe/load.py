"""Loads recipes: reads, types and checks them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import (
    ValidationError,
)

from pipelines.recipe.assignments import override
from pipelines.recipe.checks import recipe_problems, weight_problems
from pipelines.recipe.find import find_recipe
from pipelines.recipe.mistakes import mistakes_error, validation_error
from pipelines.recipe.recipe import Recipe
from pipelines.recipe.yaml_text import RecipeText, number_problem, read_recipe_text
from pipelines.settings import Place, Problem


def load_recipe(name_or_path: str, assignments: Sequence[str] = ()) -> Recipe:
    """Load a recipe by path, or by the name of a shipped one, with `--set` assignments applied.

    Raises UserError that names the file, the line, the key and a hint.
    """
    return validate_recipe(override(read_recipe_text(find_recipe(name_or_path)), assignments))


def validate_recipe(text: RecipeText) -> Recipe:
    """Check a parsed recipe. Raises UserError with every finding."""
    try:
        recipe = Recipe.model_validate(text.values)
    except ValidationError as error:
        raise validation_error(text, error, Recipe) from error
    if problems := list(_number_problems(recipe.model_dump(by_alias=True))):
        raise mistakes_error(text, problems, "Write a finite number of at most 64 bits.")
    if problems := recipe_problems(recipe):
        raise mistakes_error(text, problems, "Correct the name, or add what it should refer to.")
    if problems := weight_problems(recipe):
        raise mistakes_error(text, problems, "Raise the weight, or leave the group out.")
    return recipe


def _number_problems(values: Any, place: Place = ()) -> Iterator[Problem]:
    """Numbers that came as texts, such as `nan`, and cannot be worked with."""
    if isinstance(values, dict | list | tuple):
        items = values.items() if isinstance(values, dict) else enumerate(values)
        for key, value in items:
            yield from _number_problems(value, (*place, key))
    elif problem := number_problem(values):
        yield place, f"`{'.'.join(map(str, place))}`: {values} is {problem}"


def recipe_schema() -> dict[str, Any]:
    """The JSON Schema of recipes, for editors."""
    schema = Recipe.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Coupage recipe"} | schema
