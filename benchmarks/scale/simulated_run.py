"""A run of many sources, of which only what the report reads was made: parts, sidecars, pairs and ids.

What hashes, signals, languages and pairs say is drawn; preference, select, survey and the mixture are run as
they are. Texts are few and repeat, so that parts take little room.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from benchmarks.scale import sidecars
from benchmarks.scale.sidecars import edges, uniform
from pipelines.execution.counts import Counts, total
from pipelines.execution.manifest import MANIFEST, Manifest, Receipt, write_sealed
from pipelines.execution.output import TaskOutput, write_tasks
from pipelines.execution.stage import Stage
from pipelines.graph.build import Graph, build_graph
from pipelines.graph.inputs import LiveInputs
from pipelines.recipe.load import load_recipe
from pipelines.sources.schema import PART_SCHEMA
from pipelines.stages.ingest import PASSED_OVER, Ingest
from pipelines.stages.mix import Mix
from pipelines.stages.select import JudgedSource
from pipelines.stages.tokenize import Tokenize
from pipelines.stages.tokenizer import ENCODER

PART_ROWS = 50_000
HOSTS = 20_000
TEXTS, SENTENCES = 100, 12
PAIRS_A_FILE = 1_000_000
LICENCES = ("MIT", "Apache-2.0", "CC-BY-4.0", "GPL-3.0-only", None)
LONGEST = 60
"""Ids of a document: few, as there are many documents."""
FEW, TINY = 3.0, 0.3
"""The median of a signal is so many times its lower bound, or its upper one."""
RECIPE = """\
name: simulated
description: Sources whose documents were drawn.
sources:
{sources}
curate:
  rules:
    - use: [gopher_quality, gopher_repetition, fineweb]
held_out: {{share: 0.1%, tokens_per_group: 100k}}
tokenizer: {{train: {{vocabulary_size: 1000}}}}
mixtures:
  stage1:
    tokens: {tokens}
    sequence_length: 2048
    weights:
{weights}
"""

Numbers = npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class SimulatedRun:
    """The run in `folder`."""

    folder: Path
    sources: int
    documents: int
    """In each source."""

    @cached_property
    def graph(self) -> Graph:
        """The stages of its recipe."""
        self.folder.mkdir(parents=True, exist_ok=True)
        names = [f"source{number:02d}" for number in range(self.sources)]
        for name in names:
            (self.folder / f"{name}.jsonl").touch()
        lines = (f"  {name}: {{reader: files, path: {self.folder}/{name}.jsonl}}" for name in names)
        recipe = self.folder / "recipe.yaml"
        recipe.write_text(
            RECIPE.format(
                sources="\n".join(lines),
                tokens=max(100_000, self.sources * self.documents * LONGEST // 8),
                weights="\n".join(f"      {name}: 1" for name in names),
            )
        )
        return build_graph(load_recipe(str(recipe)), LiveInputs(self.folder))

    @property
    def workdir(self) -> Path:
        """The folder of its stages."""
        return self.folder / "run"

    @cached_property
    def rows(self) -> dict[str, int]:
        """The parts of a source, and the documents of each."""
        starts = range(0, self.documents, PART_ROWS)
        return {
            f"00000-{number:03d}.parquet": min(PART_ROWS, self.documents - start)
            for number, start in enumerate(starts)
        }

    def make(self) -> None:
        """Draw what the stages before deduplication say; then run the others."""
        (select,) = self.graph.selects
        for number, source in enumerate(select.sources):
            self._source(source, number * self.documents)
        assert select.pairs is not None
        self._run(select.preference)
        for stage in (select.pairs.candidates, select.pairs.texts):
            self._publish(stage, ())
        self._publish(select.pairs, self._edges())
        self._run(select)
        for survey in self.graph.surveys:
            self._run(survey)
        encoder = {"backend": "none", "fingerprint": "", "refusal": None}
        self._publish(self.graph.tokenizer, (), **{ENCODER: encoder})
        tokenized = [stage for stage in self.graph.stages() if isinstance(stage, Tokenize)]
        for stage in tokenized:
            self._tokenize(stage)
        for mix in self.graph.mixes.values():
            if isinstance(mix, Mix):
                self._run(mix)

    def _source(self, source: JudgedSource, first: int) -> None:
        """What was read of a source, and its sidecars."""
        annotations, parts = source.annotations, source.annotations.parts
        assert isinstance(parts, Ingest)
        assert annotations.bands is not None
        counts = Counts()
        counts.flow("records", entered=self.documents, left=self.documents)
        self._publish(parts, self._tables(first, _part, parts.scope), counts, **{PASSED_OVER: []})
        self._publish(annotations.hashes, self._tables(first, _hashes, parts.scope))
        self._publish(annotations.language, self._tables(first, sidecars.languages))
        self._publish(annotations.bands, ())
        bounds = {rule.signal: (rule.min, rule.max) for rule in source.rules}
        for stage in annotations.signals:
            self._publish(stage, self._tables(first, _signals, stage.columns, bounds))

    def _tokenize(self, stage: Tokenize) -> None:
        """The ids of a source's kept documents."""
        verdicts = stage.select.verdicts(self.workdir, stage.scope)
        tables = ((name.replace(".parquet", ".arrow"), _ids(table, stage)) for name, table in verdicts)
        self._publish(stage, tables)

    def _tables(
        self, first: int, make: Callable[..., pa.Table], *args: Any
    ) -> Iterator[tuple[str, pa.Table]]:
        """What `make` says of each part's documents."""
        ends = accumulate(self.rows.values(), initial=first)
        for (name, rows), start in zip(self.rows.items(), ends, strict=False):
            yield name, make(np.arange(start, start + rows), *args)

    def _edges(self) -> Iterator[tuple[str, pa.Table]]:
        every = self.sources * self.documents
        for number, start in enumerate(range(0, every, PAIRS_A_FILE)):
            yield f"{number:05d}.parquet", edges(start, min(start + PAIRS_A_FILE, every))

    def _publish(self, stage: Stage, tables: Any, counts: Counts | None = None, **files: Any) -> None:
        """Write the files of a stage, its manifest last."""
        output = TaskOutput(stage.folder(self.workdir), 0)
        output.folder.mkdir(parents=True, exist_ok=True)
        for name, table in tables:
            write = output.write_arrow if name.endswith(".arrow") else output.write_table
            write(name, table)
        for name, content in files.items():
            output.write_json(name, content)
        self._conclude(stage, [Receipt(task=0, files=output.files, counts=counts or Counts())])

    def _run(self, stage: Stage) -> None:
        """Run all tasks of a stage, one after the other."""
        receipts = []
        for number, task in enumerate(stage.tasks(self.workdir)):
            output = TaskOutput(stage.folder(self.workdir), number)
            output.folder.mkdir(parents=True, exist_ok=True)
            stage.run_task(self.workdir, task, output)
            receipts.append(output.write_receipt())
        self._conclude(stage, receipts)

    def _conclude(self, stage: Stage, receipts: Sequence[Receipt]) -> None:
        folder = stage.folder(self.workdir)
        folder.mkdir(parents=True, exist_ok=True)
        write_tasks(folder, [{}] * len(receipts))
        manifest = Manifest(
            stage=stage.name,
            scope=stage.scope,
            version=stage.version,
            fingerprint=stage.fingerprint,
            settings=stage.settings,
            inputs=stage.input_records(self.workdir) or {},
            tasks=list(receipts),
            files=[],
            counts=total(receipt.counts for receipt in receipts),
            seconds=0,
        )
        write_sealed(folder / MANIFEST, manifest.model_dump())


