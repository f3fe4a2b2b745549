"""Semantic reference: the screen of a source, and from which cosine on a passage of it is a candidate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from typing_extensions import override

from filters.text.texts import Texts
from pipelines.execution.output import Task, TaskOutput
from pipelines.execution.stage import SingleTaskStage, Stage
from pipelines.stages.contamination import semantic
from pipelines.stages.contamination.index_files import read_array
from pipelines.stages.contamination.item_vectors import ItemVectors
from pipelines.stages.contamination.passages import as_texts, find_passages, find_words, passage_texts
from pipelines.stages.contamination.screen import Postings, Screen
from pipelines.stages.contamination.semantic import Reference, threshold_at
from pipelines.stages.parts import PartStage, text_size

BACKGROUND_PARTS, BACKGROUND_BYTES = 16, 8 << 20
"""Of so many parts of a source about so much is read: it tells which words are common in it."""
BACKGROUND_PASSAGES = 2_000
"""Passages that the threshold is told from: of a share of 1 % twenty are above it."""
THRESHOLD = "threshold.json"


@dataclass(frozen=True, kw_only=True)
class SemanticReference(SingleTaskStage):
    """Output: a file for each array of the screen, and `threshold.json`.

    The threshold is told from passages that the screen leaves out: these are of other things than the items,
    also in a source that is full of them.
    """

    name: ClassVar[str] = "semantic_reference"
    version: ClassVar[int] = 1
    parts: PartStage
    items: ItemVectors
    share: float
    threshold: float | None
    translations: bool

    @property
    @override
    def inputs(self) -> tuple[Stage, ...]:
        return (self.parts, self.items)

    @property
    @override
    def settings(self) -> dict[str, Any]:
        return {
            "version": semantic.VERSION,
            "share": self.share,
            "threshold": self.threshold,
            "translations": self.translations,
        }

    @override
    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        background = self._background(workdir)
        output.counts.add("text_bytes_read", text_size(background))
        screen = Screen.of(as_texts(self.items.views(workdir).text), background)
        reference = Reference(*self.items.read(workdir), screen)
        threshold = self._told(background, reference) if self.threshold is None else self.threshold
        for name, array in _arrays(screen).items():
            output.write_arrow(f"{name}.arrow", pa.table({name: array}))
        output.write_json(THRESHOLD, {"threshold": threshold})

    def _background(self, workdir: Path) -> pa.ChunkedArray:
        """Documents from all over the source."""
        groups = list(_row_groups(self.parts, workdir))
        step = max(1, sum(size for *_, size in groups) // BACKGROUND_BYTES)
        texts = [
            pq.ParquetFile(path).read_row_group(number, columns=["text"]).column("text")
            for path, number, _ in groups[::step]
        ]
        return pa.chunked_array([chunk for column in texts for chunk in column.chunks], pa.large_string())

    def _told(self, background: Texts, reference: Reference) -> float:
        """The threshold by the share; where the screen leaves all passages in, by all of them."""
        words = find_words(background)
        passages = find_passages(background, words)
        passed = reference.screen.passed(words, passages, self.translations)
        unrelated = np.flatnonzero(~passed if not passed.all() else passed)
        few = unrelated[:: max(1, len(unrelated) // BACKGROUND_PASSAGES)]
        vectors = self.items.embedder.open().embed(passage_texts(background, passages.chosen(few)))
        return threshold_at(self.share, vectors, reference)

    def read(self, workdir: Path) -> tuple[Reference, float]:
        """The reference and the threshold."""
        arrays = {name: read_array(self.path(workdir, f"{name}.arrow")) for name in _NAMES}
        postings = Postings(*(arrays[name] for name in Postings._fields))
        screen = Screen(arrays["words"], postings, arrays["commonest"])
        threshold: float = orjson.loads(self.path(workdir, THRESHOLD).read_bytes())["threshold"]
        return Reference(*self.items.read(workdir), screen), threshold


_NAMES = ("words", *Postings._fields, "commonest")


def _arrays(screen: Screen) -> dict[str, Any]:
    return dict(zip(_NAMES, (screen.words, *screen.postings, screen.commonest), strict=True))


def _row_groups(parts: PartStage, workdir: Path) -> Iterator[tuple[Path, int, int]]:
    """The row groups of parts all over the source: file, number and bytes."""
    names = parts.part_names(workdir)
    for name in names[:: -(-len(names) // BACKGROUND_PARTS) or 1]:
        path = parts.path(workdir, name)
        metadata = pq.read_metadata(path)
        for number in range(metadata.num_row_groups):
            yield path, number, metadata.row_group(number).total_byte_size
