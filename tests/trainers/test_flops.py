"""The count of operations against torch's own counter."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from mixers.shards import Shards
from tests.trainers.models import MODELS, twin_models
from trainers.flops import Workload, training_flops, workload
from trainers.loader import IGNORED, RowDataset, collate


@pytest.mark.parametrize("name", MODELS)
def test_products_and_attention_are_counted(name: str) -> None:
    _, model = twin_models(name)
    tokens = 8  # within the sliding window
    ids = torch.arange(1, tokens + 1)[None]
    with FlopCounterMode(display=False) as counter:
        model(input_ids=ids, labels=ids, use_cache=False).loss.backward()
    counted = training_flops(model, Workload(tokens, tokens, np.array([float(tokens)])))
    # Plain attention computes both triangles and its mask; ours counts one, as flash attention computes.
    attention = 12 * 4 * 12 * 4 * tokens * tokens / 2
    assert counted == pytest.approx(counter.get_total_flops() - attention, rel=1e-3)


def test_the_workload_is_that_of_the_batches(held_out: Path) -> None:
    shards = Shards.open(held_out)
    rows = len(shards) + 3
    dataset = RowDataset(shards, epochs=2)
    batch = collate([dataset[row] for row in range(rows)])
    work = workload(shards, rows)
    assert work.tokens == batch["input_ids"].shape[1] == dataset.tokens_before(rows)
    assert work.predicted == int((batch["labels"] != IGNORED).sum())
    assert work.lengths.tolist() == batch["cu_seq_lens_q"].diff().tolist()
