"""The hidden states that a frozen model has for token ids, alone or inside snippets of text."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor
from torch.func import functional_call

from trainers.loader import Row, collate, to_device

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def hidden_states(
    model: "PreTrainedModel", documents: Sequence[np.ndarray], embeddings: Tensor, layer: int = -1
) -> Tensor:
    """The states `[tokens, hidden size]` of all tokens of the documents, none of which sees another.

    Args:
        model: Loaded by `trainers.model.load_model`.
        documents: Ids of each.
        embeddings: The matrix of input embeddings to use, `[at least the largest id + 1, hidden size]`.
        layer: After which decoder layer; -1: after the last one and its norm.
    """
    lengths = np.array([len(document) for document in documents])
    batch = to_device(collate([Row(np.concatenate(documents), lengths, None)]), model.device)
    ids = batch.pop("input_ids")
    del batch["labels"]
    inputs = functional_call(model.get_input_embeddings(), {"weight": embeddings}, (ids,))
    output = model.get_decoder()(
        inputs_embeds=inputs, use_cache=False, output_hidden_states=layer >= 0, **batch
    )
    states: Tensor = output[0] if layer < 0 else output.hidden_states[layer]
    return states[0]
