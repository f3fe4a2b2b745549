"""`coupage train`: from the folder of a run, or from shards made elsewhere, to a trained model."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from pipelines.errors import UserError, WorkError
from pipelines.evaluation.evaluate import open_harness
from pipelines.evaluation.run import asked_after, evaluate_stage, forget_scores
from pipelines.evaluation.tables import print_scores
from pipelines.graph import HELD_OUT, Graph
from pipelines.recipe_file import override, parse_recipe_text
from pipelines.report import write_report
from pipelines.seal import RUN_SEAL, TRAINING_SEAL, seal_run, seal_training
from trainers.config import StageTraining, Train

if TYPE_CHECKING:
    from trainers.train import TrainingResult


def train_run(graph: Graph, workdir: Path, stage: str, resume: bool, assignments: list[str]) -> None:
    """Train `stage` of a finished run; Stage 2 starts from the model that Stage 1 left."""
    config = _overridden(graph.recipe.train or Train(), assignments)
    if stage not in graph.shards or stage == HELD_OUT:
        raise UserError(
            f"the run has no `{stage}`",
            file=str(workdir),
            mend=f"It has: {', '.join(graph.recipe.mixtures)}.",
        )
    asked = asked_after(graph, stage)
    if asked is not None:
        open_harness(asked)  # what is missing is said before training, not after
    output = workdir / "train" / stage
    start = _start_of_stage(config, workdir, stage)
    (output / TRAINING_SEAL).unlink(missing_ok=True)
    result = _train(
        workdir / "shards" / stage,
        _stage_config(config, stage),
        start,
        output,
        workdir / "tokenizer",
        workdir / "shards" / HELD_OUT if HELD_OUT in graph.shards else None,
        resume,
    )
    seal_training(output)
    forget_scores(workdir, stage)
    _publish(graph, workdir)
    console = Console()
    _print_result(result, console)
    if asked is not None and os.environ.get("WORLD_SIZE", "1") != "1":
        console.print(f"Next: coupage evaluate {workdir}", highlight=False, soft_wrap=True)
    elif asked is not None:
        print_scores(evaluate_stage(graph, workdir, stage, asked), console)
        _publish(graph, workdir)
    if stage == "stage1" and "stage2" in graph.shards:
        console.print(f"Next: coupage train {workdir} --stage stage2", highlight=False, soft_wrap=True)


def _publish(graph: Graph, workdir: Path) -> None:
    """Write the report again, and seal the run with it."""
    (workdir / RUN_SEAL).unlink(missing_ok=True)
    write_report(graph, workdir)
    seal_run(graph, workdir)


def train_shards(shards: Path, stage: str, resume: bool, assignments: list[str]) -> None:
    """Train on a folder of shards; the settings come from `--set train...` alone."""
    config = _overridden(Train(), assignments)
    output = Path("runs") / f"{shards.resolve().name}-{stage}"
    result = _train(shards, _stage_config(config, stage), config.model, output, None, None, resume)
    seal_training(output)
    _print_result(result, Console())


def _overridden(config: Train, assignments: list[str]) -> Train:
    """`config` with `--set train.KEY=VALUE` applied."""
    content = {"train": config.model_dump(mode="json")}
    text = override(parse_recipe_text(yaml.safe_dump(content), "--set"), assignments)
    if set(text.values) != {"train"}:
        raise UserError(
            "--set: only keys under `train` matter here", mend="Write --set train.stage1.epochs=2."
        )
    try:
        return Train.model_validate(text.values["train"])
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, ("train", *first["loc"])))
        raise UserError(
            f"--set: `{place}`: {first['msg']}", mend="`coupage recipe schema` lists every key."
        ) from error


def _stage_config(config: Train, stage: str) -> StageTraining:
    chosen: StageTraining | None = getattr(config, stage, None)
    return chosen or StageTraining()


def _start_of_stage(config: Train, workdir: Path, stage: str) -> str | Path | object:
    before = workdir / "train" / "stage1"
    if stage == "stage1" or config.stage1 is None:
        return config.model
    if not (before / "training.json").exists():
        raise UserError(
            "Stage 2 starts from the model of Stage 1, which is not trained yet",
            file=str(before),
            mend=f"First: coupage train {workdir} --stage stage1",
        )
    return before


def _train(
    shards: Path,
    config: StageTraining,
    model: object,
    output: Path,
    tokenizer: Path | None,
    held_out: Path | None,
    resume: bool,
) -> TrainingResult:
    from trainers.errors import IsolationError
    from trainers.train import train

    try:
        return train(shards, config, model, output, tokenizer, held_out, resume)  # type: ignore[arg-type]
    except ImportError as error:
        raise UserError(
            f"training needs more packages: {error}", mend="Install them: pip install 'coupage[train]'"
        ) from error
    except IsolationError as error:
        raise WorkError(str(error)) from error
    except FloatingPointError as error:
        raise WorkError(str(error), mend="Lower the learning rate, and go on with --resume.") from error
    except ValueError as error:
        raise UserError(str(error)) from error


def _print_result(result: TrainingResult, console: Console) -> None:
    table = Table("group", "loss before", "loss after", "bits/byte before", "bits/byte after")
    if result.evaluations:
        first, last = result.evaluations[0], result.evaluations[-1]
        for name in [*sorted(first.groups), "all"]:
            before = first.groups.get(name, first.total)
            after = last.groups.get(name, last.total)
            table.add_row(
                name,
                *(_number(n) for n in (before.loss, after.loss, before.bits_per_byte, after.bits_per_byte)),
            )
        console.print(table)
    console.print(
        f"{result.tokens:,} tokens in {result.seconds:.0f} s ({result.tokens_per_second:,.0f} tokens/s). "
        f"Model: {result.output}",
        highlight=False,
        soft_wrap=True,
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
