"""The columns of an outcome: the base, the stages of a run, merged models, remedies and others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mixers.printable import one_line
from pipelines.commands.open_run import Run
from pipelines.commands.outcome_remedies import Remedy, plan_remedies
from pipelines.errors import UserError
from pipelines.evaluation.in_context import Prompt, Retrieved
from pipelines.evaluation.outcome.measure import NotMeasured
from pipelines.evaluation.outcome.merged import merged_variants
from pipelines.evaluation.outcome.results import FOLDER
from pipelines.evaluation.outcome.table import References
from pipelines.evaluation.passages import VERSION, Passages
from pipelines.evaluation.prompt_file import base_prompt
from pipelines.evaluation.variants import Variant
from pipelines.execution.fingerprint import fingerprint
from pipelines.execution.trained_stage import TrainedStage, trained_stages
from pipelines.recipe.outcome import Outcome
from pipelines.recipe.recipe import FIRST_STAGE
from pipelines.stages.mixed_texts import MixedTexts
from trainers.embeddings import model_folder

BASE = "base"


@dataclass(frozen=True)
class Columns:
    """The variants of a run; those of one model stand together."""

    variants: list[Variant]
    folders: dict[str, Path]
    """Of each model that a variant names."""
    references: References
    missing: list[NotMeasured]
    remedies: list[Remedy]
    """Trainings whose models are to stand beside the others."""

    def with_trained(self, variants: Iterable[Variant], missing: list[NotMeasured]) -> Columns:
        """The same with what became of the remedies, and all that is missing."""
        more = list(variants)
        folders = self.folders | {variant.model: Path(variant.model) for variant in more}
        return replace(self, variants=[*self.variants, *more], folders=folders, missing=missing, remedies=[])

    @property
    def models(self) -> dict[str, str]:
        """Each model once, by the first variant of it; those still to be trained last."""
        first: dict[str, str] = {}
        for variant in (*self.variants, *(remedy.variant for remedy in self.remedies)):
            if variant.model not in first.values():
                first[variant.name] = variant.model
        return first

    def of_model(self, model: str) -> Columns:
        """The columns of one model."""
        return replace(
            self,
            variants=[variant for variant in self.variants if variant.model == model],
            remedies=[remedy for remedy in self.remedies if remedy.variant.model == model],
        )

    def folder(self, variant: str) -> Path:
        """The folder of a variant's model."""
        return next(self.folders[each.model] for each in self.variants if each.name == variant)


def find_columns(run: Run, asked: Outcome, base: str | None, also: Sequence[str]) -> Columns:
    """The variants of a run with a trained model.

    Args:
        run: The run.
        asked: What its recipe asks.
        base: The model that all are compared with; by default what training started from.
        also: Labels and folders of more models.

    Raises:
        UserError: There is no trained model, nothing to compare it with, or a model cannot be used.
    """
    stages = list(run.recipe.mixtures)
    trained = trained_stages(run.folder, stages)
    if not trained:
        raise UserError(
            "no stage of this run is trained",
            file=str(run.folder),
            hint=f"Train one first: coupage train {run.folder}.",
        )
    tuned = trained[-1]
    first = tuned.lineage(stages)[0]
    base = base or first.base
    if base is None and first == tuned:
        raise UserError(
            "training began with a new model, so there is nothing to compare it with",
            file=str(run.folder),
            hint="Give a model: --base MODEL.",
        )
    missing: list[NotMeasured] = []
    variants = [*_of_base(base, asked, missing), *_with_passages(run, base, asked, missing)] if base else []
    variants += _of_stages(trained, None if base else first)
    references = References(BASE if base else first.name, tuned.name)
    folders = {variant.model: _folder(variant.model) for variant in variants}
    beginning = folders[base] if base else first.folder
    variants += _merged(run, asked, beginning, tuned, missing)
    variants += _also(also)
    remedies = plan_remedies(run, tuned, asked, missing)
    _require_distinct([*variants, *(remedy.variant for remedy in remedies)])
    folders |= {variant.model: _folder(variant.model) for variant in variants}
    return Columns(variants, folders, references, missing, remedies)


def _of_base(base: str, asked: Outcome, missing: list[NotMeasured]) -> Iterator[Variant]:
    yield Variant(name=BASE, kind="base", model=base)
    prompt = base_prompt(asked)
    if prompt is None:
        missing.append(NotMeasured("base with a prompt", (), "no prompt was given (`outcome.prompt`)"))
    else:
        yield Variant(
            name="base + prompt",
            kind="prompt",
            model=base,
            context=Prompt(prompt),
            context_is=fingerprint(prompt),
        )


def _with_passages(run: Run, base: str, asked: Outcome, missing: list[NotMeasured]) -> Iterator[Variant]:
    if asked.passages is None:
        missing.append(NotMeasured("base with passages", (), "none were asked for (`outcome.passages`)"))
        return
    number, characters = asked.passages.number, asked.passages.characters
    texts = MixedTexts(run.graph.mixes[FIRST_STAGE], run.folder)
    yield Variant(
        name="base + passages",
        kind="passages",
        model=base,
        context=Retrieved(Passages.of(texts, run.folder, characters), number),
        context_is=fingerprint([VERSION, texts.fingerprint, number, characters]),
    )


def _of_stages(trained: Sequence[TrainedStage], first: TrainedStage | None) -> list[Variant]:
    """The stages in order; the first stands for the base where training began with a new model."""
    return [
        Variant(name=stage.name, kind="base" if stage == first else "stage", model=str(stage.folder))
        for stage in trained
    ]


def _merged(
    run: Run, asked: Outcome, base: Path, tuned: TrainedStage, missing: list[NotMeasured]
) -> list[Variant]:
    if not asked.merge:
        missing.append(NotMeasured("merged models", (), "no weight was given (`outcome.merge`)"))
    try:
        return list(merged_variants(base, tuned.folder, asked.merge, run.folder / FOLDER))
    except ValueError as error:
        missing.append(NotMeasured("merged models", (), str(error)))
        return []


def _also(also: Sequence[str]) -> Iterator[Variant]:
    for each in also:
        label, equals, folder = each.partition("=")
        label = one_line(label).strip()
        if not (equals and label and folder):
            raise UserError(f"--also {one_line(each)}", hint="Write --also LABEL=FOLDER.")
        yield Variant(name=label, kind="also", model=folder)


def _require_distinct(variants: Sequence[Variant]) -> None:
    names = [variant.name for variant in variants]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"two models would be called `{name}`", hint="Choose another label in --also.")


def _folder(model: str) -> Path:
    try:
        return model_folder(model)
    except ValueError as error:
        raise UserError(str(error), file=model) from error
