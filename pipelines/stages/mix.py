"""Mix: which documents a stage is made of, how often, in which packs, in which order.

No text, no ids: only lengths.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from typing_extensions import override

from mixers.arrays import Allocate
from mixers.budget import EmptyGroupError, Mixture, MixtureError, Overflow
from mixers.groups import assign_groups
from mixers.layout import UNUSED
from mixers.ledger import Ledger
from mixers.plan import FEW_DOCUMENTS, MixturePlan, plan_held_out, plan_mixture
from mixers.plan import VERSION as PLAN_VERSION
from pipelines.errors import UserError
from pipelines.execution.counts import Count
from pipelines.execution.output import Task, TaskOutput, open_arrow, read_arrow
from pipelines.execution.scratch import mapped_arrays, scratch_file
from pipelines.execution.stage import ReducingStage, Stage
from pipelines.stages.composition import by_language
from pipelines.stages.emptied import why_empty
from pipelines.stages.licences import LICENCE_TOKENS, tokens_by_licence
from pipelines.stages.select import DESCRIBED
from pipelines.stages.tokenize import DESCRIPTION, Tokenize

if TYPE_CHECKING:
    import polars as pl

FILES, DOCUMENTS, SEGMENTS, ROWS, LEDGER, LANGUAGES = (
    "files.json", "documents.arrow", "segments.arrow", "rows.arrow", "ledger.json", "languages.json",
)  # fmt: skip
TOKENS_A_BATCH = 1 << 24
NOWHERE = "no text before its first answer is found in the rendering without doubt"
TOKENS_USED, SYNTHETIC_TOKENS_USED = "tokens_used", "synthetic_tokens_used"
GAP = ("gap_start", "gap")
PARENTS = "parents"
"""The documents that others may be about."""
COLUMNS = (
    *("position", "row", "source", "tokens", "bytes", "indivisible", "loss_tokens"),
    *(*DESCRIPTION, *DESCRIBED),
)
"""What predicates may ask about, besides classifiers."""


@dataclass(frozen=True, kw_only=True)
class MixStage(ReducingStage):
    """A plan. Output:

    `files.json` the tokenized files in document order; `documents.arrow` a batch a file, a row a document:
    `position` (row in that file), `row` (in its part), `doc_id`, `used` bool; `segments.arrow` and
    `rows.arrow` as in `mixers.layout.Layout`, a batch for each shard file; `ledger.json`.
    """

    seed: int
    sequence_length: int
    tokenized: tuple[Tokenize, ...]

    @property
    @override
    def inputs(self) -> tuple[Stage, ...]:
        return self.tokenized

    @property
    def rows_a_batch(self) -> int:
        """Rows of one shard file."""
        return max(1, TOKENS_A_BATCH // self.sequence_length)

    @property
    def overflow(self) -> Overflow:
        """What happens to conversations longer than a row."""
        return "drop"

    @property
    @abstractmethod
    def held_out(self) -> bool:
        """Whether it is made of the held-out documents, or of all others."""

    @abstractmethod
    def groups(self, corpus: Path, allocate: Allocate) -> pa.Array:
        """The group of each document, or null; `corpus` is an Arrow file of what predicates may name."""

    @abstractmethod
    def plan(self, documents: pa.Table, allocate: Allocate) -> MixturePlan:
        """Choose, pack and order."""

    def excluded(
        self, documents: pa.Table, known: Mapping[str, pa.Array]
    ) -> Iterator[tuple[Count, pa.ChunkedArray]]:
        """Why documents must not take part, and which ones; `known` is what `asked_about` gave."""
        why = Count("not_held_out" if self.held_out else "held_out")
        yield why, pc.not_equal(documents.column("held_out"), self.held_out)

    def asked_about(self, workdir: Path) -> Mapping[str, pa.Array]:
        """Ids of documents, by what `excluded` asks about them."""
        return {}

    def planned(self, corpus: Path, workdir: Path) -> pa.Table:
        """What a plan is made from, besides groups."""
        return read_arrow(corpus).select(["tokens", "bytes", "indivisible", *GAP, "loss_tokens"])

    def count_tokens(self, corpus: Path, plan: MixturePlan, output: TaskOutput) -> None:
        """Count what a plan has tokens of, besides its ledger."""

    def known_from_training(self, workdir: Path) -> Counter[str]:
        """For each group the documents that are not used because training has passages of them."""
        return Counter()

    @override
    def expected_entries(self, workdir: Path) -> dict[str, int]:
        return {"documents": sum(t.manifest(workdir).counts.left("documents") for t in self.tokenized)}

    @override
    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        files = [
            [stage.scope, name]
            for stage in self.tokenized
            for name in stage.manifest(workdir).part_names(".arrow")
        ]
        if not files:
            raise UserError(
                "no source gave a document",
                hint="`coupage report` shows what was dropped and why; mend the sources.",
            )
        output.write_json(FILES, files)
        with scratch_file(output.folder, "corpus.arrow") as corpus:
            dropped = self._write_corpus(workdir, corpus)
            plan = self._plan(corpus, mapped_arrays(output.folder), workdir)
            _write_batches(output, DOCUMENTS, _with_use(open_arrow(corpus), plan.use_of_document))
            nowhere = self._cannot_be_shortened(corpus, plan)
            self.count_tokens(corpus, plan, output)
        starts = range(0, max(len(plan), 1), self.rows_a_batch)
        for name, between in ((SEGMENTS, plan.segments_between), (ROWS, plan.rows_between)):
            _write_batches(output, name, (between(start, start + self.rows_a_batch) for start in starts))
        ledger = self._explained(plan, workdir)
        output.write_json(LEDGER, orjson.loads(ledger.model_dump_json()))
        entered, offered = dropped.total() + len(plan.documents), sum(g.documents for g in ledger.groups)
        known = self.known_from_training(workdir)
        dropped |= {Count("known_from_training", group): number for group, number in known.items()}
        dropped |= {
            Count("not_needed", group.group): group.documents_unused - known[group.group]
            for group in ledger.groups
        }
        dropped |= {Count("too_long", group, NOWHERE): number for group, number in nowhere.items()}
        dropped |= {
            Count("too_long", group.group): group.documents_dropped - nowhere[group.group]
            for group in ledger.groups
        }
        dropped[Count("in_no_group")] = len(plan.documents) - offered
        used = sum(group.documents_used for group in ledger.groups)
        output.counts.flow("documents", entered=entered, left=used, dropped=dropped)
        output.counts.add("rows", ledger.rows)
        output.counts.add("tokens", ledger.tokens)
        output.counts.add("documents_shortened", sum(group.documents_shortened for group in ledger.groups))

    def _write_corpus(self, workdir: Path, path: Path) -> Counter[Count]:
        """Write what a plan needs to know of each document that may take part, a batch a tokenized file.

        Returns how many may not, by reason.
        """
        tables = [(stage, table) for stage in self.tokenized for table in stage.files(workdir)]
        schemas = [self._index(table.slice(0, 0), stage).schema for stage, table in tables]
        # Synthesised documents have no columns of classifiers.
        nothing = pa.unify_schemas(schemas, promote_options="default").empty_table()
        known = self.asked_about(workdir)
        dropped: Counter[Count] = Counter()
        with pa.ipc.new_file(path, nothing.schema) as writer:
            for stage, table in tables:
                index = self._index(table, stage)
                kept = pa.chunked_array([pa.repeat(True, index.num_rows)])
                for why, excluded in self.excluded(index, known):
                    dropped[why] += pc.sum(pc.and_(kept, excluded)).as_py() or 0
                    kept = pc.and_not(kept, excluded)
                writer.write_batch(
                    _batch(pa.concat_tables([nothing, index.filter(kept)], promote_options="default"))
                )
        return dropped

    def _index(self, table: pa.Table, stage: Tokenize) -> pa.Table:
        rows = table.num_rows
        tokens = pc.list_value_length(table.column("ids")).cast(pa.int64())
        excess = tokens.to_numpy() - self.sequence_length
        if self.overflow == "drop":
            excess = np.zeros(rows, np.int64)
        described = {
            name: table.column(name)
            for name in (*DESCRIPTION, *stage.select.described, "bytes", "indivisible", "loss_tokens")
        }
        return pa.table(
            {
                "position": np.arange(rows, dtype=np.int64),
                "row": table.column("row"),
                "source": pa.repeat(stage.scope, rows),
                "tokens": tokens,
                **dict(zip(GAP, _gaps(table.column("resume"), excess), strict=True)),
                **described,
            }
        )

    def _cannot_be_shortened(self, corpus: Path, plan: MixturePlan) -> Counter[str]:
        """For each group the conversations that are dropped because no place for a gap was found in them."""
        if self.overflow == "drop":
            return Counter()
        nowhere = read_arrow(corpus).column("gap_start").to_numpy() < 0
        group = plan.documents.group[nowhere & plan.documents.dropped]
        counts = np.bincount(group[group >= 0], minlength=len(plan.documents.groups))
        return Counter(dict(zip(plan.documents.groups, counts.tolist(), strict=True)))

    def _plan(self, corpus: Path, allocate: Allocate, workdir: Path) -> MixturePlan:
        documents = self.planned(corpus, workdir)
        try:
            groups = self.groups(corpus, allocate)
            plan = self.plan(documents.append_column("group", groups), allocate)
        except EmptyGroupError as error:
            raise UserError(
                f"{error} {why_empty(self.tokenized, error.group, workdir)}".strip(),
                place=f"mixtures.{self.scope}",
                hint=f"`coupage inspect {workdir}` shows the documents. Loosen what drops them, take the "
                "group out of `weights`, or set `on_shortage: renormalize`.",
            ) from error
        except MixtureError as error:
            raise UserError(str(error), place=f"mixtures.{self.scope}") from error
        plan.ledger.check()
        return plan

    def _explained(self, plan: MixturePlan, workdir: Path) -> Ledger:
        """The ledger of a plan; it says of groups without documents where they went."""
        why = {
            limit.cost: f"{limit.cost} {why_empty(self.tokenized, limit.group, workdir)}".strip()
            for limit in (plan.budget.constraints if plan.budget else ())
            if not limit.given
        }
        said = tuple(why.get(constraint, constraint) for constraint in plan.ledger.constraints)
        return plan.ledger.model_copy(update={"constraints": said})

    def batches(self, workdir: Path, name: str) -> pa.ipc.RecordBatchFileReader:
        """The batches of one of the tables of the finished plan, memory-mapped."""
        return open_arrow(self.path(workdir, name))

    def files(self, workdir: Path) -> list[list[str]]:
        """Source and file name of each tokenized file."""
        return [list(pair) for pair in orjson.loads(self.path(workdir, FILES).read_bytes())]

    def ledger(self, workdir: Path) -> Ledger:
        """The ledger of the finished plan."""
        return Ledger.model_validate_json(self.path(workdir, LEDGER).read_bytes())

    def used(self, workdir: Path) -> pa.Array:
        """The documents that the plan contains."""
        return pa.concat_arrays([pa.array([], pa.string()), *self._used(workdir)])

    def used_among(self, workdir: Path, doc_ids: pa.Array) -> pa.Array:
        """Those of these documents that the plan contains."""
        among = (used.filter(pc.is_in(used, doc_ids)) for used in self._used(workdir))
        return pa.concat_arrays([pa.array([], pa.string()), *among])

    def _used(self, workdir: Path) -> Iterator[pa.Array]:
        """The documents of each tokenized file that the plan contains."""
        batches = self.batches(workdir, DOCUMENTS)
        for number in range(batches.num_record_batches):
            batch = batches.get_batch(number)
            yield batch.column("doc_id").filter(batch.column("used"))

    def used_rows(self, workdir: Path, scope: str, part: str) -> npt.NDArray[np.int64]:
        """Rows of a source's part that the plan contains, ascending; none of a source that it leaves out."""
        files, wanted = self.files(workdir), [scope, part.replace(".parquet", ".arrow")]
        if wanted not in files:
            return np.empty(0, np.int64)
        documents = self.batches(workdir, DOCUMENTS).get_batch(files.index(wanted))
        rows: npt.NDArray[np.int64] = np.sort(
            documents.column("row").filter(documents.column("used")).to_numpy()
        )
        return rows


