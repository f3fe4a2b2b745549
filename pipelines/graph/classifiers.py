"""From the classifiers of a recipe to their stages."""

from __future__ import annotations

from collections.abc import Sequence

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
from pipelines.stages.classify.percentile_verdicts import Judge
from pipelines.stages.classify.score import Score
from pipelines.stages.parts import PartStage


def classifier_judges(recipe: Recipe, made: Sequence[PartStage], inputs: Inputs) -> tuple[Judge, ...]:
    """The classifiers of a recipe, in its order; `made` are the stages that make the sources' documents."""
    configs = recipe.curate.classify
    needed = {
        member for config in configs.values() if isinstance(config, Ensemble) for member in config.ensemble
    }
    needed |= {QUALITY} if QUALITY in recipe.dedup.keep else set()
    judges: dict[str, Judge] = {}
    for name, config in configs.items():
        if not isinstance(config, Ensemble):
            judges[name] = _judge(recipe, name, config, made, inputs, name in needed)
    for name, config in configs.items():
        if isinstance(config, Ensemble):
            members = tuple(judges[member] for member in config.ensemble)
            judges[name] = Judge(name, members=members, keep=_share(config.keep))
    return tuple(judges[name] for name in configs)


def _judge(
    recipe: Recipe,
    name: str,
    config: FastTextClassifier | TransformerClassifier,
    made: Sequence[PartStage],
    inputs: Inputs,
    needed: bool,
) -> Judge:
    by_name = {parts.scope: parts for parts in made}
    classifier = Classifier(
        name,
        config,
        _places(name, config, by_name, inputs),
        inputs.model(name, config),
        recipe.held_out.share,
        recipe.seed,
    )
    judged = config.sources or tuple(name for name in by_name if name in recipe.own_sources)
    return Judge(
        name,
        scores=tuple(
            Score(f"{name}-{source}", classifier, by_name[source], config.score_label) for source in judged
        ),
        keep=_share(config.keep),
        relabel=tuple(config.conditions.items()),
        of_scores=needed or config.keep is not None,
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
