"""The learning rate over a stage, as a factor of its peak.

Every stage warms up from zero and decays again: the re-warming and re-decaying that continual training needs
(Ibrahim et al. 2024, "Simple and Scalable Strategies to Continually Pre-train Large Language Models").
"""

import math
from collections.abc import Sequence

from trainers.config import Optimizer, Phase, steps_of
from trainers.phases import phase_at


def lr_factor(step: int, total_steps: int, optimizer: Optimizer) -> float:
    """Factor of the peak learning rate that optimizer step `step` (from 0) uses.

    Warm-up is linear and reaches the peak at its last step. `cosine` then falls along half a cosine to
    `min_lr_ratio`; `wsd` stays at 1 and falls as 1 − √t over the last `decay` steps (Hägele et al. 2024,
    "Scaling Laws and Compute-Optimal Training Beyond Fixed Training Durations"). The last step's factor is
    `min_lr_ratio`.
    """
    warmup = min(steps_of(optimizer.warmup, total_steps), total_steps)
    if step < warmup:
        return (step + 1) / warmup
    falling = total_steps - warmup
    if optimizer.schedule == "wsd":
        falling = min(steps_of(optimizer.decay, total_steps), falling)
    t = min(1.0, max(0.0, (step + 1 - (total_steps - falling)) / max(1, falling)))
    shape = 1 - math.sqrt(t) if optimizer.schedule == "wsd" else (1 + math.cos(math.pi * t)) / 2
    return optimizer.min_lr_ratio + (1 - optimizer.min_lr_ratio) * shape


def phased_lr_factor(step: int, total_steps: int, optimizer: Optimizer, phases: Sequence[Phase]) -> float:
    """`lr_factor`, times what the phase of `step` has as its own peak over that of the stage."""
    factor = lr_factor(step, total_steps, optimizer)
    rate = phase_at(step, phases, total_steps).lr if phases else None
    return factor if rate is None else factor * rate / optimizer.lr
