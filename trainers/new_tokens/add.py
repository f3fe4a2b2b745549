"""Rows for new tokens in a model's input and output embeddings, and how they begin."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from trainers.config import FirstEmbeddings
from trainers.model import vocabulary_size
from trainers.new_tokens.distillation import distil
from trainers.new_tokens.find import Pieces
from trainers.new_tokens.pieces import combine, earlier, later, longer, mean
from trainers.new_tokens.pursuit import pursue

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from mixers.shards import Shards
    from tokenizer_tools.load import TokenizerFiles


def add_embeddings(
    model: "PreTrainedModel",
    tokens: Mapping[int, Pieces],
    start: FirstEmbeddings = "mean",
    own: "TokenizerFiles | None" = None,
    shards: "Shards | None" = None,
    seed: int = 0,
) -> None:
    """Give each new token its rows; tied matrices stay tied.

    A token without pieces, and rows that belong to no token, begin as the mean of all old rows.

    Args:
        model: Changed in place. Its matrices grow, to a multiple of 64 rows, where an id lies beyond them.
        tokens: New ids, any, with the old ids of the same text.
        start: How they begin.
        own: The model's own tokenizer, for `length` and `omp`.
        shards: Text that has the new tokens in it, for `distill`.
        seed: Of `random`.
    """
    known = {number: pieces for number, pieces in tokens.items() if pieces}
    old = _tables(model)
    usual = {name: table.detach().mean(dim=0) for name, table in old.items()}
    begun = _first_rows(model, known, start, own, shards, seed)
    if max(tokens) >= len(old["input"]):
        model.resize_token_embeddings(vocabulary_size(max(tokens)), mean_resizing=False)
    with torch.no_grad():
        for name, table in _tables(model).items():
            table[len(old[name]) :] = usual[name]
            table[list(tokens)] = usual[name]
            table[list(known)] = begun[name]


def _tables(model: "PreTrainedModel") -> dict[str, Tensor]:
    """All that has a row for each token; a head that is tied to the input is no table of its own."""
    embeddings, head = model.get_input_embeddings(), model.get_output_embeddings()
    tables = {"input": embeddings.weight, "output": head.weight, "bias": getattr(head, "bias", None)}
    if head.weight is embeddings.weight:
        del tables["output"]
    return {name: table for name, table in tables.items() if table is not None}


def _first_rows(
    model: "PreTrainedModel",
    tokens: Mapping[int, Pieces],
    start: FirstEmbeddings,
    own: "TokenizerFiles | None",
    shards: "Shards | None",
    seed: int,
) -> dict[str, Tensor]:
    """For each table the rows of `tokens`, in their order."""
    tables = {name: table.detach() for name, table in _tables(model).items()}
    if start == "random":
        return {name: _random(table, len(tokens), seed) for name, table in tables.items()}
    means = combine(tokens.values(), mean)
    sums = {name: means for name in tables}
    if start == "position":
        sums = {name: combine(tokens.values(), later if name == "input" else earlier) for name in tables}
    elif start == "length":
        assert own is not None, "known wherever there are new tokens"
        sums = dict.fromkeys(tables, combine(tokens.values(), longer(own)))
    elif start == "omp":
        assert own is not None, "known wherever there are new tokens"
        sums = dict.fromkeys(tables, pursue(model, list(tokens.values()), own))
    rows = {name: sums[name].rows(table) for name, table in tables.items()}
    if start == "distill":
        assert shards is not None, "given by whoever trains"
        rows["input"] = distil(model, tokens, rows["input"], shards)
    return rows


def _random(old: Tensor, count: int, seed: int) -> Tensor:
    """Normal, with the mean and the variance that each number has in the old rows."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn((count, *old.shape[1:]), generator=generator)
    return old.mean(dim=0) + old.std(dim=0) * noise
