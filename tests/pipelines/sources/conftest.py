"""What the tests of sources share: build a source over files, and read it unit by unit."""

import pickle
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pipelines.sources.base import Quarantine, Source
from pipelines.sources.files import FilesConfig
from pipelines.sources.schema import PART_SCHEMA


class Reading:
    """Everything a source gives: documents as dictionaries, and of each bad record where it is, and why."""

    def __init__(self, source: Source, part_bytes: int = 1 << 20) -> None:
        source = pickle.loads(pickle.dumps(source))
        self.units = source.units(part_bytes)
        quarantine = Quarantine()
        tables = [table for unit in self.units for table in source.read(unit, quarantine)]
        for table in tables:
            assert table.schema.equals(PART_SCHEMA)
            table.validate(full=True)
        self.documents: list[dict[str, Any]] = pa.concat_tables(
            [PART_SCHEMA.empty_table(), *tables]
        ).to_pylist()
        self.set_aside = quarantine
        self.quarantine = [row[:4] for row in quarantine.rows]

    @property
    def ids(self) -> list[str]:
        return [document["doc_id"] for document in self.documents]

    @property
    def texts(self) -> list[str]:
        return [document["text"] for document in self.documents]

    @property
    def reasons(self) -> list[tuple[str, str]]:
        return [(position, reason) for _, position, reason, _ in self.quarantine]


@pytest.fixture
def read(tmp_path: Path):
    """Write files into a folder and read them: read({"a.jsonl": b"..."}, path="*.jsonl", part_bytes=7)."""

    def _read(files: dict[str, bytes], path: str = ".", part_bytes: int = 1 << 20, **options: Any) -> Reading:
        for name, content in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(content)
        return Reading(FilesConfig(reader="files", path=path, **options).build("s", tmp_path), part_bytes)

    return _read
