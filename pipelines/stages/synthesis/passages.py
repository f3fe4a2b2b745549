"""Reads the documents that are asked about, and cuts them into passages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.stages.parts import PartStage
from pipelines.synthesis.augmentation.topics import related
from pipelines.synthesis.chunks import chunk_spans
from pipelines.synthesis.method import Method
from pipelines.synthesis.passage import Passage

BLOCK = 512
"""Documents that are read together: their parts are opened once for all of them."""
PIECES_NEAR = 8
"""So many of the nearest passages may be pieces of the same document."""
READ = ["doc_id", "text", "source", "license", "messages", "template_fields"]


@dataclass(frozen=True)
class DocumentReader:
    """Reads documents by their place, and cuts them.

    Attributes:
        workdir: The folder of the run.
        parts: The stage of each file's part, and the part's name.
        method: How documents are cut.
    """

    workdir: Path
    parts: Sequence[tuple[PartStage, str]]
    method: Method

    def passages(self, order: pa.Table) -> Iterator[Passage]:
        """The passages of documents (ASKED), in their order."""
        for start in range(0, order.num_rows, BLOCK):
            yield from self._with_related(self.alone(order.slice(start, BLOCK)))

    def alone(self, block: pa.Table) -> list[Passage]:
        """The passages of a few documents (ASKED), without related ones."""
        return [
            passage
            for asked, document in zip(block.to_pylist(), self._documents(block), strict=True)
            for passage in self._cut(document, asked)
        ]

    def _documents(self, block: pa.Table) -> list[dict[str, Any]]:
        """The documents of a block; every part is opened once."""
        files, rows = (block.column(name).to_numpy() for name in ("file", "row"))
        found: list[dict[str, Any]] = [{}] * len(files)
        for file in np.unique(files):
            stage, name = self.parts[file]
            positions = np.flatnonzero(files == file)
            documents = _rows(stage.path(self.workdir, name), rows[positions])
            for position, document in zip(positions, documents, strict=True):
                found[position] = document
        return found

    def _cut(self, document: dict[str, Any], asked: dict[str, Any]) -> Iterator[Passage]:
        text, doc_id = document["text"], document["doc_id"]
        whole = document["messages"] is not None or not self.method.pieces
        spans = [(0, len(text))] if whole else chunk_spans(text, self.method.passage_characters)
        for number, (start, end) in enumerate(spans):
            if text[start:end].strip():
                yield Passage(
                    id=f"{doc_id}#{number}",
                    parent_id=doc_id,
                    text=text[start:end].strip(),
                    language=asked["language"],
                    source=document["source"],
                    domain=asked["group"],
                    license=document["license"],
                    messages=tuple(document["messages"]) if document["messages"] else None,
                    template_fields=document["template_fields"],
                )

    def _with_related(self, passages: list[Passage]) -> list[Passage]:
        if not self.method.related:
            return passages
        nearest = related([passage.text for passage in passages], PIECES_NEAR + self.method.related)
        return [
            passage.with_related(tuple(self._of_others(passage, (passages[other] for other in others))))
            for passage, others in zip(passages, nearest, strict=True)
        ]

    def _of_others(self, passage: Passage, near: Iterable[Passage]) -> Iterator[Passage]:
        """Those that are of other documents, as many as the method wants."""
        return islice((each for each in near if each.parent_id != passage.parent_id), self.method.related)


def _rows(path: Path, rows: np.ndarray[Any, np.dtype[np.int64]]) -> list[dict[str, Any]]:
    """Rows of a part, in the order given; of its row groups only those that hold any are read."""
    with pq.ParquetFile(path) as file:
        sizes = [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]
        starts = np.concatenate([[0], np.cumsum(sizes)])
        groups = np.searchsorted(starts, rows, side="right") - 1
        wanted = np.unique(groups)
        table = file.read_row_groups(wanted.tolist(), columns=READ)
    first = np.concatenate([[0], np.cumsum([sizes[group] for group in wanted])])[:-1]
    places = rows - starts[groups] + first[np.searchsorted(wanted, groups)]
    documents: list[dict[str, Any]] = table.take(pa.array(places)).to_pylist()
    return documents
