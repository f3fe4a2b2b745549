"""Verify pairs: the true similarity of every candidate pair."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from typing_extensions import override

from filters.dedup import jaccard
from filters.dedup.jaccard import batches, verified
from pipelines.execution.output import Output, Task, TaskOutput
from pipelines.execution.stage import Stage
from pipelines.stages.dedup.candidates import Candidates
from pipelines.stages.dedup.clusters import EDGES
from pipelines.stages.dedup.numbering import Documents, Numbering
from pipelines.stages.dedup.pair_texts import PairTexts, Texts
from pipelines.stages.dedup.similarity_cache import publish_similarities
from pipelines.stages.parts import text_size

PAIRS_A_TASK = 100_000
TEXT_A_BATCH = 64 << 20


@dataclass(frozen=True, kw_only=True)
class VerifyPairs(Stage):
    """One task a run of candidate pairs. Output: `NNNNN.parquet`: `a`, `b`, `similarity` (true Jaccard).

    All candidates are kept with their similarity: the evidence, what lets another threshold be tried at once,
    and what later runs need not verify again.
    """

    name: ClassVar[str] = "verify_pairs"
    version: ClassVar[int] = 3
    candidates: Candidates
    texts: PairTexts

    @property
    @override
    def inputs(self) -> tuple[Stage, ...]:
        return (self.candidates, self.texts)

    @property
    @override
    def settings(self) -> dict[str, Any]:
        return {"similarity": jaccard.VERSION}

    @property
    def ngram(self) -> int:
        """Words in a shingle."""
        return self.candidates.minhash.ngram

    @override
    def tasks(self, workdir: Path) -> list[Task]:
        pairs = self.candidates.pairs(workdir).num_rows
        return [
            {"start": start, "stop": min(start + PAIRS_A_TASK, pairs)}
            for start in range(0, pairs, PAIRS_A_TASK)
        ]

    @override
    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        run = self.candidates.pairs(workdir).slice(task["start"], task["stop"] - task["start"])
        a, b, similarity = (run.column(name).to_numpy() for name in EDGES.names)
        new = np.flatnonzero(np.isnan(similarity))
        similarity = similarity.copy()
        similarity[new] = self._verified(self.texts.texts(workdir), a[new], b[new], output)
        output.write_table(f"{output.task:05d}.parquet", pa.table([a, b, similarity], schema=EDGES))
        output.counts.add("pairs_compared", len(new))
        output.counts.add("pairs_reused", len(a) - len(new))

    def _verified(self, texts: Texts, a: Documents, b: Documents, output: TaskOutput) -> Documents:
        """The similarity of pairs of documents, holding the texts of a batch of them at a time."""
        documents, place = np.unique(np.concatenate([a, b]), return_inverse=True)
        rows = texts.rows(documents)
        a, b = place[: len(a)], place[len(a) :]
        similarities = [np.empty(0)]
        for start, stop in pairwise(batches(a, b, texts.sizes(rows), TEXT_A_BATCH)):
            needed, here = np.unique(np.concatenate([a[start:stop], b[start:stop]]), return_inverse=True)
            batch = texts.take(rows[needed])
            similarities.append(verified(here[: stop - start], here[stop - start :], batch, self.ngram))
            output.counts.add("text_bytes_read", text_size(batch))
        return np.concatenate(similarities)

    @override
    def finish(self, workdir: Path, output: Output) -> None:
        publish_similarities(output, self.ngram, Numbering.of(self.texts.parts, workdir))

    def edges(self, workdir: Path) -> Iterator[pa.Table]:
        """All candidate pairs with their similarity, some at a time."""
        names = self.manifest(workdir).part_names(".parquet")
        return (pq.read_table(self.path(workdir, name)) for name in names)
