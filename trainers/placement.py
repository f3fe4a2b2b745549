"""Where a process computes, and its model brought there: whole or sharded, plain or compiled."""

import os
from typing import TYPE_CHECKING

import torch
from transformers import TrainingArguments

from trainers.attention import use_kernels
from trainers.compilation import compile_objective, is_compiled
from trainers.config import StageTraining
from trainers.fsdp import shard
from trainers.precision import in_bfloat16

if TYPE_CHECKING:
    from trainers.objective import PackedObjective


def is_sharded_run(stage: StageTraining) -> bool:
    """Whether this run shards its model; one process has nothing to shard."""
    return stage.parallel == "fsdp" and processes() > 1


def processes() -> int:
    """How many processes train together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def backend() -> str | None:
    """How processes on CPUs talk to each other; None: one process, or torch's choice for GPUs."""
    return None if torch.cuda.is_available() or processes() == 1 else "gloo"


def join_processes() -> torch.device:
    """Join the other processes of the run, if there are any; the device of this one."""
    device: torch.device = TrainingArguments(
        use_cpu=not torch.cuda.is_available(), ddp_backend=backend(), report_to="none"
    ).device
    return device


def place(objective: "PackedObjective", stage: StageTraining, device: torch.device, row_tokens: int) -> None:
    """Bring the model, or this process's part of it, to `device`, and compile it if the stage says so."""
    if device.type == "cuda":
        use_kernels(stage.flash_attention)
    if is_sharded_run(stage):
        shard(objective, device, in_bfloat16(stage.dtype))
    else:
        objective.to(device)
        objective.bfloat16 = in_bfloat16(stage.dtype)
    if is_compiled(stage):
        compile_objective(objective, device, row_tokens)