@dataclass(frozen=True, kw_only=True)
class Mix(MixStage):
    """The mixture of a training stage. Output, besides a plan's: `languages.json`, as `by_language` says."""

    name: ClassVar[str] = "mix"
    version: ClassVar[int] = 6
    mixture: Mixture
    about: MixStage | None

    @property
    @override
    def settings(self) -> dict[str, Any]:
        return {"mixture": self.mixture.model_dump(mode="json"), "seed": self.seed, "plan": PLAN_VERSION}

    @property
    @override
    def inputs(self) -> tuple[Stage, ...]:
        return (*self.tokenized, *((self.about,) if self.about else ()))

    @override
    def groups(self, corpus: Path, allocate: Allocate) -> pa.Array:
        return assign_groups(_scan(corpus), self.mixture.predicates, allocate)

    @override
    def asked_about(self, workdir: Path) -> Mapping[str, pa.Array]:
        if self.about is None:
            return {}
        asked = [
            pc.unique(table.column("parent_id")) for stage in self.tokenized for table in stage.files(workdir)
        ]
        return {PARENTS: self.about.used_among(workdir, pc.unique(pa.chunked_array(asked)).drop_null())}

    @override
    def excluded(
        self, documents: pa.Table, known: Mapping[str, pa.Array]
    ) -> Iterator[tuple[Count, pa.ChunkedArray]]:
        """Besides held-out documents, questions about documents that the other plan does not contain."""
        yield from super().excluded(documents, known)
        if self.about is not None:
            parent = documents.column("parent_id")
            astray = pc.and_(pc.is_valid(parent), pc.invert(pc.is_in(parent, known[PARENTS])))
            yield Count("parent_unused", self.about.scope), astray

    @property
    @override
    def held_out(self) -> bool:
        return False

    @property
    @override
    def overflow(self) -> Overflow:
        return self.mixture.overflow

    @override
    def plan(self, documents: pa.Table, allocate: Allocate) -> MixturePlan:
        return plan_mixture(documents, self.mixture, self.seed, allocate)

    @override
    def count_tokens(self, corpus: Path, plan: MixturePlan, output: TaskOutput) -> None:
        """Tokens by licence and language in the rows; by group of the documents used, and the synthetic."""
        output.write_json(LANGUAGES, by_language(read_arrow(corpus).column("language"), plan))
        for licence, number in tokens_by_licence(read_arrow(corpus).column("license"), plan).items():
            output.counts.add(LICENCE_TOKENS, number, reason=licence)
        used = (plan.use_of_document != UNUSED) & (plan.documents.group >= 0)
        synthetic = used & read_arrow(corpus).column("parent_id").is_valid().to_numpy()
        for what, chosen in ((TOKENS_USED, used), (SYNTHETIC_TOKENS_USED, synthetic)):
            group, tokens = plan.documents.group[chosen], plan.documents.tokens[chosen]
            sums = np.bincount(group, tokens, minlength=len(plan.documents.groups))
            for name, number in zip(plan.documents.groups, sums.tolist(), strict=True):
                output.counts.add(what, int(number), scope=name)

    def languages(self, workdir: Path) -> list[dict[str, Any]]:
        """Documents and tokens of the finished plan by group and language; see `by_language`."""
        found: list[dict[str, Any]] = orjson.loads(self.path(workdir, LANGUAGES).read_bytes())
        return found


