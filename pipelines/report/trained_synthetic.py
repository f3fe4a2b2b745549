"""How much synthetic text a model had been trained on after each step of a stage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow.compute as pc

from pipelines.execution.output import read_arrow
from pipelines.execution.trained_stage import TrainedStage
from pipelines.stages.mix import DOCUMENTS, SEGMENTS, MixStage

METRICS = "metrics.jsonl"
"""In the folder of a trained stage: a line for each step, with the tokens that were trained on until then."""

Sums = npt.NDArray[np.int64]


def synthetic_until(stage: TrainedStage, mix: MixStage) -> dict[int, int]:
    """For each step of a stage the tokens of synthetic text that it had trained on when it was done.

    Args:
        stage: A trained stage.
        mix: The plan of the shards that it was trained on.
    """
    tokens, synthetic = tokens_by_row(mix, stage.workdir)
    before, synthetic_before = (np.concatenate([[0], np.cumsum(each)]) for each in (tokens, synthetic))
    found = {0: 0}
    for step, trained in _steps(stage.folder / METRICS):
        epochs, rest = divmod(trained, int(before[-1]))
        of_this_epoch = np.interp(rest, before, synthetic_before)
        found[step] = epochs * int(synthetic_before[-1]) + round(float(of_this_epoch))
    return found


def tokens_by_row(mix: MixStage, workdir: Path) -> tuple[Sums, Sums]:
    """For each row of a plan, in training order, its tokens, and those of documents with a parent."""
    is_synthetic = _synthetic_documents(mix, workdir)
    tokens, synthetic = [], []
    batches = mix.batches(workdir, SEGMENTS)
    for number in range(batches.num_record_batches):
        batch = batches.get_batch(number)
        row, document, size = (batch.column(name).to_numpy() for name in ("row", "document", "tokens"))
        if len(row):
            row = row - row[0]
            tokens.append(np.bincount(row, size))
            synthetic.append(np.bincount(row, size * is_synthetic[document], minlength=len(tokens[-1])))
    return _joined(tokens), _joined(synthetic)


def _synthetic_documents(mix: MixStage, workdir: Path) -> npt.NDArray[np.bool_]:
    """For each document of a plan, in its order, whether it was made from another."""
    stages = {stage.scope: stage for stage in mix.tokenized}
    documents = mix.batches(workdir, DOCUMENTS)
    found = []
    for number, (source, name) in enumerate(mix.files(workdir)):
        parents = read_arrow(stages[source].path(workdir, name)).column("parent_id")
        positions = documents.get_batch(number).column("position")
        found.append(pc.is_valid(parents).to_numpy()[positions.to_numpy()])
    return np.concatenate(found)


def _joined(sums: list[npt.NDArray[np.float64]]) -> Sums:
    return np.concatenate([np.zeros(0), *sums]).astype(np.int64)


def _steps(path: Path) -> list[tuple[int, int]]:
    """Steps, and the tokens of all kinds that had been trained on after each."""
    lines = [orjson.loads(line) for line in path.read_bytes().splitlines()] if path.is_file() else []
    return [(line["step"], line["tokens"]) for line in lines if "tokens" in line]
