"""Examples: which texts a classifier learns from, and with which label."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import orjson
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from filters.dedup.exact import content_hash
from pipelines.sources.base import Quarantine, Reason, Source, Unit
from pipelines.stages.hash_sampling import example_draw, first_words, held_out_draw, mixed
from pipelines.stages.parts import PartStage
from pipelines.stages.set_aside import SetAside

FILE_UNIT_BYTES = 32 << 20


@dataclass(frozen=True)
class Place:
    """Where examples come from: a source's parts, or files."""

    of: PartStage | Source
    label: str | None
    """The label of all of them; None where each record names its own in `label_field`."""
    label_field: str
    sample: int | None
    units: tuple[Unit, ...] = ()
    """What is read of files, once that is planned."""

    def planned(self) -> list[Unit]:
        """The units of its files."""
        return [] if isinstance(self.of, PartStage) else self.of.units(FILE_UNIT_BYTES)

    def tables(self, workdir: Path, set_aside: SetAside | None = None) -> Iterator[pa.Table]:
        """`doc_id` (null for a file's records), `text` and `label`, in order; the same at each call.

        What is bad goes to `set_aside`: a record of a file without a label as well.
        """
        if isinstance(self.of, PartStage):
            for name in self.of.part_names(workdir):
                table = pq.read_table(self.of.path(workdir, name), columns=["doc_id", "text"])
                yield table.append_column("label", pa.repeat(self.label, table.num_rows))
            return
        for unit in self.units:
            quarantine = set_aside.quarantine if set_aside else Quarantine()
            documents = set_aside.read(self.of, unit) if set_aside else self.of.read(unit, quarantine)
            for table in documents:
                yield self._labelled(table, unit, quarantine)

    def _labelled(self, documents: pa.Table, unit: Unit, quarantine: Quarantine) -> pa.Table:
        ids = pa.nulls(documents.num_rows, pa.string())
        labels = self._labels(documents) if self.label is None else pa.repeat(self.label, len(ids))
        for number in np.flatnonzero(labels.is_null()):
            row = documents.slice(number, 1).to_pylist()[0]
            size = len(row["text"].encode()) + len(row["metadata"])
            place = row["doc_id"].partition("/")[2].removeprefix(f"{unit.file}:")
            sample = f"only {', '.join(orjson.loads(row['metadata']))}: {row['text']}"
            quarantine.add(unit.file, f"record {place}", Reason.NO_LABEL, sample, bytes=size)
        table = pa.table({"doc_id": ids, "text": documents.column("text"), "label": labels})
        return table.filter(labels.is_valid())

    def _labels(self, table: pa.Table) -> pa.Array:
        """What the other fields of a record say; a number is its spelling."""
        found = (
            orjson.loads(fields).get(self.label_field) for fields in table.column("metadata").to_pylist()
        )
        named = [str(label) if isinstance(label, str | int | float) else None for label in found]
        return pa.array([label or None for label in named], pa.string())


class Examples(NamedTuple):
    """What a classifier learns from."""

    names: tuple[str, ...]
    """The labels."""
    texts: pa.ChunkedArray
    labels: npt.NDArray[np.int32]
    """Positions in `names`."""
    fold: npt.NDArray[np.int64]
    identity: pa.Table
    """`doc_id` (null for a file's records), `content_hash` and `label` of each."""
    seen: int
    """How many documents and records there were."""
    left_out: Counter[str]
    """Why the others are no examples."""


