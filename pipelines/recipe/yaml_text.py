"""Reads the YAML of recipes: plain values, and the line on which each stands.

What YAML can do beyond that is refused at its place: tags, merge keys, aliases that grow without bound.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from pipelines.errors import UserError
from pipelines.settings import Place

MOST_BYTES = 1 << 20
MOST_NESTED = 50
MOST_VALUES = 100_000
"""With what aliases repeat: a few lines of them can stand for billions."""
MOST_DIGITS = 400
KINDS = {
    "str": "text",
    "int": "whole number",
    "float": "number",
    "bool": "truth value",
    "null": "null",
    "timestamp": "date",
}
"""The tags of scalars, and their names for people."""
INTEGERS = range(-(2**63), 2**64)

_CONSTRUCTOR = yaml.constructor.SafeConstructor()


@dataclass(frozen=True)
class RecipeText:
    """A parsed YAML document with the line on which each key and item stands."""

    file: str
    values: dict[str, Any]
    lines: Mapping[Place, int] = field(default_factory=dict)
    assigned: frozenset[Place] = frozenset()
    """The places that `--set` gave values."""

    def line(self, place: Sequence[str | int]) -> int:
        """The 1-based line of `place`, or of the nearest enclosing key that the file has."""
        path = tuple(place)
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def where(self, place: Sequence[str | int]) -> str:
        """The line of `place`, or `--set` where that gave the value."""
        path = tuple(place)
        return "--set" if any(path[: len(key)] == key for key in self.assigned) else f"line {self.line(path)}"


def read_recipe_text(file: Path) -> RecipeText:
    """Parse `file` safely; raises UserError for a file that cannot be read, and for bad YAML."""
    return parse_recipe_text(read_text(file), str(file))


def read_text(file: Path) -> str:
    """The text of a recipe. Raises UserError for a file that cannot be read, or can be no recipe."""
    try:
        with file.open("rb") as opened:
            content = opened.read(MOST_BYTES + 1)
    except OSError as error:
        raise UserError(
            f"the recipe cannot be read: {error.strerror}",
            file=str(file),
            hint="Check the path and its permissions.",
        ) from error
    if len(content) > MOST_BYTES:
        raise UserError(
            f"the file is larger than a recipe can be ({MOST_BYTES >> 20} MiB)",
            file=str(file),
            hint="A recipe names its data; it does not hold them.",
        )
    try:
        return content.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UserError(
            f"the recipe is not UTF-8: byte 0x{content[error.start]:02x}",
            file=str(file),
            place=f"line {line}",
            hint="Save the file as UTF-8.",
        ) from error


def parse_recipe_text(text: str, file: str) -> RecipeText:
    """Parse YAML `text`; `file` is the name shown in errors. Raises UserError."""
    reading = _Reading(file)
    root = reading.compose(text)
    if not isinstance(root, yaml.MappingNode):
        raise UserError("a recipe is a mapping of keys", file=file, hint="Begin with `name: my-recipe`.")
    return RecipeText(file, reading.mapping(root, ()), reading.lines)


def parse_value(text: str, name: str) -> Any:
    """Parse one YAML value; `name` says in errors what it is. Raises UserError."""
    reading = _Reading(name, has_lines=False)
    root = reading.compose(text)
    return None if root is None else reading.value(root, ())


@dataclass
class _Reading:
    """One document on its way from text to values."""

    file: str
    has_lines: bool = True
    lines: dict[Place, int] = field(default_factory=dict)
    _values: int = 0
    _open: list[yaml.Node] = field(default_factory=list)
    """The lists and mappings around the current value."""

    def compose(self, text: str) -> yaml.Node | None:
        """The nodes of the only document, None where there is none."""
        try:
            self._check_size(text)
            return yaml.compose(text, Loader=yaml.CSafeLoader)
        except yaml.YAMLError as error:
            raise UserError(
                f"not valid YAML: {getattr(error, 'problem', None) or getattr(error, 'reason', error)}",
                file=self.file,
                place=_place(error, text),
                hint="Check indentation, colons and quotes around there.",
            ) from error

    def _check_size(self, text: str) -> None:
        """Before nodes are composed, since composing goes as deep as the text does."""
        depth = 0
        for number, event in enumerate(yaml.parse(text, Loader=yaml.CSafeLoader)):
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                if depth > MOST_NESTED:
                    raise self._too_deep(event)
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            if number > MOST_VALUES:
                raise self._too_many(event)

    def value(self, node: yaml.Node, place: Place) -> Any:
        """The value of a node; `place` is where it stands."""
        self.lines.setdefault(place, node.start_mark.line + 1)
        self._values += 1
        if self._values > MOST_VALUES:
            raise self._too_many(node)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        if node in self._open:
            raise self._refused(node, "an alias stands inside of what it names", "Write out what is needed.")
        if len(place) >= MOST_NESTED:
            raise self._too_deep(node)
        self._open.append(node)
        values = (
            self.mapping(node, place)
            if isinstance(node, yaml.MappingNode)
            else [self.value(item, (*place, i)) for i, item in enumerate(node.value)]
        )
        self._open.pop()
        return values

    def mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, Any]:
        """The keys and values of a mapping."""
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self._key(key_node)
            if key in result:
                raise self._refused(
                    key_node,
                    f"the key `{key}` is given twice (first on line {self.lines[(*place, key)]})",
                    "Keep one of the two.",
                )
            self.lines[(*place, key)] = key_node.start_mark.line + 1
            result[key] = self.value(value_node, (*place, key))
        return result

    def _key(self, node: yaml.Node) -> str:
        if not isinstance(node, yaml.ScalarNode):
            raise self._refused(node, "a key is a word", "Lists and mappings stand behind a colon.")
        if node.tag == "tag:yaml.org,2002:merge":
            raise self._refused(node, "merge keys (`<<`) are not read", "Write out the keys.")
        return str(node.value)

    def _scalar(self, node: yaml.ScalarNode) -> str | int | float | bool | None:
        kind = node.tag.removeprefix("tag:yaml.org,2002:")
        if kind not in KINDS:
            raise self._refused(node, f"values of the kind `{kind}` are not read", "Write it without a tag.")
        if kind in ("str", "timestamp"):  # Recipes have no dates: what looks like one is a text.
            return str(node.value)
        shown = f"`{shortened(node.value)}`"
        if len(node.value) > MOST_DIGITS:
            raise self._refused(node, f"{shown} is too long a number", "Write a shorter one.")
        try:
            value: int | float | bool | None = getattr(_CONSTRUCTOR, f"construct_yaml_{kind}")(node)
        except (ValueError, KeyError, IndexError) as error:
            raise self._refused(node, f"{shown} is no {KINDS[kind]}", "Correct the value.") from error
        if problem := number_problem(value):
            raise self._refused(node, f"{shown} is {problem}", "Write a finite number of at most 64 bits.")
        return value

    def _too_many(self, at: yaml.Node | yaml.Event) -> UserError:
        what = f"more than {MOST_VALUES:,} values, with those that aliases repeat"
        return self._refused(at, what, "Write out what is needed, without aliases.")

    def _too_deep(self, at: yaml.Node | yaml.Event) -> UserError:
        return self._refused(at, f"more than {MOST_NESTED} lists and mappings in each other", "Write fewer.")

    def _refused(self, at: yaml.Node | yaml.Event, what: str, hint: str) -> UserError:
        mark: Any = at.start_mark
        place = f"line {mark.line + 1}" if self.has_lines else ""
        return UserError(what, file=self.file, place=place, hint=hint)


def _place(error: yaml.YAMLError, text: str) -> str:
    mark: Any = getattr(error, "problem_mark", None)
    if mark:
        return f"line {mark.line + 1}, column {mark.column + 1}"
    position = getattr(error, "position", None)
    return "" if position is None else f"line {text.count(chr(10), 0, position) + 1}"


def shortened(text: str) -> str:
    """The text, or its beginning where it is too long to be shown."""
    return text if len(text) <= 60 else f"{text[:60]}…"


def number_problem(value: Any) -> str | None:
    """Why a number cannot be worked with: it is not finite, or has more than 64 bits."""
    if isinstance(value, float) and not math.isfinite(value):
        return "not a finite number"
    if isinstance(value, int) and value not in INTEGERS:
        return "not a number of 64 bits"
    return None
