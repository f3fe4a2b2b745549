"""Loads recipes: reads, types and checks them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import (
    ValidationError,
)

from pipelines.errors import UserError
from pipelines.recipe.checks import recipe_problems
from pipelines.recipe.find import find_recipe
from pipelines.recipe.recipe import Recipe
from pipelines.recipe.types import Problem
from pipelines.recipe.yaml_text import RecipeText, override, read_recipe_text, validation_error


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
    if problems := recipe_problems(recipe):
        raise _problem_error(text, problems)
    return recipe


def _problem_error(text: RecipeText, problems: list[Problem]) -> UserError:
    lines = [(text.line(place), message) for place, message in problems]
    rest = [f"{text.file}:line {line}: {message}" for line, message in lines[1:]]
    return UserError(
        "\n".join([lines[0][1], *rest]),
        file=text.file,
        place=f"line {lines[0][0]}",
        hint="Correct the name, or add what it should refer to.",
    )


def recipe_schema() -> dict[str, Any]:
    """The JSON Schema of recipes, for editors."""
    schema = Recipe.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Coupage recipe"} | schema
