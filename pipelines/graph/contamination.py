"""The stages that compare documents with benchmarks."""

from __future__ import annotations

from filters.contamination.items import KINDS
from filters.contamination.judge import Thresholds
from pipelines.graph.inputs import Inputs
from pipelines.recipe.decontaminate import Decontaminate, Semantic
from pipelines.recipe.recipe import Recipe
from pipelines.sources.embedders import EmbedderInput
from pipelines.sources.judgements import Judgements
from pipelines.stages.contamination.benchmarks import Benchmarks
from pipelines.stages.contamination.common_ngrams import CommonNgrams
from pipelines.stages.contamination.item_vectors import ItemVectors
from pipelines.stages.contamination.matches import Matches
from pipelines.stages.contamination.semantic_candidates import SemanticCandidates
from pipelines.stages.contamination.semantic_matches import SemanticMatches
from pipelines.stages.contamination.semantic_reference import SemanticReference
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
    embedder = inputs.embedder(config.semantic.embedder) if config.semantic else None
    return verdicts_on(parts, benchmarks, config, judgements, embedder)


def verdicts_on(
    parts: PartStage,
    benchmarks: Benchmarks,
    config: Decontaminate,
    judgements: Judgements,
    embedder: EmbedderInput | None = None,
) -> ContaminationVerdicts:
    """The verdicts on the documents of some parts; `embedder` is that of `config.semantic`."""
    # What a cut left is compared again, under a name of its own.
    scope = f"{parts.scope}-cut" if isinstance(parts, WithoutSpans) else parts.scope
    common = CommonNgrams(scope=scope, parts=parts, benchmarks=benchmarks)
    thresholds = Thresholds(**config.thresholds.model_dump())
    return ContaminationVerdicts(
        matches=Matches(scope=scope, parts=parts, common=common, thresholds=thresholds),
        semantic=_semantic_matches(scope, parts, benchmarks, config.semantic, embedder)
        if config.semantic and embedder
        else None,
        actions={(name, kind): config.action_for(name, kind) for name in config.against for kind in KINDS},
        judgements=judgements,
    )


def _semantic_matches(
    scope: str, parts: PartStage, benchmarks: Benchmarks, config: Semantic, embedder: EmbedderInput
) -> SemanticMatches:
    reference = SemanticReference(
        scope=scope,
        parts=parts,
        items=ItemVectors(scope="", benchmarks=benchmarks, embedder=embedder),
        share=config.share,
        threshold=config.threshold,
        translations=config.translations,
    )
    candidates = SemanticCandidates(scope=scope, parts=parts, reference=reference)
    return SemanticMatches(scope=scope, candidates=candidates, judge=config.judge)


def _is_compared(recipe: Recipe, scope: str) -> bool:
    """All but what is only compared with; what is synthesised too, where no sources are named."""
    config = recipe.decontaminate
    assert config is not None
    if config.sources is not None:
        return scope in config.sources
    return scope not in recipe.dedup.against
