"""Examples of new documents and of what was rejected, each beside the passage that it is about."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq

from pipelines.stages.synthesis.made_documents import MadeDocuments

SHOWN = 1_500
"""Characters of a text that are shown."""
OF_A_KIND, OF_A_REASON = 2, 3
"""Examples that are shown."""
SAMPLE = 2_000
"""Documents that are looked at: passages are asked about in random order, so the first are a fair sample."""


@dataclass(frozen=True)
class Made:
    """A new document."""

    doc_id: str
    kind: str
    passages: tuple[str, ...]
    """The ids of those that it rests on, the one asked about first."""
    turns: tuple[tuple[str, str], ...]
    """Role and content; a text is one turn without a role."""

    @property
    def text(self) -> str:
        """What it says."""
        return "\n".join(content for _, content in self.turns)

    @property
    def parents(self) -> set[str]:
        """The ids of the documents that the passages are of."""
        return {document_of(passage) for passage in self.passages}


def document_of(passage: str) -> str:
    """The id of the document that a passage is a piece of, by the passage's id."""
    return passage.rpartition("#")[0]


def first_documents(stage: MadeDocuments, workdir: Path) -> list[Made]:
    """The first documents that a stage made, at most `SAMPLE`."""
    return list(islice(_documents(stage, workdir), SAMPLE))


def _documents(stage: MadeDocuments, workdir: Path) -> Iterator[Made]:
    for name in stage.part_names(workdir):
        with pq.ParquetFile(stage.path(workdir, name)) as file:
            for batch in file.iter_batches(
                batch_size=256, columns=["doc_id", "text", "messages", "metadata"]
            ):
                yield from map(_made, batch.to_pylist())


def _made(row: Mapping[str, Any]) -> Made:
    about = orjson.loads(row["metadata"])
    turns = [(turn["role"], turn["content"] or "") for turn in row["messages"] or ()]
    passages = dict.fromkeys((about["passage"], *about.get("passages", ())))
    return Made(row["doc_id"], about["kind"], tuple(passages), tuple(turns or [("", row["text"])]))


def of_each_kind(documents: Iterable[Made]) -> list[Made]:
    """The first documents of each kind."""
    seen: Counter[str] = Counter()
    found = []
    for made in documents:
        if seen[made.kind] < OF_A_KIND:
            found.append(made)
        seen[made.kind] += 1
    return found


def rejected_of_each_reason(
    stage: MadeDocuments, workdir: Path, reasons: Mapping[str, int]
) -> dict[str, list[dict[str, Any]]]:
    """The first rejections for each reason, rows of REJECTIONS.

    Args:
        stage: A finished stage.
        workdir: The run's folder.
        reasons: How many there are for each.
    """
    missing = Counter({reason: min(number, OF_A_REASON) for reason, number in reasons.items()})
    found = defaultdict(list)
    for batch in stage.rejected(workdir):
        for row in batch.to_pylist():
            if missing[row["reason"]] > 0:
                missing[row["reason"]] -= 1
                found[row["reason"]].append(row)
        if missing.total() == 0:
            break
    return found


def shortened(text: str, most: int = SHOWN) -> str:
    """The beginning of a text, as far as it is shown."""
    return text if len(text) <= most else text[:most] + " …"
