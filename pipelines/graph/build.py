"""From a recipe to the graph of its stages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from filters.dedup.minhash import MinHash
from filters.quality.datatrove import short_name
from filters.quality.signals import families_of
from filters.text.words import WordDefinition
from mixers.plan import most_of_a_document
from pipelines.execution.fingerprint import fingerprint
from pipelines.execution.stage import Stage, inputs_first
from pipelines.graph.classifiers import classifier_verdicts
from pipelines.graph.contamination import contamination_verdicts, without_spans
from pipelines.graph.inputs import Inputs
from pipelines.graph.synthesis import decisive, syntheses_of, synthesis
from pipelines.recipe.classify_checks import QUALITY
from pipelines.recipe.recipe import FIRST_STAGE, HELD_OUT, Recipe, SourceSettings
from pipelines.sources.models import ModelInput
from pipelines.stages.annotate import Annotations
from pipelines.stages.bad_words import BadWords
from pipelines.stages.boilerplate import Lines, RecurringLines, WithoutBoilerplate
from pipelines.stages.classify.percentile_verdicts import Verdicts
from pipelines.stages.contamination.apart import Apart
from pipelines.stages.contamination.apart_mix import ApartMix
from pipelines.stages.contamination.held_out_passages import HeldOutPassages
from pipelines.stages.contamination.training_passages import TrainingPassages
from pipelines.stages.datatrove_filter import DatatroveVerdicts
from pipelines.stages.dedup.bands import Bands
from pipelines.stages.dedup.candidates import Candidates
from pipelines.stages.dedup.hashes import Hashes
from pipelines.stages.dedup.pair_texts import PairTexts
from pipelines.stages.dedup.preference import Preference, Standing
from pipelines.stages.dedup.verify_pairs import VerifyPairs
from pipelines.stages.ingest import Ingest
from pipelines.stages.language import Language
from pipelines.stages.mix import HeldOutDraw, HeldOutMix, Mix, MixStage
from pipelines.stages.parts import PartStage
from pipelines.stages.select import JudgedSource, Select
from pipelines.stages.shards import Shards
from pipelines.stages.signals import Signals
from pipelines.stages.survey.survey import Survey
from pipelines.stages.tokenize import Tokenize
from pipelines.stages.tokenizer import Tokenizer
from pipelines.stages.tokenizer_fit import TokenizerFit
from pipelines.stages.vocabulary import Vocabulary

DOCUMENTS = "documents"


@dataclass(frozen=True)
class Graph:
    """The stages of a recipe, and those that the rest of the program asks for by name."""

    recipe: Recipe
    ingests: tuple[Ingest, ...]
    selects: tuple[Select, ...]
    tokenizer: Tokenizer
    fit: TokenizerFit
    mixes: dict[str, MixStage]
    shards: dict[str, Shards]

    def stages(self) -> Iterator[Stage]:
        """All stages, each after its inputs; sources are read first, so that their faults show early."""
        surveys = {survey.select.label: survey for survey in self.surveys}
        for stage in inputs_first((*self.ingests, *self.shards.values(), self.fit)):
            yield stage
            if stage.label in surveys:
                yield surveys[stage.label]

    @cached_property
    def surveys(self) -> tuple[Survey, ...]:
        """What is shown of the documents that each selection judges."""
        return tuple(Survey(scope=select.scope, select=select) for select in self.selects)

    @property
    def results(self) -> tuple[Stage, ...]:
        """The stages whose files a run gives to its user."""
        return (self.tokenizer, *self.shards.values())

    def part_stages(self) -> Iterator[tuple[PartStage, Select]]:
        """Every stage that makes documents, with the stage that judges them."""
        seen: set[str] = set()
        for select in self.selects:
            for parts in select.judged_parts:
                if parts.scope not in seen:  # a reference is compared with in each increment
                    seen.add(parts.scope)
                    yield parts, select

    def select_of(self, source: str) -> Select:
        """The stage that judges the documents of a source."""
        return next(select for parts, select in self.part_stages() if parts.scope == source)


def build_graph(recipe: Recipe, inputs: Inputs) -> Graph:
    """Make the stages of `recipe`; everything from outside comes from `inputs`."""
    ingests = tuple(ingest_of(recipe, name, inputs) for name in recipe.sources)
    read = (_without_boilerplate(recipe, ingest) for ingest in ingests)
    sources = tuple(without_spans(recipe, parts, inputs) for parts in read)
    selects = _increments(recipe, sources, inputs)
    tokenizer = _tokenizer(recipe, selects[0], inputs)
    judges = {parts.scope: select for select in selects for parts in select.judged_parts}
    own = (parts for parts in sources if parts.scope in recipe.own_sources)
    tokenized = tuple(_tokenize(parts, judges[parts.scope], tokenizer) for parts in own)
    asked = tokenized

    def judged(made: PartStage) -> Tokenize:
        selects.append(_select(recipe, made.scope, (made,), inputs))
        return _tokenize(made, selects[-1], tokenizer)

    for name in syntheses_of(recipe, "sources"):
        tokenized = (*tokenized, judged(synthesis(recipe, name, asked, None, tokenizer, inputs)))
    stage1 = _mix(recipe, FIRST_STAGE, tokenized)
    for name in syntheses_of(recipe, "stage1"):
        tokenized = (*tokenized, judged(synthesis(recipe, name, asked, stage1, tokenizer, inputs)))
    mixes: dict[str, MixStage] = {FIRST_STAGE: stage1}
    for name in list(recipe.mixtures)[1:]:
        mixes[name] = _mix(recipe, name, tokenized, stage1)
    if recipe.held_out.share > 0:
        mixes[HELD_OUT] = _held_out(recipe, tokenized)
    shards = {
        name: Shards(scope=name, mix=mix, recipe_fingerprint=_data_fingerprint(recipe, name))
        for name, mix in mixes.items()
    }
    fit = TokenizerFit(scope="", select=selects[0], tokenizer=tokenizer)
    return Graph(recipe, ingests, tuple(selects), tokenizer, fit, mixes, shards)


def ingest_of(recipe: Recipe, name: str, inputs: Inputs) -> Ingest:
    """The stage that reads the source called `name`."""
    config, settings = recipe.sources[name], recipe.for_source(name)
    return Ingest(
        scope=name,
        source=inputs.source(name, config),
        group=settings.domain,
        # The priority decides between duplicates, not what is read; and of a place what it holds counts.
        reader=config.model_dump(mode="json", exclude={"priority", "path", "dataset", "increment"}),
        max_share=recipe.quarantine.max_share,
        part_bytes=recipe.part_size,
        edits=settings.edits,
        licences=recipe.licences if name in recipe.own_sources else None,
    )


def _without_boilerplate(recipe: Recipe, parts: PartStage) -> PartStage:
    """The parts of a source as they are, or written anew without what recurs in them."""
    config, scope = recipe.for_source(parts.scope).boilerplate, parts.scope
    if config is None:
        return parts
    recurring = RecurringLines(scope=scope, lines=Lines(scope=scope, parts=parts, config=config))
    return WithoutBoilerplate(scope=scope, parts=parts, recurring=recurring, part_bytes=recipe.part_size)


def _increments(recipe: Recipe, sources: tuple[PartStage, ...], inputs: Inputs) -> list[Select]:
    """The selection of each increment, the first of which is the same whatever is added to it."""
    selects: list[Select] = []
    standing: tuple[Standing, ...] = ()
    for number in recipe.increments:
        own = [parts.scope for parts in sources if recipe.increment_of(parts.scope) in (number, None)]
        known = {each.source for each in standing}.union(own)
        scope = f"{DOCUMENTS}-{number}" if selects else DOCUMENTS
        made = tuple(parts for parts in sources if parts.scope in known)
        classifiers = classifier_verdicts(recipe, sources, inputs, known)
        selects.append(_select(recipe, scope, made, inputs, classifiers, standing))
        judged = (name for name in own if name in recipe.own_sources)
        standing = (*standing, *(Standing(name, selects[-1]) for name in judged))
    return selects


def _select(
    recipe: Recipe,
    scope: str,
    made: tuple[PartStage, ...],
    inputs: Inputs,
    classifiers: tuple[Verdicts, ...] = (),
    standing: tuple[Standing, ...] = (),
) -> Select:
    dedup, known = recipe.dedup, {each.source for each in standing}
    sources = tuple(
        JudgedSource(annotations=_annotations(recipe, parts, recipe.for_source(parts.scope), inputs))
        if parts.scope in known
        else _judged_source(recipe, parts, inputs)
        for parts in made
    )
    quality = next((v for v in classifiers if v.name == QUALITY and QUALITY in dedup.keep), None)
    preference = Preference(
        scope=scope,
        hashes=tuple(source.annotations.hashes for source in sources),
        priorities=tuple(recipe.for_source(parts.scope).priority for parts in made),
        keep=dedup.keep if quality else tuple(policy for policy in dedup.keep if policy != QUALITY),
        exact=dedup.exact,
        against=dedup.against,
        standing=standing,
        quality=quality,
    )
    bands = tuple(source.annotations.bands for source in sources if source.annotations.bands)
    return Select(
        scope=scope,
        sources=sources,
        preference=preference,
        pairs=verified_pairs(scope, preference, bands, dedup.minhash) if dedup.minhash else None,
        threshold=dedup.minhash.verify if dedup.minhash else 1.0,
        held_out_share=recipe.held_out.share,
        held_out_least=recipe.held_out.tokens_per_group.min,
        longest_held_out=most_of_a_document(recipe.held_out.tokens_per_group.max),
        seed=recipe.seed,
        classifiers=classifiers,
    )


def verified_pairs(
    scope: str, preference: Preference, bands: tuple[Bands, ...], minhash: MinHash
) -> VerifyPairs:
    """The stages that find near duplicates, the last of which verifies them."""
    candidates = Candidates(scope=scope, preference=preference, bands=bands, minhash=minhash)
    texts = PairTexts(scope=scope, candidates=candidates, parts=preference.parts)
    return VerifyPairs(scope=scope, candidates=candidates, texts=texts)


def _judged_source(recipe: Recipe, parts: PartStage, inputs: Inputs) -> JudgedSource:
    settings = recipe.for_source(parts.scope)
    return JudgedSource(
        annotations=_annotations(recipe, parts, settings, inputs),
        rules=settings.rules,
        language=settings.language,
        datatrove=tuple(_datatrove_verdicts(parts, settings)),
        contamination=contamination_verdicts(recipe, parts, inputs),
        licences=recipe.licences if recipe.licences.drops and _is_own(recipe, parts) else None,
    )


def _is_own(recipe: Recipe, parts: PartStage) -> bool:
    """Whether documents may enter the mixtures, and are not only compared with."""
    return parts.scope not in recipe.dedup.against


def _annotations(recipe: Recipe, parts: PartStage, settings: SourceSettings, inputs: Inputs) -> Annotations:
    model = inputs.language_model(recipe.curate.language)
    language = language_of(parts, model)
    lists = tuple(inputs.word_list(parts.scope, code, files) for code, files in settings.word_files.items())
    return Annotations(
        hashes=Hashes(scope=f"{parts.scope}-hashes", parts=parts),
        language=language,
        bands=minhash_bands(parts, recipe.dedup.minhash) if recipe.dedup.minhash else None,
        signals=signals_of(parts, families_of(settings.signals), recipe.curate.words),
        bad_words=BadWords(scope=f"{parts.scope}-bad_words", parts=parts, language=language, lists=lists)
        if lists
        else None,
    )


def language_of(parts: PartStage, model: ModelInput) -> Language:
    """The stage that identifies the language of a source's documents."""
    return Language(scope=f"{parts.scope}-language", parts=parts, model=model)


