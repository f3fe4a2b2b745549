"""Runs of the trainer in processes of their own, which are killed on the way."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from trainers.config import SmallModel, StageTraining

PROGRAM = Path(__file__).with_name("run_training.py")


def launch(
    processes: int,
    shards: Path,
    stage: StageTraining,
    model: SmallModel | Path,
    output: Path,
    tokenizer: Path,
    held_out: Path,
) -> subprocess.Popen[bytes]:
    """Start (or resume) a run, under torchrun if it has several processes."""
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    folders = map(str, (shards, held_out, tokenizer, output))
    start = model.model_dump_json() if isinstance(model, SmallModel) else str(model)
    command = [*(launcher if processes > 1 else []), str(PROGRAM), *folders]
    return subprocess.Popen(
        [sys.executable, *command, stage.model_dump_json(), start],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"},
    )


def train_and_kill(
    step: int,
    shards: Path,
    stage: StageTraining,
    model: SmallModel,
    output: Path,
    tokenizer: Path,
    held_out: Path,
    processes: int = 1,
) -> None:
    """Start (or resume) a run and kill all its processes as soon as `step` steps are in its metrics log."""
    run = launch(processes, shards, stage, model, output, tokenizer, held_out)
    while run.poll() is None and _steps_done(output) < step:
        time.sleep(0.002)
    assert _steps_done(output) >= step, "the run ended by itself"
    run.kill()
    run.wait()
    for marker in output.glob("*.pid"):
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(marker.stem), signal.SIGKILL)
        marker.unlink()
    assert not (output / "training.json").exists()


def _steps_done(output: Path) -> int:
    log = output / "metrics.jsonl"
    return log.read_text().count('"grad_norm"') if log.exists() else 0
