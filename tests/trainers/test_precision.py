"""In bfloat16 what trains is float32, and gradients are those of float32 as far as bfloat16 goes."""

import numpy as np
import pytest
import torch

from trainers.config import SmallModel
from trainers.loader import Row, collate
from trainers.model import build_model
from trainers.objective import PackedObjective

LENGTHS = np.array([20, 7, 13])


def gradients(small: SmallModel, bfloat16: bool, checkpointing: bool = False) -> dict[str, torch.Tensor]:
    """Of two micro batches, one after the other."""
    objective = PackedObjective(build_model(small, 96, 64, seed=0))
    objective.bfloat16 = bfloat16
    if checkpointing:
        objective.model.activation_checkpointing_enable()
    objective.train()
    before = dict(objective.named_parameters())
    for seed in range(2):
        ids = np.random.default_rng(seed).integers(0, 96, LENGTHS.sum())
        with objective.in_precision():
            objective(**collate([Row(ids, LENGTHS, None)]))["loss"].backward()
    after = dict(objective.named_parameters())
    assert all(after[name] is weight for name, weight in before.items()) and after.keys() == before.keys()
    return {name: weight.grad for name, weight in after.items()}


@pytest.mark.parametrize("tied", [True, False])
def test_gradients_arrive_at_float32_weights(small: SmallModel, tied: bool) -> None:
    shape = small.model_copy(update={"tie_embeddings": tied})
    exact, found = gradients(shape, bfloat16=False), gradients(shape, bfloat16=True)
    assert found.keys() == exact.keys()
    for name, gradient in found.items():
        assert gradient.dtype == torch.float32
        assert (gradient - exact[name]).norm() < 0.05 * exact[name].norm(), name


def test_recomputed_activations_are_of_the_same_precision(small: SmallModel) -> None:
    kept, recomputed = (gradients(small, bfloat16=True, checkpointing=c) for c in (False, True))
    for name, gradient in kept.items():
        torch.testing.assert_close(recomputed[name], gradient, rtol=0, atol=0)


def test_weights_are_back_after_an_error(small: SmallModel) -> None:
    objective = PackedObjective(build_model(small, 96, 64, seed=0))
    objective.bfloat16 = True
    with pytest.raises(KeyError), objective.in_precision():
        assert {weight.dtype for weight in objective.parameters()} == {torch.bfloat16}
        raise KeyError
    assert {weight.dtype for weight in objective.parameters()} == {torch.float32}
