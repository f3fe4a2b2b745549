"""Mix: which documents a stage is made of, how often, in which packs, in which order.

No text, no ids: only lengths.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from mixers.budget import Mixture, MixtureError
from mixers.ledger import Ledger
from mixers.plan import MixturePlan, plan_held_out, plan_mixture
from pipelines.errors import UserError
from pipelines.stage import Stage, Task, TaskOutput
from pipelines.stages.tokenize import Tokenize

FILES, DOCUMENTS, SEGMENTS, ROWS, LEDGER = (
    "files.json", "documents.arrow", "segments.arrow", "rows.arrow", "ledger.json",
)  # fmt: skip


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
    def plan(self, documents: pa.Table) -> MixturePlan:
        """Choose, pack and order."""

    def expected_entries(self, workdir: Path) -> dict[str, int]:
        """All tokenized documents."""
        return {"documents": sum(t.manifest(workdir).counts.flows["documents"].left for t in self.tokenized)}

    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        """Plan and keep the plan."""
        files, documents = self._documents(workdir)
        chosen = pc.equal(documents.column("held_out"), self.held_out)
        eligible = documents.filter(chosen)
        try:
            plan = self.plan(eligible.select(["group", "tokens", "bytes", "atomic", "loss_tokens"]))
        except MixtureError as error:
            raise UserError(str(error), place=f"mixtures.{self.scope}") from error
        plan.ledger.check()
        used = np.zeros(eligible.num_rows, bool)
        used[np.unique(plan.segments.column("document").to_numpy())] = True
        index = eligible.select(["file", "position", "row", "doc_id"]).append_column("used", pa.array(used))
        output.write_json(FILES, files)
        for name, table in ((DOCUMENTS, index), (SEGMENTS, plan.segments), (ROWS, plan.rows)):
            with output.file(name, table.num_rows) as path, pa.ipc.new_file(path, table.schema) as writer:
                writer.write_table(table)
        output.write_json(LEDGER, orjson.loads(plan.ledger.model_dump_json()))
        self._count(documents, eligible, used, plan, output)

    def _documents(self, workdir: Path) -> tuple[list[list[str]], pa.Table]:
        files: list[list[str]] = []
        tables = []
        for stage in self.tokenized:
            names = stage.manifest(workdir).part_names(".arrow")
            for name, table in zip(names, stage.files(workdir), strict=True):
                tables.append(_index(table, len(files), stage.parts.domain))
                files.append([stage.scope, name])
        if not tables:
            raise UserError(
                "no source gave a document",
                mend="`coupage report` shows what was dropped and why; mend the sources.",
            )
        return files, pa.concat_tables(tables).combine_chunks()

    def _count(
        self,
        documents: pa.Table,
        eligible: pa.Table,
        used: npt.NDArray[np.bool_],
        plan: MixturePlan,
        output: TaskOutput,
    ) -> None:
        aside = "held out for evaluation" if not self.held_out else "not held out"
        groups = plan.ledger.groups
        dropped = {f"{group.group}: not needed": group.documents_unused for group in groups}
        dropped |= {f"{group.group}: longer than a row": group.documents_dropped for group in groups}
        dropped |= {aside: documents.num_rows - eligible.num_rows}
        output.counts.flow("documents", entered=documents.num_rows, left=int(used.sum()), dropped=dropped)
        output.counts.fact("rows", plan.rows.num_rows)
        output.counts.fact("tokens", pc.sum(plan.rows.column("tokens")).as_py() or 0)

    def table(self, workdir: Path, name: str) -> pa.Table:
        """One of the tables of the finished plan, memory-mapped."""
        return pa.ipc.open_file(pa.memory_map(str(self.folder(workdir) / name))).read_all()

    def files(self, workdir: Path) -> list[list[str]]:
        """Source and file name of each tokenized file."""
        return [list(pair) for pair in orjson.loads((self.folder(workdir) / FILES).read_bytes())]

    def ledger(self, workdir: Path) -> Ledger:
        """The ledger of the finished plan."""
        return Ledger.model_validate_json((self.folder(workdir) / LEDGER).read_bytes())

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

    @property
    def settings(self) -> dict[str, Any]:
        """The mixture and the seed."""
        return {"mixture": self.mixture.model_dump(mode="json"), "seed": self.seed}

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

    @property
    def settings(self) -> dict[str, Any]:
        """The limit, the length of a row and the seed."""
        return {
            "sequence_length": self.sequence_length,
            "tokens_per_group": self.tokens_per_group,
            "seed": self.seed,
        }

    @property
    def held_out(self) -> bool:
        """It contains nothing else."""
        return True

    def plan(self, documents: pa.Table) -> MixturePlan:
        """Packed group by group."""
        return plan_held_out(documents, self.sequence_length, self.tokens_per_group, self.seed)


def _index(table: pa.Table, file: int, domain: str) -> pa.Table:
    rows = table.num_rows
    group = pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array([domain]))
    return pa.table(
        {
            "file": np.full(rows, file, np.int32),
            "position": np.arange(rows, dtype=np.int64),
            "row": table.column("row"),
            "doc_id": table.column("doc_id"),
            "held_out": table.column("held_out"),
            "group": group.cast(pa.string()),
            "tokens": pc.list_value_length(table.column("ids")).cast(pa.int64()),
            "bytes": table.column("bytes"),
            "atomic": table.column("atomic"),
            "loss_tokens": table.column("loss_tokens"),
        }
    )
