"""What an outcome asks of which models, before anything is trained or asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import BaseModel, ValidationError

from pipelines.commands.open_run import Run, open_run
from pipelines.commands.outcome_measures import Planned, plan_measures
from pipelines.commands.outcome_remedies import train_remedies
from pipelines.commands.outcome_variants import Columns, find_columns
from pipelines.evaluation.outcome.measure import Measured, NotMeasured, Tell, measure_variants
from pipelines.evaluation.outcome.results import FOLDER, Results
from pipelines.execution.executors.config import ExecutorSettings
from pipelines.recipe.assignments import override
from pipelines.recipe.checks import recipe_problems
from pipelines.recipe.evaluate import Evaluate
from pipelines.recipe.mistakes import mistakes_error, validation_error
from pipelines.recipe.outcome import Outcome
from pipelines.recipe.recipe import Recipe
from pipelines.recipe.yaml_text import parse_recipe_text
from pipelines.settings import STRICT


@dataclass(frozen=True, kw_only=True)
class Request:
    """What was asked for."""

    folder: Path
    """Of a finished run with a trained model."""
    also: tuple[str, ...] = ()
    """More models to hold beside, as `LABEL=FOLDER`."""
    base: str | None = None
    """What they are compared with; by default what training started from."""
    settings: tuple[str, ...] = ()
    """Overridden keys of the recipe's `outcome`, `evaluate` and `executor`."""

    def opened(self) -> Opened:
        """The run and what it is asked; nothing is written. Raises UserError where a setting is wrong."""
        run = open_run(self.folder)
        return Opened(request=self, run=run, asked=_asked(run.recipe, self.settings))


class Sections(BaseModel):
    """The sections of a recipe that say what is measured, and where."""

    model_config = STRICT

    evaluate: Evaluate = Evaluate()
    outcome: Outcome = Outcome()
    executor: ExecutorSettings = ExecutorSettings()


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A request that can be understood."""

    request: Request
    run: Run
    asked: Sections

    def plan(self) -> OutcomePlan:
        """Find the models, and what they are asked; those to be merged are merged, as far as they are not.

        Raises:
            UserError: A model or a task cannot be used.
        """
        kept = Results(self.request.folder / FOLDER)
        evaluate, outcome = self.asked.evaluate, self.asked.outcome
        columns = find_columns(self.run, outcome, self.request.base, self.request.also)
        planned = plan_measures(self.run, columns, evaluate, outcome, kept)
        return OutcomePlan(opened=self, columns=columns, planned=planned, kept=kept)


@dataclass(frozen=True, kw_only=True)
class OutcomePlan:
    """Models, and what they are asked; the same request plans the same everywhere."""

    opened: Opened
    columns: Columns
    planned: Planned
    kept: Results

    def ask(
        self, columns: Columns, tell: Tell, refused: Sequence[NotMeasured] = ()
    ) -> tuple[Columns, Measured]:
        """Train the remedies among some columns and ask all of their models, as far as that is not done.

        Args:
            columns: All of the plan's, or some.
            tell: Is told what comes next.
            refused: What is known not to be trainable or measurable.

        Returns:
            The columns, with those remedies that were trained, and what they gave.
        """
        run, batch_size = self.opened.run, self.opened.asked.evaluate.batch_size
        untrainable = {each.measure: each for each in refused if not each.variants}
        missing = [*columns.missing, *untrainable.values()]
        remedies = [remedy for remedy in columns.remedies if remedy.name not in untrainable]
        trained = columns.with_trained(train_remedies(run, remedies, batch_size, tell, missing), missing)
        return trained, measure_variants(
            self.planned.measures, trained.variants, trained.folders, self.kept, tell, refused
        )


def _asked(recipe: Recipe, settings: Sequence[str]) -> Sections:
    """What the run's recipe asks, with what the command line says in its place."""
    said = {name: getattr(recipe, name) for name in Sections.model_fields}
    content = {
        name: section.model_dump(mode="json", exclude_unset=True) for name, section in said.items() if section
    }
    text = override(parse_recipe_text(yaml.safe_dump(content), "--set"), settings)
    try:
        asked = Sections.model_validate(text.values)
    except ValidationError as error:
        raise validation_error(text, error, Sections) from error
    changed = recipe.model_copy(update={"evaluate": asked.evaluate, "outcome": asked.outcome})
    if problems := recipe_problems(changed):
        raise mistakes_error(text, problems, "Correct the name, or add what it should refer to.")
    return asked
