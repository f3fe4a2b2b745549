"""Attention over packed rows: every document attends to itself alone, by explicit cumulative lengths.

Registered with transformers under the name `coupage_varlen`, with a mask function that builds no mask. The
boundaries always arrive as keyword arguments and are never inferred from position ids, because transformers
infers them only without a cache and without a mask, and otherwise lets documents leak into each other
silently.
"""

from collections.abc import Callable
from inspect import signature
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention import varlen
from torch.nn.functional import scaled_dot_product_attention

NAME = "coupage_varlen"


def register() -> str:
    """Make the attention known to transformers; returns the name to pass as `attn_implementation`."""
    from transformers import AttentionInterface, AttentionMaskInterface

    AttentionInterface.register(NAME, varlen_attention)
    AttentionMaskInterface.register(NAME, _no_mask)
    return NAME


def use_kernels(name: str) -> None:
    """Compute attention on a GPU with the kernels `FA2` (torch's own), `FA3` or `FA4`, from now on.

    Raises:
        ValueError: They are not installed, or this torch cannot use them.
    """
    if name == "FA2":
        return
    try:
        from torch.nn.attention import activate_flash_attention_impl

        activate_flash_attention_impl(name)
    except (ImportError, RuntimeError, ValueError) as error:
        package = {"FA3": "flash-attn-3", "FA4": "flash-attn-4"}[name]
        raise ValueError(
            f"The kernels {name} cannot be used: {error}. Install {package} and torch 2.11 or later, or set"
            " `flash_attention: FA2`."
        ) from error


def _no_mask(*_args: Any, **_kwargs: Any) -> None:
    return None


def varlen_attention(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    scaling: float | None = None,
    dropout: float = 0.0,
    sliding_window: int | None = None,
    cu_seq_lens_q: Tensor | None = None,
    max_length_q: int | None = None,
    softcap: float | None = None,
    s_aux: Tensor | None = None,
    **_kwargs: Any,
) -> tuple[Tensor, None]:
    """Causal attention inside each document of one flat pack.

    Args:
        module: The model's attention layer (unused; part of transformers' interface).
        query: `[1, heads, tokens, head_size]`.
        key: `[1, kv_heads, tokens, head_size]`.
        value: `[1, kv_heads, tokens, head_size]`.
        attention_mask: Must be None.
        scaling: Factor of the scores; None means 1/√head_size.
        dropout: Must be 0.
        sliding_window: A token sees at most this many tokens, itself included; None means all before it.
        cu_seq_lens_q: int32 `[documents + 1]`, where each document starts, then the number of tokens.
        max_length_q: Length of the longest document.
        softcap: Must be None; no path here applies it.
        s_aux: Must be None (attention sinks); no path here applies them.

    Returns:
        `[1, tokens, heads, head_size]`, and None for the weights.

    Raises:
        ValueError: The document boundaries are missing, or the model asks for something not computed here.
    """
    if cu_seq_lens_q is None or max_length_q is None:
        raise ValueError(
            f"The attention '{NAME}' needs cu_seq_lens_q and max_length_q with every call. To generate text"
            " or to use the model elsewhere, load its checkpoint without attn_implementation."
        )
    if attention_mask is not None or query.shape[0] != 1:
        raise ValueError(f"The attention '{NAME}' takes one flat pack and no attention mask.")
    if softcap is not None or s_aux is not None or dropout:
        raise ValueError(
            f"The attention '{NAME}' computes no soft cap, no attention sinks and no attention dropout, and"
            " this model asks for one of them, so it cannot be trained on packed rows."
        )
    if query.is_cuda and _half_dtype(query) is not None:
        return _flash(query, key, value, cu_seq_lens_q, max_length_q, scaling, sliding_window), None
    return _per_document(query, key, value, cu_seq_lens_q, scaling, sliding_window), None


def _half_dtype(query: Tensor) -> torch.dtype | None:
    """The 16-bit type that this call computes in, or None for float32."""
    if query.dtype in (torch.bfloat16, torch.float16):
        return query.dtype
    return torch.get_autocast_dtype("cuda") if torch.is_autocast_enabled("cuda") else None


Kernel = Callable[[Tensor, Tensor, Tensor, Tensor, int, float | None, int | None], Tensor]
"""From queries `[tokens, heads, head_size]`, keys, values, boundaries, the longest document, scale and window
to outputs like the queries."""


def causal_kernel(varlen_attn: Callable[..., Any]) -> Kernel:
    """`varlen_attn` of any version of torch from 2.10 on, with what it has no argument for done around it.

    2.10 has `is_causal`, no scale and no window. 2.11 has both, and takes grouped heads without being told.
    2.12 asks for `enable_gqa`.
    """
    known = signature(varlen_attn).parameters

    def attend(
        query: Tensor,
        key: Tensor,
        value: Tensor,
        boundaries: Tensor,
        longest: int,
        scale: float | None,
        window: int | None,
    ) -> Tensor:
        options: dict[str, Any] = {}
        if "window_size" in known:
            options["window_size"] = (-1 if window is None else window - 1, 0)
        elif window is not None:
            raise ValueError(
                f"torch {torch.__version__} computes no sliding window over packed documents; install"
                " torch 2.11 or later."
            )
        else:
            options["is_causal"] = True
        if "scale" in known:
            options["scale"] = scale
        elif scale is not None:
            query = query * (scale * query.shape[-1] ** 0.5)
        if "enable_gqa" in known:
            options["enable_gqa"] = query.shape[1] != key.shape[1]
        output: Tensor = varlen_attn(query, key, value, boundaries, boundaries, longest, longest, **options)
        return output

    return attend


_attend = causal_kernel(varlen.varlen_attn)


def _flash(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    boundaries: Tensor,
    longest: int,
    scaling: float | None,
    sliding_window: int | None,
) -> Tensor:
    """CUDA: one kernel over all documents. Norms on queries and keys may give float32: cast."""
    dtype = _half_dtype(query)
    flat_query, flat_key, flat_value = (x[0].transpose(0, 1).to(dtype) for x in (query, key, value))
    output = _attend(flat_query, flat_key, flat_value, boundaries, longest, scaling, sliding_window)
    return output.unsqueeze(0)


@torch.compiler.disable  # a graph would hold one number of documents
def _per_document(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    boundaries: Tensor,
    scaling: float | None,
    sliding_window: int | None,
) -> Tensor:
    """CPU and float32: attention document by document; exact, and flat in the length of the row.

    Computed in float32 always, because the backward pass of a CPU is twice as slow in bfloat16.
    """
    lengths = boundaries.diff().tolist()
    outputs = []
    with torch.autocast(query.device.type, enabled=False):
        documents = zip(*(x.float().split(lengths, dim=2) for x in (query, key, value)), strict=True)
        for length, (q, k, v) in zip(lengths, documents, strict=True):
            window = None if sliding_window is None or length <= sliding_window else sliding_window
            outputs.append(
                scaled_dot_product_attention(
                    q,
                    k,
                    v,
                    attn_mask=None if window is None else _band(length, window, query.device),
                    is_causal=window is None,
                    scale=scaling,
                    enable_gqa=query.shape[1] != key.shape[1],
                )
            )
        return torch.cat(outputs, dim=2).transpose(1, 2).to(query.dtype)


def _band(length: int, window: int, device: torch.device) -> Tensor:
    """`[length, length]`, true where a query sees a key: itself or fewer than `window` tokens before."""
    distance = torch.arange(length, device=device)[:, None] - torch.arange(length, device=device)[None, :]
    return (distance >= 0) & (distance < window)
