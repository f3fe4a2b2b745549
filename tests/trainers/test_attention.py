"""Packed documents give the logits and gradients that they give one by one."""

import numpy as np
import pytest
import torch
from transformers import PreTrainedModel

from tests.trainers.models import MODELS, twin_models
from trainers.loader import IGNORED, Row, collate
from trainers.loss import next_tokens
from trainers.objective import PackedObjective

LENGTHS = [5, 1, 23, 40, 2, 17]


def _pack(seed: int = 0) -> Row:
    rng = np.random.default_rng(seed)
    mask = rng.integers(0, 2, sum(LENGTHS)).astype(np.uint8)
    return Row(rng.integers(0, 97, sum(LENGTHS)), np.array(LENGTHS), mask)


def _one_by_one(model: PreTrainedModel, row: Row) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits `[tokens, vocabulary]`, and the summed loss of the tokens that the mask trains."""
    logits, losses = [], []
    starts = np.cumsum(row.seq_lengths) - row.seq_lengths
    for start, length in zip(starts, row.seq_lengths, strict=True):
        ids = torch.tensor(row.input_ids[start : start + length])
        logits.append(model(input_ids=ids[None], use_cache=False).logits[0])
        trained = torch.tensor(row.assistant_masks[start : start + length][1:]).bool()
        every = torch.nn.functional.cross_entropy(logits[-1][:-1], ids[1:], reduction="none")
        losses.append(every[trained].sum())
    return torch.cat(logits), torch.stack(losses).sum()


@pytest.mark.parametrize("name", MODELS)
def test_logits_are_those_of_documents_alone(name: str) -> None:
    packed, plain = twin_models(name)
    batch = collate([_pack()])
    del batch["labels"]
    with torch.no_grad():
        expected, _ = _one_by_one(plain, _pack())
        torch.testing.assert_close(PackedObjective(packed).logits(**batch), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_gradients_are_those_of_documents_alone(name: str) -> None:
    packed, plain = twin_models(name)
    batch = collate([_pack()])
    trained = int((batch["labels"] != IGNORED).sum())
    PackedObjective(packed)(**batch)["loss"].backward()
    (_one_by_one(plain, _pack())[1] / trained).backward()
    expected = dict(plain.named_parameters())
    for parameter_name, parameter in packed.named_parameters():
        torch.testing.assert_close(parameter.grad, expected[parameter_name].grad, rtol=0, atol=1e-6)


def test_rows_of_a_micro_batch_are_as_separate_as_documents() -> None:
    packed, _ = twin_models("gemma3")
    objective = PackedObjective(packed)
    rows = [_pack(1), _pack(2), _pack(3)]
    together = collate(rows)
    count = int((together["labels"] != IGNORED).sum())
    alone = sum(objective(**collate([row]), num_items_in_batch=count)["loss"] for row in rows)
    torch.testing.assert_close(objective(**together)["loss"], alone)


def test_boundaries_are_never_inferred() -> None:
    packed, _ = twin_models("llama")
    batch = collate([_pack()])
    with pytest.raises(ValueError, match="cu_seq_lens_q"):
        packed(input_ids=batch["input_ids"], position_ids=batch["position_ids"], use_cache=False)


def test_a_mask_is_refused() -> None:
    packed, _ = twin_models("llama")
    batch = collate([_pack()])
    tokens = batch["input_ids"].shape[1]
    with pytest.raises(ValueError, match="no attention mask"):
        packed(**batch, attention_mask=torch.ones(1, 1, tokens, tokens, dtype=torch.bool))


def test_gradient_checkpointing_changes_nothing() -> None:
    packed, plain = twin_models("qwen3")
    batch = collate([_pack()])
    packed.activation_checkpointing_enable()
    packed.train()
    PackedObjective(packed)(**batch)["loss"].backward()
    trained = len(next_tokens(batch["labels"])[0])
    (_one_by_one(plain, _pack())[1] / trained).backward()
    torch.testing.assert_close(
        packed.model.embed_tokens.weight.grad, plain.model.embed_tokens.weight.grad, rtol=0, atol=1e-6
    )
