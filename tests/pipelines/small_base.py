"""A small model with a run's tokenizer, from which the run is trained."""

import shutil
from pathlib import Path
from typing import Any

from trainers.config import SmallModel
from trainers.model import build_model

SHAPE = SmallModel(hidden_size=32, layers=2, heads=2, kv_heads=1, intermediate_size=64)


def small_model(seed: int = 0) -> Any:
    return build_model(SHAPE, 640, sequence_length=256, seed=seed)


def write_base(run: Path, model: Any) -> Path:
    """The model as a folder `base` beside the run."""
    base = shutil.copytree(run / "tokenizer", run.parent / "base")
    model.save_pretrained(base)
    return base