def minhash_bands(parts: PartStage, minhash: MinHash) -> Bands:
    """The stage that computes the band keys of a source's documents."""
    return Bands(scope=f"{parts.scope}-minhash", parts=parts, minhash=minhash)


def signals_of(parts: PartStage, families: Iterable[str], words: WordDefinition) -> tuple[Signals, ...]:
    """The stages that compute families of signals of a source's documents."""
    return tuple(
        Signals(scope=f"{parts.scope}-{family}", parts=parts, family=family, words=words)
        for family in families
    )


def _datatrove_verdicts(parts: PartStage, settings: SourceSettings) -> Iterator[DatatroveVerdicts]:
    """A stage for each of datatrove's filters that judges a source; of the same filter the second is `-2`."""
    used: Counter[str] = Counter()
    for name, options in settings.datatrove_filters:
        short = short_name(name)
        used[short] += 1
        number = f"-{used[short]}" if used[short] > 1 else ""
        scope = f"{parts.scope}-{short}{number}"
        yield DatatroveVerdicts(scope=scope, parts=parts, filter=name, options=options)


def _tokenizer(recipe: Recipe, select: Select, inputs: Inputs) -> Tokenizer:
    config = recipe.tokenizer
    base = inputs.tokenizer(config.base) if config.base else None
    return Tokenizer(
        scope="",
        select=select,
        base=base,
        training=config.train,
        vocabulary=_vocabulary(recipe, select, base) if base and config.is_changed else None,
        chat_template=inputs.chat_template(config.chat_template) if config.chat_template else None,
    )


