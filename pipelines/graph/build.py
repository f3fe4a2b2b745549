"""From a recipe to the graph of its stages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from filters.quality.datatrove import short_name
from pipelines.execution.fingerprint import fingerprint
from pipelines.execution.stage import Stage
from pipelines.graph.classifiers import classifier_judges
from pipelines.graph.inputs import Inputs
from pipelines.recipe.classify_checks import QUALITY
from pipelines.recipe.recipe import FIRST_STAGE, HELD_OUT, Recipe
from pipelines.stages.annotate import Annotate
from pipelines.stages.boilerplate import Lines, RecurringLines, WithoutBoilerplate
from pipelines.stages.classify.percentile_verdicts import Judge
from pipelines.stages.datatrove_filter import DatatroveVerdicts
from pipelines.stages.dedup.candidates import Candidates
from pipelines.stages.dedup.pair_texts import Compared
from pipelines.stages.dedup.preference import Rank
from pipelines.stages.dedup.verify_pairs import Duplicates
from pipelines.stages.ingest import Ingest
from pipelines.stages.mix import HeldOutMix, Mix, MixStage
from pipelines.stages.parts import PartStage
from pipelines.stages.select import Select
from pipelines.stages.shards import Shards
from pipelines.stages.synthesize import Synthesize
from pipelines.stages.tokenize import Tokenize
from pipelines.stages.tokenizer import Tokenizer

DOCUMENTS = "documents"


@dataclass(frozen=True)
class Graph:
    """The stages of a recipe, and those that the rest of the program asks for by name."""

    recipe: Recipe
    ingests: tuple[Ingest, ...]
    selects: tuple[Select, ...]
    tokenizer: Tokenizer
    mixes: dict[str, MixStage]
    shards: dict[str, Shards]

    def stages(self) -> Iterator[Stage]:
        """All stages, each after its inputs."""
        seen: set[str] = set()
        for shards in self.shards.values():
            yield from _inputs_first(shards, seen)

    def folders(self, workdir: Path) -> dict[str, str]:
        """The name of each stage's folder, by the stage's label."""
        return {stage.label: stage.folder(workdir).name for stage in self.stages()}

    def part_stages(self) -> Iterator[tuple[PartStage, Select]]:
        """Every stage that makes documents, with the stage that judges them."""
        for select in self.selects:
            for annotation in select.rank.annotations:
                yield annotation.parts, select


def _inputs_first(stage: Stage, seen: set[str]) -> Iterator[Stage]:
    key = stage.slug
    if key in seen:
        return
    seen.add(key)
    for before in stage.inputs:
        yield from _inputs_first(before, seen)
    yield stage


def build_graph(recipe: Recipe, inputs: Inputs) -> Graph:
    """Make the stages of `recipe`; everything from outside comes from `inputs`."""
    ingests = tuple(_ingest(recipe, name, inputs) for name in recipe.sources)
    sources = tuple(_without_boilerplate(recipe, ingest) for ingest in ingests)
    judges = classifier_judges(recipe, sources, inputs)
    select = _select(recipe, DOCUMENTS, sources, inputs, judges)
    base = inputs.tokenizer(recipe.tokenizer.base) if recipe.tokenizer.base else None
    tokenizer = Tokenizer("", select, base, recipe.tokenizer.train)
    own = tuple(parts for parts in sources if parts.scope in recipe.own_sources)
    tokenized = tuple(Tokenize(parts.scope, parts, select, tokenizer) for parts in own)
    stage1 = _mix(recipe, FIRST_STAGE, tokenized)
    selects = [select]
    for name in recipe.synthesize:
        made = _synthesis(recipe, name, stage1, own)
        judged = _select(recipe, name, (made,), inputs)
        selects.append(judged)
        tokenized = (*tokenized, Tokenize(name, made, judged, tokenizer))
    mixes: dict[str, MixStage] = {FIRST_STAGE: stage1}
    for name in list(recipe.mixtures)[1:]:
        mixes[name] = _mix(recipe, name, tokenized, stage1)
    if recipe.held_out.share > 0:
        mixes[HELD_OUT] = _held_out(recipe, tokenized)
    shards = {name: Shards(name, mix, _data_fingerprint(recipe, name)) for name, mix in mixes.items()}
    return Graph(recipe, ingests, tuple(selects), tokenizer, mixes, shards)


def _ingest(recipe: Recipe, name: str, inputs: Inputs) -> Ingest:
    config = recipe.sources[name]
    # The priority decides between duplicates, not what is read.
    reader = config.model_dump(mode="json", exclude={"priority"})
    source = inputs.source(name, config)
    settings = recipe.for_source(name)
    return Ingest(name, source, settings.domain, reader, recipe.part_size, settings.edits)


def _without_boilerplate(recipe: Recipe, parts: PartStage) -> PartStage:
    """The parts of a source as they are, or written anew without what recurs in them."""
    config = recipe.for_source(parts.scope).boilerplate
    if config is None:
        return parts
    recurring = RecurringLines(parts.scope, Lines(parts.scope, parts, config))
    return WithoutBoilerplate(parts.scope, parts, recurring, recipe.part_size)


def _synthesis(recipe: Recipe, name: str, about: MixStage, sources: tuple[PartStage, ...]) -> Synthesize:
    config = recipe.synthesize[name]
    asked = tuple(parts for parts in sources if parts.domain in config.domains)
    return Synthesize(name, config, about, asked, recipe.part_size)


def _select(
    recipe: Recipe, scope: str, made: tuple[PartStage, ...], inputs: Inputs, judges: tuple[Judge, ...] = ()
) -> Select:
    dedup = recipe.dedup
    annotations = tuple(_annotate(recipe, parts, inputs) for parts in made)
    settings = [recipe.for_source(parts.scope) for parts in made]
    priorities = tuple(source.priority for source in settings)
    quality = next((judge for judge in judges if judge.name == QUALITY and QUALITY in dedup.keep), None)
    keep = dedup.keep if quality else tuple(policy for policy in dedup.keep if policy != QUALITY)
    rank = Rank(scope, annotations, priorities, keep, dedup.exact, dedup.against, quality)
    duplicates = None
    if dedup.minhash:
        candidates = Candidates(scope, rank, dedup.minhash)
        duplicates = Duplicates(scope, Compared(scope, candidates))
    return Select(
        scope,
        rank,
        duplicates,
        dedup.minhash.verify if dedup.minhash else 1.0,
        tuple(source.rules for source in settings),
        tuple(source.language for source in settings),
        recipe.held_out.share,
        recipe.seed,
        judges,
        tuple(verdicts for parts in made for verdicts in _datatrove_verdicts(recipe, parts)),
    )


def _annotate(recipe: Recipe, parts: PartStage, inputs: Inputs) -> Annotate:
    lists = recipe.for_source(parts.scope).word_files.items()
    words = tuple(inputs.word_list(parts.scope, language, files) for language, files in lists)
    language_model = inputs.language_model(recipe.curate.language)
    definition = recipe.curate.words
    return Annotate(parts.scope, parts, recipe.dedup.minhash, words, language_model, definition)


def _datatrove_verdicts(recipe: Recipe, parts: PartStage) -> Iterator[DatatroveVerdicts]:
    """A stage for each of datatrove's filters that judges a source; of the same filter the second is `-2`."""
    used: Counter[str] = Counter()
    for name, options in recipe.for_source(parts.scope).datatrove_filters:
        short = short_name(name)
        used[short] += 1
        number = f"-{used[short]}" if used[short] > 1 else ""
        yield DatatroveVerdicts(f"{parts.scope}-{short}{number}", parts, name, options)


