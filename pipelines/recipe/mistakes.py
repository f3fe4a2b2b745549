"""Says what is wrong with a recipe: the file, the line, the key, and the nearest valid one."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from mixers.printable import one_line
from pipelines.errors import UserError
from pipelines.recipe.schema import Schema
from pipelines.recipe.yaml_text import RecipeText, shortened
from pipelines.settings import Place, Problem

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

WORDS = {
    "model_type": "keys with values are wanted here",
    "model_attributes_type": "keys with values are wanted here",
    "dict_type": "keys with values are wanted here",
    "mapping_type": "keys with values are wanted here",
    "list_type": "a list is wanted here",
    "tuple_type": "a list is wanted here",
    "string_type": "a text is wanted here",
    "bool_type": "true or false is wanted here",
    "bool_parsing": "true or false is wanted here",
    "int_type": "a whole number is wanted here",
    "int_parsing": "a whole number is wanted here",
    "int_parsing_size": "a smaller number is wanted here",
    "int_from_float": "a whole number is wanted here",
    "float_type": "a number is wanted here",
    "float_parsing": "a number is wanted here",
    "finite_number": "a finite number is wanted here",
}
"""What pydantic's types of errors are called here; others keep its words."""
SCALAR = str | int | float | bool
TAGGED = {
    "reader": "a source needs `use` with the name of a preset, or `reader`",
    "model": "a classifier needs `model`",
    "method": "a synthesis needs `method`",
}


def mistakes_error(text: RecipeText, mistakes: Iterable[Problem], hint: str) -> UserError:
    """One error of all mistakes, each with its line."""
    (first, message), *others = [(text.where(place), message) for place, message in mistakes]
    rest = [f"{text.file}:{where}: {what}" for where, what in others]
    return UserError("\n".join([message, *rest]), file=text.file, place=first, hint=hint)


def validation_error(text: RecipeText, error: ValidationError, model: type[BaseModel]) -> UserError:
    """Turn pydantic's findings into one error: a line, a key and a hint for each."""
    findings = [_finding(text, dict(item), model) for item in error.errors(include_url=False)]
    return mistakes_error(text, findings, "`coupage recipe schema` lists every key.")


def in_words(item: dict[str, Any]) -> str:
    """What one of pydantic's findings says, for people who have not met it."""
    if item["type"] == "union_tag_not_found":
        key = item["ctx"]["discriminator"].strip("'")
        return TAGGED.get(key, f"the key `{key}` is missing")
    message = WORDS.get(item["type"]) or item["msg"].removeprefix("Value error, ")
    message = re.sub("^(Input|String|Value|List|Tuple|Dictionary) should ", "it should ", message)
    given = item.get("input")
    return f"{message} (given: {shortened(repr(given))})" if isinstance(given, SCALAR) else message


def _finding(text: RecipeText, item: dict[str, Any], model: type[BaseModel]) -> tuple[Place, str]:
    place = _written_place([part for part in item["loc"] if part != "[key]"], text.values)
    dotted = one_line(".".join(str(part) for part in place))
    if item["type"] == "extra_forbidden":
        near = nearest(str(place[-1]), Schema.of(model).at(item["loc"][:-1]).keys)
        hint = f"; did you mean `{near}`?" if near else ""
        return place, f"unknown key `{dotted}`{hint}"
    if item["type"] == "missing":
        return place[:-1], f"the key `{dotted}` is missing"
    if item["type"] == "union_tag_not_found":
        return place, f"`{dotted}`: {in_words(item)}: {_or(_tags(model, item))}"
    if item["type"] == "union_tag_invalid":
        return _wrong_tag(place, dotted, item)
    message = in_words(item)
    return place, f"`{dotted}`: {message}" if dotted else message


def _wrong_tag(place: Place, dotted: str, item: dict[str, Any]) -> tuple[Place, str]:
    valid = [tag.strip("' ") for tag in item["ctx"]["expected_tags"].split(",")]
    near = nearest(item["ctx"]["tag"], valid)
    kind = item["ctx"]["discriminator"].strip("'")
    message = f"there is no {kind} `{item['ctx']['tag']}`"
    message += f"; did you mean `{near}`?" if near else f" (there are: {', '.join(valid)})"
    return (*place, kind), f"`{dotted}`: {message}"


def _tags(model: type[BaseModel], item: dict[str, Any]) -> list[str]:
    """What the discriminator of the union at the place may be."""
    key = item["ctx"]["discriminator"].strip("'")
    branches = Schema.of(model).at(item["loc"]).nodes
    return sorted({tag["const"] for node in branches if (tag := node.get("properties", {}).get(key))})


def _or(words: list[str]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else "".join(words)


def _written_place(location: Sequence[str | int], values: Any) -> Place:
    """Drop the parts of a pydantic location that name a union's branch and stand nowhere in the file.

    The last part is one where a value of the model names it, as `method: qa` does; else it is a key.
    """
    place: list[str | int] = []
    for i, part in enumerate(location):
        inside = isinstance(values, dict) and part in values
        inside = inside or (isinstance(values, list) and isinstance(part, int) and part < len(values))
        if inside:
            values = values[part]
        elif i < len(location) - 1 or (isinstance(values, dict) and part in values.values()):
            continue
        place.append(part)
    return tuple(place)


def nearest(word: str, valid: Iterable[str]) -> str | None:
    """The valid word that is most like this one, where any is like it."""
    return next(iter(difflib.get_close_matches(word, valid, n=1, cutoff=0.5)), None)
