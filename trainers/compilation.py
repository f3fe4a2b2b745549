"""`torch.compile` of the decoder layers and of the loss.

Every pack has other lengths, so sizes are dynamic: a layer is compiled for all packs at once, and all like
layers share the result. On a GPU a layer is one graph with `varlen_attn` in it; on a CPU attention runs
document by document between two graphs.

Sizes that happen to be equal when a graph is made are taken for one size, and a pack in which they differ
compiles again. So the graphs are made in a warm-up, of a pack whose sizes all differ. On a CPU a graph may
also hold for packs above or below some number of tokens alone; so the warm-up's pack is as long as a row.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch._dynamo.exc import TorchDynamoException

from trainers.config import StageTraining
from trainers.loader import Row, collate, to_device
from trainers.model import decoder_layers

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from trainers.objective import PackedObjective

CompileError = TorchDynamoException
"""What the first forward pass of a compiled layer raises when it cannot be compiled."""

_FOR_ALL_SIZES = {"triton.mix_order_reduction_non_strict_mode": True}
"""Without it whether two sums are made together depends on the number of tokens, and so do the graphs."""


def is_compiled(stage: StageTraining) -> bool:
    """Whether a stage's layers are compiled here: `auto` says yes on a GPU, but for models in 4 bits."""
    if stage.compile == "auto":
        return torch.cuda.is_available() and not (stage.adapter and stage.adapter.kind == "qlora")
    return stage.compile


def compile_layers(model: "PreTrainedModel") -> None:
    """Compile each layer's forward pass when it first runs; weights and their names stay as they are."""
    known = torch._inductor.list_options()
    options = {name: value for name, value in _FOR_ALL_SIZES.items() if name in known}
    for layer in decoder_layers(model):
        layer.forward = torch.compile(layer.forward, dynamic=True, options=options)


def compile_objective(objective: "PackedObjective", device: torch.device, row_tokens: int) -> None:
    """Compile the layers and the loss, for packs of all sizes; gradients stay as they are.

    Args:
        objective: Where it computes, on `device`.
        device: Its device.
        row_tokens: Tokens of a full row.
    """
    compile_layers(objective.model)
    objective.fused_loss = True
    # An adapter's scale is a number that never changes; as a variable it makes graphs of LoRA take minutes.
    with torch._dynamo.config.patch(specialize_float=True):
        _warm_up(objective, to_device(collate([_pack_of_unlike_sizes(row_tokens)]), device))


def _pack_of_unlike_sizes(tokens: int) -> Row:
    """Tokens, boundaries and the longest document are odd and differ: heads and their sizes are even."""
    tokens = max(tokens, 127) | 1
    lengths = np.array([tokens - 52, 2, *[1] * 50])
    return Row(np.zeros(tokens, np.int64), lengths, None)


def _warm_up(objective: "PackedObjective", batch: dict[str, Any]) -> None:
    """Make the graphs of training and of scoring; random numbers are as before."""
    device = batch["input_ids"].device
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []), objective.in_precision():
        objective.train()
        objective(**batch)["loss"].backward()
        objective.zero_grad(set_to_none=True)
        objective.eval()
        with torch.no_grad():
            objective(**batch, per_token=True)