def _mix(recipe: Recipe, stage: str, tokenized: tuple[Tokenize, ...], stage1: MixStage | None = None) -> Mix:
    mixture = recipe.whole_mixtures[stage]
    # With predicates of its own, a group may be fed by any source.
    wanted = tuple(t for t in tokenized if mixture.groups or t.domains & mixture.weights.keys())
    about = stage1 if mixture.qa_about else None
    # Stages draw apart from each other: what one left over, another takes as readily as what it used.
    seed = recipe.seed + list(recipe.mixtures).index(stage)
    return Mix(stage, seed, mixture.sequence_length, wanted, mixture, about)


def _held_out(recipe: Recipe, tokenized: tuple[Tokenize, ...]) -> HeldOutMix:
    mixture = recipe.whole_mixtures[FIRST_STAGE]
    return HeldOutMix(
        HELD_OUT,
        recipe.seed,
        mixture.sequence_length,
        tokenized,
        recipe.held_out.tokens_per_group,
        tuple(mixture.predicates.items()),
    )


def _data_fingerprint(recipe: Recipe, stage: str) -> str:
    """The fingerprint of those parts of the recipe that decide a stage's shards."""
    synthesis_matters = stage != FIRST_STAGE and bool(recipe.synthesize)
    content = recipe.model_dump(mode="json", exclude={"train", "evaluate", "description", "executor"})
    content["synthesize"] = content["synthesize"] if synthesis_matters else {}
    if not recipe.curate.edit:
        del content["curate"]["edit"]
    if not recipe.dedup.boilerplate:
        del content["dedup"]["boilerplate"]
    needed = {stage, FIRST_STAGE} if synthesis_matters else {stage}
    content["mixtures"] = {
        name: mixture.model_dump(mode="json")
        for name, mixture in recipe.whole_mixtures.items()
        if name in needed
    }
    return fingerprint(content)