def _vocabulary(recipe: Recipe, select: Select, base: ModelInput) -> Vocabulary:
    config, stage1 = recipe.tokenizer, recipe.whole_mixtures[FIRST_STAGE]
    return Vocabulary(
        scope="",
        select=select,
        base=base,
        extension=config.extend,
        replacement=config.replace,
        reference=tuple(config.replace.reference) if config.replace else (),
        weights=stage1.weights,
        predicates=stage1.predicates,
    )


def _tokenize(parts: PartStage, select: Select, tokenizer: Tokenizer) -> Tokenize:
    return Tokenize(scope=parts.scope, parts=parts, select=select, tokenizer=tokenizer)


def _mix(recipe: Recipe, stage: str, tokenized: tuple[Tokenize, ...], stage1: MixStage | None = None) -> Mix:
    mixture = recipe.whole_mixtures[stage]
    return Mix(
        scope=stage,
        # Stages draw apart from each other: what one left over, another takes as readily as what it used.
        seed=recipe.seed + list(recipe.mixtures).index(stage),
        sequence_length=mixture.sequence_length,
        # With predicates of its own, a group may be fed by any source.
        tokenized=tuple(t for t in tokenized if mixture.groups or t.domains & mixture.weights.keys()),
        mixture=mixture,
        about=stage1 if mixture.qa_about else None,
    )


