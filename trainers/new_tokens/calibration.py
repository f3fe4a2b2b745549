"""New tokens get no more probability than they are due.

Rows that look like those of old tokens take probability from all of these: the more, the more new tokens
there are and the less a model is sure of. All new rows of the head are moved along the mean last state, which
lowers the logits of all new tokens nearly alike, until they have together the probability that they have in
the stage's text. A head with a bias has it for that.
"""

from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from trainers.new_tokens.states import hidden_states

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from mixers.shards import Shards

_DOCUMENTS, _TOKENS = 16, 64
_ROUNDS = 8


@torch.no_grad()
def calibrate(model: "PreTrainedModel", tokens: Collection[int], shards: "Shards") -> None:
    """Lower, or raise, what the head gives to `tokens`; nothing is done where the sample holds none of them.

    Args:
        model: With rows for the tokens, which are changed in place.
        tokens: New ids.
        shards: Text in new tokens, of which a sample of a thousand is read.
    """
    documents = _sample(shards)
    head, new = model.get_output_embeddings(), torch.tensor(list(tokens), device=model.device)
    states = hidden_states(model, documents, model.get_input_embeddings().weight)
    ids = torch.from_numpy(np.concatenate(documents)).to(model.device)
    ends = np.cumsum([len(document) for document in documents]) - 1
    predicting = torch.ones(len(ids), dtype=torch.bool, device=model.device)
    predicting[ends] = False
    due = torch.isin(ids[1:][predicting[:-1]], new).float().mean()
    if not 0 < due < 1:
        return
    states = states[predicting]
    mean = states.mean(dim=0)
    along = states @ mean / mean.square().sum() if head.bias is None else torch.ones(len(states))
    excess = _excess(head(states).float(), new, due, along)
    if head.bias is None:
        head.weight[new] -= excess * mean / mean.square().sum()
    else:
        head.bias[new] -= excess


def _excess(logits: Tensor, new: Tensor, due: Tensor, along: Tensor) -> Tensor:
    """By how much the logits of new tokens are too high.

    Args:
        logits: `[states, vocabulary]`.
        new: New ids.
        due: The probability of all of them that is due.
        along: `[states]`, what reaches each state of a change by one.
    """
    of_new = logits[:, new].logsumexp(dim=1)
    logits[:, new] = -torch.inf
    of_old = logits.logsumexp(dim=1)
    excess = torch.zeros(())
    for _ in range(_ROUNDS):
        given = torch.sigmoid(of_new - excess * along - of_old).mean()
        excess = excess + given.logit() - due.logit()
    return excess


def _sample(shards: "Shards") -> list[np.ndarray]:
    """The beginnings of some documents, from all over the shards."""
    rows = np.unique(np.linspace(0, len(shards) - 1, _DOCUMENTS).astype(int))
    packs = [shards[int(row)] for row in rows]
    return [pack.input_ids[: min(_TOKENS, pack.seq_lengths[0])].astype(np.int64) for pack in packs]
