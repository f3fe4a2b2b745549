"""The proof passes for packed attention and catches set-ups that leak."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.trainers.models import MODELS, twin_models
from trainers.errors import IsolationError
from trainers.isolation import prove_isolation
from trainers.loader import Row
from trainers.objective import PackedObjective

ROWS = [Row(np.random.default_rng(3).integers(0, 97, 60), np.array([20, 1, 9, 30]), None)]


@pytest.mark.parametrize("name", MODELS)
def test_packed_attention_isolates_to_the_bit(name: str) -> None:
    packed, _ = twin_models(name)
    assert prove_isolation(PackedObjective(packed).logits, ROWS).other_change == 0


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("arguments", ["mask", "cache"])
def test_a_leaking_set_up_is_caught(name: str, arguments: str) -> None:
    _, plain = twin_models(name)
    plain.set_attn_implementation("sdpa")

    def logits(input_ids: Tensor, position_ids: Tensor, **_: Any) -> Tensor:
        leaking = (
            {"attention_mask": torch.ones_like(input_ids)} if arguments == "mask" else {"use_cache": True}
        )
        return plain(input_ids=input_ids, position_ids=position_ids, **leaking).logits[0]

    with pytest.raises(IsolationError, match="influence each other"):
        prove_isolation(logits, ROWS)


def test_a_model_that_ignores_its_input_proves_nothing() -> None:
    with pytest.raises(IsolationError, match="did not move"):
        prove_isolation(lambda input_ids, **_: torch.zeros(input_ids.shape[1], 97), ROWS)


def test_a_single_document_is_packed_with_itself() -> None:
    packed, _ = twin_models("qwen3")
    rows = [Row(np.arange(12), np.array([12]), None)]
    assert prove_isolation(PackedObjective(packed).logits, rows).documents == 3
