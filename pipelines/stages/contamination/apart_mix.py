"""The mix of held-out documents without those that are known from training."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pyarrow as pa
import pyarrow.compute as pc
from typing_extensions import override

from mixers.arrays import Allocate
from mixers.ledger import Ledger
from mixers.plan import MixturePlan, plan_held_out
from pipelines.execution.output import read_arrow
from pipelines.execution.stage import Stage
from pipelines.stages.contamination.apart import Apart
from pipelines.stages.mix import HeldOutMix

UNKNOWN = "unknown"
"""The column of the corpus that says whether a document is not known from training."""


@dataclass(frozen=True, kw_only=True)
class ApartMix(HeldOutMix):
    """The same held-out documents as `apart` has looked at, but for those that it found in training.

    No others take their place: nobody looked for them.
    """

    version: ClassVar[int] = 4
    apart: Apart

    @property
    @override
    def inputs(self) -> tuple[Stage, ...]:
        return (*self.tokenized, self.apart)

    @override
    def planned(self, corpus: Path, workdir: Path) -> pa.Table:
        known = self.apart.documents(workdir).filter(pc.field("known")).column("doc_id").combine_chunks()
        unknown = pc.invert(pc.is_in(read_arrow(corpus).column("doc_id"), known))
        return super().planned(corpus, workdir).append_column(UNKNOWN, unknown)

    @override
    def plan(self, documents: pa.Table, allocate: Allocate) -> MixturePlan:
        unknown = documents.column(UNKNOWN).to_numpy()
        return plan_held_out(documents, self.sequence_length, self.most, self.seed, allocate, unknown)

    @override
    def known_from_training(self, workdir: Path) -> Counter[str]:
        documents = self.apart.documents(workdir)
        return Counter(documents.filter(pc.field("known")).column("group").to_pylist())

    @override
    def _explained(self, plan: MixturePlan, workdir: Path) -> Ledger:
        """The ledger; it says how many documents are known from training."""
        ledger = super()._explained(plan, workdir)
        drawn = Counter(self.apart.documents(workdir).column("group").to_pylist())
        known = self.known_from_training(workdir)
        said = (
            f"{group}: {number:,} of {drawn[group]:,} held-out documents share passages with training "
            "documents; they are not evaluated."
            for group, number in sorted(known.items())
        )
        return ledger.model_copy(update={"constraints": (*ledger.constraints, *said)})