def _held_out(recipe: Recipe, tokenized: tuple[Tokenize, ...]) -> HeldOutMix:
    mixture = recipe.whole_mixtures[FIRST_STAGE]
    settings: dict[str, Any] = {
        "scope": HELD_OUT,
        "seed": recipe.seed,
        "sequence_length": mixture.sequence_length,
        "tokenized": tokenized,
        "least": recipe.held_out.tokens_per_group.min,
        "most": recipe.held_out.tokens_per_group.max,
        "predicates": tuple(mixture.predicates.items()),
    }
    if recipe.held_out.apart == "documents":
        return HeldOutMix(**settings)
    return ApartMix(**settings, apart=_apart(HeldOutDraw(**settings)))


def _apart(drawn: HeldOutDraw) -> Apart:
    """The stages that find which of the drawn documents are known from training."""
    passages = HeldOutPassages(scope=HELD_OUT, drawn=drawn)
    training = tuple(
        TrainingPassages(scope=stage.scope, parts=stage.parts, select=stage.select, held_out=passages)
        for stage in drawn.tokenized
    )
    return Apart(scope=HELD_OUT, held_out=passages, training=training)


def _data_fingerprint(recipe: Recipe, stage: str) -> str:
    """The fingerprint of those parts of the recipe that decide a stage's shards, which paths do not."""
    made_before = list(syntheses_of(recipe, "sources"))
    made = made_before if stage == FIRST_STAGE else list(recipe.synthesize.methods)
    content = recipe.model_dump(mode="json", exclude=_ELSEWHERE)
    content["synthesize"] = decisive(recipe.synthesize, made)
    del content["curate"]["signals"]
    del content["tokenizer"]["base"]
    content["licences"] = recipe.licences.decisive
    for source in content["sources"].values():
        source.pop("path", None)
    if content["decontaminate"]:
        del content["decontaminate"]["allow"]
        for benchmark in content["decontaminate"]["against"].values():
            del benchmark["path"], benchmark["include"]
    needed = {stage, FIRST_STAGE} if set(made) - set(made_before) else {stage}
    content["mixtures"] = {
        name: mixture.model_dump(mode="json")
        for name, mixture in recipe.whole_mixtures.items()
        if name in needed
    }
    return fingerprint(content)


_ELSEWHERE: Any = {
    **dict.fromkeys(
        (
            "train",
            "evaluate",
            "outcome",
            "description",
            "executor",
            "synthesize",
            "publish",
            "trials",
            "search",
        ),
        True,
    ),
    "decontaminate": {
        "semantic": {
            "embedder": {"key"},
            "judge": {"base_url", "key", "concurrency", "timeout", "sampling"},
        }
    },
}
"""What decides no shards: what comes after them, and how what answers is reached."""
