"""Models between the base and the last stage, kept in the run's folder as ordinary model folders."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipelines.evaluation.outcome.results import model_fingerprint
from pipelines.evaluation.variants import Variant
from pipelines.execution.fingerprint import fingerprint
from pipelines.execution.sealed_folder import check_folder, seal_folder
from trainers.merge import VERSION_OF_MERGE, merge_models

MODELS = "models"
"""In the folder of results."""


def merged_variants(base: Path, tuned: Path, shares: Sequence[float], folder: Path) -> Iterator[Variant]:
    """Make the merged models that are not there whole, and remove those of other models or shares.

    Args:
        base: The model before training.
        tuned: The model of the last stage.
        shares: Of the tuned model in each.
        folder: Where results are kept.

    Raises:
        ValueError: The two models cannot be merged.
    """
    between = [VERSION_OF_MERGE, model_fingerprint(base), model_fingerprint(tuned)]
    wanted = {share: folder / MODELS / f"merged_{share:g}-{fingerprint(between)[:8]}" for share in shares}
    for path in (folder / MODELS).glob("*"):
        if path not in wanted.values():
            shutil.rmtree(path)
    for share, path in wanted.items():
        if path.is_dir() and any(check_folder(path)):
            shutil.rmtree(path)
        if not path.is_dir():
            merge_models(base, tuned, share, path)
            seal_folder(path)
        yield Variant(name=f"merged {share:g}", kind="merged", model=str(path), share=share)