def _part(documents: Numbers, scope: str) -> pa.Table:
    """Documents with few different texts."""
    rows = len(documents)
    texts = [f"Text {n} of {scope}, made of nothing but this sentence. " * SENTENCES for n in range(TEXTS)]
    hosts = (HOSTS * uniform(documents, 20) ** 4).astype(np.int64)
    urls = [f"https://www.host{host}.example/" for host in range(HOSTS)]
    licences = np.minimum(len(LICENCES) * uniform(documents, 21) ** 2, len(LICENCES) - 1).astype(np.int64)
    columns = {
        "doc_id": sidecars.hashes(documents, scope).column("doc_id"),
        "text": pa.array(texts, pa.large_string()).take(pa.array(documents % TEXTS)),
        "source": pa.repeat(scope, rows),
        "domain": pa.repeat(scope, rows),
        "license": pa.array(LICENCES, pa.string()).take(pa.array(licences)),
        "url": pa.array(urls).take(pa.array(hosts)),
        "metadata": pa.repeat("{}", rows),
    }
    return pa.table(
        {
            field.name: columns[field.name] if field.name in columns else pa.nulls(rows, field.type)
            for field in PART_SCHEMA
        },
        schema=PART_SCHEMA,
    )


def _hashes(documents: Numbers, scope: str) -> pa.Table:
    licences = _part(documents[:0], scope).column("license").type
    drawn = np.minimum(len(LICENCES) * uniform(documents, 21) ** 2, len(LICENCES) - 1).astype(np.int64)
    license_ = pa.array(LICENCES, licences).take(pa.array(drawn))
    return sidecars.hashes(documents, scope).append_column("license", license_)


def _signals(
    documents: Numbers, columns: Sequence[str], bounds: dict[str, tuple[float | None, float | None]]
) -> pa.Table:
    """Signals of which one document in some dozens is beyond a bound."""
    table = {}
    for number, name in enumerate(columns):
        low, high = bounds.get(name, (None, None))
        middle = FEW * low if low else TINY * high if high else 1.0
        even, odd = (uniform(documents, 1000 + 2 * number + k) for k in (0, 1))
        normal = np.sqrt(-2 * np.log1p(-even)) * np.cos(2 * np.pi * odd)
        values = middle * np.exp(0.5 * normal)
        table[name] = np.round(values) if middle > 10 else values.astype(np.float32).astype(np.float64)
    return pa.table(table)


def _ids(verdicts: pa.Table, stage: Tokenize) -> pa.Table:
    """Ids of the kept documents: as many as a draw by their row says."""
    rows = np.flatnonzero(verdicts.column("keep").to_numpy())
    kept = verdicts.take(pa.array(rows))
    tokens = 1 + (LONGEST * uniform(rows, 30) ** 3).astype(np.int64)
    ends = np.cumsum([0, *tokens])
    ids = pa.LargeListArray.from_arrays(ends, np.ones(ends[-1], np.uint16))
    nothing = {name: pa.nulls(len(rows), pa.string()) for name in ("license", "parent_id")}
    return pa.table(
        {
            "row": rows,
            "doc_id": kept.column("doc_id"),
            **nothing,
            "bytes": 4 * tokens,
            "indivisible": np.zeros(len(rows), np.bool_),
            "loss_tokens": tokens - 1,
            "ids": ids,
            "mask": pa.nulls(len(rows), pa.large_list(pa.uint8())),
            "resume": pa.nulls(len(rows), pa.large_list(pa.bool_())),
            **{name: kept.column(name) for name in stage.select.described},
        }
    )
