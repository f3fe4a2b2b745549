"""The loss is the model's own, whatever its head does after the product."""

import copy

import numpy as np
import pytest
import torch
from transformers import Gemma3ForCausalLM, GraniteConfig, GraniteForCausalLM, PreTrainedModel

from tests.trainers.models import MODELS, SHAPE
from trainers import attention
from trainers.loader import Row, collate
from trainers.objective import PackedObjective


def _capped() -> PreTrainedModel:
    config = copy.deepcopy(MODELS["gemma3"][1])
    config.final_logit_softcapping = 0.5
    return Gemma3ForCausalLM._from_config(config, attn_implementation=attention.register())


def _scaled() -> PreTrainedModel:
    shape = {name: value for name, value in SHAPE.items() if name != "head_dim"}
    config = GraniteConfig(**shape, logits_scaling=4.0)
    return GraniteForCausalLM._from_config(config, attn_implementation=attention.register())


def _plain() -> PreTrainedModel:
    kind, config = MODELS["llama"]
    return kind._from_config(copy.deepcopy(config), attn_implementation=attention.register())


@pytest.mark.parametrize(("build", "plain"), [(_capped, False), (_scaled, False), (_plain, True)])
def test_the_loss_is_the_models_own(build, plain: bool) -> None:
    torch.manual_seed(0)
    model = build()
    objective = PackedObjective(model)
    assert objective.plain_head is plain
    batch = collate([Row(np.arange(30), np.array([20, 10]), None)])
    with torch.no_grad():
        own = model(**batch, use_cache=False).loss
        torch.testing.assert_close(objective(**batch)["loss"], own)
        losses = objective(**batch, per_token=True)
    assert losses["losses"].mean().item() == pytest.approx(own.item(), rel=1e-5)
    assert losses["positions"].tolist() == [*range(19), *range(20, 29)]
