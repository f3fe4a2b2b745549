"""Where and in which precision matrices are multiplied. Weights, gradients and AdamW's state stay float32."""

import torch

from trainers.config import Dtype


def default_device() -> torch.device:
    """The GPU when there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def in_bfloat16(dtype: Dtype) -> bool:
    """Whether products are in bfloat16; `auto` says yes where the hardware multiplies it fast."""
    if dtype == "auto":
        return torch.cuda.is_available() or torch.cpu._is_amx_tile_supported()
    return dtype == "bfloat16"


def autocast(dtype: Dtype) -> torch.autocast:
    """Automatic mixed precision on the default device, or none."""
    return torch.autocast(default_device().type, dtype=torch.bfloat16, enabled=in_bfloat16(dtype))
