"""Where and in which precision matrices are multiplied. Weights, gradients and AdamW's state stay float32."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

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


def autocast(dtype: Dtype) -> AbstractContextManager[object]:
    """On a GPU, automatic mixed precision; on a CPU nothing, because `matrix_products` does it there."""
    if torch.cuda.is_available() and in_bfloat16(dtype):
        return torch.autocast("cuda", dtype=torch.bfloat16)
    return nullcontext()


@contextmanager
def matrix_products(dtype: Dtype) -> Iterator[None]:
    """On a CPU, round the operands of float32 matrix products to bfloat16, without casting tensors.

    With AMX this makes products four times as fast, and spares the copies that automatic mixed precision
    makes.
    """
    setting = torch.backends.mkldnn.matmul
    before = setting.fp32_precision
    setting.fp32_precision = "bf16" if in_bfloat16(dtype) else "ieee"
    try:
        yield
    finally:
        setting.fp32_precision = before
