"""Mix: which documents a stage is made of, how often, in which packs, in which order.

No text, no ids: only lengths.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from mixers.budget import Mixture, MixtureError
from mixers.groups import assign_groups
from mixers.ledger import Ledger
from mixers.plan import MixturePlan, plan_held_out, plan_mixture
from pipelines.errors import UserError
from pipelines.stage import Stage, Task, TaskOutput
from pipelines.stages.tokenize import DESCRIPTION, Tokenize

FILES, DOCUMENTS, SEGMENTS, ROWS, LEDGER = (
    "files.json", "documents.arrow", "segments.arrow", "rows.arrow", "ledger.json",
)  # fmt: skip


NO_REASON = pa.nulls(1, pa.string())[0]


@dataclass(frozen=True)
class MixStage(Stage):
    """One task. Output:

    `files.json` the tokenized files in document order; `documents.arrow` a row a document: `file`, `position`
    (row in that file), `row` (in its part), `doc_id`, `used` bool; `segments.arrow` and `rows.arrow` as in
    `mixers.plan.MixturePlan`; `ledger.json`.
    """

    seed: int
    sequence_length: int
    tokenized: tuple[Tokenize, ...]

    @property
    def inputs(self) -> tuple[Stage, ...]:
        """The tokenized documents of all sources."""
        return self.tokenized

    def tasks(self, workdir: Path) -> list[Task]:
        """One: a plan sees all documents."""
        return [{}]

    @property
    @abstractmethod
    def held_out(self) -> bool:
        """Whether it is made of the held-out documents, or of all others."""

    @abstractmethod
    def groups(self, corpus: pa.Table) -> pa.ChunkedArray:
        """The group of each document, or null; `corpus` has the columns that predicates may name."""

    @abstractmethod
    def plan(self, documents: pa.Table) -> MixturePlan:
        """Choose, pack and order."""

    def excluded(self, documents: pa.Table, workdir: Path) -> pa.ChunkedArray:
        """Why a document must not take part; null where it may."""
        reason = "not held out" if self.held_out else "held out for evaluation"
        return pc.if_else(pc.not_equal(documents.column("held_out"), self.held_out), reason, NO_REASON)

    def expected_entries(self, workdir: Path) -> dict[str, int]:
        """All tokenized documents."""
        return {"documents": sum(t.manifest(workdir).counts.flows["documents"].left for t in self.tokenized)}

    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        """Plan and keep the plan."""
        files, documents = self._documents(workdir)
        reasons = self.excluded(documents, workdir)
        eligible = documents.filter(pc.is_null(reasons))
        plan = self._plan(eligible)
        used = np.zeros(eligible.num_rows, bool)
        used[np.unique(plan.segments.column("document").to_numpy())] = True
        index = eligible.select(["file", "position", "row", "doc_id"]).append_column("used", pa.array(used))
        output.write_json(FILES, files)
        for name, table in ((DOCUMENTS, index), (SEGMENTS, plan.segments), (ROWS, plan.rows)):
            with output.file(name, table.num_rows) as path, pa.ipc.new_file(path, table.schema) as writer:
                writer.write_table(table)
        output.write_json(LEDGER, orjson.loads(plan.ledger.model_dump_json()))
        groups = plan.ledger.groups
        dropped = Counter(reasons.drop_null().to_pylist())
        dropped |= {f"{group.group}: not needed": group.documents_unused for group in groups}
        dropped |= {f"{group.group}: longer than a row": group.documents_dropped for group in groups}
        dropped["in no group"] = eligible.num_rows - sum(group.documents for group in groups)
        output.counts.flow("documents", entered=documents.num_rows, left=int(used.sum()), dropped=dropped)
        output.counts.fact("rows", plan.rows.num_rows)
        output.counts.fact("tokens", pc.sum(plan.rows.column("tokens")).as_py() or 0)

    def _documents(self, workdir: Path) -> tuple[list[list[str]], pa.Table]:
        files: list[list[str]] = []
        tables = []
        for stage in self.tokenized:
            names = stage.manifest(workdir).part_names(".arrow")
            for name, table in zip(names, stage.files(workdir), strict=True):
                tables.append(_index(table, len(files), stage, self.sequence_length))
                files.append([stage.scope, name])
        if not tables:
            raise UserError(
                "no source gave a document",
                mend="`coupage report` shows what was dropped and why; mend the sources.",
            )
        # Synthesised documents have no columns of classifiers.
        return files, pa.concat_tables(tables, promote_options="default").combine_chunks()

    def _plan(self, documents: pa.Table) -> MixturePlan:
        try:
            grouped = documents.append_column("group", self.groups(documents))
            plan = self.plan(grouped.select(["group", "tokens", "bytes", "atomic", "context", "loss_tokens"]))
        except MixtureError as error:
            raise UserError(str(error), place=f"mixtures.{self.scope}") from error
        plan.ledger.check()
        return plan

    def table(self, workdir: Path, name: str) -> pa.Table:
        """One of the tables of the finished plan, memory-mapped."""
        return pa.ipc.open_file(pa.memory_map(str(self.folder(workdir) / name))).read_all()

    def files(self, workdir: Path) -> list[list[str]]:
        """Source and file name of each tokenized file."""
        return [list(pair) for pair in orjson.loads((self.folder(workdir) / FILES).read_bytes())]

    def ledger(self, workdir: Path) -> Ledger:
        """The ledger of the finished plan."""
        return Ledger.model_validate_json((self.folder(workdir) / LEDGER).read_bytes())

    def doc_ids(self, workdir: Path) -> pa.ChunkedArray:
        """The documents that the plan contains."""
        documents = self.table(workdir, DOCUMENTS)
        return documents.column("doc_id").filter(documents.column("used"))

    def used_rows(self, workdir: Path, scope: str, part: str) -> npt.NDArray[np.int64]:
        """Rows of a source's part that the plan contains, ascending."""
        file = self.files(workdir).index([scope, part.replace(".parquet", ".arrow")])
        documents = self.table(workdir, DOCUMENTS)
        wanted = pc.and_(pc.equal(documents.column("file"), file), documents.column("used"))
        rows: npt.NDArray[np.int64] = np.sort(documents.column("row").filter(wanted).to_numpy())
        return rows


