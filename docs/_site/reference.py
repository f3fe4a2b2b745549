"""Two pages of the documentation, made from the code when the site is built: recipe keys, and commands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from pipelines.cli import app
from pipelines.recipe.load import recipe_schema

Node = dict[str, Any]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages to those of the folder; called by mkdocs."""
    for name, text in (("reference/recipe.md", recipe_page()), ("reference/commands.md", commands_page())):
        files.append(File.generated(config, name, content=text))
    return files


def recipe_page() -> str:
    """Every key of a recipe with its type, its default and its meaning."""
    schema = recipe_schema()
    parts = [
        "# Every key of a recipe",
        "Made from the schema that checks recipes. [Recipes](../recipes.md) explains the keys with examples.",
    ]
    for place, node in _objects(schema):
        parts += [f"## {place}" if place else "## The recipe", _cell(node.get("description", ""))]
        parts.append(_table(("key", "type", "default", "meaning"), _keys(place, node, schema)))
    return "\n\n".join(filter(None, parts)) + "\n"


def _objects(schema: Node) -> Iterator[tuple[str, Node]]:
    """The mappings with known keys, each once, after the one that it is part of: its place and its schema."""
    waiting, seen = [("", schema)], set[str]()
    while waiting:
        place, node = waiting.pop(0)
        yield place, node
        below: list[tuple[str, Node]] = []
        for key, value in (*node.get("properties", {}).items(), *_others(node)):
            for where, name in _models(value, f"{place}.{key}".strip("."), schema):
                if name not in seen:
                    seen.add(name)
                    below.append((where, schema["$defs"][name]))
        waiting = below + waiting


def _others(node: Node) -> Iterator[tuple[str, Node]]:
    """What may stand under free keys."""
    for values in (node.get("additionalProperties"), *node.get("patternProperties", {}).values()):
        if isinstance(values, dict):
            yield "NAME", values


def _models(value: Node, place: str, schema: Node) -> Iterator[tuple[str, str]]:
    """The models that may stand at a place, or as an item or a value of what stands there."""
    if "$ref" in value:
        name = value["$ref"].rpartition("/")[2]
        node = schema["$defs"][name]
        if "properties" in node:
            yield place + _kind(node), name
        else:
            yield from _models(node, place, schema)
    for branch in (*value.get("anyOf", ()), *value.get("oneOf", ()), *value.get("allOf", ())):
        yield from _models(branch, place, schema)
    if isinstance(value.get("items"), dict):
        yield from _models(value["items"], f"{place}[]", schema)
    for key, values in _others(value):
        yield from _models(values, f"{place}.{key}", schema)


def _kind(node: Node) -> str:
    """What tells a model from others that may stand at the same place: ` (reader: files)`."""
    for key in ("reader", "method", "model", "use"):
        if "const" in (found := node["properties"].get(key, {})):
            return f" ({key}: {found['const']})"
    return ""


def _keys(place: str, node: Node, schema: Node) -> Iterator[tuple[str, ...]]:
    needed = node.get("required", ())
    for key, value in node["properties"].items():
        default = "**needed**" if key in needed else _default(value.get("default"))
        said = value.get("description") or _resolved(value, schema).get("description", "")
        yield f"`{key}`", _type(value, schema), default, said


def _default(value: Any) -> str:
    """A default; of a mapping, its own table says them."""
    return "" if isinstance(value, dict) and value else f"`{json.dumps(value, ensure_ascii=False)}`"


def _resolved(value: Node, schema: Node) -> Node:
    return schema["$defs"][value["$ref"].rpartition("/")[2]] if "$ref" in value else value


def _type(value: Node, schema: Node) -> str:
    """A type in words."""
    node = _resolved(value, schema)
    if "enum" in node:
        return " or ".join(f"`{each}`" for each in node["enum"])
    if "const" in node:
        return f"`{node['const']}`"
    branches = [*node.get("anyOf", ()), *node.get("oneOf", ())]
    if branches:
        return " or ".join(dict.fromkeys(_type(branch, schema) for branch in branches))
    if node.get("type") == "array":
        return f"list of {_type(node.get('items', {}), schema)}"
    if "properties" in node:
        return "mapping"
    return {"object": "mapping", "string": "text", "integer": "whole number", "boolean": "true or false"}.get(
        node.get("type", "any"), node.get("type", "any")
    )


def commands_page() -> str:
    """Every command with its arguments and options."""
    parts = [
        "# Every command",
        "Made from the program's own help. [Commands](../commands.md) says more of most of them.",
    ]
    for path, command in _commands(typer.main.get_command(app), "coupage"):
        usage = " ".join(command.collect_usage_pieces(typer.Context(command)))
        parts += [f"## {path}", command.help or "", f"```\n{path} {usage}\n```"]
        parts.append(_table(("option", "default", "meaning"), map(_option, command.params)))
    return "\n\n".join(filter(None, parts)) + "\n"


def _commands(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    if hasattr(command, "commands"):
        for name, below in sorted(command.commands.items()):
            yield from _commands(below, f"{path} {name}")
    else:
        yield path, command


def _option(option: Any) -> tuple[str, ...]:
    names = option.opts + option.secondary_opts if option.param_type_name == "option" else [option.name]
    default = (
        "" if option.default in (None, False, (), []) or callable(option.default) else f"`{option.default}`"
    )
    needed = "**needed**" if option.required else default
    return ", ".join(f"`{name}`" for name in names), needed, option.help or ""


def _table(head: tuple[str, ...], rows: Any) -> str:
    lines = [f"| {' | '.join(map(_cell, row))} |" for row in rows]
    return "\n".join([f"| {' | '.join(head)} |", "|---" * len(head) + "|", *lines]) if lines else ""


def _cell(text: str) -> str:
    """Text on one line of a table; what looks like a tag is none, but in code."""
    pieces = " ".join(text.replace("|", "\\|").split()).split("`")
    return "`".join(piece.replace("<", "&lt;") if n % 2 == 0 else piece for n, piece in enumerate(pieces))
