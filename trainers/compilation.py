"""`torch.compile` of the decoder layers and, on a GPU, of the loss.

Every pack has other lengths, so sizes are dynamic: a layer is compiled for all packs at once, and all like
layers share the result. On a GPU a layer is one graph with `varlen_attn` in it; on a CPU attention runs
document by document between two graphs.

Sizes that happen to be equal when a graph is made are taken for one size, and a pack in which they differ
compiles again. So the graphs are made in a warm-up, of a pack whose sizes all differ.
"""

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch._dynamo.exc import TorchDynamoException

from trainers.config import StageTraining
from trainers.loader import Row, collate, to_device

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from trainers.objective import PackedObjective

CompileError = TorchDynamoException
"""What the first forward pass of a compiled layer raises when it cannot be compiled."""

_LENGTHS = np.array([29, 17, 5])  # 51 tokens, 48 trained ones, 4 boundaries, the longest 29


def is_compiled(stage: StageTraining) -> bool:
    """Whether a stage's layers are compiled here: `auto` says yes on a GPU, but for models in 4 bits."""
    if stage.compile == "auto":
        return torch.cuda.is_available() and not (stage.adapter and stage.adapter.kind == "qlora")
    return stage.compile


def compile_layers(model: "PreTrainedModel") -> None:
    """Compile each layer's forward pass when it first runs; weights and their names stay as they are."""
    for layer in model.get_decoder().layers:
        layer.forward = torch.compile(layer.forward, dynamic=True)


def compile_objective(objective: "PackedObjective", device: torch.device) -> None:
    """Compile the layers and, on a GPU, the loss, for packs of all sizes; gradients stay as they are."""
    compile_layers(objective.model)
    objective.fused_loss = device.type == "cuda"
    _warm_up(objective, device)


def _warm_up(objective: "PackedObjective", device: torch.device) -> None:
    """Make the graphs of training and of scoring; random numbers are as before."""
    pack = Row(np.zeros(_LENGTHS.sum(), np.int64), _LENGTHS, None)
    batch = to_device(collate([pack]), device)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []), objective.in_precision():
        objective.train()
        objective(**batch)["loss"].backward()
        with torch.no_grad():
            objective.eval()
            objective(**batch, per_token=True)
    objective.train()
    objective.zero_grad(set_to_none=True)
