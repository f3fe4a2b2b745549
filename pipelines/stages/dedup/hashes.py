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
    """Output: `doc_id`, `source_language` (as the source says), `bytes` int64, `content_hash` (16 bytes)."""

    reads: ClassVar[tuple[str, ...]] = ("doc_id", "text", "language")

    @property
    @override
    def settings(self) -> dict[str, Any]:
        return {"content_hash": exact.VERSION}

    @property
    @override
    def columns(self) -> tuple[str, ...]:
        return ("doc_id", "source_language", "bytes", "content_hash")

    @override
    def measure(self, documents: pa.Table) -> pa.Table:
        texts = documents.column("text")
        sizes = pc.binary_length(texts).cast(pa.int64())
        columns = [documents.column("doc_id"), documents.column("language"), sizes, exact.content_hash(texts)]
        return pa.table(columns, names=list(self.columns))