@dataclass(frozen=True, kw_only=True)
class HeldOutMix(MixStage):
    """All held-out documents, group by group, up to a limit."""

    name: ClassVar[str] = "mix"
    version: ClassVar[int] = 3
    least: int
    """A group with fewer tokens is said to be small."""
    most: int
    """Tokens of a group that are evaluated at most."""
    predicates: tuple[tuple[str, str], ...]

    @property
    @override
    def settings(self) -> dict[str, Any]:
        return {
            "sequence_length": self.sequence_length,
            "tokens_per_group": [self.least, self.most],
            "predicates": dict(self.predicates),
            "seed": self.seed,
            "plan": PLAN_VERSION,
        }

    @override
    def groups(self, corpus: Path, allocate: Allocate) -> pa.Array:
        # By Stage 1's predicates; documents of no such group by their domain.
        by_predicate = assign_groups(_scan(corpus), dict(self.predicates), allocate).cast(pa.string())
        return pc.coalesce(by_predicate, read_arrow(corpus).column("domain"))

    @property
    @override
    def held_out(self) -> bool:
        return True

    @override
    def plan(self, documents: pa.Table, allocate: Allocate) -> MixturePlan:
        return plan_held_out(documents, self.sequence_length, self.most, self.seed, allocate)

    @override
    def _explained(self, plan: MixturePlan, workdir: Path) -> Ledger:
        """The ledger; it says of which groups too little is held out."""
        ledger = plan.ledger
        there = {entry.group for entry in ledger.groups}
        missing = [f"{group} has no held-out document." for group, _ in self.predicates if group not in there]
        few = [
            f"{entry.group} has {entry.documents_used:,} held-out documents with {entry.tokens:,} tokens, "
            "too few to compare models by. Raise `held_out.share`."
            for entry in ledger.groups
            if entry.documents_used < FEW_DOCUMENTS or entry.tokens < self.least
        ]
        return ledger.model_copy(update={"constraints": (*missing, *few)})


