"""How much memory a process has needed, and how many rows fit into that of a GPU."""

import math
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from trainers.errors import TooLittleMemory

if TYPE_CHECKING:
    import torch

    from mixers.shards import Shards
    from trainers.objective import PackedObjective

_USABLE = 0.9  # of a GPU's memory; the rest is lost between blocks and to libraries


def peak_memory() -> int:
    """Largest number of bytes so far: of the GPU if there is one, else of the process."""
    import torch

    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


@contextmanager
def full_memory_said(rows: int) -> Iterator[None]:
    """Raise TooLittleMemory, which says what to set, where `rows` rows at once are more than a GPU holds."""
    import torch

    try:
        yield
    except torch.OutOfMemoryError as error:
        smaller = f"micro_batch_rows below {rows}, or " if rows > 1 else ""
        raise TooLittleMemory(
            f"The GPU's memory does not hold a micro batch of {rows} row{'s' * (rows > 1)}. Set"
            f" {smaller}gradient_checkpointing: true (a third slower), an adapter"
            " (`adapter: {kind: lora}`), `parallel: fsdp` over several GPUs, or a smaller sequence_length in"
            " the mixture."
        ) from error


def rows_that_fit(objective: "PackedObjective", shards: "Shards", share: int, device: "torch.device") -> int:
    """Rows for a micro batch: as many of a step's `share` of this process as a GPU holds, evenly dealt.

    Memory grows by the same for each row. So the fullest row, and the fullest two, are computed forward and
    backward, with the gradients of a micro batch before them in memory, and the line through both is followed
    to the memory that AdamW's averages leave. Of several processes the fewest rows count. On a CPU it is one
    row.

    Where even two rows are too many it is one too; training says so if that is too much.
    """
    import torch

    if device.type != "cuda" or share == 1:
        return 1
    try:
        _, one, two = (_peak(objective, shards, rows, device) for rows in (1, 1, 2))
    except torch.OutOfMemoryError:
        return _fewest(1, device)
    finally:
        objective.eval()
        objective.zero_grad(set_to_none=True)
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
    free, _ = torch.cuda.mem_get_info(device)
    room = _USABLE * (free + torch.cuda.memory_reserved(device)) - _of_optimizer(objective)
    return evenly(share, _fewest(rows_in(int(room), one, two), device))


def rows_in(room: int, one: int, two: int) -> int:
    """Rows that fit into `room` bytes, where one row needs `one` and two need `two`; at least one."""
    return max(1, 1 + (room - one) // max(1, two - one))


def evenly(share: int, most: int) -> int:
    """Rows of each micro batch when `share` rows are dealt to as few as hold `most` rows at most."""
    return math.ceil(share / math.ceil(share / most))


def _peak(objective: "PackedObjective", shards: "Shards", rows: int, device: "torch.device") -> int:
    """Bytes of a forward and backward pass over the fullest rows, whose gradients stay."""
    import numpy as np
    import torch

    from trainers.loader import RowDataset, collate, to_device

    dataset = RowDataset(shards)
    fullest = np.argsort(-shards.row_lengths, kind="stable")[:rows]
    batch = to_device(collate([dataset[int(row)] for row in fullest]), device)
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    with torch.random.fork_rng(devices=[device]), objective.in_precision():
        objective.train()
        objective(**batch)["loss"].backward()
    return torch.cuda.max_memory_allocated(device)


def _of_optimizer(objective: "PackedObjective") -> int:
    """Bytes of AdamW's averages of this process's trained weights, and of gradients on their way."""
    import torch.distributed as dist
    from torch.distributed.tensor import DTensor

    trained = [p for p in objective.parameters() if p.requires_grad]
    whole = sum(p.numel() for p in trained if not isinstance(p, DTensor))
    parts = sum(p.to_local().numel() for p in trained if isinstance(p, DTensor))
    return 8 * (whole + parts) + (4 * whole if dist.is_initialized() else 0)


def _fewest(rows: int, device: "torch.device") -> int:
    """The smallest number of all processes."""
    import torch
    import torch.distributed as dist

    if not dist.is_initialized():
        return rows
    fewest = torch.tensor(rows, device=device)
    dist.all_reduce(fewest, dist.ReduceOp.MIN)
    return int(fewest)