@dataclass(frozen=True)
class Mix(MixStage):
    """The mixture of a training stage."""

    name: ClassVar[str] = "mix"
    version: ClassVar[int] = 1
    mixture: Mixture
    about: MixStage | None

    @property
    def settings(self) -> dict[str, Any]:
        """The mixture and the seed."""
        return {"mixture": self.mixture.model_dump(mode="json"), "seed": self.seed}

    @property
    def inputs(self) -> tuple[Stage, ...]:
        """The tokenized documents of all sources, and the plan that must contain the parents."""
        return (*self.tokenized, *((self.about,) if self.about else ()))

    def groups(self, corpus: pa.Table) -> pa.ChunkedArray:
        """By the mixture's predicates."""
        return assign_groups(corpus, self.mixture.predicates)

    def excluded(self, documents: pa.Table, workdir: Path) -> pa.ChunkedArray:
        """Besides held-out documents, questions about documents that the other plan does not contain."""
        reasons = super().excluded(documents, workdir)
        if self.about is None:
            return reasons
        parent = documents.column("parent_id")
        astray = pc.and_(pc.is_valid(parent), pc.invert(pc.is_in(parent, self.about.doc_ids(workdir))))
        why = pc.if_else(astray, f"about a document that is not in {self.about.scope}", NO_REASON)
        return pc.coalesce(reasons, why)

    @property
    def held_out(self) -> bool:
        """It never contains a held-out document."""
        return False

    def plan(self, documents: pa.Table) -> MixturePlan:
        """Quotas from weights, packed and in quota order."""
        return plan_mixture(documents, self.mixture, self.seed)


@dataclass(frozen=True)
class HeldOutMix(MixStage):
    """All held-out documents, group by group, up to a limit."""

    name: ClassVar[str] = "mix"
    version: ClassVar[int] = 1
    tokens_per_group: int
    predicates: tuple[tuple[str, str], ...]

    @property
    def settings(self) -> dict[str, Any]:
        """The limit, the length of a row and the seed."""
        return {
            "sequence_length": self.sequence_length,
            "tokens_per_group": self.tokens_per_group,
            "predicates": dict(self.predicates),
            "seed": self.seed,
        }

    def groups(self, corpus: pa.Table) -> pa.ChunkedArray:
        """By Stage 1's predicates; documents of no such group by their domain."""
        return pc.coalesce(assign_groups(corpus, dict(self.predicates)), corpus.column("domain"))

    @property
    def held_out(self) -> bool:
        """It contains nothing else."""
        return True

    def plan(self, documents: pa.Table) -> MixturePlan:
        """Packed group by group."""
        return plan_held_out(documents, self.sequence_length, self.tokens_per_group, self.seed)


def _index(table: pa.Table, file: int, stage: Tokenize, sequence_length: int) -> pa.Table:
    rows = table.num_rows
    tokens = pc.list_value_length(table.column("ids")).cast(pa.int64())
    described = {
        name: table.column(name)
        for name in (*DESCRIPTION, *stage.select.described, "bytes", "atomic", "loss_tokens")
    }
    return pa.table(
        {
            "file": np.full(rows, file, np.int32),
            "position": np.arange(rows, dtype=np.int64),
            "row": table.column("row"),
            "source": pa.repeat(stage.scope, rows),
            "tokens": tokens,
            "context": _context(table.column("mask"), tokens.to_numpy() > sequence_length),
            **described,
        }
    )


def _context(masks: pa.ChunkedArray, asked: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """For the documents asked about, tokens before the first trained one; 0 where there is no mask."""
    context = np.zeros(len(masks), np.int64)
    documents = np.flatnonzero(asked & masks.is_valid().to_numpy())
    chosen = masks.take(pa.array(documents)).combine_chunks()
    starts = chosen.offsets.to_numpy() - chosen.offsets[0].as_py() if len(chosen) else np.zeros(1, np.int64)
    trained = np.append(np.flatnonzero(chosen.flatten().to_numpy()), starts[-1])
    first = trained[np.searchsorted(trained, starts[:-1])]
    context[documents] = np.minimum(first, starts[1:]) - starts[:-1]
    return context
