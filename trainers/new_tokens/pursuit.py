"""New tokens as sparse combinations of old ones, found by orthogonal matching pursuit.

Goddard & Fernandes Neto 2025, "Training-Free Tokenizer Transplantation via Orthogonal Matching Pursuit": in
the space of a donor model, which knows old and new tokens, each new token is written as a combination of a
few old ones; the same combination of the model's own rows is its embedding. Here is no donor. Its part is
played by the model's own hidden states half way up: there a model has put the pieces of a word together
(Kaplan et al. 2025, "From Tokens to Words"), so the state of the last piece stands for the new token, and the
state of an old token, read alone, for that one.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from tokenizer_tools.encode import control_tokens
from tokenizer_tools.load import TokenizerFiles
from trainers.model import decoder_layers
from trainers.new_tokens.combinations import Combinations
from trainers.new_tokens.find import Pieces
from trainers.new_tokens.states import hidden_states

if TYPE_CHECKING:
    from transformers import PreTrainedModel

TERMS = 64
"""Old tokens in a combination at most: the default of the authors' program, mergekit-tokensurgeon."""
_BATCH = 256
_TOKENS_AT_ONCE = 4096


def pursue(model: "PreTrainedModel", tokens: Sequence[Pieces], own: TokenizerFiles) -> Combinations:
    """Combinations for new tokens, given by their pieces, of all others than the control tokens of `own`.

    Each is read after the token that begins or ends a text, because the state of a text's first token says
    little of it (Xiao et al. 2024, "Efficient Streaming Language Models with Attention Sinks").
    """
    first = own.token_id(own.begin_token or own.end_token)
    old = sorted(set(own.vocabulary.values()) - set(control_tokens(own).values()))
    atoms = _last_states(model, [(number,) for number in old], first)
    targets = _last_states(model, tokens, first)
    centre = atoms.mean(dim=0)
    terms = min(TERMS, atoms.shape[1] // 2, len(old))
    chosen, weights = matching_pursuit(targets - centre, atoms - centre, terms)
    ids = torch.tensor(old)[chosen.cpu()]
    return Combinations.of(zip(ids.tolist(), weights.tolist(), strict=True))


def matching_pursuit(targets: Tensor, atoms: Tensor, terms: int) -> tuple[Tensor, Tensor]:
    """Each target as a combination of `terms` atoms (Pati et al. 1993, "Orthogonal Matching Pursuit").

    Args:
        targets: `[targets, dimensions]`.
        atoms: `[atoms, dimensions]`.
        terms: At most as many as there are dimensions and atoms.

    Returns:
        Numbers of atoms, int64 `[targets, terms]`, and their weights, of the same shape.
    """
    found = [_pursue_batch(batch, atoms, normalize(atoms), terms) for batch in targets.split(_BATCH)]
    return torch.cat([chosen for chosen, _ in found]), torch.cat([weights for _, weights in found])


def _pursue_batch(targets: Tensor, atoms: Tensor, directions: Tensor, terms: int) -> tuple[Tensor, Tensor]:
    chosen = torch.empty(len(targets), 0, dtype=torch.int64, device=targets.device)
    residual = targets
    for _ in range(terms):
        likeness = (residual @ directions.T).abs().scatter(1, chosen, -1.0)
        chosen = torch.cat([chosen, likeness.argmax(dim=1, keepdim=True)], dim=1)
        basis = atoms[chosen].transpose(1, 2)
        weights = torch.linalg.lstsq(basis, targets[:, :, None]).solution
        residual = targets - (basis @ weights)[:, :, 0]
    return chosen, weights[:, :, 0]


@torch.no_grad()
def _last_states(model: "PreTrainedModel", tokens: Sequence[Pieces], first: int) -> Tensor:
    """The state of the last piece of each, half way up the decoder."""
    layer = len(decoder_layers(model)) // 2
    documents = [np.array([first, *pieces]) for pieces in tokens]
    at_once = _TOKENS_AT_ONCE // max(map(len, documents))
    states = []
    for start in range(0, len(documents), at_once):
        batch = documents[start : start + at_once]
        last = np.cumsum([len(document) for document in batch]) - 1
        states.append(hidden_states(model, batch, model.get_input_embeddings().weight, layer)[last])
    return torch.cat(states)
