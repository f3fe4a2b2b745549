"""How a run numbers its documents: source by source, part by part, row by row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.stages.parts import PartStage

Documents = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Numbering:
    """The numbers of documents. A part is known by the hash of its file, so runs can be compared."""

    parts: list[str]
    """The hash of each part."""
    firsts: Documents
    """The number of the first document of each part, and the number of documents."""

    @classmethod
    def of(cls, sources: Sequence[PartStage], workdir: Path) -> Numbering:
        """That of the documents of several sources."""
        files = [file for parts in sources for file in parts.part_files(workdir)]
        return cls([file.hash for file in files], np.cumsum([0, *(file.rows for file in files)]))

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Numbering:
        """As `to_json` gave it."""
        return cls(content["parts"], np.array(content["firsts"]))

    def to_json(self) -> dict[str, Any]:
        """JSON-able."""
        return {"parts": self.parts, "firsts": self.firsts.tolist()}

    @property
    def documents(self) -> int:
        """How many there are."""
        return int(self.firsts[-1])

    def translated(self, documents: Documents, other: Numbering) -> Documents:
        """What documents that `other` numbers are called here; -1 for those that are not here."""
        here = dict(zip(self.parts, self.firsts.tolist(), strict=False))
        firsts = np.array([here.get(part, -1) for part in other.parts], np.int64)
        part = np.searchsorted(other.firsts, documents, side="right") - 1
        numbers: Documents = np.where(firsts[part] < 0, -1, firsts[part] + documents - other.firsts[part])
        return numbers