def gather_examples(
    places: Sequence[Place],
    workdir: Path,
    seed: int,
    held_out_share: float,
    folds: int,
    set_aside: SetAside,
) -> Examples:
    """Choose the examples by the hashes of their texts, then read them.

    Documents of a source that may be held out are none, nor are texts that come with several labels. Of texts
    that are the same, one is taken.
    """
    found = pl.concat([_hashed(number, place, workdir, set_aside) for number, place in enumerate(places)])
    key = found["key"].to_numpy()
    from_source = pl.Series([isinstance(place.of, PartStage) for place in places])
    of_sources = from_source.gather(found["place"]).to_numpy()
    set_aside.count(int((~of_sources).sum()))
    held_out = of_sources & (held_out_draw(key, seed) < held_out_share)
    draw = example_draw(key, seed)
    found = found.with_columns(
        pl.Series("draw", draw),
        pl.Series("fold", (mixed(draw) % np.uint64(folds)).astype(np.int64)),
        pl.when(pl.Series(held_out)).then(pl.lit("may be held out")).alias("why"),
    )
    left_out = Counter({why: n for why, n in found["why"].drop_nulls().value_counts().iter_rows()})
    chosen = found.filter(pl.col("why").is_null()).drop("why")
    for why, rows in (
        ("with several labels", pl.col("label").n_unique().over("hash") == 1),
        ("the same text", pl.col("hash").is_first_distinct()),
        ("not drawn", _drawn(places)),
    ):
        before = len(chosen)
        chosen = chosen.filter(rows)
        left_out[why] += before - len(chosen)
    tables = [
        table.take(pa.array(rows))
        for number, place in enumerate(places)
        for table, rows in _chosen_rows(place, workdir, chosen.filter(pl.col("place") == number))
    ]
    names = _names(places, chosen)
    label_of = {name: number for number, name in enumerate(names)}
    return Examples(
        names,
        pa.chunked_array([c for t in tables for c in t.column("text").chunks], pa.large_string()),
        chosen["label"].replace_strict(label_of, default=None, return_dtype=pl.Int32).to_numpy(),
        chosen["fold"].to_numpy(),
        pa.table(
            {
                "doc_id": pa.chunked_array(
                    [c for t in tables for c in t.column("doc_id").chunks], pa.string()
                ),
                "content_hash": chosen["hash"].to_arrow().cast(pa.binary()).cast(pa.binary(16)),
                "label": chosen["label"].to_arrow().cast(pa.string()),
            }
        ),
        len(found),
        left_out,
    )


def _hashed(number: int, place: Place, workdir: Path, set_aside: SetAside) -> pl.DataFrame:
    """A row for each document of a place: which it is, the hash of its text and its label."""
    schema = {
        "place": pl.Int32,
        "table": pl.Int32,
        "row": pl.Int64,
        "hash": pl.Binary,
        "key": pl.UInt64,
        "label": pl.String,
    }
    frames = [pl.DataFrame(schema=schema)]
    for index, table in enumerate(place.tables(workdir, set_aside)):
        hashes = content_hash(table.column("text"))
        rows = {
            "place": np.full(table.num_rows, number, np.int32),
            "table": np.full(table.num_rows, index, np.int32),
            "row": np.arange(table.num_rows),
            "hash": pl.Series(hashes.cast(pa.binary())),
            "key": first_words(hashes),
            "label": pl.Series(table.column("label")),
        }
        frames.append(pl.DataFrame(rows, schema=schema))
    return pl.concat(frames)


def _drawn(places: Sequence[Place]) -> pl.Expr:
    """The lowest draws of each place that wants only a sample."""
    limits = pl.lit(pl.Series([place.sample or 2**62 for place in places])).gather(pl.col("place"))
    return pl.col("draw").rank("ordinal").over("place").cast(pl.Int64) <= limits


def _chosen_rows(
    place: Place, workdir: Path, chosen: pl.DataFrame
) -> Iterator[tuple[pa.Table, npt.NDArray[np.int64]]]:
    rows = dict(chosen.group_by("table", maintain_order=True).agg("row").iter_rows())
    for index, table in enumerate(place.tables(workdir)):
        if index in rows:
            yield table, np.asarray(rows[index], np.int64)


def _names(places: Sequence[Place], chosen: pl.DataFrame) -> tuple[str, ...]:
    """The labels in the recipe's order; those that records name in alphabetical order."""
    said = dict.fromkeys(place.label for place in places if place.label is not None)
    return tuple(said) or tuple(sorted(chosen["label"].unique()))
