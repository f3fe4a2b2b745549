"""A trained stage of a run: its folder, its result, what it started from, its seal and its scores."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from mixers.files import finished_file
from pipelines.execution.manifest import Damage, Damaged, read_sealed, write_sealed
from pipelines.execution.sealed_folder import SEAL, check_folder, check_records, file_records, seal_folder
from trainers.checkpoint import checkpoints
from trainers.config import stage_before
from trainers.integrity import damaged_files
from trainers.result import RESULT

FOLDER = "train"
"""In a run: a folder for each trained stage."""
SCORES = "evaluate"
"""In a run: the scores that evaluation after training gave, files for each stage."""
FILES = "files"
"""Among the scores: the size and hash of the file of single pieces."""


@dataclass(frozen=True)
class TrainedStage:
    """The stage `name` of the run in `workdir`, as training leaves it."""

    workdir: Path
    name: str

    @property
    def folder(self) -> Path:
        """The folder of the model, with everything else that training writes."""
        return self.workdir / FOLDER / self.name

    @property
    def is_trained(self) -> bool:
        """Whether training came to its end."""
        return (self.folder / RESULT).is_file()

    @property
    def result(self) -> dict[str, Any]:
        """What training was and gave: a `TrainingResult` as JSON, with its settings under `stage`."""
        return dict(orjson.loads((self.folder / RESULT).read_bytes()))

    @property
    def base(self) -> str | None:
        """The hub id or folder of the model that training started from; None: it was new."""
        model: str = self.result["model"]
        return None if model.startswith("{") else model  # of a new model, its shape

    def lineage(self, stages: Sequence[str]) -> list[TrainedStage]:
        """The trained stages that led to the model of this one, the earliest first, this one last.

        Args:
            stages: All stages of the run, in order.
        """
        if not self.is_trained:
            return []
        before = stage_before(self.name, self.result["stage"]["start"], stages)
        return [*(TrainedStage(self.workdir, before).lineage(stages) if before else ()), self]

    @property
    def is_sealed(self) -> bool:
        """Whether all its files were sealed at its end."""
        return (self.folder / SEAL).is_file()

    def seal(self) -> None:
        """Write the seal over all files of the folder."""
        seal_folder(self.folder)

    def damages(self) -> Iterator[Damage]:
        """Yield every damage of the folder; before the end of training, of its checkpoints."""
        if self.is_trained:
            yield from check_folder(self.folder)
            return
        for checkpoint in checkpoints(self.folder):
            for file in damaged_files(checkpoint):
                yield Damage(file, "is missing or has changed: its hash is not the recorded one")

    @property
    def scores_path(self) -> Path:
        """The file of the scores that evaluation after training gave."""
        return self.workdir / SCORES / f"{self.name}.json"

    @property
    def scores(self) -> dict[str, Any] | None:
        """The scores that evaluation after training gave, as they were written; None without any."""
        if not self.scores_path.is_file():
            return None
        return {name: found for name, found in read_sealed(self.scores_path).items() if name != FILES}

    @property
    def pieces_path(self) -> Path:
        """The file of what each piece of a held-out document got in that evaluation."""
        return self.scores_path.with_suffix(".parquet")

    def forget_scores(self) -> None:
        """Remove the scores of an earlier model of this stage."""
        self.scores_path.unlink(missing_ok=True)
        self.pieces_path.unlink(missing_ok=True)

    def write_scores(self, scores: dict[str, Any], pieces: Mapping[str, pa.Table]) -> None:
        """Keep the scores of an evaluation, and those of single pieces, by the role of the model.

        The pieces of all models are one table, whose column `model` is the role. The scores seal it.
        """
        self.forget_scores()
        files = {}
        if pieces:
            self.pieces_path.parent.mkdir(exist_ok=True)
            with finished_file(self.pieces_path) as temporary:
                pq.write_table(_with_roles(pieces), temporary, compression="zstd")
            files = file_records(self.pieces_path.parent, [self.pieces_path])
        write_sealed(self.scores_path, scores | {FILES: files})


def check_scores(workdir: Path) -> Iterator[Damage]:
    """Yield every damage of the scores that a run keeps."""
    for path in sorted((workdir / SCORES).glob("*.json")):
        try:
            scores = read_sealed(path)
        except Damaged as error:
            yield Damage(path, error.message)
            continue
        yield from check_records(path.parent, scores.get(FILES, {}), ())


def _with_roles(pieces: Mapping[str, pa.Table]) -> pa.Table:
    tables = (table.append_column("model", pa.repeat(role, len(table))) for role, table in pieces.items())
    return pa.concat_tables(tables)


def trained_stages(workdir: Path, names: Iterable[str] | None = None) -> list[TrainedStage]:
    """The trained stages of a run: those among `names`, in their order, or all that it holds."""
    if names is None:
        names = sorted(folder.name for folder in (workdir / FOLDER).glob("*"))
    return [stage for name in names if (stage := TrainedStage(workdir, name)).is_trained]
