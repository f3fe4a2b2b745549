"""Bands: the keys by which near duplicates meet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from typing_extensions import override

from filters.dedup import minhash
from pipelines.stages.sidecar import Annotation


@dataclass(frozen=True, kw_only=True)
class Bands(Annotation):
    """Output: `band_00` ... uint64, the key of each band; each has its own column, to be read alone."""

    minhash: minhash.MinHash

    @property
    @override
    def settings(self) -> dict[str, Any]:
        return {"minhash": self.minhash.model_dump(exclude={"verify"}), "version": minhash.VERSION}

    @property
    @override
    def columns(self) -> tuple[str, ...]:
        return tuple(map(band_column, range(self.minhash.bands)))

    @override
    def measure(self, documents: pa.Table) -> pa.Table:
        keys = self.minhash.band_keys(self.minhash.signatures(documents.column("text")))
        bands = keys.flatten().to_numpy().reshape(-1, self.minhash.bands).T
        return pa.table([pa.array(band) for band in bands], names=list(self.columns))


def band_column(band: int) -> str:
    """The name of a band's column."""
    return f"band_{band:02d}"
