"""Hashes: what tells documents apart and puts them in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc
from typing_extensions import override

from filters.dedup import exact
from pipelines.stages.sidecar import Annotation


@dataclass(frozen=True, kw_only=True)
class Hashes(Annotation):
    """Output: `doc_id`, `source_language`, `license`, `bytes` int64, `content_hash` (16 bytes)."""

    version: ClassVar[int] = 4
    reads: ClassVar[tuple[str, ...]] = ("doc_id", "text", "language", "license")

    @property
    @override
    def settings(self) -> dict[str, Any]:
        return {"content_hash": exact.VERSION}

    @property
    @override
    def columns(self) -> tuple[str, ...]:
        return ("doc_id", "source_language", "license", "bytes", "content_hash")

    @override
    def measure(self, documents: pa.Table) -> pa.Table:
        texts = documents.column("text")
        sizes = pc.binary_length(texts).cast(pa.int64())
        said = [documents.column(name) for name in ("doc_id", "language", "license")]
        return pa.table([*said, sizes, exact.content_hash(texts)], names=list(self.columns))
