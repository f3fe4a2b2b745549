"""In which precision a model computes. Weights, gradients and AdamW's averages stay float32.

In bfloat16 a micro batch is computed, forward and backward, with bfloat16 copies of the weights in their
places; gradients arrive at the float32 weights through the copies. Embeddings, the residual stream and all
between are then bfloat16 too, where autocast would keep them float32 and cast at every product. Sums inside
norms, softmax and the loss are float32 all the same.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from trainers.config import Dtype


def default_device() -> torch.device:
    """The GPU when there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def in_bfloat16(dtype: Dtype) -> bool:
    """Whether a model computes in bfloat16; `auto` says yes where the hardware multiplies it fast."""
    if dtype == "auto":
        return torch.cuda.is_available() or torch.cpu._is_amx_tile_supported()
    return dtype == "bfloat16"


@contextmanager
def bfloat16_weights(model: nn.Module) -> Iterator[None]:
    """Put bfloat16 copies in the places of the weights; whole backward passes belong inside.

    Weights that are tied stay tied. Those of other types than float32, such as 4-bit ones, stay.
    """
    copies: dict[int, Tensor] = {}
    places = [
        (module, name, weight)
        for module in model.modules()
        for name, weight in module._parameters.items()
        if weight is not None and weight.dtype == torch.float32
    ]
    for module, name, weight in places:
        if id(weight) not in copies:
            copies[id(weight)] = weight.to(torch.bfloat16)
        module._parameters[name] = copies[id(weight)]  # type: ignore[assignment]
    try:
        yield
    finally:
        for module, name, weight in places:
            module._parameters[name] = weight
