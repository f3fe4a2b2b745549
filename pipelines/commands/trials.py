"""Short trainings on mixtures, and what they gave."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from mixers.search.space import Array
from pipelines.commands.open_run import open_run
from pipelines.commands.run import run_stages_of
from pipelines.evaluation.effects import replicates
from pipelines.execution.events import Listener
from pipelines.execution.fingerprint import fingerprint
from pipelines.execution.seal import REPORT_FILES, RUN_SEAL, reseal_run
from pipelines.execution.stage import Stage, inputs_first
from pipelines.execution.trial_results import write_trial_results
from pipelines.graph.build import Graph
from pipelines.graph.inputs import LiveInputs
from pipelines.graph.trials import TrialMaker
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
class Lab:
    """Where mixtures are tried: the recipe, its run, and how its stages are run."""

    recipe: str | Path
    workdir: str | Path | None
    executor: str
    workers: int | None
    settings: Sequence[str]
    console: Console
    listeners: Sequence[Listener]

    def train(self, shares: Iterable[dict[str, float] | None], seeds: int) -> Round:
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

        run = run_stages_of(
            self.recipe,
            choose,
            workdir=self.workdir,
            executor=self.executor,
            workers=self.workers,
            settings=self.settings,
            console=self.console,
            listeners=self.listeners,
        )
        return Round(maker=makers[0], workdir=run.folder, trials=trials)


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
