"""Running text and languages of held-out documents."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc

from mixers.shards import Shards

if TYPE_CHECKING:
    from pipelines.stages.mix import MixStage


def text_pieces(shards: Shards) -> Iterator[Sequence[int]]:
    """The ids of each piece of running text; conversations, which have masks, are left out."""
    for pack in shards:
        if pack.assistant_masks is None:
            yield from (
                piece.tolist() for piece in np.split(pack.input_ids, np.cumsum(pack.seq_lengths)[:-1])
            )


def languages_of(mix: MixStage, workdir: Path) -> dict[str, str]:
    """The language of each held-out document of a run that has one, by its id."""
    found: dict[str, str] = {}
    for stage in mix.tokenized:
        for table in stage.files(workdir):
            known = table.filter(pc.and_(table["held_out"], pc.is_valid(table["language"])))
            found |= dict(zip(known["doc_id"].to_pylist(), known["language"].to_pylist(), strict=True))
    return found
