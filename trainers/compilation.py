"""`torch.compile` of the decoder layers.

Every pack has other lengths, so sizes are marked dynamic: a layer is compiled for all packs at once, and all
like layers share the result. On a GPU a layer is one graph with `varlen_attn` in it; on a CPU attention runs
document by document between two graphs. The loss, which is in chunks already, is not compiled.
"""

from typing import TYPE_CHECKING

import torch
from torch._dynamo.exc import TorchDynamoException

if TYPE_CHECKING:
    from transformers import PreTrainedModel

CompileError = TorchDynamoException
"""What the first forward pass of a compiled layer raises when it cannot be compiled."""


def compile_layers(model: "PreTrainedModel") -> None:
    """Compile each layer's forward pass when it first runs; weights and their names stay as they are."""
    for layer in model.get_decoder().layers:
        layer.forward = torch.compile(layer.forward, dynamic=True)
