"""Input embeddings of new tokens, trained so that the model reads them as it reads their pieces.

Dobler et al. 2025, "Token Distillation: Attention-aware Input Embeddings for New Tokens": on snippets of text
the mean squared error between the last hidden states that the frozen model has for the text in new tokens,
and those that it has for the same text in old ones, is minimised over the new rows alone. The snippets are of
the stage's own shards, where new tokens are already in their places.
"""

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import mse_loss
from torch.optim.lr_scheduler import LambdaLR

from trainers.new_tokens.find import Pieces
from trainers.new_tokens.states import hidden_states

if TYPE_CHECKING:
    import numpy.typing as npt
    from transformers import PreTrainedModel

    from mixers.shards import Shards

    Ids = npt.NDArray[np.int64]

SNIPPET_TOKENS = 50
SNIPPETS = 100
"""For each new token at most; the authors saw little gain beyond these two."""
BATCH = 16
RATE = 0.01
"""Learning rate, as a share of the typical size of a number in the old embeddings: the authors' 1e-4 is that
for Llama 3."""


def distil(model: "PreTrainedModel", tokens: Mapping[int, Pieces], rows: Tensor, shards: "Shards") -> Tensor:
    """Better input embeddings for `tokens` than `rows`, which they begin as; the model itself stays.

    Args:
        model: The model as it was, without rows for the new tokens.
        tokens: New ids, in the order of `rows`, with their pieces; none is without.
        rows: `[new tokens, hidden size]`.
        shards: Text in new tokens.
    """
    old = model.get_input_embeddings().weight.detach()
    undoing = _Undoing(tokens, max(len(old), max(tokens) + 1))
    snippets = list(_snippets(shards, undoing.is_new))
    steps = math.ceil(len(snippets) / BATCH)
    rows = rows.clone().requires_grad_()
    optimizer = torch.optim.Adam([rows], lr=RATE * float(old.square().mean().sqrt()))
    schedule = LambdaLR(optimizer, lambda step: 1 - step / max(1, steps))
    for step in range(steps):
        rows.grad = _gradient(model, rows, old, snippets[step::steps], undoing)
        optimizer.step()
        schedule.step()
    return rows.detach()


def _gradient(
    model: "PreTrainedModel", rows: Tensor, old: Tensor, snippets: "list[Ids]", undoing: "_Undoing"
) -> Tensor:
    pieces, last = zip(*map(undoing.undo, snippets), strict=True)
    with torch.no_grad():
        aim = hidden_states(model, pieces, old)
    starts = np.cumsum([0, *map(len, pieces[:-1])])
    read = [undoing.rows(snippet, len(old)) for snippet in snippets]
    reached = hidden_states(model, read, torch.cat([old, rows]))
    same_places = np.concatenate([start + places for start, places in zip(starts, last, strict=True)])
    (gradient,) = torch.autograd.grad(mse_loss(reached, aim[same_places]), [rows])
    return gradient


class _Undoing:
    """Ids with their new tokens replaced by pieces."""

    def __init__(self, tokens: Mapping[int, Pieces], vocabulary: int) -> None:
        pieces = [tokens.get(number, (number,)) for number in range(vocabulary)]
        self._lengths = np.array([len(each) for each in pieces])
        self._starts = np.cumsum(self._lengths) - self._lengths
        self._pieces = np.array([piece for each in pieces for piece in each])
        self._places = np.full(vocabulary, -1)
        self._places[list(tokens)] = np.arange(len(tokens))
        self.is_new = self._places >= 0

    def undo(self, ids: "Ids") -> "tuple[Ids, Ids]":
        """The old ids, and where among them the last piece of each of `ids` stands."""
        lengths = self._lengths[ids]
        ends = np.cumsum(lengths)
        within = np.arange(ends[-1]) - np.repeat(ends - lengths, lengths)
        return self._pieces[np.repeat(self._starts[ids], lengths) + within], ends - 1

    def rows(self, ids: "Ids", first: int) -> "Ids":
        """The ids with new tokens numbered from `first`, in the order of their rows."""
        return np.where(self.is_new[ids], first + self._places[ids], ids)


def _snippets(shards: "Shards", is_new: "npt.NDArray[np.bool_]") -> "Iterator[Ids]":
    """Stretches of documents that show a new token that has not been shown often enough, in their order."""
    shown = np.zeros(len(is_new), np.int64)
    for row in range(len(shards)):
        pack = shards[row]
        for document in np.split(pack.input_ids.astype(np.int64), np.cumsum(pack.seq_lengths)[:-1]):
            for start in range(0, len(document), SNIPPET_TOKENS):
                snippet = document[start : start + SNIPPET_TOKENS]
                new = np.unique(snippet[is_new[snippet]])
                if (shown[new] < SNIPPETS).any():
                    shown[new] += 1
                    yield snippet
