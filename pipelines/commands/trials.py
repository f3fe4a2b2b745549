"""Short trainings on mixtures, and what they gave."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from mixers.search.space import Array
from pipelines.commands.open_run import Run, open_run
from pipelines.errors import UserError
from pipelines.evaluation.effects import replicates
from pipelines.execution.fingerprint import fingerprint
from pipelines.execution.seal import REPORT_FILES, RUN_SEAL, reseal_run
from pipelines.execution.stage import Stage, inputs_first
from pipelines.execution.trial_results import write_trial_results
from pipelines.graph.build import Graph
from pipelines.graph.inputs import LiveInputs
from pipelines.graph.trials import TrialMaker
from pipelines.recipe.trials import Trials
from pipelines.report.write import write_report
from pipelines.stages.trials.trial import Trial


def cost_of(trials: Iterable[Trial], workdir: Path) -> dict[str, float]:
    """Trainings together: how many, their tokens, seconds and floating-point operations."""
    costs = [trial.cost(workdir) for trial in {trial.folder_name: trial for trial in trials}.values()]
    sums = {what: sum(cost[what] for cost in costs) for what in ("tokens", "seconds", "flops")}
    return {"trainings": len(costs), **sums}


def keep(workdir: Path, name: str, found: dict[str, Any], trials: Iterable[Trial]) -> None:
    """Keep what trials gave in their run; the report of a finished one shows it."""
    write_trial_results(workdir, name, found, inputs_first(trials))
    if (workdir / RUN_SEAL).is_file():
        write_report(open_run(workdir).graph, workdir)
        reseal_run(workdir, REPORT_FILES)


@dataclass(frozen=True, kw_only=True)
class Tried:
    """A mixture that was trained on."""

    shares: Array
    """`[groups]`, as they were built."""
    scores: dict[str, Array]
    """Bits per byte `[seeds]` by held-out group."""
    trials: list[Trial]

    def losses(self, targets: Sequence[str]) -> Array:
        """`[targets]`: the mean over seeds."""
        return np.array([self.scores[target].mean() for target in targets])


@dataclass(frozen=True, kw_only=True)
class Round:
    """Mixtures that were trained on together."""

    maker: TrialMaker
    workdir: Path
    trials: list[list[Trial]]

    @property
    def groups(self) -> list[str]:
        """The groups of the mixture."""
        return list(self.maker.mixture.weights)

    @cached_property
    def tried(self) -> list[Tried]:
        """What each mixture was, and what it gave."""
        return [
            Tried(
                shares=self._built(trials[0]),
                scores={
                    group: found.scores
                    for group, found in replicates([trial.pieces(self.workdir) for trial in trials]).items()
                },
                trials=trials,
            )
            for trials in self.trials
        ]

    def _built(self, trial: Trial) -> Array:
        entries = trial.mix.ledger(self.workdir).groups
        built = {entry.group: entry.quota.quota for entry in entries if entry.quota}
        amounts = np.array([float(built.get(group, 0)) for group in self.groups])
        shares: Array = amounts / amounts.sum()
        return shares

    @property
    def supply(self) -> dict[str, int]:
        """What one pass over each group would give the stage."""
        supply = self.trials[0][0].mix.supply(self.workdir)
        return {group: sum(by_source.values()) for group, by_source in supply.items()}


RunChosen = Callable[[Callable[[Graph, LiveInputs], list[Stage]]], Run]
"""`run_stages_of` with everything but the choice of stages given."""


def train_on(run_chosen: RunChosen, shares: Iterable[dict[str, float] | None], seeds: int) -> Round:
    """Train on each mixture, so many times; None stands for the recipe's own."""
    wanted = list(shares)
    trials: list[list[Trial]] = []
    makers: list[TrialMaker] = []

    def choose(graph: Graph, _: LiveInputs) -> list[Stage]:
        maker = TrialMaker.of(graph, graph.recipe.trials)
        makers.append(maker)
        arms = [
            maker.arm("own") if each is None else maker.weighted(f"mix-{fingerprint(each)[:8]}", each)
            for each in wanted
        ]
        trials.extend([maker.trial(arm, seed) for seed in range(seeds)] for arm in arms)
        return list(inputs_first(trial for of_arm in trials for trial in of_arm))

    run = run_chosen(choose)
    return Round(maker=makers[0], workdir=run.folder, trials=trials)


def require_seeds(trials: Trials) -> None:
    """Raise UserError where trainings are too few to tell a difference from chance."""
    if trials.seeds < 2:
        raise UserError(
            "one training of each arm tells nothing of chance",
            place="trials.seeds",
            hint="Ask for two at least; three are the default.",
        )
