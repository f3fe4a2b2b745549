"""`--set KEY=VALUE`: values of a recipe's keys given on the command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pipelines.errors import UserError
from pipelines.recipe.yaml_text import MOST_NESTED, RecipeText, parse_value, shortened
from pipelines.settings import Place


def override(text: RecipeText, assignments: Sequence[str]) -> RecipeText:
    """Apply `--set a.b.c=VALUE` assignments; VALUE is YAML. Raises UserError for a malformed one."""
    values = _copied(text.values)
    assigned = set(text.assigned)
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        words = key.split(".")
        if not equals or not all(words) or len(words) > MOST_NESTED:
            raise UserError(f"--set {shortened(assignment)}", hint="Write --set KEY.SUBKEY=VALUE.")
        assigned.add(_assign(values, words, parse_value(value, f"--set {key}"), assignment))
    return replace(text, values=values, assigned=frozenset(assigned))


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value


def _assign(values: Any, words: list[str], value: Any, assignment: str) -> Place:
    """Put the value where the words lead; returns the place."""
    place: Place = ()
    while words:
        try:
            if isinstance(values, dict):
                key: str | int = _next_key(values, words, place)
                words = words[str(key).count(".") + 1 :]
                if words and values.get(key) is None:
                    values[key] = {}
            else:
                key, words = int(words[0]), words[1:]
            place = (*place, key)
            if words:
                values = values[key]
            else:
                values[key] = value
        except (IndexError, ValueError, TypeError) as error:
            there = ".".join(map(str, (*place, *words[:1])))
            raise UserError(
                f"--set {shortened(assignment)}: there is nothing at `{there}`",
                hint="Compare the key with `coupage recipe show`.",
            ) from error
    return place


def _next_key(values: dict[str, Any], words: list[str], place: Place) -> str:
    """The key of a mapping with which the words begin: the first of them, or one with dots.

    Keys may have dots in mappings that hold such a key, and in those of free keys with plain values.
    """
    for end in range(len(words), 0, -1):
        if (key := ".".join(words[:end])) in values:
            return key
    return ".".join(words) if len(words) > 1 and _are_plain_values(place) else words[0]


def _are_plain_values(place: Place) -> bool:
    """Whether recipes have at `place` a mapping whose keys are free and whose values have none."""
    from pipelines.recipe.recipe import Recipe
    from pipelines.recipe.schema import Schema

    return Schema.of(Recipe).at(place).has_plain_values
