"""A source of given documents, judged by rules and surveyed."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from filters.language.identify import LanguageRule
from filters.quality.rules import Rule
from pipelines.execution.manifest import Receipt
from pipelines.graph.build import Graph
from pipelines.sources.schema import PART_SCHEMA
from pipelines.stages.annotate import Annotations
from pipelines.stages.datatrove_filter import DatatroveVerdicts
from pipelines.stages.dedup.hashes import Hashes
from pipelines.stages.dedup.preference import Preference
from pipelines.stages.select import JudgedSource, Select
from pipelines.stages.signals import Signals
from tests.pipelines.stages.given_stages import GivenLanguage, GivenParts, output_of, publish, write_manifest

Documents = list[dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class GivenFilter(DatatroveVerdicts):
    settings = {}  # noqa: RUF012


@dataclass
class World:
    """Documents have `text`, and by choice what a part has, `language`, `score`, `objection` and signals."""

    workdir: Path
    documents: Documents
    rules: tuple[Rule, ...] = ()
    language: LanguageRule = LanguageRule()  # noqa: RUF009
    cuts: list[int] = field(default_factory=list)
    """Where parts begin besides the first."""
    held_out: float = 0.0
    exact: bool = False

    def select(self) -> Select:
        """The selection; what it reads is written."""
        parts = GivenParts(scope="web")
        slices = [
            self.documents[a:b]
            for a, b in zip([0, *self.cuts], [*self.cuts, len(self.documents)], strict=True)
        ]
        publish(parts, self.workdir, map(_part, slices))
        signals = Signals(scope="signals", parts=parts, family="gopher_quality")
        annotations = Annotations(
            hashes=Hashes(scope="hashes", parts=parts),
            language=GivenLanguage(scope="language", parts=parts, model=None),
            signals=(signals,),
        )
        objections = GivenFilter(scope="datatrove", parts=parts, filter="Given", options={})
        publish(annotations.hashes, self.workdir, map(_hashes, slices))
        publish(annotations.language, self.workdir, map(_languages, slices))
        publish(signals, self.workdir, (_signals(each, signals.columns) for each in slices))
        publish(objections, self.workdir, map(_objections, slices))
        source = JudgedSource(
            annotations=annotations, rules=self.rules, language=self.language, datatrove=(objections,)
        )
        preference = Preference(
            scope="", hashes=(annotations.hashes,), priorities=(0,), keep=(), exact=self.exact, against=()
        )
        return Select(
            scope="documents",
            sources=(source,),
            preference=preference,
            pairs=None,
            threshold=1.0,
            held_out_share=self.held_out,
            held_out_least=0,
            longest_held_out=1,
            seed=1,
        )

    def graph(self) -> Graph:
        """The selection and its survey, finished."""
        graph = Graph(None, (), (self.select(),), None, None, {}, {})
        for stage in (graph.selects[0].preference, graph.selects[0], *graph.surveys):
            finish(stage, self.workdir)
        return graph


def finish(stage, workdir: Path) -> None:
    output = output_of(stage, workdir)
    for task in stage.tasks(workdir):
        stage.run_task(workdir, task, output)
    assert output.counts.unclosed() == []
    write_manifest(stage, workdir, Receipt(task=0, files=output.files))


def kept(select: Select, workdir: Path) -> int:
    """How many documents a selection keeps."""
    for stage in (select.preference, select):
        finish(stage, workdir)
    return sum(int(np.sum(table.column("keep").to_numpy())) for _, table in select.verdicts(workdir, "web"))


def _part(documents: Documents) -> pa.Table:
    defaults = {"source": "web", "domain": "web", "metadata": "{}"}
    rows = [{**defaults, "doc_id": f"id {document['text']}", **document} for document in documents]
    return pa.Table.from_pylist(rows, PART_SCHEMA)


def _hashes(documents: Documents) -> pa.Table:
    part = _part(documents)
    hashes = [hashlib.blake2b(d["text"].encode(), digest_size=16).digest() for d in documents]
    return pa.table(
        {
            "doc_id": part.column("doc_id"),
            "source_language": pa.nulls(len(documents), pa.string()),
            "license": part.column("license"),
            "bytes": pa.array([len(d["text"].encode()) for d in documents], pa.int64()),
            "content_hash": pa.array(hashes, pa.binary(16)),
        }
    )


def _languages(documents: Documents) -> pa.Table:
    return pa.table(
        {
            "language": pa.array([d.get("said", "en") for d in documents], pa.string()),
            "language_score": pa.array([d.get("score", 1.0) for d in documents], pa.float32()),
        }
    )


def _signals(documents: Documents, columns: tuple[str, ...]) -> pa.Table:
    return pa.table({name: pa.array([d.get(name, 0.0) for d in documents], pa.float64()) for name in columns})


def _objections(documents: Documents) -> pa.Table:
    reasons = pa.array([d.get("objection") for d in documents], pa.string())
    return pa.table({"keep": reasons.is_null(), "reason": reasons})
