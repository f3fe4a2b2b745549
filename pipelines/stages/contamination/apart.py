"""Apart: which held-out documents are known from training, by passages, and so say nothing of a model."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from typing_extensions import override

from pipelines.execution.counts import Count
from pipelines.execution.output import Task, TaskOutput
from pipelines.execution.stage import SingleTaskStage, Stage
from pipelines.stages.contamination.held_out_passages import IN_MANY, HeldOutPassages
from pipelines.stages.contamination.training_passages import TrainingPassages, total

MOST_DOCUMENTS = 10
"""A passage of more training documents is a form that whole sites or repositories share: nothing that a
document says itself. The share of a sample that is held out meets such a form with each of them."""
KNOWN_SHARE = 0.2
"""Of a document's words so much in passages that training has: a page of five, or a turn of a conversation.
Then its loss measures what was learnt by heart."""
DOCUMENTS, PASSAGES = "documents.parquet", "passages.parquet"


@dataclass(frozen=True, kw_only=True)
class Apart(SingleTaskStage):
    """Output, of the held-out documents that would be evaluated:

    `documents.parquet`: `doc_id`, `group`, `words`, `known_words` (in passages that training has and that are
    not common), `known` bool, `example` (a training document with the first of these); `passages.parquet`,
    those that training has or that are common: `doc_id`, `words`, `passage`, `held_out_documents`,
    `training_documents`, `common` bool, `example` (the first of the training documents).
    """

    name: ClassVar[str] = "apart"
    version: ClassVar[int] = 1
    held_out: HeldOutPassages
    training: tuple[TrainingPassages, ...]

    @property
    @override
    def inputs(self) -> tuple[Stage, ...]:
        return (self.held_out, *self.training)

    @property
    @override
    def settings(self) -> dict[str, Any]:
        return {"most_documents": MOST_DOCUMENTS, "known_share": KNOWN_SHARE, "in_many": IN_MANY}

    @override
    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        documents, passages = self.held_out.documents(workdir), self._judged(workdir)
        document, words = (passages.column(name).to_numpy() for name in ("document", "words"))
        telling = (passages.column("training_documents").to_numpy() > 0) & ~passages.column(
            "common"
        ).to_numpy()
        rows = documents.num_rows
        known_words = np.bincount(document[telling], words[telling], minlength=rows).astype(np.int64)
        known = (known_words > 0) & (known_words >= KNOWN_SHARE * documents.column("words").to_numpy())
        judged = documents.select(["doc_id", "group", "words"])
        judged = judged.append_column("known_words", pa.array(known_words))
        judged = judged.append_column("known", pa.array(known))
        place = np.zeros(rows, np.int64)
        with_one, first = np.unique(document[telling], return_index=True)
        place[with_one] = np.flatnonzero(telling)[first]
        examples = passages.column("example").take(pa.array(place, mask=known_words == 0))
        output.write_table(DOCUMENTS, judged.append_column("example", examples))
        passages = passages.set_column(0, "doc_id", documents.column("doc_id").take(pa.array(document)))
        noted = pc.or_(passages.column("common"), pc.greater(passages.column("training_documents"), 0))
        output.write_table(PASSAGES, passages.filter(noted))
        known_of_group = Counter(documents.column("group").filter(pa.array(known)).to_pylist())
        output.counts.flow(
            "held_out_documents",
            entered=rows,
            left=rows - int(known.sum()),
            dropped={Count("known_from_training", group): n for group, n in known_of_group.items()},
        )
        output.counts.add("passages", passages.num_rows)
        output.counts.add("passages_in_training", int(telling.sum()))
        output.counts.add("common_passages", pc.sum(passages.column("common")).as_py() or 0)

    def _judged(self, workdir: Path) -> pa.Table:
        """All passages, in how many training documents each stands, and whether it is common."""
        passages = self.held_out.passages(workdir)
        found = total(pa.concat_tables(stage.found(workdir) for stage in self.training))
        place = found.column("passage").to_numpy()
        training = np.zeros(passages.num_rows, np.int64)
        training[place] = found.column("training_documents").to_numpy()
        example = np.zeros(passages.num_rows, np.int64)
        example[place] = np.arange(len(place))
        common = (training > MOST_DOCUMENTS) | (passages.column("held_out_documents").to_numpy() >= IN_MANY)
        examples = found.column("example").take(pa.array(example, mask=training == 0))
        passages = passages.append_column("training_documents", pa.array(training))
        return passages.append_column("common", pa.array(common)).append_column("example", examples)

    def documents(self, workdir: Path) -> pa.Table:
        """The documents that would be evaluated, and whether they are known from training."""
        return pq.read_table(self.path(workdir, DOCUMENTS))
