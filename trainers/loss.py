"""Next-token cross-entropy from hidden states, in chunks, so that no full matrix of logits ever exists.

A pack of 16k tokens with a vocabulary of 150k needs 10 GB of float32 logits, and as much for their gradient;
on a CPU the same matrix falls out of every cache. Chunks of rows give the same numbers. Gradients are
computed together with the loss, so that no logits are made twice (as in Liger Kernel, Hsu et al. 2024).
"""

from typing import Any

import torch
from torch import Tensor

from trainers.loader import IGNORED

_CHUNK_BYTES = {
    "cpu": 8 * 2**20,
    "cuda": 512 * 2**20,
}  # of float32 logits: what the last cache holds, what keeps it busy
_LEAST_ROWS = 256  # each chunk reads the head and changes its gradient, which fewer rows would not repay


def linear_cross_entropy(hidden: Tensor, head: Tensor, targets: Tensor, count: Tensor | float) -> Tensor:
    """Sum of the cross-entropy of `softmax(hidden @ head.T)` against `targets`, divided by `count`.

    Args:
        hidden: `[tokens, width]`.
        head: `[vocabulary, width]`, the output embeddings.
        targets: int64 `[tokens]`, no ignored entries.
        count: Number of tokens trained in the whole optimizer step, over all its micro batches.

    Returns:
        A float32 scalar with gradients for `hidden` and `head`.
    """
    loss: Tensor = _LinearCrossEntropy.apply(hidden, head, targets, 1.0 / float(count))
    return loss


@torch.no_grad()
def token_losses(hidden: Tensor, head: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy in nats of each token, float32 `[tokens]`; arguments as above."""
    dtype = _product_dtype(hidden)
    head = head.to(dtype)
    losses = torch.empty(len(targets), dtype=torch.float32, device=hidden.device)
    for rows in _chunks(targets, head):
        log_probabilities = torch.log_softmax((hidden[rows].to(dtype) @ head.T).float(), dim=-1)
        losses[rows] = -log_probabilities.gather(1, targets[rows, None])[:, 0]
    return losses


def next_tokens(labels: Tensor) -> tuple[Tensor, Tensor]:
    """Positions whose next token is trained, and those tokens, of one flat pack.

    Args:
        labels: int64 `[1, tokens]`, the ids themselves or `IGNORED`.

    Returns:
        int64 `[trained]` positions and int64 `[trained]` target ids; position p predicts the token at p + 1.
    """
    positions = (labels[0, 1:] != IGNORED).nonzero()[:, 0]
    return positions, labels[0, positions + 1]


def _product_dtype(hidden: Tensor) -> torch.dtype:
    kind = hidden.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else hidden.dtype


def _chunks(targets: Tensor, head: Tensor) -> list[slice]:
    size = max(_LEAST_ROWS, _CHUNK_BYTES[targets.device.type] // (4 * len(head)))
    return [slice(start, min(start + size, len(targets))) for start in range(0, len(targets), size)]


class _LinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: Tensor, head: Tensor, targets: Tensor, scale: float) -> Tensor:
        dtype = _product_dtype(hidden)
        product_head = head.to(dtype)
        loss = torch.zeros((), dtype=torch.float32, device=hidden.device)
        hidden_gradient = torch.empty_like(hidden) if ctx.needs_input_grad[0] else None
        summed = torch.promote_types(head.dtype, torch.float32)  # chunks add up, so bfloat16 would not do
        head_gradient = torch.zeros_like(head, dtype=summed) if ctx.needs_input_grad[1] else None
        for rows in _chunks(targets, head):
            chunk, chunk_targets = hidden[rows].to(dtype), targets[rows, None]
            log_probabilities = torch.log_softmax((chunk @ product_head.T).float(), dim=-1)
            loss -= log_probabilities.gather(1, chunk_targets).sum()
            gradient = log_probabilities.exp_()  # of the logits: softmax, minus one at the target
            gradient.scatter_add_(1, chunk_targets, gradient.new_full(chunk_targets.shape, -1.0))
            gradient = gradient.to(dtype)
            if hidden_gradient is not None:
                hidden_gradient[rows] = gradient @ product_head
            if head_gradient is not None and head_gradient.dtype == dtype:
                head_gradient.addmm_(gradient.T, chunk)
            elif head_gradient is not None:
                head_gradient += gradient.T @ chunk
        ctx.save_for_backward(hidden_gradient, head_gradient)
        ctx.scale = scale
        return loss * scale

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        hidden_gradient, head_gradient = ctx.saved_tensors
        factor = gradients[0] * ctx.scale
        return (
            None if hidden_gradient is None else hidden_gradient.mul_(factor),
            None if head_gradient is None else head_gradient.mul_(factor),
            None,
            None,
        )
