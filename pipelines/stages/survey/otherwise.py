"""What would become of documents without the rules over one signal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from filters.language.identify import LOW_SCORE
from pipelines.stages.select import LANGUAGE, LANGUAGE_SCORE, JudgedSource, Select

Mask = npt.NDArray[np.bool_]
BYTES = "bytes"


class Limit(NamedTuple):
    """A rule over a signal, as it is reported."""

    rule: str
    min: float | None
    max: float | None


def limits_of(source: JudgedSource) -> dict[str, list[Limit]]:
    """The rules over each signal of a source; of bytes and the language's score also where there are none."""
    limits: dict[str, list[Limit]] = {BYTES: [], LANGUAGE_SCORE: []}
    for rule in source.rules:
        limits.setdefault(rule.signal, []).append(Limit(rule.name, rule.min, rule.max))
    if source.language.keep is not None:
        limits[LANGUAGE_SCORE].append(Limit(LOW_SCORE, source.language.min_score, None))
    return limits


def is_about(select: Select) -> bool:
    """Whether what is kept of one document may depend on others: on duplicates, or on percentiles."""
    compared = select.preference.exact or select.pairs is not None
    return compared or any(classifier.keep is not None for classifier in select.classifiers)


@dataclass(frozen=True)
class Otherwise:
    """Which documents of a part are kept, and which one signal alone has dropped.

    Rules come after all else but datatrove's filters, classifiers and duplicates. Of a document that a rule
    drops nobody knows what the last two would say: see `is_about`.
    """

    keep: Mask
    alone: Mask
    """Nothing but the rules over one signal drops it."""
    failed: dict[str, Mask]
    """The documents that fail a rule over each signal, where there is one."""

    @classmethod
    def of(
        cls, source: JudgedSource, table: pa.Table, verdicts: pa.Table, objected: Sequence[pa.ChunkedArray]
    ) -> Otherwise:
        """From what select has read and said of a part.

        Args:
            source: The rules.
            table: The signals that they are over, `language` and `language_score`.
            verdicts: `keep` and `reason`.
            objected: The reason of each of datatrove's filters, null where it has none.
        """
        reason = verdicts.column("reason")
        unsure = _mask(pc.equal(reason, LOW_SCORE))
        failed = {LANGUAGE_SCORE: unsure} if source.language.keep is not None else {}
        for rule in source.rules:
            fails = rule.failed(table.column(rule.signal).to_numpy())
            failed[rule.signal] = failed[rule.signal] | fails if rule.signal in failed else fails
        number = np.zeros(len(reason), np.int16)
        for fails in failed.values():
            number += fails
        names = pa.array([LOW_SCORE, *(rule.name for rule in source.rules)], pa.string())
        alone = _mask(pc.is_in(reason, names)) & (number == 1)
        for objections in objected:
            alone &= _mask(pc.is_null(objections))
        if source.language.keep is not None:
            wanted = pc.is_in(table.column(LANGUAGE), pa.array(source.language.keep, pa.string()))
            alone &= ~unsure | _mask(wanted)
        return cls(_mask(verdicts.column("keep")), alone, failed)

    def kept(self, signal: str) -> Mask:
        """The documents that would be kept if there were no rules over the signal."""
        return self.keep | (self.alone & self.failed[signal]) if signal in self.failed else self.keep


def _mask(values: pa.ChunkedArray) -> Mask:
    """As numpy has it; null is false."""
    mask: Mask = pc.fill_null(values, False).to_numpy().astype(bool)
    return mask
