"""Fully sharded data parallelism (FSDP2): a process keeps its part of every weight, gradient and average.

The weights of a decoder layer are gathered while the layer runs and freed after it (Rajbhandari et al. 2020,
"ZeRO", stage 3; Zhao et al. 2023, "PyTorch FSDP"; here by `torch.distributed.fsdp.fully_shard`). Embeddings,
the output head and the last norm are gathered while the whole objective runs, so that the loss in chunks sees
the whole head.

Checkpoints hold whole tensors, so any number of processes may go on from them, sharded or not.
"""

from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.utils._pytree import tree_map_only

from trainers.model import decoder_layers

if TYPE_CHECKING:
    from trainers.objective import PackedObjective


def shard(objective: "PackedObjective", device: torch.device, bfloat16: bool) -> None:
    """Leave on this process its part of the weights, on `device`; every process must call it.

    Args:
        objective: The whole model with its loss, the same in every process.
        device: Where this process computes.
        bfloat16: Gather and multiply weights in bfloat16. The parts, which the optimizer changes, and sums
            of gradients stay float32.
    """
    mesh = init_device_mesh(device.type, (dist.get_world_size(),))
    precision = MixedPrecisionPolicy(torch.bfloat16, torch.float32) if bfloat16 else MixedPrecisionPolicy()
    for module in (*decoder_layers(objective.model), objective):
        fully_shard(module, mesh=mesh, mp_policy=precision, reshard_after_forward=True)
    register_fsdp_forward_method(objective, "logits")


def is_sharded(module: torch.nn.Module) -> bool:
    """Whether `shard` was called on it."""
    return isinstance(module, FSDPModule)


def gathered(state: Any, keep: bool) -> Any:
    """Nested containers with whole tensors, on the CPU, in place of sharded ones; every process must call it.

    Args:
        state: What `state_dict` gives. Weights that are tied must be the same object (`keep_vars=True`).
        keep: False: take part and get empty tensors instead.
    """
    found: dict[int, torch.Tensor] = {}

    def gather(tensor: DTensor) -> torch.Tensor:
        if id(tensor) not in found:
            whole = tensor.detach().full_tensor()
            found[id(tensor)] = whole.cpu() if keep else torch.empty(0)
        return found[id(tensor)]

    return tree_map_only(DTensor, gather, state)


def shard_optimizer_state(state: dict[str, Any], optimizer: torch.optim.Optimizer) -> None:
    """Replace the whole tensors in an optimizer's saved `state` by the parts that this process keeps."""
    for saved, group in zip(state["param_groups"], optimizer.param_groups, strict=True):
        for number, parameter in zip(saved["params"], group["params"], strict=True):
            if isinstance(parameter, DTensor):
                state["state"][number] = {
                    name: _part(value, parameter) if value.shape == parameter.shape else value
                    for name, value in state["state"].get(number, {}).items()
                }


def _part(whole: torch.Tensor, like: DTensor) -> DTensor:
    return distribute_tensor(whole.to(like.device), like.device_mesh, like.placements, src_data_rank=None)
