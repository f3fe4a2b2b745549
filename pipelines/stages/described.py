"""What a run knows of the documents of a plan, besides their ids."""

from __future__ import annotations

from pathlib import Path

import pyarrow.compute as pc

from pipelines.stages.mix import MixStage
from trainers.scores import Described


def described_in(mix: MixStage, workdir: Path) -> Described:
    """What a run knows of its held-out documents; those made from one document belong together, and to it."""
    languages: dict[str, str] = {}
    clusters: dict[str, str] = {}
    for stage in mix.tokenized:
        for table in stage.files(workdir):
            held_out = table.filter(table["held_out"])
            for found, column in ((languages, "language"), (clusters, "parent_id")):
                known = held_out.filter(pc.is_valid(held_out[column]))
                found |= dict(zip(known["doc_id"].to_pylist(), known[column].to_pylist(), strict=True))
    return Described(languages, clusters)
