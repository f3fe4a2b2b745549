"""Makes the sidecars of a corpus that has no texts, so that the stages which read no text run on them.

Of the documents 30 % are copies of earlier ones, in groups whose sizes follow a power law, and every tenth
has a near duplicate. Bytes are log-normal. All numbers come from a hash of the document's number.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from typing_extensions import override

from filters.dedup.minhash import MinHash
from filters.language.identify import LanguageRule
from filters.quality.rules import Rule
from pipelines.execution.counts import total
from pipelines.execution.manifest import MANIFEST, FileRecord, Manifest, Receipt, write_sealed
from pipelines.execution.output import TaskOutput
from pipelines.execution.stage import Stage
from pipelines.graph.build import verified_pairs
from pipelines.stages.annotate import Annotations
from pipelines.stages.dedup.bands import Bands
from pipelines.stages.dedup.clusters import EDGES
from pipelines.stages.dedup.hashes import Hashes
from pipelines.stages.dedup.preference import Preference
from pipelines.stages.hash_sampling import mixed
from pipelines.stages.language import Language
from pipelines.stages.parts import PartStage
from pipelines.stages.select import JudgedSource, Select
from pipelines.stages.signals import Signals

SOURCES = 3
COPIES, NEAR = 0.3, 0.1
PAIRS_A_FILE = 100_000
RULE = Rule(name="words", signal="non_symbol_words", min=30)

Numbers = npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Documents(PartStage):
    """The parts of a source: rows without a file."""

    name: ClassVar[str] = "ingest"
    version: ClassVar[int] = 1
    rows: tuple[int, ...]

    @property
    @override
    def settings(self) -> dict[str, Any]:
        return {"rows": list(self.rows)}

    @property
    @override
    def inputs(self) -> tuple[Stage, ...]:
        return ()

    @property
    @override
    def domain(self) -> str:
        return self.scope

    @override
    def tasks(self, workdir: Path) -> list[dict[str, Any]]:
        return []

    @override
    def run_task(self, workdir: Path, task: dict[str, Any], output: TaskOutput) -> None:
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class GivenLanguage(Language):
    """A language sidecar that no model made."""

    model: Any = None

    @property
    @override
    def settings(self) -> dict[str, Any]:
        return {}


def uniform(documents: Numbers, purpose: int) -> npt.NDArray[np.float64]:
    """A number in [0, 1) for each document."""
    drawn: npt.NDArray[np.float64] = mixed(mixed(documents.astype(np.uint64)) + np.uint64(purpose)) / 2.0**64
    return drawn


def is_copy(documents: Numbers) -> npt.NDArray[np.bool_]:
    """Which documents are copies of earlier ones."""
    return (uniform(documents, 1) < COPIES) & (documents > 0)


def contents(documents: Numbers) -> Numbers:
    """Which text each document has."""
    earlier = (documents * uniform(documents, 2) ** 3).astype(np.int64)
    return np.where(is_copy(documents), earlier, documents)


def hashes(documents: Numbers, scope: str) -> pa.Table:
    """What `Hashes` knows of documents."""
    content = contents(documents).astype(np.uint64)
    words = np.stack([mixed(content), mixed(content + np.uint64(1 << 62))], axis=1)
    numbered = np.where(uniform(documents, 3) < 0.0005, documents // 2, documents)
    # Box and Muller's way to draw from a normal distribution.
    normal = np.sqrt(-2 * np.log1p(-uniform(content, 4))) * np.cos(2 * np.pi * uniform(content, 10))
    sizes = np.exp(7.5 + 1.2 * normal).astype(np.int64)
    return pa.table(
        {
            "doc_id": pc.binary_join_element_wise(scope, pa.array(numbered).cast(pa.string()), "/"),
            "source_language": pa.nulls(len(documents), pa.string()),
            "bytes": sizes,
            "content_hash": pa.FixedSizeBinaryArray.from_buffers(
                pa.binary(16), len(words), [None, pa.py_buffer(words)]
            ),
        }
    )


def languages(documents: Numbers) -> pa.Table:
    """What `Language` knows of documents."""
    names = pa.array(["en", "ru", "de", "zh", "fr"])
    drawn = uniform(documents, 5)
    language = names.take(pa.array((5 * drawn**3).astype(np.int64)))
    return pa.table({"language": language, "language_score": drawn.astype(np.float32)})


def signals(documents: Numbers) -> pa.Table:
    """A signal of documents."""
    return pa.table({RULE.signal: (300 * uniform(documents, 6)).astype(np.float32)})


def bands(documents: Numbers, number: int) -> pa.Table:
    """The keys of documents in bands: of near duplicates half of them are equal."""
    content = contents(documents)
    columns = {}
    for band in range(number):
        shares = uniform(content, 100 + band) < 0.5
        key = np.where(shares & (near(content) >= 0), near(content), content)
        columns[f"band_{band:02d}"] = mixed(key.astype(np.uint64) + np.uint64(band << 48))
    return pa.table(columns)


def near(documents: Numbers) -> Numbers:
    """An earlier document that each is a near duplicate of; -1 for most."""
    other = (documents * uniform(documents, 7) ** 2).astype(np.int64)
    paired = (uniform(documents, 8) < NEAR) & ~is_copy(documents) & ~is_copy(other) & (other < documents)
    return np.where(paired, other, -1)


def edges(first: int, stop: int) -> pa.Table:
    """The verified pairs whose later document is one of these."""
    documents = np.arange(first, stop)
    other = near(documents)
    documents, other = documents[other >= 0], other[other >= 0]
    return pa.table([other, documents, 0.6 + 0.4 * uniform(documents, 9)], schema=EDGES)


def publish(stage: Stage, workdir: Path, files: Iterable[tuple[str, pa.Table | int]]) -> None:
    """Write the files of a stage and its manifest. Of a file without content there are only rows."""
    output = TaskOutput(stage.folder(workdir), 0)
    for name, table in files:
        if isinstance(table, int):
            record = FileRecord(name=name, bytes=0, rows=table, hash=f"{stage.scope}/{name}")
            output.files.append(record)
        else:
            output.write_table(name, table)
    stage.folder(workdir).mkdir(parents=True, exist_ok=True)
    publish_receipts(stage, workdir, [Receipt(task=0, files=output.files)], [])


def publish_receipts(stage: Stage, workdir: Path, receipts: list[Receipt], files: list[FileRecord]) -> None:
    """Write the manifest of a stage."""
    manifest = Manifest(
        stage=stage.name,
        scope=stage.scope,
        version=stage.version,
        fingerprint=stage.fingerprint,
        settings=stage.settings,
        inputs={},
        tasks=receipts,
        files=files,
        counts=total(receipt.counts for receipt in receipts),
        seconds=0,
    )
    write_sealed(stage.folder(workdir) / MANIFEST, manifest.model_dump())


@dataclass(frozen=True)
class Corpus:
    """A corpus of so many documents, in so many parts and three sources."""

    documents: int
    parts: int
    bands: int = 0

    def sources(self) -> list[Documents]:
        """Its sources: the parts are as equal as can be."""
        bounds = np.linspace(0, self.documents, self.parts + 1).astype(np.int64)
        return [
            Documents(scope=f"source{number}", rows=tuple(np.diff(bounds)[cut].tolist()))
            for number, cut in enumerate(_thirds(self.parts))
        ]

    def annotations(self) -> list[Annotations]:
        """The stages of each source's sidecars."""
        minhash = MinHash(bands=max(1, self.bands))
        return [
            Annotations(
                hashes=Hashes(scope=parts.scope, parts=parts),
                language=GivenLanguage(scope=f"{parts.scope}-language", parts=parts),
                bands=Bands(scope=f"{parts.scope}-bands", parts=parts, minhash=minhash),
                signals=(Signals(scope=f"{parts.scope}-signals", parts=parts, family="gopher_quality"),),
            )
            for parts in self.sources()
        ]

    def select(self) -> Select:
        """The stages up to select."""
        annotations = self.annotations()
        preference = Preference(
            scope="",
            hashes=tuple(source.hashes for source in annotations),
            priorities=(0, 2, 1),
            keep=("priority", "length"),
            exact=True,
        )
        bands = tuple(source.bands for source in annotations if source.bands)
        rule = LanguageRule()
        return Select(
            scope="",
            sources=tuple(JudgedSource(annotations=a, rules=(RULE,), language=rule) for a in annotations),
            preference=preference,
            pairs=verified_pairs("", preference, bands, bands[0].minhash),
            threshold=0.8,
            held_out_share=0.001,
            held_out_least=100_000,
            longest_held_out=10_000,
            seed=1,
        )

    def write(self, workdir: Path) -> None:
        """Write the sidecars."""
        select, first = self.select(), 0
        for source in select.sources:
            annotations, parts = source.annotations, source.annotations.parts
            assert isinstance(parts, Documents)
            assert annotations.bands is not None
            names = [f"00000-{number:03d}.parquet" for number in range(len(parts.rows))]
            publish(parts, workdir, zip(names, parts.rows, strict=True))
            bounds = first + np.cumsum([0, *parts.rows])
            first = int(bounds[-1])
            numbers = [np.arange(*pair) for pair in pairwise(bounds)]
            publish(annotations.hashes, workdir, _each(names, numbers, hashes, parts.scope))
            publish(annotations.language, workdir, _each(names, numbers, languages))
            publish(annotations.signals[0], workdir, _each(names, numbers, signals))
            if self.bands:
                publish(annotations.bands, workdir, _each(names, numbers, bands, self.bands))

    def write_pairs(self, workdir: Path) -> None:
        """Write verified pairs, which have another place when the stages before them have another version."""
        pairs = self.select().pairs
        if pairs and not pairs.folder(workdir).exists():
            publish(pairs, workdir, self._edges())

    def _edges(self) -> Iterator[tuple[str, pa.Table]]:
        step = int(PAIRS_A_FILE / NEAR)
        for number, start in enumerate(range(0, self.documents, step)):
            yield f"{number:05d}.parquet", edges(start, min(start + step, self.documents))


def _each(names: list[str], numbers: list[Numbers], make: Any, *args: Any) -> Iterator[tuple[str, pa.Table]]:
    return ((name, make(documents, *args)) for name, documents in zip(names, numbers, strict=True))


def _thirds(count: int) -> list[slice]:
    bounds = np.linspace(0, count, SOURCES + 1).astype(int).tolist()
    return [slice(*pair) for pair in pairwise(bounds)]
