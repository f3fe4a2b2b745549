"""`coupage outcome`: whether training did what it was to do, beside everything that could do it as well."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from mixers.files import write_bytes
from pipelines.commands.console import PlainConsole
from pipelines.commands.open_run import Run, open_run
from pipelines.commands.outcome_measures import Planned, plan_measures
from pipelines.commands.outcome_remedies import train_remedies
from pipelines.commands.outcome_variants import Columns, find_columns
from pipelines.evaluation.outcome.measure import NotMeasured, all_tables, measure_variants
from pipelines.evaluation.outcome.mera import MeraTasks
from pipelines.evaluation.outcome.results import FOLDER, Results
from pipelines.execution.fingerprint import library_versions
from pipelines.execution.lock import only_run_in
from pipelines.execution.manifest import write_sealed
from pipelines.execution.seal import OUTCOME, OUTCOME_PAGE, SENT_FILES, reseal_run
from pipelines.plain import print_json
from pipelines.recipe.assignments import override
from pipelines.recipe.checks import recipe_problems
from pipelines.recipe.evaluate import Evaluate
from pipelines.recipe.mistakes import mistakes_error, validation_error
from pipelines.recipe.outcome import Outcome
from pipelines.recipe.recipe import Recipe
from pipelines.recipe.yaml_text import parse_recipe_text
from pipelines.report.contamination import contamination_report
from pipelines.report.finished import Finished
from pipelines.report.outcome.page import outcome_page
from pipelines.report.outcome.summary import trained_now
from pipelines.report.outcome.verdicts import verdicts_of
from pipelines.report.write import write_report
from pipelines.settings import STRICT


def show_outcome(
    folder: Path, also: Sequence[str], base: str | None, settings: Sequence[str], json: bool
) -> None:
    """`coupage outcome`."""
    progress = PlainConsole(stderr=True)
    content = measure_outcome(folder, also, base, settings, progress)
    if json:
        print_json(content)
        return
    console = PlainConsole()
    for verdict in content["verdicts"]:
        console.print(verdict["sentence"] + f" {verdict['advice']}".rstrip(), soft_wrap=True)
    console.print(str(folder / OUTCOME_PAGE), soft_wrap=True)


def measure_outcome(
    folder: Path,
    also: Sequence[str] = (),
    base: str | None = None,
    settings: Sequence[str] = (),
    progress: PlainConsole | None = None,
) -> dict[str, Any]:
    """Measure all variants of a run, and write `outcome.json`, `outcome.html` and the report anew.

    Args:
        folder: Of a finished run with a trained model.
        also: More models to hold beside, as `LABEL=FOLDER`.
        base: What they are compared with; by default what training started from.
        settings: Overridden keys of the recipe's `outcome` and `evaluate`.
        progress: Is told what comes next.

    Returns:
        What `outcome.json` holds.

    Raises:
        UserError: The run, a model or a setting is wrong.
    """
    run = open_run(folder)
    evaluate, asked = _asked(run.recipe, settings)
    kept = folder / FOLDER
    kept.mkdir(exist_ok=True)
    console = progress or PlainConsole(quiet=True)

    def tell(text: str) -> None:
        console.print(text, soft_wrap=True)

    with only_run_in(kept):
        columns = find_columns(run, asked, base, also)
        planned = plan_measures(run, columns, evaluate, asked, Results(kept))
        columns = columns.with_trained(train_remedies(run, columns.remedies, evaluate.batch_size, tell))
        measured = measure_variants(planned.measures, columns.variants, columns.folders, Results(kept), tell)
        for measure in planned.measures:
            if isinstance(measure, MeraTasks):
                found = measured.results.get(measure.name, {})
                measure.write_archive(found, columns.references.tuned, kept)
        not_measured = [*columns.missing, *planned.missing, *measured.not_measured]
        tables = all_tables(planned.measures, measured, columns.references)
        content = _content(run, asked, columns, planned, not_measured) | {
            "tables": {name: table.to_json() for name, table in tables.items()}
        }
        content["verdicts"] = verdicts_of(content)
        write_sealed(folder / OUTCOME, content)
        write_bytes(folder / OUTCOME_PAGE, outcome_page(content).encode())
        write_report(run.graph, folder)
        reseal_run(folder, SENT_FILES)
    return content


def _content(
    run: Run, asked: Outcome, columns: Columns, planned: Planned, not_measured: Sequence[NotMeasured]
) -> dict[str, Any]:
    return {
        "name": run.recipe.name,
        "coupage": library_versions("coupage")["coupage"],
        "base": columns.references.base,
        "tuned": columns.references.tuned,
        "variants": [variant.to_json() for variant in columns.variants],
        "groups": {"domain": planned.domain, "general": list(asked.general)},
        "general_tasks": list(asked.general_tasks),
        "margins": asked.margins.model_dump(),
        "trained": trained_now(run.graph, run.folder),
        "not_measured": [
            {"measure": each.measure, "variants": list(each.variants), "why": each.why}
            for each in not_measured
        ],
        "contamination": contamination_report(run.graph, Finished(run.folder)),
    }


class _Sections(BaseModel):
    """The sections of a recipe that say what is measured."""

    model_config = STRICT

    evaluate: Evaluate = Evaluate()
    outcome: Outcome = Outcome()


def _asked(recipe: Recipe, settings: Sequence[str]) -> tuple[Evaluate, Outcome]:
    """What the run's recipe asks, with what the command line says in its place."""
    said = {"evaluate": recipe.evaluate, "outcome": recipe.outcome}
    content = {
        name: section.model_dump(mode="json", exclude_unset=True) for name, section in said.items() if section
    }
    text = override(parse_recipe_text(yaml.safe_dump(content), "--set"), settings)
    try:
        asked = _Sections.model_validate(text.values)
    except ValidationError as error:
        raise validation_error(text, error, _Sections) from error
    changed = recipe.model_copy(update={"evaluate": asked.evaluate, "outcome": asked.outcome})
    if problems := recipe_problems(changed):
        raise mistakes_error(text, problems, "Correct the name, or add what it should refer to.")
    return asked.evaluate, asked.outcome
