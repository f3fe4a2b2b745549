"""Next-token cross-entropy from hidden states, in chunks, so that no full matrix of logits ever exists.

A pack of 16k tokens with a vocabulary of 150k needs 10 GB of float32 logits, and as much for their gradient;
on a CPU the same matrix falls out of every cache. Chunks of rows give the same numbers. Gradients are
computed together with the loss, so that no logits are made twice (as in Liger Kernel, Hsu et al. 2024).
"""

import math
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from trainers.loader import IGNORED

# Of logits: what the last cache holds; what keeps a GPU busy, more where nothing else of that size is kept.
_CHUNK_BYTES = {"cpu": 8 * 2**20, "cuda": 256 * 2**20}
_FUSED_CHUNK_BYTES = {"cpu": 8 * 2**20, "cuda": 1280 * 2**20}
_LEAST_ROWS = 256  # each chunk reads the head and changes its gradient, which fewer rows would not repay


def linear_cross_entropy(
    hidden: Tensor, head: Tensor, targets: Tensor, scale: Tensor, fused: bool = False
) -> Tensor:
    """Sum of the cross-entropy of `softmax(hidden @ head.T)` against `targets`, times `scale`.

    Args:
        hidden: `[tokens, width]`.
        head: `[vocabulary, width]`, the output embeddings.
        targets: int64 `[tokens]`, no ignored entries.
        scale: A scalar: one by the number of tokens trained in the optimizer step, in all its micro batches.
        fused: Loss and gradient of a chunk in one compiled function.

    Returns:
        A float32 scalar with gradients for `hidden` and `head`.
    """
    loss: Tensor = _LinearCrossEntropy.apply(hidden, head, targets, scale, fused)
    return loss


@torch.no_grad()
def token_losses(hidden: Tensor, head: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy in nats of each token, float32 `[tokens]`; arguments as above."""
    losses = torch.empty(len(targets), dtype=torch.float32, device=hidden.device)
    for rows in _chunks(len(targets), head, fused=False):
        log_probabilities = torch.log_softmax(hidden[rows] @ head.T, dim=-1, dtype=torch.float32)
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


def _chunks(tokens: int, head: Tensor, fused: bool) -> list[slice]:
    """Slices of `tokens` rows whose sizes differ by one at most."""
    most = (_FUSED_CHUNK_BYTES if fused else _CHUNK_BYTES)[head.device.type]
    size = most // (head.element_size() * len(head))
    count = math.ceil(tokens / max(_LEAST_ROWS, size))
    edges = [tokens * number // count for number in range(count + 1)] if count else []
    return [slice(start, stop) for start, stop in pairwise(edges)]


def _to_gradient(logits: Tensor, targets: Tensor, scale: Tensor) -> Tensor:
    """The summed cross-entropy times `scale`; `logits` are overwritten by its gradient."""
    log_probabilities = torch.log_softmax(logits, dim=-1, dtype=torch.float32)
    loss = -log_probabilities.gather(1, targets).sum() * scale
    gradient = log_probabilities.exp_()
    gradient.scatter_add_(1, targets, gradient.new_full(targets.shape, -1.0))
    logits.copy_(gradient.mul_(scale))
    return loss


def _to_gradient_in_one_pass(logits: Tensor, targets: Tensor, scale: Tensor) -> Tensor:
    """As `_to_gradient`, of operations that a compiler fuses: nothing as large as the logits is kept."""
    values = logits.float()
    log_sum = values.logsumexp(dim=-1, keepdim=True)
    loss = (log_sum - values.gather(1, targets)).sum() * scale
    is_target = torch.arange(logits.shape[1], device=logits.device) == targets
    logits.copy_(((values - log_sum).exp() - is_target.float()) * scale)
    return loss


@cache
def _compiled() -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    return torch.compile(_to_gradient_in_one_pass)


def _to_gradient_fused(logits: Tensor, targets: Tensor, scale: Tensor) -> Tensor:
    """As `_to_gradient`, in one compiled function for chunks of any number of rows but one."""
    if len(logits) == 1:
        return _to_gradient(logits, targets, scale)
    for chunk in (logits, targets):
        torch._dynamo.mark_dynamic(chunk, 0)
    return _compiled()(logits, targets, scale)


def _add_product(total: Tensor, left: Tensor, right: Tensor) -> None:
    """Add `left @ right` to `total`, whose type may be the wider one."""
    if total.dtype == left.dtype:
        total.addmm_(left, right)
    elif total.is_cuda:
        torch.addmm(total, left, right, out_dtype=total.dtype, out=total)
    else:
        total += left @ right


class _LinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, head: Tensor, targets: Tensor, scale: Tensor, fused: bool
    ) -> Tensor:
        to_gradient = _to_gradient_fused if fused else _to_gradient
        loss = torch.zeros((), dtype=torch.float32, device=hidden.device)
        hidden_gradient = torch.empty_like(hidden) if ctx.needs_input_grad[0] else None
        summed = torch.promote_types(head.dtype, torch.float32)  # chunks add up, so bfloat16 would not do
        head_gradient = torch.zeros_like(head, dtype=summed) if ctx.needs_input_grad[1] else None
        for rows in _chunks(len(targets), head, fused):
            gradient = hidden[rows] @ head.T  # the logits, at first
            loss += to_gradient(gradient, targets[rows, None], scale)
            if hidden_gradient is not None:
                torch.mm(gradient, head, out=hidden_gradient[rows])
            if head_gradient is not None:
                _add_product(head_gradient, gradient.T, hidden[rows])
        ctx.save_for_backward(hidden_gradient, head_gradient)
        ctx.dtype = head.dtype
        return loss

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        hidden_gradient, head_gradient = ctx.saved_tensors
        return (
            None if hidden_gradient is None else hidden_gradient.mul_(gradients[0]),
            None if head_gradient is None else head_gradient.mul_(gradients[0]).to(ctx.dtype),
            None,
            None,
            None,
        )
