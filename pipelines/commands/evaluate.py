"""`coupage evaluate`: what a model is worth, beside another one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from pipelines.commands.console import PlainConsole
from pipelines.commands.shards import open_shards
from pipelines.errors import UserError
from pipelines.evaluation.evaluate import Subjects, evaluate_models
from pipelines.evaluation.held_out import identified_languages
from pipelines.evaluation.hit_questions import HitQuestions, benchmarks_in, read_matches
from pipelines.evaluation.tables import print_scores
from pipelines.execution.seal import RUN_SEAL
from pipelines.plain import complain, print_json
from pipelines.recipe.assignments import override
from pipelines.recipe.evaluate import Evaluate
from pipelines.recipe.mistakes import validation_error
from pipelines.recipe.yaml_text import parse_recipe_text
from tokenizer_tools.load import HUB_ID, TokenizerError, load_tokenizer
from trainers.scores import Described


@dataclass(frozen=True)
class Options:
    """What the command line asks for, on top of a run's recipe."""

    tasks: str | None
    num_fewshot: int | None
    limit: int | None
    include: list[str]
    language_swap: bool
    prompts: str | None
    retrieval: bool
    settings: list[str]
    matches: list[Path]


def show_scores(model: str, shards: Path | None, base: str | None, options: Options, json: bool) -> None:
    """`coupage evaluate`; a run may stand in the place of a model."""
    subjects, recipe_asks = _subjects(model, shards, base)
    asked = _asked(recipe_asks, options)
    if subjects.shards is None and not asked.needs_generation:
        raise UserError(
            "this is not a run, and without shards or --tasks there is nothing to measure",
            file=model,
            hint="Give shards as well, coupage evaluate MODEL SHARDS, or --tasks; or the folder of a run.",
        )
    if options.matches:
        given = _hits(options.matches, asked)
        subjects = replace(subjects, hits=subjects.hits | given if subjects.hits else given)
    for name in subjects.models.values():
        _check_model(name)
    if subjects.shards is not None:
        _check_tokenizer(subjects.models["model"], subjects.shards)
    scores = evaluate_models(subjects, asked).to_json()
    if json:
        print_json({"shards": str(subjects.shards) if subjects.shards else None, **scores})
    else:
        print_scores(scores, PlainConsole())


def _subjects(model: str, shards: Path | None, base: str | None) -> tuple[Subjects, Evaluate]:
    """What is evaluated, and what a run's recipe asks for."""
    if shards is None and (Path(model) / RUN_SEAL).is_file():
        from pipelines.commands.evaluate_run import last_trained
        from pipelines.commands.open_run import open_run

        graph = open_run(model).graph
        return last_trained(graph, Path(model), base), graph.recipe.evaluate or Evaluate()
    models = {"model": model, **({"base": base} if base else {})}
    described = Described(_identified(model, shards)) if shards else Described()
    return Subjects(models, shards, described), Evaluate()


def _hits(files: list[Path], asked: Evaluate) -> HitQuestions:
    """The questions that files of matches have; the name of a benchmark may be that of its task or group."""
    if not asked.harness:
        raise UserError("--matches: no benchmark is asked", hint="Name its task: --tasks gsm8k.")
    hits = HitQuestions()
    for file in files:
        matches = read_matches(file)
        of_tasks, of_files = benchmarks_in(matches)
        hits |= HitQuestions.of(matches, {name: name for name in of_tasks}, str(file))
        if of_files:
            complain(
                f"{file}: left out is {', '.join(of_files)}: "
                "only items that were read from a task can be told among its questions"
            )
    return hits


def _identified(model: str, shards: Path) -> Mapping[str, str] | None:
    """The languages of shards that belong to no run, where the model has the tokenizer that made them."""
    opened = open_shards(shards)
    try:
        tokenizer = load_tokenizer(model)
    except TokenizerError:
        return None
    return identified_languages(opened, tokenizer) if tokenizer.hash == opened.tokenizer_hash else None


def _asked(asked: Evaluate, options: Options) -> Evaluate:
    """What the recipe asks for, with what the command line says in its place."""
    values: dict[str, Any] = asked.model_dump(mode="json", exclude_unset=True)
    if options.tasks is not None:
        values["harness"] = [{"task": name.strip()} for name in options.tasks.split(",") if name.strip()]
    given = {"num_fewshot": options.num_fewshot, "limit": options.limit}
    given = {name: value for name, value in given.items() if value is not None}
    values["harness"] = [{**task, **given} for task in values.get("harness", [])]
    if options.include:
        values["include"] = options.include
    if options.language_swap or options.prompts:
        swap = values.get("language_swap") or {}
        values["language_swap"] = swap | ({"file": options.prompts} if options.prompts else {})
    if options.retrieval:
        values["retrieval"] = values.get("retrieval") or {}
    text = parse_recipe_text(yaml.safe_dump({"evaluate": values}), "--set")
    values = override(text, options.settings).values
    if set(values) != {"evaluate"}:
        raise UserError(
            "--set: only keys under `evaluate` matter here",
            hint="Write --set evaluate.retrieval.texts=5.",
        )
    try:
        return Evaluate.model_validate(values["evaluate"])
    except ValidationError as error:
        raise validation_error(text, error, Evaluate) from error


def _check_model(model: str) -> None:
    """Raise UserError for what can be no model."""
    if not Path(model).is_dir() and not HUB_ID.fullmatch(model):
        raise UserError("there is no model", file=model, hint="Give its folder or a hub id, owner/name.")


def _check_tokenizer(model: str, shards: Path) -> None:
    """Warn of a model with another tokenizer than that of the shards, where it says which it has."""
    expected = open_shards(shards).tokenizer_hash
    try:
        found = load_tokenizer(model).hash
    except TokenizerError:
        return
    if found != expected:
        complain(
            f"warning: {model} has another tokenizer.json than the one that made the shards; "
            "if its ids differ, the scores mean nothing",
        )
