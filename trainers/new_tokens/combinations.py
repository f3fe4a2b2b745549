"""New rows of a matrix as weighted sums of its old rows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag


@dataclass(frozen=True)
class Combinations:
    """For each new token some old tokens and their weights."""

    ids: Tensor
    """int64 `[terms]`: the old tokens of the first new token, then those of the second, and so on."""
    weights: Tensor
    """float32 `[terms]`."""
    offsets: Tensor
    """int64 `[new tokens]`: where the terms of each begin."""

    @classmethod
    def of(cls, terms: Iterable[tuple[Sequence[int], Sequence[float]]]) -> "Combinations":
        """From the old ids of each new token, with their weights."""
        pairs = list(terms)
        ends = torch.tensor([0, *(len(ids) for ids, _ in pairs)]).cumsum(0)
        return cls(
            torch.tensor([number for ids, _ in pairs for number in ids], dtype=torch.int64),
            torch.tensor([weight for _, weights in pairs for weight in weights], dtype=torch.float32),
            ends[:-1],
        )

    def rows(self, old: Tensor) -> Tensor:
        """The sums `[new tokens, ...]` of rows of `old`; zeros for a token without terms."""
        ids, weights, offsets = (each.to(old.device) for each in (self.ids, self.weights, self.offsets))
        flat = old.reshape(len(old), -1)
        sums = embedding_bag(ids, flat, offsets, mode="sum", per_sample_weights=weights.to(old.dtype))
        return sums.reshape(-1, *old.shape[1:])
