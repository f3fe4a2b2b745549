"""What the JSON Schema of a recipe says about a place in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import BaseModel

Node = dict[str, Any]


@dataclass(frozen=True)
class Schema:
    """What may stand at a place: one node for each branch of the unions there."""

    nodes: list[Node]
    definitions: Node

    @classmethod
    def of(cls, model: type[BaseModel]) -> Schema:
        """The schema of a whole model."""
        schema = model.model_json_schema()
        return cls([schema], schema.get("$defs", {}))

    def at(self, location: Iterable[str | int]) -> Schema:
        """What may stand at `location`; parts of it that name a branch of a union lead nowhere."""
        here = self
        for part in location:
            nodes = [child for node in here.nodes for child in here._children(node, part)]
            here = Schema(nodes or here.nodes, self.definitions)
        return here

    @property
    def keys(self) -> list[str]:
        """The keys that are allowed, sorted."""
        return sorted({key for node in self.nodes for key in self._resolved(node).get("properties", {})})

    @property
    def has_plain_values(self) -> bool:
        """Whether this is a mapping of free keys whose values are no mappings of known keys."""
        free = [node["additionalProperties"] for node in self.nodes if node.get("additionalProperties")]
        return bool(free) and not any(
            "properties" in branch
            for values in free
            if isinstance(values, dict)
            for branch in self._branches(values)
        )

    def _children(self, node: Node, part: str | int) -> Iterator[Node]:
        for branch in self._branches(node):
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
                yield from self._branches(child)

    def _branches(self, node: Node) -> list[Node]:
        node = self._resolved(node)
        branches = [*node.get("anyOf", []), *node.get("oneOf", [])]
        return [leaf for branch in branches for leaf in self._branches(branch)] or [node]

    def _resolved(self, node: Node) -> Node:
        reference = node.get("$ref")
        return self.definitions[reference.rsplit("/", 1)[1]] if reference else node
