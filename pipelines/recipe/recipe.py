"""The recipe: what to build, as typed, strict, frozen models.

Every default is visible in `coupage recipe show`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    field_validator,
    model_validator,
)

from filters.dedup.boilerplate import Boilerplate
from filters.edits.edits import Edit
from filters.language.identify import LanguageRule
from filters.quality.rules import Rule
from mixers.budget import Mixture, include_mixtures
from mixers.quantity import Quantity, parse_quantity
from pipelines.execution.executors.config import ExecutorSettings
from pipelines.recipe.classify import Ensemble, TransformerClassifier
from pipelines.recipe.curate import Curate, edits_of
from pipelines.recipe.decontaminate import Decontaminate
from pipelines.recipe.dedup import Dedup
from pipelines.recipe.evaluate import Evaluate
from pipelines.recipe.licences import Licences
from pipelines.recipe.outcome import Outcome
from pipelines.recipe.synthesize import Synthesize
from pipelines.recipe.tokenizer import Tokenizer
from pipelines.recipe.trials import Search, Trials
from pipelines.settings import STRICT, Name, Share
from pipelines.sources.config import SourceConfig
from pipelines.sources.python_environment import PythonEnvironmentConfig
from trainers.config import MODEL, Train

FIRST_STAGE = "stage1"
HELD_OUT = "held_out"
CODE_PRESET = "code"


class TokenBounds(BaseModel):
    """How much of each group is evaluated."""

    model_config = STRICT

    min: Quantity = Field(
        5_000,
        description="Of a small group more than the share is held out, up to about so many tokens, or 5% of "
        "its text.",
    )
    max: Quantity = Field(
        200_000, gt=0, description="Of a large group at most so many tokens of what is held out."
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.min > self.max:
            raise ValueError(f"`min` ({self.min:,}) is more than `max` ({self.max:,})")
        return self


def _bounds(value: object) -> object:
    """The upper bound may be written alone."""
    if isinstance(value, dict | TokenBounds):
        return value
    most = parse_quantity(value)
    return {"min": min(most, TokenBounds().min), "max": most}


class HeldOut(BaseModel):
    """Documents set aside for evaluation, by duplicate cluster; nothing learns from them."""

    model_config = STRICT

    share: Annotated[Share, Field(lt=1)] = Field(
        0.01, description="The share of kept documents to hold out, such as 1%."
    )
    tokens_per_group: Annotated[
        TokenBounds, BeforeValidator(_bounds, json_schema_input_type=TokenBounds | Quantity)
    ] = Field(
        default_factory=TokenBounds,
        description="How many tokens of each group are evaluated: {min: 5k, max: 200k}, or `max` alone.",
    )
    apart: Literal["passages", "documents"] = Field(
        "passages",
        description="What training must not have of a document that is evaluated: long passages, for which "
        "all text is read once more, or only near duplicates.",
    )


class QuarantineLimit(BaseModel):
    """How much bad input a run tolerates."""

    model_config = STRICT

    max_share: Share = Field(
        0.01, description="The run fails when more than this share of a source's bytes or records is lost."
    )


@dataclass(frozen=True)
class SourceSettings:
    """What holds for the documents of one source, or of a synthesis."""

    domain: str
    """The group that they belong to."""
    priority: int
    """Among duplicates the document of the highest stays."""
    edits: tuple[Edit, ...]
    """The edits of their texts, in order."""
    boilerplate: Boilerplate | None
    """What counts as boilerplate; None where it stays, as in sources only compared with."""
    language: LanguageRule
    """What is asked of their language."""
    rules: tuple[Rule, ...]
    """The rules that judge them, in order."""
    signals: tuple[str, ...]
    """The signals that rules, or `curate.signals`, ask for."""
    word_files: Mapping[str, list[str]]
    """The files of unwanted words, by language."""
    datatrove_filters: tuple[tuple[str, dict[str, Any]], ...]
    """The filters of datatrove that judge them, in order, with their options."""


class Recipe(BaseModel):
    """One recipe: sources to shards to a trained model."""

    model_config = STRICT

    name: Annotated[
        str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", description="Names the run's folder.")
    ]
    seed: int = Field(0, ge=0, description="All sampling and shuffling derive from it.")
    description: str = Field("", description="For people; shown in the report and the dataset card.")
    sources: dict[Name, SourceConfig] = Field(min_length=1, description="Where documents come from, by name.")
    part_size: Quantity = Field(
        32 << 20, ge=1, description="Text bytes of a part, the unit of work and of resume."
    )
    quarantine: QuarantineLimit = QuarantineLimit()
    curate: Curate = Curate()
    dedup: Dedup = Dedup()
    decontaminate: Decontaminate | None = Field(
        None, description="Documents with items of benchmarks; null: nobody looks for them."
    )
    licences: Licences = Licences()
    held_out: HeldOut = HeldOut()
    synthesize: Synthesize = Field(
        default_factory=Synthesize,
        description="New documents made from selected ones, by name, and the model that makes them.",
    )
    tokenizer: Tokenizer = Tokenizer()
    mixtures: dict[Name, Mixture] = Field(
        min_length=1, description="The stages of training by name, in order; the first is `stage1`."
    )
    train: Train | None = Field(
        None, description="The training of each stage; null when only shards are wanted."
    )
    evaluate: Evaluate | None = Field(
        None, description="What is measured after training, beside the model it started from."
    )
    trials: Trials = Trials()
    search: Search = Search()
    outcome: Outcome | None = Field(
        None, description="What `coupage outcome` compares, and by what margins; null: by the defaults."
    )
    executor: ExecutorSettings = ExecutorSettings()
    publish: str | None = Field(
        None, description="Where the finished run's results are sent as well, e.g. s3://bucket/folder."
    )

    @field_validator("mixtures")
    @classmethod
    def _first_is_stage1(cls, mixtures: dict[str, Mixture]) -> dict[str, Mixture]:
        if FIRST_STAGE not in mixtures:
            raise ValueError("there is no `stage1`; a recipe with one mixture calls it stage1")
        if taken := mixtures.keys() & {HELD_OUT, MODEL}:
            raise ValueError(f"`{min(taken)}` cannot be the name of a mixture; choose another")
        return {FIRST_STAGE: mixtures[FIRST_STAGE]} | mixtures

    @model_validator(mode="after")
    def _mixtures_resolve(self) -> Self:
        about = {mixture.qa_about for mixture in self.mixtures.values()} - {None}
        if self.mixtures[FIRST_STAGE].qa_about or about - {FIRST_STAGE}:
            raise ValueError("`qa_about` is for the stages after stage1, and names stage1")
        assert self.whole_mixtures
        return self

    @property
    def whole_mixtures(self) -> dict[str, Mixture]:
        """The mixtures with those that they include put in their place. Raises MixtureError, a ValueError."""
        return include_mixtures(self.mixtures)

    @property
    def own_sources(self) -> list[str]:
        """The sources whose documents may enter the mixtures: all but those that are only compared with."""
        return [name for name in self.sources if name not in self.dedup.against]

    @property
    def increments(self) -> list[int]:
        """The increments of the corpus, in order."""
        return sorted({self.sources[name].increment for name in self.own_sources})

    def increment_of(self, name: str) -> int | None:
        """The increment of a source; None for one that is only compared with, in each of them."""
        return self.sources[name].increment if name in self.own_sources else None

    @property
    def without_boilerplate(self) -> list[str]:
        """The sources of which lines that recur are removed: those named, else all that are no code."""
        if self.dedup.boilerplate is None:
            return []
        if self.dedup.boilerplate.sources is not None:
            return self.dedup.boilerplate.sources
        return [name for name in self.own_sources if not self._is_code(name)]

    def _is_code(self, name: str) -> bool:
        """Whether a source is judged as code, or read as such: there lines recur for good reasons."""
        config = self.sources[name]
        return any(
            CODE_PRESET in rules.use and self._applies(rules.sources, name) for rules in self.curate.rules
        ) or (isinstance(config, PythonEnvironmentConfig) and config.content == "code")

    @property
    def relabelled(self) -> set[str]:
        """The domains that classifiers may give to documents."""
        return {
            label
            for config in self.curate.classify.values()
            if not isinstance(config, Ensemble)
            for label in config.relabel
        }

    @property
    def transformers(self) -> list[str]:
        """The models that classifiers apply, by folder or hub id."""
        configs = self.curate.classify.values()
        return [config.name for config in configs if isinstance(config, TransformerClassifier)]

    def for_source(self, name: str) -> SourceSettings:
        """What holds for the source, or the synthesis, called `name`.

        What names no sources holds for all; but what is synthesised, or only compared with, is judged only
        where it is named.
        """
        rules = [rules for rules in self.curate.rules if self._applies(rules.sources, name)]
        word_files: dict[str, list[str]] = {}
        for each in rules:
            for code, file in each.words.items():
                word_files.setdefault(code, []).append(file)
        edits = (edits for edits in self.curate.edit if edits.sources is None or name in edits.sources)
        language, boilerplate, config = self.curate.language, self.dedup.boilerplate, self.sources.get(name)
        return SourceSettings(
            domain=self.synthesize.domain_of(name)
            if name in self.synthesize.methods
            else (config.domain if config else None) or name,
            priority=config.priority if config else 0,
            edits=edits_of(edits),
            boilerplate=boilerplate.without_sources()
            if boilerplate and name in self.without_boilerplate
            else None,
            language=LanguageRule(
                language.min_score, language.keep if self._applies(language.sources, name) else None
            )
            if language
            else LanguageRule(),
            rules=tuple(rule for each in rules for rule in each.rules()),
            signals=(
                *self.curate.wanted_signals,
                *(rule.signal for each in rules for rule in each.rules()),
            ),
            word_files=word_files,
            datatrove_filters=tuple((each.datatrove, each.options) for each in rules if each.datatrove),
        )

    def _applies(self, sources: list[str] | None, name: str) -> bool:
        return name in (self.own_sources if sources is None else sources)
