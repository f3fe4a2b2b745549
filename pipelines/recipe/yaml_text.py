"""Reads a recipe's YAML and reports every mistake with its file, line, key and the nearest valid key."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from pipelines.errors import UserError

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

Path_ = tuple[str | int, ...]


@dataclass(frozen=True)
class RecipeText:
    """A parsed YAML document with the line on which each key and item stands."""

    file: str
    values: dict[str, Any]
    lines: Mapping[Path_, int] = field(default_factory=dict)

    def line(self, place: Sequence[str | int]) -> int:
        """The 1-based line of `place`, or of the nearest enclosing key that the file has."""
        path = tuple(place)
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def read_recipe_text(file: Path) -> RecipeText:
    """Parse `file` safely; raises UserError for a missing file, bad YAML or a key given twice."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"the recipe cannot be read: {error}", file=str(file), hint="Check the path and its permissions."
        ) from error
    return parse_recipe_text(text, str(file))


def parse_recipe_text(text: str, file: str) -> RecipeText:
    """Parse YAML `text`; `file` is the name shown in errors."""
    lines: dict[Path_, int] = {}
    try:
        root = yaml.compose(text, Loader=yaml.CSafeLoader)
        if not isinstance(root, yaml.MappingNode):
            raise UserError("a recipe is a mapping of keys", file=file, hint="Begin with `name: my-recipe`.")
        values = _construct_mapping(root, (), lines, file)
    except yaml.YAMLError as error:
        raise _yaml_error(error, file) from error
    return RecipeText(file, values, lines)


def _yaml_error(error: yaml.YAMLError, file: str) -> UserError:
    mark = getattr(error, "problem_mark", None)
    return UserError(
        f"not valid YAML: {getattr(error, 'problem', None) or error}",
        file=file,
        place=f"line {mark.line + 1}, column {mark.column + 1}" if mark else "",
        hint="Check indentation, colons and quotes around there.",
    )


