"""Packed documents give the logits and gradients that they give one by one."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from transformers import PreTrainedModel

from tests.trainers.models import MODELS, twin_models
from trainers.attention import causal_kernel, use_kernels, varlen_attention
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


def _reference(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, boundaries: torch.Tensor, **options: Any
) -> torch.Tensor:
    """What torch's kernel computes, document by document with whole matrices of scores."""
    groups = query.shape[1] // key.shape[1]
    key, value = (x.repeat_interleave(groups, dim=1) for x in (key, value))
    left, right = options.get("window_size", (-1, 0))
    assert right == 0
    outputs = []
    for start, stop in pairwise(boundaries.tolist()):
        q, k, v = (x[start:stop].transpose(0, 1) for x in (query, key, value))
        scores = q @ k.transpose(1, 2) * (options.get("scale") or q.shape[-1] ** -0.5)
        distance = torch.arange(stop - start)[:, None] - torch.arange(stop - start)
        seen = (distance >= 0) & ((distance <= left) if left >= 0 else True)
        outputs.append((scores.masked_fill(~seen, -torch.inf).softmax(-1) @ v).transpose(0, 1))
    return torch.cat(outputs)


def _torch_2_10(q, k, v, cu_seq_q, cu_seq_k, max_q, max_k, is_causal=False, return_aux=None):
    assert is_causal
    return _reference(q, k, v, cu_seq_q)


def _torch_2_11(
    q, k, v, cu_seq_q, cu_seq_k, max_q, max_k, *, return_aux=None, scale=None, window_size=(-1, -1)
):
    return _reference(q, k, v, cu_seq_q, scale=scale, window_size=window_size)


def _torch_2_12(
    q, k, v, cu_seq_q, cu_seq_k, max_q, max_k, *, scale=None, window_size=(-1, -1), enable_gqa=False
):
    assert enable_gqa == (q.shape[1] != k.shape[1])
    return _reference(q, k, v, cu_seq_q, scale=scale, window_size=window_size)


@pytest.mark.parametrize("kernel", [_torch_2_10, _torch_2_11, _torch_2_12])
@pytest.mark.parametrize("kv_heads", [2, 4])
@pytest.mark.parametrize("scale", [None, 0.3])
@pytest.mark.parametrize("window", [None, 7])
def test_every_torch_computes_the_same(
    kernel: Any, kv_heads: int, scale: float | None, window: int | None
) -> None:
    generator = torch.Generator().manual_seed(0)
    query, key, value = (
        torch.randn(1, heads, sum(LENGTHS), 16, generator=generator) for heads in (4, kv_heads, kv_heads)
    )
    boundaries = torch.tensor([0, *np.cumsum(LENGTHS)], dtype=torch.int32)
    flat = [x[0].transpose(0, 1) for x in (query, key, value)]
    if window is not None and kernel is _torch_2_10:
        with pytest.raises(ValueError, match=r"install torch 2\.11"):
            causal_kernel(kernel)(*flat, boundaries, max(LENGTHS), scale, window)
        return
    found = causal_kernel(kernel)(*flat, boundaries, max(LENGTHS), scale, window)
    expected, _ = varlen_attention(
        torch.nn.Module(),
        query,
        key,
        value,
        None,
        scaling=scale,
        sliding_window=window,
        cu_seq_lens_q=boundaries,
        max_length_q=max(LENGTHS),
    )
    torch.testing.assert_close(found[None], expected)


def test_kernels_that_are_not_installed_are_named() -> None:
    with pytest.raises(ValueError, match=r"flash-attn-3.*flash_attention: FA2"):
        use_kernels("FA3")
