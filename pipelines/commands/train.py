"""`coupage train`: from the folder of a run, or from shards made elsewhere, to a trained model."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import yaml
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from mixers.shard_index import INDEX_FILE
from pipelines.commands.console import PlainConsole
from pipelines.commands.evaluate_run import asked_after, evaluate_stage
from pipelines.commands.event_lines import failure_as_event, print_event
from pipelines.commands.open_run import open_run
from pipelines.commands.published import SHARDS, TOKENIZER, find_published, shards_copy
from pipelines.commands.train_folder import train_folder
from pipelines.commands.training_events import Trained, logged
from pipelines.commands.warned import print_warnings
from pipelines.errors import UserError
from pipelines.evaluation.evaluate import open_harness
from pipelines.evaluation.tables import print_scores
from pipelines.execution.manifest import checked_path
from pipelines.execution.run_stages import LOGS
from pipelines.execution.seal import REPORT_FILES, RUN_SEAL, read_run, reseal_run
from pipelines.execution.sealed_folder import SEAL, seal_folder
from pipelines.execution.trained_stage import TrainedStage
from pipelines.graph.build import Graph
from pipelines.recipe.assignments import override
from pipelines.recipe.mistakes import in_words
from pipelines.recipe.recipe import HELD_OUT
from pipelines.recipe.yaml_text import parse_recipe_text
from pipelines.report.training import ScoreTable, score_table
from pipelines.report.write import write_report
from pipelines.sources.remote.places import is_remote
from trainers.config import SmallModel, Train, stage_before
from trainers.events import TrainingListener

if TYPE_CHECKING:
    from trainers.result import TrainingResult


@dataclass(frozen=True, kw_only=True)
class Asked:
    """How to train, besides on what."""

    stage: str
    resume: bool
    settings: Sequence[str]
    console: Console
    listeners: Sequence[TrainingListener]


def train_with_events(run_or_shards: str, *, stage: str, resume: bool, settings: Sequence[str]) -> None:
    """`coupage train --json`: events on standard output, of the process that writes files."""
    with failure_as_event():
        console = PlainConsole(stderr=True)
        result = train(
            run_or_shards,
            stage=stage,
            resume=resume,
            settings=settings,
            console=console,
            listeners=[print_event],
        )
        print_event(Trained.of(result))


def train(
    run_or_shards: str | Path,
    *,
    stage: str = "stage1",
    resume: bool = False,
    settings: Sequence[str] = (),
    console: Console | None = None,
    listeners: Sequence[TrainingListener] = (),
) -> TrainingResult:
    """Train on the shards of a stage; the model lies in `train/STAGE` of the run.

    Args:
        run_or_shards: The folder of a run, a folder of shards, or where one was published.
        stage: The name of a mixture.
        resume: Go on from the last checkpoint.
        settings: Overridden keys of the recipe's `train`, as `train.stage1.epochs=2`.
        console: Where the result is shown; standard output by default.
        listeners: Functions that are called with every event of the training (`trainers/events.py`).

    Raises:
        UserError: The run, a setting or an installed package is wrong.
        WorkError: Training failed, or packed documents would see each other.
    """
    folder, console = Path(run_or_shards), console or PlainConsole()
    asked = Asked(stage=stage, resume=resume, settings=settings, console=console, listeners=listeners)
    if is_remote(str(run_or_shards)):
        return _train_published(str(run_or_shards), asked)
    if (folder / RUN_SEAL).is_file():
        return _train_run(open_run(folder).graph, folder, asked)
    if (folder / "coupage.json").is_file():
        return _train_shards(folder, folder.resolve().name, asked)
    raise UserError(
        "this is neither the folder of a finished run nor a folder of shards",
        file=str(folder),
        hint="Run the recipe first: `coupage run RECIPE`.",
    )


def _train_run(graph: Graph, workdir: Path, asked: Asked) -> TrainingResult:
    """Train a stage of a finished run, from `train.model` or from what an earlier stage left."""
    config = _overridden(graph.recipe.train or Train(), asked.settings)
    stages, stage, console = list(graph.recipe.mixtures), asked.stage, asked.console
    if stage not in stages:
        raise UserError(f"the run has no `{stage}`", file=str(workdir), hint=f"It has: {', '.join(stages)}.")
    evaluation = asked_after(graph, stage)
    if evaluation is not None:
        open_harness(evaluation)  # what is missing is said before training, not after
    trained = TrainedStage(workdir, stage)
    start = _start_of_stage(config, trained, stages)
    _check_results(workdir, stage, graph)
    with logged(workdir / LOGS, stage, asked.listeners) as listeners:
        result = train_folder(
            workdir / "shards" / stage,
            config.stage(stage),
            start,
            trained.folder,
            workdir / "tokenizer",
            workdir / "shards" / HELD_OUT if HELD_OUT in graph.shards else None,
            asked.resume,
            listeners,
        )
    if not trained.is_sealed:
        trained.seal()
        trained.forget_scores()
        _publish(graph, workdir)
    _print_result(result, score_table(trained.lineage(stages)), console)
    if evaluation is not None and os.environ.get("WORLD_SIZE", "1") != "1":
        console.print(f"Next: coupage evaluate {workdir}", highlight=False, soft_wrap=True)
    elif evaluation is not None:
        print_scores(evaluate_stage(graph, trained, evaluation), console)
        _publish(graph, workdir)
    warnings = orjson.loads((workdir / "report.json").read_bytes()).get("warnings", ())
    print_warnings((each for each in warnings if each["section"] == "training"), console)
    untrained = [name for name in stages if not TrainedStage(workdir, name).is_trained]
    if untrained:
        console.print(
            f"Next: coupage train {workdir} --stage {untrained[0]}", highlight=False, soft_wrap=True
        )
    return result


def _check_results(workdir: Path, stage: str, graph: Graph) -> None:
    """Raise Damaged where shards or tokenizer are not those that the run built, be they links or copies.

    Of shards their index is compared; training compares the other files with it.
    """
    record = read_run(workdir)
    assert record is not None, "the run was opened"
    for name in (
        f"shards/{stage}",
        "tokenizer",
        *([f"shards/{HELD_OUT}"] if HELD_OUT in graph.shards else []),
    ):
        for file in record.published[name].files:
            if name == "tokenizer" or file.name == INDEX_FILE:
                checked_path(workdir / name, file)


def _publish(graph: Graph, workdir: Path) -> None:
    """Write the report again, and seal the run with it."""
    write_report(graph, workdir)
    reseal_run(workdir, REPORT_FILES)


def _train_published(url: str, asked: Asked) -> TrainingResult:
    """Train on local copies of what a run published, or of a folder of shards that lies elsewhere."""
    found = find_published(url)
    if found is None or found[1]:
        return _train_shards(shards_copy(url), url.rstrip("/").rpartition("/")[2], asked)
    run = found[0]
    shards, held_out = f"{SHARDS}/{asked.stage}", f"{SHARDS}/{HELD_OUT}"
    run.require(shards)
    run.require(TOKENIZER)
    return _train_shards(
        run.copy(shards),
        run.publication.recipe,
        asked,
        run.copy(TOKENIZER),
        run.copy(held_out) if held_out in run.publication.results else None,
    )


def _train_shards(
    shards: Path, name: str, asked: Asked, tokenizer: Path | None = None, held_out: Path | None = None
) -> TrainingResult:
    """Train on a folder of shards; the settings come from `--set train...` alone."""
    config = _overridden(Train(), asked.settings)
    output = Path("runs") / f"{name}-{asked.stage}"
    settings = config.stage(asked.stage)
    with logged(output.parent / LOGS, output.name, asked.listeners) as listeners:
        result = train_folder(
            shards, settings, config.model, output, tokenizer, held_out, asked.resume, listeners
        )
    if not (output / SEAL).is_file():
        seal_folder(output)
    _print_result(result, None, asked.console)
    return result


def _overridden(config: Train, assignments: Sequence[str]) -> Train:
    """`config` with `--set train.KEY=VALUE` applied."""
    content = {"train": config.model_dump(mode="json", by_alias=True)}
    text = override(parse_recipe_text(yaml.safe_dump(content), "--set"), assignments)
    if set(text.values) != {"train"}:
        raise UserError(
            "--set: only keys under `train` matter here", hint="Write --set train.stage1.epochs=2."
        )
    try:
        return Train.model_validate(text.values["train"])
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, ("train", *first["loc"])))
        raise UserError(
            f"--set: `{place}`: {in_words(dict(first))}", hint="`coupage recipe schema` lists every key."
        ) from error


def _start_of_stage(config: Train, stage: TrainedStage, stages: Sequence[str]) -> str | Path | SmallModel:
    """The model that `stage` starts from: the recipe's, or the folder of an earlier stage's."""
    try:
        name = stage_before(stage.name, config.stage(stage.name).start, stages)
    except ValueError as error:
        raise UserError(f"train.{stage.name}.from: {error}") from error
    if name is None:
        return config.model
    before = TrainedStage(stage.workdir, name)
    if not before.is_trained:
        raise UserError(
            f"{stage.name} starts from the model of {name}, which is not trained yet",
            file=str(before.folder),
            hint=f"First: coupage train {stage.workdir} --stage {name}",
        )
    return before.folder


def _print_result(result: TrainingResult, scores: ScoreTable | None, console: Console) -> None:
    if scores is not None:
        table = Table("group")
        for unit in ("loss", "bits/byte"):
            for time in scores.times:
                table.add_column(f"{unit}\n{time}", justify="right")
        for group, losses in scores.losses.items():
            table.add_row(group, *map(_number, [*losses, *scores.bits_per_byte[group]]))
        console.print(table)
    console.print(
        f"{result.tokens:,} tokens in {result.seconds:.0f} s ({result.tokens_per_second:,.0f} tokens/s). "
        f"Model: {result.output}",
        highlight=False,
        soft_wrap=True,
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
