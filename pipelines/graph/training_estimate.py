"""What training and its evaluations will read and take, before the run."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mixers.budget import asked_of_groups
from mixers.plan import FEW_DOCUMENTS
from pipelines.execution.trained_stage import trained_stages
from pipelines.graph.build import Graph
from pipelines.graph.source_estimate import SourceEstimate
from pipelines.recipe.recipe import HELD_OUT
from pipelines.stages.held_out_choice import MOST_FOR_LEAST
from pipelines.stages.mix import HeldOutMix, Mix
from trainers.config import StageTraining, steps_of

PASSES_OF_A_TOKEN = 3
"""Training on a token costs so many forward passes, scoring it one."""


@dataclass(frozen=True)
class HeldOutEstimate:
    """What is evaluated of a group."""

    group: str
    tokens: int | None
    """None where nobody knows before the run."""
    documents: int | None
    few: bool
    """Too little to compare models by."""


@dataclass(frozen=True)
class TrainingEstimate:
    """What a stage is trained on, and how much its evaluations add."""

    stage: str
    tokens: int | None
    """Epochs and `max_steps` counted; None where nobody knows before the run."""
    evaluations: int
    """Passes over the held-out documents: before, during and after training, and by `evaluate`."""
    held_out_tokens: int
    """That are read in one of them."""
    evaluation_share: float | None
    """Time of all evaluations by the time of training: a scored token costs a third of a trained one."""
    seconds: float | None
    """Of both, by the speed of the last stage that was trained in this folder."""


def held_out_estimates(
    graph: Graph, workdir: Path, sources: Sequence[SourceEstimate]
) -> Iterator[HeldOutEstimate]:
    """The groups of the held-out documents: as planned, else by domain as the recipe's bounds make them."""
    mix = graph.mixes.get(HELD_OUT)
    if not isinstance(mix, HeldOutMix):
        return
    if mix.is_finished(workdir):
        for entry in mix.ledger(workdir).groups:
            few = entry.documents_used < FEW_DOCUMENTS or entry.tokens < mix.least
            yield HeldOutEstimate(entry.group, entry.tokens, entry.documents_used, few)
        return
    own = set(graph.recipe.own_sources)
    by_domain: dict[str, list[SourceEstimate]] = {}
    for each in sources:
        if each.source in own:
            by_domain.setdefault(each.group, []).append(each)
    for domain, feeding in by_domain.items():
        yield _held_out(domain, feeding, graph.recipe.held_out.share, mix)


def _held_out(
    domain: str, feeding: Sequence[SourceEstimate], share: float, mix: HeldOutMix
) -> HeldOutEstimate:
    tokens = _sum([each.tokens for each in feeding])
    documents = _sum([each.documents for each in feeding])
    if not tokens or documents is None:
        return HeldOutEstimate(domain, tokens, documents, tokens is not None)
    held_out = max(share * tokens, min(mix.least, MOST_FOR_LEAST * tokens))
    evaluated = min(held_out, mix.most)
    number = round(documents * evaluated / tokens)
    return HeldOutEstimate(
        domain, round(evaluated), number, few=number < FEW_DOCUMENTS or evaluated < mix.least
    )


def training_estimates(
    graph: Graph, workdir: Path, sources: Sequence[SourceEstimate], held_out: Sequence[HeldOutEstimate]
) -> Iterator[TrainingEstimate]:
    """Every stage that the recipe trains."""
    recipe = graph.recipe
    speed = _speed(graph, workdir)
    evaluated = sum(each.tokens or 0 for each in held_out)
    for name, mix in graph.mixes.items():
        if recipe.train is None or not isinstance(mix, Mix):
            continue
        config = recipe.train.stage(name)
        after = recipe.evaluate is not None and (
            recipe.evaluate.after is None or name in recipe.evaluate.after
        )
        tokens, steps = _trained(_tokens(mix, workdir, sources), mix.sequence_length, config)
        evaluations = (_evaluations(config, steps) + 2 * after) if evaluated else 0
        costs = evaluations * evaluated / PASSES_OF_A_TOKEN
        yield TrainingEstimate(
            stage=name,
            tokens=tokens,
            evaluations=evaluations,
            held_out_tokens=evaluated,
            evaluation_share=costs / tokens if tokens else None,
            seconds=(tokens + costs) / speed if tokens and speed else None,
        )


def _tokens(mix: Mix, workdir: Path, sources: Sequence[SourceEstimate]) -> int | None:
    """Tokens in the rows of a stage."""
    if mix.is_finished(workdir):
        return mix.ledger(workdir).tokens
    if mix.mixture.unit == "tokens":
        return mix.mixture.tokens
    total = 0.0
    for group, asked in asked_of_groups(mix.mixture).items():
        feeding = [each for each in sources if each.group == group]
        tokens, loss = _sum([each.tokens for each in feeding]), _sum([each.loss_tokens for each in feeding])
        if not tokens or not loss or group in mix.mixture.groups:
            return None
        total += asked * tokens / loss
    return round(total)


def _trained(
    tokens: int | None, sequence_length: int, config: StageTraining
) -> tuple[int | None, int | None]:
    """Tokens that are trained on, and steps, in rows that are full."""
    if tokens is None:
        return None, config.max_steps
    steps = max(1, math.ceil(config.epochs * tokens / sequence_length / config.rows_per_step))
    if config.max_steps is None or config.max_steps >= steps:
        return config.epochs * tokens, steps
    return config.max_steps * config.rows_per_step * sequence_length, config.max_steps


def _evaluations(config: StageTraining, steps: int | None) -> int:
    """Before the first step, every so many steps, and after the last one."""
    if steps is None:
        return 2
    every = steps_of(config.evaluate_every, steps)
    on_the_way = (steps - 1) // every if every else 0
    return 2 + on_the_way


def _speed(graph: Graph, workdir: Path) -> float | None:
    """Tokens a second of the last stage that was trained here."""
    trained = trained_stages(workdir, graph.recipe.mixtures)
    speed: float | None = trained[-1].result["tokens_per_second"] if trained else None
    return speed


def _sum(numbers: Sequence[int | None]) -> int | None:
    return None if None in numbers else sum(number for number in numbers if number)
