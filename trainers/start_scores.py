"""What each held-out piece cost before the first step, in a file, so that a resumed run knows it too."""

import io
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mixers.files import write_bytes

START_SCORES = "start_scores.npy"
"""In the folder of a model that is trained: nats, float64 `[pieces]`, in the order of the held-out shards."""


def nats_at_start(
    folder: Path, nats: npt.NDArray[np.float64], step: int, writes: bool
) -> npt.NDArray[np.float64] | None:
    """What each piece cost at the start; None where no file says it of so many pieces.

    Args:
        folder: Of the model.
        nats: What each costs after `step` steps.
        step: 0: this is the start, which the process that `writes` keeps.
        writes: Whether this process writes files.
    """
    path = folder / START_SCORES
    if step == 0:
        if writes:
            np.save(buffer := io.BytesIO(), nats)
            write_bytes(path, buffer.getvalue())
        return nats
    try:
        start: npt.NDArray[np.float64] = np.load(path, allow_pickle=False)
    except (OSError, ValueError):
        return None
    return start if start.shape == nats.shape else None