@dataclass(frozen=True, kw_only=True)
class HeldOutDraw(HeldOutMix):
    """The documents that would be evaluated, were there nothing of them in training."""

    name: ClassVar[str] = "draw"
    version: ClassVar[int] = 1


def _batch(table: pa.Table) -> pa.RecordBatch:
    """A table as one batch, also where it has no rows."""
    columns = [column.combine_chunks() for column in table.columns]
    return pa.RecordBatch.from_arrays(columns, schema=table.schema)


def _with_use(
    corpus: pa.ipc.RecordBatchFileReader, use_of_document: npt.NDArray[np.uint8]
) -> Iterator[pa.Table]:
    """The columns of `documents.arrow`, a tokenized file after the other."""
    first = 0
    for number in range(corpus.num_record_batches):
        batch = pa.table(corpus.get_batch(number)).select(["position", "row", "doc_id"])
        used = use_of_document[first : first + len(batch)] != UNUSED
        yield batch.append_column("used", pa.array(used))
        first += len(batch)


def _write_batches(output: TaskOutput, name: str, tables: Iterator[pa.Table]) -> None:
    """Write an Arrow file of at least one table, a batch each."""
    first = next(tables)
    with output.file(name) as path, pa.ipc.new_file(path, first.schema) as writer:
        for table in chain([first], tables):
            writer.write_batch(_batch(table))


