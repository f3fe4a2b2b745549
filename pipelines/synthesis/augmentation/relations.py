"""Texts about how two or three entities of a passage belong together, as EntiGraph writes them."""

from __future__ import annotations

from pipelines.synthesis.ask import each
from pipelines.synthesis.augmentation.entities import Entities, groups
from pipelines.synthesis.draft import RejectedError, Rejection, Result
from pipelines.synthesis.writing import Writing

ONE_ALONE = "one_entity"
"""The reason of a passage whose only entity has nothing to be related to."""


async def relations(writing: Writing, entities: Entities, pairs: int, triples: int) -> list[Result]:
    """A text about each of so many pairs, and so many triples, of a passage's entities."""
    key = writing.passage.id
    chosen = [*groups(entities.names, 2, pairs, key), *groups(entities.names, 3, triples, key)]
    if not chosen:
        raise RejectedError(Rejection.of(ONE_ALONE, ", ".join(entities.names)))
    return await each(
        writing.text("relations", after=entities.prompt, entities=list(group)) for group in chosen
    )
