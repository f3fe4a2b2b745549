"""Phases of a stage: which weights train during which steps.

Weights outside the phase lose their gradients before the optimizer sees them. They keep their values, take
no part in the gradient's norm, and AdamW begins their averages when their own phase begins. Nothing is
re-wrapped between phases, so a phase may begin anywhere in a distributed or resumed run.

While only new embeddings train, the gradients of the old ones are zero. That phase is the first, so AdamW's
averages of them are zero too, and embeddings have no weight decay: updates leave them as they are, to the
bit.
"""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from trainers.config import Phase, steps_of
from trainers.model import decoder_layers

if TYPE_CHECKING:
    from torch import Tensor, nn
    from transformers import PreTrainedModel


def phase_at(step: int, phases: Sequence[Phase], total_steps: int) -> Phase:
    """The phase of optimizer step `step` (from 0); the last phase has no end."""
    end = 0
    for phase in phases[:-1]:
        end += steps_of(phase.steps or 0, total_steps)
        if step < end:
            return phase
    return phases[-1]


def restrict_gradients(model: "PreTrainedModel", phase: Phase, new_tokens: Collection[int]) -> None:
    """Take the gradients from what does not train in `phase`; `new_tokens` are ids."""
    for parameter in _frozen_parameters(model, phase):
        parameter.grad = None
    if phase.train == "new_embeddings":
        for parameter in _embeddings(model):
            _keep_rows(parameter.grad, new_tokens)


def _frozen_parameters(model: "PreTrainedModel", phase: Phase) -> "list[nn.Parameter]":
    if phase.train == "all":
        return []
    if phase.train == "top_layers":
        below = list(decoder_layers(model))[: -(phase.layers or 0)]
        return [parameter for layer in below for parameter in layer.parameters()]
    trained = {id(parameter) for parameter in _embeddings(model)}
    return [parameter for parameter in model.parameters() if id(parameter) not in trained]


def _embeddings(model: "PreTrainedModel") -> "list[nn.Parameter]":
    """What has a row for each token: weights of input and output, perhaps tied, and a bias of the head."""
    modules = (model.get_input_embeddings(), model.get_output_embeddings())
    return [parameter for module in modules for parameter in module.parameters()]


def _keep_rows(gradient: "Tensor", rows: Collection[int]) -> None:
    """Zero all other rows, of a whole gradient or of one that is dealt to several processes."""
    import torch
    from torch.distributed.tensor import DTensor, distribute_tensor

    others = torch.ones(
        gradient.shape[0], *[1] * (gradient.ndim - 1), dtype=torch.bool, device=gradient.device
    )
    others[list(rows)] = False
    if isinstance(gradient, DTensor):
        others = distribute_tensor(others, gradient.device_mesh, gradient.placements).to_local()
        gradient = gradient.to_local()
    gradient.masked_fill_(others, 0.0)
