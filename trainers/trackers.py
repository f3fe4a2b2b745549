"""Experiment trackers, TensorBoard and Weights & Biases, which draw `metrics.jsonl` as curves."""

import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol

_RUN_ID = "wandb_run_id"


class Tracker(Protocol):
    """Where numbers go."""

    def add(self, step: int, numbers: dict[str, float]) -> None:
        """Record `numbers` at `step`."""

    def close(self) -> None:
        """Send what is not sent yet."""


class TensorBoard:
    """Event files in a run's `tensorboard/`; opening them again drops what was recorded after `step`."""

    def __init__(self, output: Path, step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(output / "tensorboard"), purge_step=step + 1)

    def add(self, step: int, numbers: dict[str, float]) -> None:
        """Record `numbers` at `step`, and write them to the file at once, for the process may be killed."""
        for name, number in numbers.items():
            self._writer.add_scalar(name, number, step)
        self._writer.flush()

    def close(self) -> None:
        """Close the file."""
        self._writer.close()


class WeightsAndBiases:
    """A run of Weights & Biases, whose id is kept in `wandb_run_id` so that a resumed run is the same one.

    Its environment variables hold (WANDB_MODE, WANDB_ENTITY, WANDB_NAME, …); the project is `coupage` unless
    WANDB_PROJECT names another.
    """

    def __init__(self, output: Path, settings: dict[str, Any]) -> None:
        import wandb

        kept = output / _RUN_ID
        if not kept.exists():
            kept.write_text(secrets.token_hex(4))
        self._run = wandb.init(
            dir=str(output),
            id=kept.read_text(),
            resume="allow",
            project=os.environ.get("WANDB_PROJECT", "coupage"),
            config=settings,
        )
        self._run.define_metric("step")
        self._run.define_metric("*", step_metric="step")

    def add(self, step: int, numbers: dict[str, float]) -> None:
        """Record `numbers` at `step`; the axis is our step, which a resumed run may reach a second time."""
        self._run.log({"step": step, **numbers})

    def close(self) -> None:
        """Finish the run."""
        self._run.finish()


@contextmanager
def open_trackers(
    names: Sequence[str], output: Path, step: int, settings: dict[str, Any]
) -> Iterator[list[Tracker]]:
    """Open the trackers of these names, and close them at the end.

    Args:
        names: `tensorboard`, `wandb`.
        output: The run's folder.
        step: Steps that the run has done; -1: it begins, before its first evaluation.
        settings: The run's settings, to be shown beside the curves.
    """
    with ExitStack() as stack:
        trackers: list[Tracker] = []
        for name in names:
            tensorboard = name == "tensorboard"
            tracker = TensorBoard(output, step) if tensorboard else WeightsAndBiases(output, settings)
            stack.callback(tracker.close)
            trackers.append(tracker)
        yield trackers


def numbers_of(line: dict[str, Any]) -> dict[str, float]:
    """The numbers in a line of `metrics.jsonl`, by names such as `train/loss` and `held_out/law/loss`."""
    if "evaluation" not in line:
        return {f"train/{name}": number for name, number in line.items() if name != "step"}
    scores = {**line["evaluation"]["groups"], "total": line["evaluation"]["total"]}
    return {
        f"held_out/{group}/{name}": score[name]
        for group, score in scores.items()
        for name in ("loss", "bits_per_byte")
        if score[name] is not None
    }