def _scan(corpus: Path) -> pl.LazyFrame:
    import polars as pl

    return pl.scan_ipc(corpus)


def _gaps(
    resume: pa.ChunkedArray, excess: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """What each document with an excess leaves out: from where on, and how many tokens; at least the excess.

    The start is -1 where there is no excess, or no place at which tokens may be left out; the number is 0
    where there are not enough.
    """
    gap_start, gap = np.full(len(resume), -1), np.zeros(len(resume), np.int64)
    documents = np.flatnonzero((excess > 0) & resume.is_valid().to_numpy())
    if len(documents) == 0:
        return gap_start, gap
    chosen = resume.take(pa.array(documents)).combine_chunks()
    offsets = chosen.offsets.to_numpy() - chosen.offsets[0].as_py()
    starts, stops = offsets[:-1], offsets[1:]
    places = np.append(np.flatnonzero(chosen.flatten().to_numpy(zero_copy_only=False)), stops[-1])
    first = places[np.searchsorted(places, starts)]
    gap_start[documents] = np.where(first < stops, first - starts, -1)
    wanted = np.minimum(first + excess[documents], stops[-1])
    resumed = places[np.searchsorted(places, wanted)]
    gap[documents] = np.where(resumed < stops, resumed - first, 0)
    return gap_start, gap
