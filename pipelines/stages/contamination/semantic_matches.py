"""Semantic matches: what a judge says of the candidates of a source."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from typing_extensions import override

from filters.contamination.items import MATCHES
from mixers.files import write_bytes
from pipelines.execution.output import Task, TaskOutput
from pipelines.execution.stage import SingleTaskStage, Stage
from pipelines.recipe.decontaminate import JudgeEndpoint
from pipelines.sources.endpoint import EndpointClient
from pipelines.stages.contamination.item_texts import judged_texts
from pipelines.stages.contamination.judge import PROMPT, Judge
from pipelines.stages.contamination.semantic import SEMANTIC, judge_candidates
from pipelines.stages.contamination.semantic_candidates import PASSAGE, SemanticCandidates

FOLDER = "judgements"
"""In the folder of a run: what was judged stays, whatever becomes of the stages."""
LEDGER, TROUBLE = "ledger.jsonl", "trouble.txt"
SEMANTIC_MATCHES = pa.schema([*MATCHES, SEMANTIC.field("judged"), SEMANTIC.field("why")])


@dataclass(frozen=True, kw_only=True)
class SemanticMatches(SingleTaskStage):
    """Output: a file of each part's name (SEMANTIC_MATCHES), the candidates that are judged no match too.

    One task asks for all parts at once, many requests at a time: so one process writes the ledger, and a
    judge that is down is waited for once. `score` is the cosine; no coverage is known. Candidates without a
    judgement stay so, and the next run asks for them.
    """

    name: ClassVar[str] = "semantic_matches"
    version: ClassVar[int] = 1
    candidates: SemanticCandidates
    judge: JudgeEndpoint | None

    @property
    @override
    def inputs(self) -> tuple[Stage, ...]:
        return (self.candidates, self.candidates.reference.items.benchmarks)

    @property
    @override
    def settings(self) -> dict[str, Any]:
        """Where the judge is, and with which sampling, decides no judgement that there is."""
        return {"judge": [self.judge.model, PROMPT] if self.judge else None}

    @override
    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        names = self.candidates.parts.part_names(workdir)
        tables = [self.candidates.table(workdir, name) for name in names]
        found = pa.concat_tables(tables) if tables else pa.table({})
        if self.judge and found.num_rows:
            found = self._judged(found, self.judge, workdir, output)
        start = 0
        for name, table in zip(names, tables, strict=True):
            output.write_table(name, _as_matches(found.slice(start, table.num_rows)))
            start += table.num_rows

    def _judged(
        self, found: pa.Table, endpoint: JudgeEndpoint, workdir: Path, output: TaskOutput
    ) -> pa.Table:
        judge = Judge(EndpointClient(endpoint), workdir / FOLDER / LEDGER, endpoint.sampling)
        items = judged_texts(self.candidates.reference.items.benchmarks.items(workdir))
        found = judge_candidates(found, found[PASSAGE].to_pylist(), items, judge)
        same = pc.sum(found["judged"]).as_py() or 0
        unjudged = found["judged"].null_count
        output.counts.add("judged_same", same, scope=self.scope)
        output.counts.add("judged_other", found.num_rows - unjudged - same, scope=self.scope)
        output.counts.add("unjudged", unjudged, scope=self.scope)
        if unjudged:
            trouble = str(judge.trouble) if judge.trouble else "there was no judgement in its answers"
            write_bytes(workdir / FOLDER / TROUBLE, trouble.encode("utf-8", "replace"))
        return found

    @override
    def lacking(self, workdir: Path) -> str:
        unjudged = self.manifest(workdir).counts.number("unjudged", scope=self.scope)
        if not unjudged:
            return ""
        trouble = workdir / FOLDER / TROUBLE
        why = f": {trouble.read_text('utf-8')}" if trouble.exists() else ""
        return (
            f"{unjudged:,} candidates of {self.scope} have no judgement and are flagged; the next run asks "
            f"for them{why}"
        )

    def table(self, workdir: Path, part: str) -> pa.Table:
        """The candidates in one part and what was said of them."""
        return pq.read_table(self.path(workdir, part))


def _as_matches(found: pa.Table) -> pa.Table:
    """Candidates (SEMANTIC) as matches.

    A judge says whether it is the same item, not whether its answer stands there, too: what it says yes to is
    taken for the worst. What it did not judge is taken for a question.
    """
    kind = pc.if_else(pc.fill_null(found["judged"], False), "answer", "question")
    nothing = pa.nulls(found.num_rows, pa.float32())
    columns = {name: found[name] if name in found.column_names else nothing for name in MATCHES.names}
    columns |= {"kind": kind, "judged": found["judged"], "why": found["why"]}
    return pa.table(columns).cast(SEMANTIC_MATCHES)
