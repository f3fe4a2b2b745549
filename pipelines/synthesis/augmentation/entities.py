"""The entities of a passage, listed by the model, and those that are looked at together.

After EntiGraph (Yang et al. 2024, "Synthetic continued pretraining", arXiv 2409.07431): texts about many
pairs and triples of a document's entities tell its knowledge from many sides.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, islice
from typing import Any

from pipelines.synthesis.draft import RejectedError, Rejection
from pipelines.synthesis.json_answers import parse_objects
from pipelines.synthesis.writing import UNPARSED, Writing, rank

MOST = 24
"""Entities of a passage that are looked at."""
LONGEST = 100
"""Characters of a name; what is longer is no name."""
NONE = "no_entities"
"""The reason of a list with no entity that the passage mentions."""
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "entities": {
            "type": "array",
            "minItems": 1,
            "maxItems": MOST,
            "items": {
                "type": "object",
                "properties": {"name": {"type": "string", "minLength": 1, "maxLength": LONGEST}},
                "required": ["name"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["entities"],
    "additionalProperties": False,
}
_ENDING = 3
"""Letters at the end of a word that may change with its case."""


@dataclass(frozen=True, slots=True)
class Entities:
    """The entities of a passage, in the order in which the model named them, and the prompt that asked."""

    names: tuple[str, ...]
    prompt: str


async def list_entities(writing: Writing) -> Entities:
    """The entities of a passage that it mentions. Raises RejectedError where none can be read."""
    prompt = writing.prompt("entities")
    answer = await writing.answer(prompt, {}, SCHEMA)
    listed = _names(parse_objects(answer.text))
    if not listed:
        raise RejectedError(Rejection.of(UNPARSED, answer.text))
    text = writing.passage.text.casefold()
    mentioned = {_key(name): name for name in reversed(listed) if mentions(text, name)}
    if not mentioned:
        raise RejectedError(Rejection.of(NONE, answer.text))
    return Entities(tuple(reversed(mentioned.values()))[:MOST], prompt.hash)


def mentions(folded: str, name: str) -> bool:
    """Whether a casefolded text has the beginning of every long word of a name."""
    words = re.findall(r"\w+", name.casefold())
    long = [word for word in words if len(word) > _ENDING] or words
    return bool(long) and all(word[: max(_ENDING, len(word) - _ENDING)] in folded for word in long)


def groups(names: Sequence[str], size: int, most: int, key: str) -> list[tuple[str, ...]]:
    """At most `most` different groups of `size` names, among which every name comes up about as often.

    Always the same for a `key`, the id of a passage; a larger `most` adds to the groups of a smaller one.
    """
    return list(islice(_all_groups(sorted(names, key=lambda name: rank(key, name)), size), most))


def _all_groups(names: Sequence[str], size: int) -> Iterator[tuple[str, ...]]:
    """Names in a ring, and from each one those that are some distances on; disjoint groups come first."""
    starts = sorted(range(len(names)), key=lambda start: (start % size, start))
    seen = set()
    for distances in combinations(range(1, len(names)), size - 1):
        for start in starts:
            group = (names[start], *(names[(start + distance) % len(names)] for distance in distances))
            if frozenset(group) not in seen:
                seen.add(frozenset(group))
                yield group


def _names(objects: Sequence[dict[str, Any]]) -> list[str]:
    """The names in what a model answered: of a whole list, or of the items of one that is cut short."""
    items = [item for each in objects for item in _items(each)]
    names = [item.get("name") if isinstance(item, dict) else item for item in items]
    tidy = [" ".join(name.split()) for name in names if isinstance(name, str)]
    return [name for name in tidy if 0 < len(name) <= LONGEST]


def _items(value: dict[str, Any]) -> list[Any]:
    listed = value.get("entities", [value])
    return listed if isinstance(listed, list) else []


def _key(name: str) -> str:
    return name.casefold()
