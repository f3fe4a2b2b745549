"""Training on a folder of shards, with what goes wrong in words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.errors import UserError, WorkError
from trainers.config import SmallModel, StageTraining
from trainers.events import TrainingListener

if TYPE_CHECKING:
    from trainers.result import TrainingResult


def train_folder(
    shards: Path,
    config: StageTraining,
    model: str | Path | SmallModel,
    output: Path,
    tokenizer: Path | None,
    held_out: Path | None,
    resume: bool,
    listeners: Sequence[TrainingListener],
) -> TrainingResult:
    """As `trainers.train.train`.

    Raises:
        UserError: A setting, the model, the shards or an installed package is wrong.
        WorkError: Training failed, or packed documents would see each other.
    """
    from trainers.errors import IsolationError, TooLittleMemory
    from trainers.train import train

    try:
        return train(shards, config, model, output, tokenizer, held_out, resume, listeners)
    except ImportError as error:
        raise UserError(
            f"training needs more packages: {error}", hint="Install them: pip install 'coupage[train]'"
        ) from error
    except (IsolationError, TooLittleMemory) as error:
        raise WorkError(str(error)) from error
    except FloatingPointError as error:
        raise WorkError(str(error), hint="Lower the learning rate, and go on with --resume.") from error
    except ValueError as error:
        raise UserError(str(error)) from error
