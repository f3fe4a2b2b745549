"""Tokens that the run's tokenizer has and the model's own lacks: which they are, their first embeddings."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trainers.config import SmallModel
from trainers.model import vocabulary_size

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def new_tokens(model: str | Path | SmallModel, tokenizer_folder: Path | None) -> dict[int, tuple[int, ...]]:
    """The ids that the model's own tokenizer lacks, each with that one's ids for the same text.

    None for a new model, and where the model does not say which tokenizer it has.

    Raises:
        TokenizerError: The two tokenizers give the same token different ids.
    """
    from tokenizer_tools.load import TokenizerError, load_tokenizer
    from tokenizer_tools.vocabulary.extend import added_tokens

    if tokenizer_folder is None or isinstance(model, SmallModel):
        return {}
    try:
        own, used = load_tokenizer(model), load_tokenizer(tokenizer_folder)
    except TokenizerError:
        return {}
    return added_tokens(own, used)


def add_embeddings(model: "PreTrainedModel", tokens: Mapping[int, Sequence[int]]) -> None:
    """Give each new token the mean of the embeddings of the old tokens that its text was cut into.

    Input and output embeddings alike; tied ones stay tied. A token without pieces gets the mean of all.
    (Hewitt 2021, "Initializing New Word Embeddings for Pretrained Language Models"; Yao et al. 2021,
    "Adapt-and-Distill", for the mean over pieces.)

    Args:
        model: Changed in place; it gets more rows where it has too few.
        tokens: New id to old ids.
    """
    import torch

    old = model.get_input_embeddings().weight.shape[0]
    if max(tokens) >= old:
        model.resize_token_embeddings(vocabulary_size(max(tokens)), mean_resizing=False)
    with torch.no_grad():
        for embeddings in (model.get_input_embeddings(), model.get_output_embeddings()):
            weight = embeddings.weight
            mean = weight[:old].mean(dim=0)
            weight[old:] = mean
            for number, pieces in tokens.items():
                weight[number] = weight[list(pieces)].mean(dim=0) if pieces else mean
