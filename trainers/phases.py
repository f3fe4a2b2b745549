"""Phases of a stage: which weights train during which steps.

Weights outside the phase lose their gradients before the optimizer sees them. They keep their values, take
no part in the gradient's norm, and AdamW begins their averages when their own phase begins. Nothing is
re-wrapped between phases, so a phase may begin anywhere in a distributed or resumed run.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from trainers.config import Phase, steps_of

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedModel


def phase_at(step: int, phases: Sequence[Phase], total_steps: int) -> Phase:
    """The phase of optimizer step `step` (from 0); the last phase has no end."""
    end = 0
    for phase in phases[:-1]:
        end += steps_of(phase.steps or 0, total_steps)
        if step < end:
            return phase
    return phases[-1]


def frozen_parameters(model: "PreTrainedModel", phase: Phase) -> "list[nn.Parameter]":
    """The parameters that do not train in `phase`."""
    if phase.train == "all":
        return []
    decoder = model.get_decoder()
    modules = [model.get_input_embeddings(), model.get_output_embeddings()]
    if phase.train == "top_layers":
        modules += [decoder.norm, *list(decoder.layers)[::-1][: phase.layers]]
    trained = {id(parameter) for module in modules for parameter in module.parameters()}
    return [parameter for parameter in model.parameters() if id(parameter) not in trained]
