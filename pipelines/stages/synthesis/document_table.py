"""Drafts as documents of a corpus part."""

from __future__ import annotations

from collections.abc import Sequence

import orjson
import pyarrow as pa

from mixers.printable import storable
from pipelines.sources.base import Labels, part_table
from pipelines.sources.conversation_text import BETWEEN_MESSAGES, rendered
from pipelines.sources.schema import MESSAGES, PART_SCHEMA
from pipelines.synthesis.draft import Draft
from pipelines.synthesis.passage import Passage, Turns


def document_table(
    drafts: Sequence[tuple[Passage, int, Draft]], source: str, domain: str, made_by: dict[str, str]
) -> pa.Table:
    """A table of PART_SCHEMA.

    Args:
        drafts: Each with the passage that it is made from, and its number among what is made from that.
        source: The name of the new documents' source, and the beginning of their ids.
        domain: Their domain.
        made_by: What goes into the metadata of each: method and model.
    """
    messages = pa.array([_turns(draft.messages) for *_, draft in drafts], MESSAGES)
    fields = pa.array([draft.template_fields for *_, draft in drafts], pa.string())
    texts = [storable(draft.text or "") for *_, draft in drafts]
    said = rendered(messages.fill_null([]), fields).to_pylist()
    table = part_table(
        Labels(source, domain, ""),
        [f"{source}/{passage.id}/{number}" for passage, number, _ in drafts],
        pa.array([a or b for a, b in zip(texts, said, strict=True)], pa.large_string()),
        [_metadata(passage, draft, made_by) for passage, _, draft in drafts],
        languages=[draft.language for *_, draft in drafts],
        licenses=[passage.license for passage, *_ in drafts],
        parent_ids=[passage.parent_id for passage, *_ in drafts],
        messages=messages,
        template_fields=fields,
    )
    return table.cast(PART_SCHEMA)


def plain_text(draft: Draft) -> str:
    """What a draft says, without marks and role names."""
    said = [turn["content"] for turn in draft.messages or () if turn["content"]]
    return storable(draft.text or BETWEEN_MESSAGES.join(said))


def _turns(messages: Turns | None) -> list[dict[str, str]] | None:
    if messages is None:
        return None
    return [
        {"role": turn["role"], "content": turn["content"] and storable(turn["content"])} for turn in messages
    ]


def _metadata(passage: Passage, draft: Draft, made_by: dict[str, str]) -> str:
    about: dict[str, str | list[str]] = {**made_by, "kind": draft.kind, "prompt": draft.prompt}
    about["passage"] = passage.id
    if draft.passages:
        about["passages"] = list(draft.passages)
    return orjson.dumps(about).decode()
