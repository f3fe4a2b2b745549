"""Which passages of held-out documents stand in the training documents of a source, and in how many."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from typing_extensions import override

from filters.contamination import index, match, words
from filters.contamination.match import find_matches
from pipelines.execution.counts import Count
from pipelines.execution.output import Task, TaskOutput, read_arrow
from pipelines.execution.stage import Stage
from pipelines.stages.contamination.held_out_passages import HeldOutPassages, Sought
from pipelines.stages.parts import PerPartStage, row_groups, text_size
from pipelines.stages.select import Select

READ = ["doc_id", "parent_id", "text"]
FOUND = pa.schema(
    [
        ("passage", pa.int64()),  # its row in the table of passages
        ("training_documents", pa.int64()),
        ("example", pa.string()),  # the first of these documents
    ]
)

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class TrainingPassages(PerPartStage):
    """One task a part. Output: `PART.arrow`: FOUND, by passage.

    A document about another one repeats it on purpose: that a passage stands in the document which it is
    about, or in others about the same, does not count.
    """

    name: ClassVar[str] = "training_passages"
    version: ClassVar[int] = 1
    select: Select
    held_out: HeldOutPassages

    @property
    @override
    def inputs(self) -> tuple[Stage, ...]:
        return (self.parts, self.select, self.held_out)

    @property
    @override
    def settings(self) -> dict[str, Any]:
        return {"words": words.VERSION, "index": index.VERSION, "matches": match.VERSION}

    @override
    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        part = task["part"]
        verdict = self.select.verdict(workdir, self.scope, part, ["keep", "held_out"])
        trained = pc.and_not(verdict.column("keep"), verdict.column("held_out"))
        number = pc.sum(trained).as_py() or 0
        found = [FOUND.empty_table()]
        if self.held_out.sought(workdir).passages.size:
            found += self._found(workdir, part, trained, output)
        output.write_arrow(part.replace(".parquet", ".arrow"), total(pa.concat_tables(found)))
        output.counts.flow(
            "documents",
            entered=len(trained),
            left=number,
            dropped={Count("not_in_training"): len(trained) - number},
        )

    def _found(
        self, workdir: Path, part: str, trained: pa.ChunkedArray, output: TaskOutput
    ) -> list[pa.Table]:
        sought = self.held_out.sought(workdir)
        document = self.held_out.passages(workdir).column("document")
        about = self.held_out.documents(workdir).column("parent_id").take(document)
        found = []
        first = 0
        for documents in row_groups(self.parts.path(workdir, part), READ):
            output.counts.add("text_bytes_read", text_size(documents.column("text")))
            chosen = trained.slice(first, documents.num_rows)
            first += documents.num_rows
            found.append(_passages_in(documents.filter(chosen), sought, about))
        return found

    def found(self, workdir: Path) -> pa.Table:
        """What is found in all parts, a row for each passage."""
        names = self.manifest(workdir).part_names(".arrow")
        return total(
            pa.concat_tables([FOUND.empty_table(), *(read_arrow(self.path(workdir, name)) for name in names)])
        )


def _passages_in(documents: pa.Table, sought: Sought, about: pa.ChunkedArray) -> pa.Table:
    """The passages in some training documents (FOUND); `about` says of each passage its document's parent."""
    matches = find_matches(documents.column("text"), sought.lookup)
    pairs = np.unique(np.stack([matches.column(name).to_numpy() for name in ("item", "row")]), axis=1)
    passage, row = sought.passages_of(pairs[0], pairs[1])
    document, parent = (documents.column(name).take(pa.array(row)) for name in ("doc_id", "parent_id"))
    about = about.take(pa.array(passage))
    on_purpose = pc.or_(*(pc.equal(about, each).fill_null(fill_value=False) for each in (document, parent)))
    found = pa.table(
        {"passage": passage, "training_documents": np.ones(len(passage), np.int64), "example": document},
        schema=FOUND,
    )
    return found.filter(pc.invert(on_purpose))


def total(found: pa.Table) -> pa.Table:
    """Tables of FOUND one after the other as one, with a row for each passage."""
    passage = found.column("passage").to_numpy()
    passages, first, place = np.unique(passage, return_index=True, return_inverse=True)
    documents = np.bincount(place, found.column("training_documents").to_numpy(), minlength=len(passages))
    examples = found.column("example").take(pa.array(first))
    columns = {"passage": passages, "training_documents": documents.astype(np.int64), "example": examples}
    return pa.table(columns, schema=FOUND).combine_chunks()
