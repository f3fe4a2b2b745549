"""The stages that compare documents with benchmarks."""

from __future__ import annotations

from filters.contamination.items import KINDS
from filters.contamination.judge import Thresholds
from pipelines.graph.inputs import Inputs
from pipelines.recipe.decontaminate import Decontaminate
from pipelines.recipe.recipe import Recipe
from pipelines.sources.judgements import Judgements
from pipelines.stages.contamination.benchmarks import Benchmarks
from pipelines.stages.contamination.common_ngrams import CommonNgrams
from pipelines.stages.contamination.matches import Matches
from pipelines.stages.contamination.verdicts import CUT, ContaminationVerdicts
from pipelines.stages.contamination.without_spans import WithoutSpans
from pipelines.stages.parts import PartStage


def without_spans(recipe: Recipe, parts: PartStage, inputs: Inputs) -> PartStage:
    """The parts of a source as they are, or written anew without the spans that are to be cut."""
    verdicts = contamination_verdicts(recipe, parts, inputs)
    if verdicts is None or CUT not in verdicts.actions.values():
        return parts
    return cut_parts(parts, verdicts, recipe.part_size)


def cut_parts(parts: PartStage, verdicts: ContaminationVerdicts, part_bytes: int) -> WithoutSpans:
    """The stage that writes the parts anew."""
    return WithoutSpans(scope=parts.scope, parts=parts, verdicts=verdicts, part_bytes=part_bytes)


def contamination_verdicts(recipe: Recipe, parts: PartStage, inputs: Inputs) -> ContaminationVerdicts | None:
    """What is said of the documents of a source; None where they are not compared."""
    config = recipe.decontaminate
    if config is None or not _is_compared(recipe, parts.scope):
        return None
    benchmarks = Benchmarks(
        scope="", against={name: inputs.benchmark(name, each) for name, each in config.against.items()}
    )
    judgements = inputs.judgements(config.allow) if config.allow else Judgements()
    return verdicts_on(parts, benchmarks, config, judgements)


def verdicts_on(
    parts: PartStage, benchmarks: Benchmarks, config: Decontaminate, judgements: Judgements
) -> ContaminationVerdicts:
    """The verdicts on the documents of some parts."""
    # What a cut left is compared again, under a name of its own.
    scope = f"{parts.scope}-cut" if isinstance(parts, WithoutSpans) else parts.scope
    common = CommonNgrams(scope=scope, parts=parts, benchmarks=benchmarks)
    thresholds = Thresholds(**config.thresholds.model_dump())
    return ContaminationVerdicts(
        matches=Matches(scope=scope, parts=parts, common=common, thresholds=thresholds),
        actions={(name, kind): config.action_for(name, kind) for name in config.against for kind in KINDS},
        judgements=judgements,
    )


def _is_compared(recipe: Recipe, scope: str) -> bool:
    """All but what is only compared with; what is synthesised too, where no sources are named."""
    config = recipe.decontaminate
    assert config is not None
    if config.sources is not None:
        return scope in config.sources
    return scope not in recipe.dedup.against
