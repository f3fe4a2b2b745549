"""The last stage trained again so that it may forget less: with replay, or at another learning rate.

Replay of general text and a lower learning rate are what continued training forgets least with (Ibrahim et
al. 2024, "Simple and Scalable Strategies to Continually Pre-train Large Language Models").
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mixers.remixed import VERSION, Remix, RowsOf, remix, write_remix
from mixers.shard_index import INDEX_FILE
from pipelines.commands.open_run import Run
from pipelines.commands.train_folder import train_folder
from pipelines.commands.training_events import logged
from pipelines.errors import UserError
from pipelines.evaluation.outcome.measure import NotMeasured, Tell
from pipelines.evaluation.outcome.results import FOLDER
from pipelines.evaluation.outcome.self_written import VERSION_OF_TEXTS, NothingWritten, SelfWritten
from pipelines.evaluation.variants import Variant
from pipelines.execution.fingerprint import fingerprint
from pipelines.execution.run_stages import LOGS
from pipelines.execution.sealed_folder import SEAL, check_folder, seal_folder
from pipelines.execution.trained_stage import TrainedStage
from pipelines.recipe.outcome import Outcome
from pipelines.recipe.recipe import HELD_OUT
from trainers import model as models
from trainers.config import SmallModel, StageTraining
from trainers.result import RESULT

REMEDIES = "remedies"
"""In the folder of results: a folder for each training, with its shards where they are its own."""


@dataclass(frozen=True, kw_only=True)
class Remedy:
    """A training that may forget less."""

    name: str
    folder: Path
    start: str | SmallModel
    """The model that it starts from."""
    config: StageTraining
    shards: Path
    """What it trains on."""
    rows: Remix | SelfWritten | None = None
    """The rows that `shards` are to hold; None: they are there."""

    @property
    def variant(self) -> Variant:
        """Its model, beside the others."""
        return Variant(name=self.name, kind="remedy", model=str(self.folder / "model"))

    def train(self, run: Run, batch_size: int, tell: Tell) -> None:
        """Train the model unless it is there whole; one that was begun goes on.

        `batch_size`: Texts that are written at once, where the base writes any.
        """
        model = self.folder / "model"
        if (model / RESULT).is_file():
            if not (model / SEAL).is_file():  # killed just before the end
                seal_folder(model)
            if not any(check_folder(model)):
                return
            tell(f"{self.name}: its model is damaged, and is trained again")
            shutil.rmtree(model)
        _remove_others(self.folder)
        if self.rows is not None and not (self.shards / INDEX_FILE).is_file():
            shutil.rmtree(self.shards, ignore_errors=True)
            self.shards.mkdir(parents=True)
            write_remix(self._remixed(self.rows, batch_size, tell), self.shards)
        tell(f"{self.name}: training")
        held_out = run.folder / "shards" / HELD_OUT if HELD_OUT in run.graph.shards else None
        with logged(run.folder / LOGS, _file_name(self.name), ()) as listeners:
            train_folder(
                self.shards,
                self.config,
                self.start,
                model,
                run.folder / "tokenizer",
                held_out,
                True,
                listeners,
            )
        seal_folder(model)

    def _remixed(self, rows: Remix | SelfWritten, batch_size: int, tell: Tell) -> Remix:
        return rows if isinstance(rows, Remix) else rows.remix(self.folder, batch_size, tell)


def plan_remedies(run: Run, stage: TrainedStage, asked: Outcome, missing: list[NotMeasured]) -> list[Remedy]:
    """What is to be trained, in the order of the recipe.

    Args:
        run: The run.
        stage: Its last trained stage.
        asked: What its recipe asks.
        missing: Gets those that cannot be trained.

    Raises:
        UserError: The stage cannot be trained again as it was.
    """
    wanted = asked.remedies
    if not (wanted.replay or wanted.lr or wanted.self_replay):
        missing.append(NotMeasured("remedies", (), "none were asked for (`outcome.remedies`)"))
        return []
    start = _start_of(run, stage)
    # Neither changes weights; what it scores is measured afterwards, beside all others.
    config = StageTraining.model_validate(stage.result["stage"]).model_copy(
        update={"evaluate_every": 0, "log_to": ()}
    )
    own = run.shards(stage.name)
    if own.fingerprint != stage.result["shards_fingerprint"]:
        raise UserError(
            f"{stage.name} was trained on other shards than the run has now, so a remedy would not be beside"
            " its like",
            file=str(own.folder),
            hint=f"Train it again: coupage train {run.folder} --stage {stage.name}.",
        )
    begun = [stage.result["start_fingerprint"], own.fingerprint]

    def folder(name: str, *settings: object) -> Path:
        told = fingerprint([VERSION, *begun, *settings])
        return run.folder / FOLDER / REMEDIES / f"{_file_name(name)}-{told[:8]}"

    found = []
    if wanted.replay:
        own_rows, replay = _replay(run, stage, asked.general)
        others = [each.shards.fingerprint for each in replay]
    for share in wanted.replay:
        name = f"replay {100 * share:g}%"
        try:
            rows = remix(own_rows, replay, share)
        except ValueError as error:
            missing.append(NotMeasured(name, (), str(error)))
            continue
        place = folder(name, config.model_dump(), others, sorted(asked.general), share)
        found.append(
            Remedy(name=name, folder=place, start=start, config=config, shards=place / "shards", rows=rows)
        )
    for factor in wanted.lr:
        name, slower = f"learning rate x{factor:g}", _at_rate(config, factor)
        place = folder(name, slower.model_dump())
        found.append(Remedy(name=name, folder=place, start=start, config=slower, shards=own.folder))
    for share in wanted.self_replay:
        name = f"self-replay {100 * share:g}%"
        if isinstance(start, SmallModel):
            missing.append(NotMeasured(name, (), "training began with a new model, which has nothing to say"))
            continue
        written = SelfWritten(start=start, tokenizer=run.folder / "tokenizer", stage=own, share=share)
        if not written.wanted_rows:
            missing.append(NotMeasured(name, (), f"{share:.3g} of {len(own):,} rows is less than one row"))
            continue
        place = folder(name, config.model_dump(), VERSION_OF_TEXTS, share)
        found.append(
            Remedy(name=name, folder=place, start=start, config=config, shards=place / "shards", rows=written)
        )
    return found


def train_remedies(
    run: Run, remedies: Sequence[Remedy], batch_size: int, tell: Tell, missing: list[NotMeasured]
) -> Iterator[Variant]:
    """Train those that are not trained yet, one after another.

    Args:
        run: The run.
        remedies: What is trained.
        batch_size: Texts that are written at once.
        tell: Is told what comes next.
        missing: What cannot be trained is added.

    Raises:
        UserError: The stage's settings do not fit.
        WorkError: Training failed.
    """
    for remedy in remedies:
        try:
            remedy.train(run, batch_size, tell)
        except NothingWritten as error:
            missing.append(NotMeasured(remedy.name, (), str(error)))
        else:
            yield remedy.variant


def _start_of(run: Run, stage: TrainedStage) -> str | SmallModel:
    """The model that training of the stage started from, wherever the run lies now."""
    *before, _ = stage.lineage(list(run.recipe.mixtures))
    recorded: str = str(before[-1].folder) if before else stage.result["model"]
    if recorded.startswith("{"):
        return SmallModel.model_validate_json(recorded)
    if models.fingerprint(recorded) != stage.result["start_fingerprint"]:
        raise UserError(
            f"the model that {stage.name} started from is not there any more, or has changed",
            file=recorded,
            hint="Put it back, train the stage again, or leave `outcome.remedies` out.",
        )
    return recorded


def _replay(run: Run, stage: TrainedStage, general: Sequence[str]) -> tuple[RowsOf, list[RowsOf]]:
    """The stage's own rows but general ones, and the general rows of it and, behind, of stages before it."""
    names = list(run.recipe.mixtures)
    opened = [run.shards(name) for name in reversed(names[: names.index(stage.name) + 1])]
    is_general = [np.isin(np.array(shards.row_groups, object), list(general)) for shards in opened]
    return RowsOf(shards=opened[0], rows=np.flatnonzero(~is_general[0])), [
        RowsOf(shards=shards, rows=np.flatnonzero(here))
        for shards, here in zip(opened, is_general, strict=True)
    ]


def _at_rate(config: StageTraining, factor: float) -> StageTraining:
    """The same training with all its learning rates times `factor`."""

    def times(rate: float | None) -> float | None:
        return None if rate is None else factor * rate

    optimizer = config.optimizer.model_copy(
        update={"lr": times(config.optimizer.lr), "embedding_lr": times(config.optimizer.embedding_lr)}
    )
    phases = tuple(phase.model_copy(update={"lr": times(phase.lr)}) for phase in config.phases)
    return config.model_copy(update={"optimizer": optimizer, "phases": phases})


def _remove_others(folder: Path) -> None:
    """Remove what was trained under the same name from another start, shards or settings."""
    name = folder.name.rpartition("-")[0]
    for path in folder.parent.glob("*"):
        if path != folder and path.name.rpartition("-")[0] == name:
            shutil.rmtree(path)


def _file_name(name: str) -> str:
    return name.replace(" ", "_").replace("%", "")
