"""From the classifiers of a recipe to their stages."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from pipelines.graph.inputs import Inputs
from pipelines.recipe.classify import (
    Ensemble,
    FastTextClassifier,
    FromFile,
    FromSource,
    LabelledFile,
    TransformerClassifier,
    parse_top,
)
from pipelines.recipe.classify_checks import QUALITY
from pipelines.recipe.recipe import Recipe
from pipelines.sources.fields import Fields
from pipelines.sources.files import FilesConfig
from pipelines.stages.classify.classifier import Classifier
from pipelines.stages.classify.examples import Place
from pipelines.stages.classify.percentile_verdicts import (
    ClassifierVerdicts,
    EnsembleVerdicts,
    Verdicts,
)
from pipelines.stages.classify.score import Score
from pipelines.stages.parts import PartStage


def classifier_verdicts(
    recipe: Recipe, made: Sequence[PartStage], inputs: Inputs, known: Collection[str]
) -> tuple[Verdicts, ...]:
    """The classifiers of a recipe, in its order.

    Args:
        recipe: The recipe.
        made: The stages that make the sources' documents.
        inputs: Everything from outside.
        known: The sources among whose documents others stand.
    """
    configs = recipe.curate.classify
    ensembles = {name: config for name, config in configs.items() if isinstance(config, Ensemble)}
    needed = {member for config in ensembles.values() for member in config.ensemble}
    needed |= {QUALITY} if QUALITY in recipe.dedup.keep else set()
    single = {
        name: _verdicts(recipe, name, config, made, inputs, name in needed, known)
        for name, config in configs.items()
        if not isinstance(config, Ensemble)
    }
    single = {name: verdicts for name, verdicts in single.items() if verdicts.scores}
    members = {
        name: tuple(single[member] for member in config.ensemble if member in single)
        for name, config in ensembles.items()
    }
    together = {
        name: EnsembleVerdicts(name=name, keep=_share(config.keep), classifiers=members[name])
        for name, config in ensembles.items()
        if members[name]
    }
    every: dict[str, Verdicts] = {**single, **together}
    return tuple(every[name] for name in configs if name in every)


def _verdicts(
    recipe: Recipe,
    name: str,
    config: FastTextClassifier | TransformerClassifier,
    made: Sequence[PartStage],
    inputs: Inputs,
    needed: bool,
    known: Collection[str],
) -> ClassifierVerdicts:
    by_name = {parts.scope: parts for parts in made}
    classifier = Classifier(
        scope=name,
        config=config,
        places=_places(name, config, by_name, inputs),
        model=inputs.model(name, config),
        held_out_share=recipe.held_out.share,
        seed=recipe.seed,
        max_share=recipe.quarantine.max_share,
    )
    judged = config.sources or tuple(name for name in by_name if name in recipe.own_sources)
    return ClassifierVerdicts(
        name=name,
        keep=_share(config.keep),
        scores=tuple(
            Score(
                scope=f"{name}-{source}",
                classifier=classifier,
                parts=by_name[source],
                positive=config.score_label,
            )
            for source in judged
            if source in known
        ),
        relabel=tuple(config.conditions.items()),
        needs_scores=needed or config.keep is not None,
    )


def _places(
    name: str,
    config: FastTextClassifier | TransformerClassifier,
    made: dict[str, PartStage],
    inputs: Inputs,
) -> tuple[Place, ...]:
    places: list[Place] = []
    files = 0
    labelled = config.train.items() if isinstance(config.train, dict) else ((None, config.examples),)
    for label, examples in labelled:
        for example in examples:
            field, sample = "", None
            if isinstance(example, LabelledFile):
                field = example.label
            else:
                sample = example.sample
            if isinstance(example, FromSource):
                places.append(Place(made[example.source], label, field, sample))
            else:
                places.append(Place(inputs.examples(name, files, _files(example)), label, field, sample))
                files += 1
    return tuple(places)


def _files(example: FromFile | LabelledFile) -> FilesConfig:
    return FilesConfig(reader="files", path=example.file, fields=Fields(text=example.text))


def _share(keep: str | None) -> float | None:
    return parse_top(keep) if keep else None
