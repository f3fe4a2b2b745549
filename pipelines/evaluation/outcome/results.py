"""Results of a variant in a measure, kept in the run's folder, so that a killed command goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from mixers.files import finished_file, known_hash
from pipelines.execution.fingerprint import fingerprint, library_versions
from pipelines.execution.manifest import Damaged, read_sealed, write_sealed
from trainers.model import TOKENIZER_FILES

FOLDER = "outcome"
"""In a run: results by measure and fingerprint, and merged models."""
_MODEL_FILES = ("config.json", "generation_config.json", "*.safetensors", "*.bin", *TOKENIZER_FILES)

Result: TypeAlias = pa.Table | dict[str, Any]


@dataclass(frozen=True)
class Results:
    """The results that are kept in a folder."""

    folder: Path

    def kept(self, measure: str, settings: Mapping[str, Any]) -> Result | None:
        """The result of these settings; None where there is none, or it is damaged."""
        path = self._path(measure, settings)
        try:
            if path.with_suffix(".json").is_file():
                return read_sealed(path.with_suffix(".json"))
            if path.with_suffix(".parquet").is_file():
                return pq.read_table(path.with_suffix(".parquet"), page_checksum_verification=True)
        except (Damaged, OSError, pa.ArrowException):
            return None
        return None

    def keep(self, measure: str, settings: Mapping[str, Any], made: Result) -> Result:
        """Keep the result of these settings: all of it or nothing."""
        path = self._path(measure, settings)
        if isinstance(made, pa.Table):
            with finished_file(path.with_suffix(".parquet")) as temporary:
                pq.write_table(made, temporary, compression="zstd", write_page_checksum=True)
        else:
            write_sealed(path.with_suffix(".json"), made)
        return made

    def _path(self, measure: str, settings: Mapping[str, Any]) -> Path:
        libraries = library_versions("torch", "transformers", "lm_eval")
        return self.folder / f"{measure}-{fingerprint({'libraries': libraries, **settings})}"


def model_fingerprint(folder: Path) -> str:
    """What tells a model folder from others: its weights, its configuration and its tokenizer."""
    files = sorted({path for pattern in _MODEL_FILES for path in folder.glob(pattern)})
    return fingerprint({path.name: known_hash(path) for path in files})
