"""Models beside each other on the same held-out documents: those that every one of them could score."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines.evaluation.intervals import Interval, Sums, interval
from trainers.scores import GroupScore, sums_of


@dataclass(frozen=True)
class Score(GroupScore):
    """What a model got on some documents; `interval` is that of its bits per byte."""

    interval: Interval | None


@dataclass(frozen=True)
class Difference:
    """Bits per byte of the first model less those of another one; under 0 the first is better."""

    bits_per_byte: float | None
    interval: Interval | None


@dataclass(frozen=True)
class Compared:
    """Some documents, and by the roles of the models what each got on them."""

    documents: int
    scores: dict[str, Score]
    differences: dict[str, Difference]
    """Of the first model from each other one."""


@dataclass(frozen=True)
class LeftOut:
    """Documents of a group that not every model could score, and what those got that could."""

    documents: int
    not_by: list[str]
    """The roles of the models that could not."""
    scores: dict[str, GroupScore]


@dataclass(frozen=True)
class Comparison:
    """All models on the same documents. Languages are empty where nobody gave them."""

    total: Compared
    groups: dict[str, Compared]
    languages: dict[str, Compared]
    group_languages: dict[str, dict[str, Compared]]
    left_out: dict[str, LeftOut]
    """By group; those without such documents are not in it."""

    def to_json(self) -> dict[str, Any]:
        """Plain types, for JSON."""
        return asdict(self)


def compare(pieces: Mapping[str, pa.Table]) -> Comparison:
    """Compare models by what they got on the pieces of the same shards: the first one with each other.

    Args:
        pieces: By the role of the model, `trainers.scores.PIECES`.
    """
    same = next(iter(pieces.values()))
    sums = {role: sums_of(table) for role, table in pieces.items()}
    group, documents = same["group"].to_numpy(), _numbers(same["doc_id"])
    scored = {role: _of_whole_documents(found[:, 2] > 0, documents) for role, found in sums.items()}
    common = np.logical_and.reduce(list(scored.values()))
    some = _Pieces(sums, documents, _numbers(same["cluster"]))
    by_group = {name: group == name for name in np.unique(group.astype(str)).tolist()}
    by_language: dict[str, npt.NDArray[np.bool_]] = {}
    if not same["language"].null_count:
        language = same["language"].to_numpy()
        by_language = {name: language == name for name in np.unique(language.astype(str)).tolist()}
    return Comparison(
        total=some.compared(common),
        groups=dict(_all_of(some, by_group, common)),
        languages=dict(_all_of(some, by_language, common)),
        group_languages={
            name: dict(_all_of(some, by_language, common & here)) for name, here in by_group.items()
        }
        if by_language
        else {},
        left_out={
            name: some.left_out(here & ~common, scored)
            for name, here in by_group.items()
            if (here & ~common).any()
        },
    )


@dataclass(frozen=True)
class _Pieces:
    """What all models got on each piece, and the numbers of its document and its cluster."""

    sums: dict[str, Sums]
    documents: npt.NDArray[np.int64]
    clusters: npt.NDArray[np.int64]

    def compared(self, here: npt.NDArray[np.bool_]) -> Compared:
        _, cluster = np.unique(self.clusters[here], return_inverse=True)
        by_cluster: dict[str, Sums] = {
            role: np.stack([np.bincount(cluster, weights=column) for column in sums[here].T], axis=1)
            for role, sums in self.sums.items()
        }
        scores = {
            role: Score(**asdict(GroupScore.of(*sums.sum(axis=0))), interval=interval(sums))
            for role, sums in by_cluster.items()
        }
        (first, own), *others = by_cluster.items()
        return Compared(
            documents=len(np.unique(self.documents[here])),
            scores=scores,
            differences={
                role: Difference(
                    _less(scores[first].bits_per_byte, scores[role].bits_per_byte), interval(own, sums)
                )
                for role, sums in others
            },
        )

    def left_out(self, here: npt.NDArray[np.bool_], scored: Mapping[str, npt.NDArray[np.bool_]]) -> LeftOut:
        could = {role: bool(found[here].all()) for role, found in scored.items()}
        return LeftOut(
            documents=len(np.unique(self.documents[here])),
            not_by=[role for role, all_of_them in could.items() if not all_of_them],
            scores={
                role: GroupScore.of(*self.sums[role][here].sum(axis=0))
                for role, all_of_them in could.items()
                if all_of_them
            },
        )


def _all_of(
    some: _Pieces, names: Mapping[str, npt.NDArray[np.bool_]], among: npt.NDArray[np.bool_]
) -> Iterator[tuple[str, Compared]]:
    """Each name that has documents among those that are compared."""
    for name, here in names.items():
        if (here & among).any():
            yield name, some.compared(here & among)


def _of_whole_documents(
    pieces: npt.NDArray[np.bool_], documents: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """For each piece whether this holds of all pieces of its document."""
    failed = np.bincount(documents, weights=~pieces)
    whole: npt.NDArray[np.bool_] = failed[documents] == 0
    return whole


def _numbers(names: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    """The same number for the same name."""
    return names.combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int64)  # type: ignore[no-any-return]


def _less(first: float | None, other: float | None) -> float | None:
    return None if first is None or other is None else first - other
