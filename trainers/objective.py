"""What is minimised: the cross-entropy of the trained tokens of a packed batch, as one module.

The module is what `transformers.Trainer` trains, so that distributed wrappers see one forward pass from ids
to loss.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from trainers.loader import Row, collate, to_device
from trainers.loss import linear_cross_entropy, next_tokens, token_losses
from trainers.precision import bfloat16_weights

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class PackedObjective(nn.Module):
    """A causal language model together with its loss on batches of `trainers.loader.collate`."""

    accepts_loss_kwargs = True  # tells transformers.Trainer to pass num_items_in_batch

    def __init__(self, model: "PreTrainedModel") -> None:
        super().__init__()
        self.model = model
        self.bfloat16 = False
        """Whether `in_precision` computes in bfloat16."""
        self.fused_loss = False
        """Whether the loss is compiled."""
        self.plain_head = self._logits_are_products()

    def in_precision(self) -> AbstractContextManager[None]:
        """Around a forward pass and its backward pass: the weights in the precision to compute in."""
        return bfloat16_weights(self.model) if self.bfloat16 else nullcontext()

    def forward(
        self,
        input_ids: Tensor,
        labels: Tensor,
        num_items_in_batch: Tensor | int | None = None,
        per_token: bool = False,
        **packing: Any,
    ) -> dict[str, Tensor]:
        """Loss of one flat pack.

        Args:
            input_ids: int64 `[1, tokens]`.
            labels: int64 `[1, tokens]`.
            num_items_in_batch: Trained tokens in the whole optimizer step; None: those of this batch.
            per_token: Give the loss of each trained token instead of the mean, without gradients.
            **packing: Positions and cumulative lengths for the model.

        Returns:
            `{"loss": scalar}`, or with `per_token` `{"positions": [trained], "losses": [trained]}` where
            position p is that of the token before the predicted one.
        """
        positions, targets = next_tokens(labels)
        items = len(targets) if num_items_in_batch is None else num_items_in_batch
        scale = 1 / torch.as_tensor(items, device=input_ids.device).clamp(min=1).float()
        if self.plain_head:
            hidden, head = self._hidden(input_ids, packing)[positions], self._head()
            if per_token:
                return {"positions": positions, "losses": token_losses(hidden, head, targets)}
            return {"loss": linear_cross_entropy(hidden, head, targets, scale, self.fused_loss)}
        logits = self._logits(input_ids, packing | {"logits_to_keep": positions}).float()
        if per_token:
            return {"positions": positions, "losses": cross_entropy(logits, targets, reduction="none")}
        return {"loss": cross_entropy(logits, targets, reduction="sum") * scale}

    def logits(self, input_ids: Tensor, labels: Tensor | None = None, **packing: Any) -> Tensor:
        """The logits `[tokens, vocabulary]` of one flat pack, as training makes them; labels are not used."""
        if self.plain_head:
            return self._hidden(input_ids, packing) @ self._head().T
        return self._logits(input_ids, packing)

    def _logits(self, input_ids: Tensor, inputs: dict[str, Any]) -> Tensor:
        logits: Tensor = self.model(input_ids=input_ids, use_cache=False, **inputs).logits[0]
        return logits

    def _hidden(self, input_ids: Tensor, packing: dict[str, Any]) -> Tensor:
        hidden: Tensor = self.model.get_decoder()(input_ids=input_ids, use_cache=False, **packing)[0][0]
        return hidden

    def _head(self) -> Tensor:
        head: Tensor = self.model.get_output_embeddings().weight
        return head

    @torch.no_grad()
    def _logits_are_products(self) -> bool:
        """Whether logits are hidden states times output embeddings, with no bias, factor or cap after it."""
        batch = collate([Row(np.arange(2), np.array([2]), None)])
        del batch["labels"]
        batch = to_device(batch, self.model.device)
        input_ids = batch.pop("input_ids")
        logits = self._logits(input_ids, batch)
        product = self._hidden(input_ids, batch) @ self._head().T
        return bool(torch.allclose(logits.float(), product.float(), rtol=1e-3, atol=1e-4))