def _construct(node: yaml.Node, place: Path_, lines: dict[Path_, int], file: str) -> Any:
    lines.setdefault(place, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        return _construct_mapping(node, place, lines, file)
    if isinstance(node, yaml.SequenceNode):
        return [_construct(item, (*place, i), lines, file) for i, item in enumerate(node.value)]
    return yaml.SafeLoader("").construct_object(node)


def _construct_mapping(
    node: yaml.MappingNode, place: Path_, lines: dict[Path_, int], file: str
) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = str(key_node.value)
        line = key_node.start_mark.line + 1
        if key in result:
            raise UserError(
                f"the key `{key}` is given twice (first on line {lines[(*place, key)]})",
                file=file,
                place=f"line {line}",
                hint="Keep one of the two.",
            )
        lines[(*place, key)] = line
        result[key] = _construct(value_node, (*place, key), lines, file)
    return result


def override(text: RecipeText, assignments: Sequence[str]) -> RecipeText:
    """Apply `--set a.b.c=VALUE` assignments; VALUE is YAML. Raises UserError for a malformed one."""
    values = _copied(text.values)
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        if not equals or not all(key.split(".")):
            raise UserError(f"--set {assignment}", hint="Write --set KEY.SUBKEY=VALUE.")
        try:
            parsed = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise UserError(f"--set {assignment}: the value is not valid YAML", hint=str(error)) from error
        _assign(values, key.split("."), parsed, assignment)
    return RecipeText(text.file, values, text.lines)


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value


def _assign(values: Any, keys: list[str], value: Any, assignment: str) -> None:
    for depth, key in enumerate(keys):
        last = depth == len(keys) - 1
        try:
            slot = int(key) if isinstance(values, list) else key
            if last:
                values[slot] = value
            elif isinstance(values, dict):
                values[slot] = {} if values.get(slot) is None else values[slot]
                values = values[slot]
            else:
                values = values[slot]
        except (IndexError, ValueError, TypeError) as error:
            raise UserError(
                f"--set {assignment}: there is nothing at `{'.'.join(keys[: depth + 1])}`",
                hint="Compare the key with `coupage recipe show`.",
            ) from error


def validation_error(text: RecipeText, error: ValidationError, model: type[BaseModel]) -> UserError:
    """Turn pydantic's findings into one error: a line, a key and a hint for each."""
    findings = [_finding(text, dict(item), model) for item in error.errors(include_url=False)]
    first_line = findings[0][0]
    message = "\n".join(
        message if i == 0 else f"{text.file}:line {line}: {message}"
        for i, (line, message) in enumerate(findings)
    )
    return UserError(
        message, file=text.file, place=f"line {first_line}", hint="`coupage recipe schema` lists every key."
    )


def _finding(text: RecipeText, item: dict[str, Any], model: type[BaseModel]) -> tuple[int, str]:
    place = _written_place(item["loc"], text.values)
    dotted = ".".join(str(part) for part in place)
    if item["type"] == "extra_forbidden":
        near = _nearest(str(place[-1]), _valid_keys(model, item["loc"][:-1]))
        hint = f"; did you mean `{near}`?" if near else ""
        return text.line(place), f"unknown key `{dotted}`{hint}"
    if item["type"] == "missing":
        return text.line(place[:-1]), f"the key `{dotted}` is missing"
    message = item["msg"].removeprefix("Value error, ")
    if item["type"] == "union_tag_invalid":
        valid = [tag.strip("' ") for tag in item["ctx"]["expected_tags"].split(",")]
        near = _nearest(item["ctx"]["tag"], valid)
        kind = item["ctx"]["discriminator"].strip("'")
        message = f"there is no {kind} `{item['ctx']['tag']}`"
        message += f"; did you mean `{near}`?" if near else f" (there are: {', '.join(valid)})"
        return text.line((*place, "reader")), f"`{dotted}`: {message}"
    given = item.get("input")
    shown = f" (given: {given!r})" if isinstance(given, str | int | float | bool) else ""
    return text.line(place), f"`{dotted}`: {message}{shown}" if dotted else message


def _written_place(location: Sequence[str | int], values: Any) -> Path_:
    """Drop the parts of a pydantic location that name a union's branch and stand nowhere in the file."""
    place: list[str | int] = []
    for i, part in enumerate(location):
        inside = isinstance(values, dict) and part in values
        inside = inside or (isinstance(values, list) and isinstance(part, int) and part < len(values))
        if inside:
            values = values[part]
        elif i < len(location) - 1:
            continue
        place.append(part)
    return tuple(place)


def _valid_keys(model: type[BaseModel], location: Sequence[str | int]) -> list[str]:
    """The keys that the schema allows at `location`, collected over all branches of unions there."""
    schema = model.model_json_schema()
    definitions = schema.get("$defs", {})
    nodes = [schema]
    for part in location:
        following = [child for node in nodes for child in _children(node, part, definitions)]
        nodes = following or nodes
    return sorted({key for node in nodes for key in _resolve(node, definitions).get("properties", {})})


def _resolve(node: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    reference = node.get("$ref")
    return definitions[reference.rsplit("/", 1)[1]] if reference else node


def _branches(node: dict[str, Any], definitions: dict[str, Any]) -> list[dict[str, Any]]:
    node = _resolve(node, definitions)
    branches = [*node.get("anyOf", []), *node.get("oneOf", [])]
    return [leaf for branch in branches for leaf in _branches(branch, definitions)] or [node]


def _children(node: dict[str, Any], part: str | int, definitions: dict[str, Any]) -> list[dict[str, Any]]:
    found = []
    for branch in _branches(node, definitions):
        child = branch.get("items") if isinstance(part, int) else None
        child = child or branch.get("properties", {}).get(part)
        if child is None:
            child = next(iter(branch.get("patternProperties", {}).values()), None)
        if child is None and isinstance(branch.get("additionalProperties"), dict):
            child = branch["additionalProperties"]
        constant = branch.get("properties", {}).get("reader", {}).get("const")
        if child is None and constant is not None and constant == part:
            child = branch
        if child is not None:
            found.extend(_branches(child, definitions))
    return found


def _nearest(word: str, valid: Sequence[str]) -> str | None:
    return next(iter(difflib.get_close_matches(word, valid, n=1, cutoff=0.5)), None)
