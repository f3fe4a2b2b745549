"""The recipe: what to build, as typed, strict, frozen models.

Every default is visible in `coupage recipe show`.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from filters.boilerplate import Boilerplate
from filters.edits import EDITS, Edit, make_edits
from filters.language import LanguageRule
from filters.language_codes import LID_176, check_codes
from filters.minhash import MinHash
from filters.rules import PRESETS, Rule, limits, preset
from filters.words import WordDefinition
from mixers.budget import Mixture, include_mixtures
from mixers.quantity import Quantity
from pipelines.classifiers.config import ClassifierConfig, Ensemble, TransformerClassifier
from pipelines.classifiers.problems import classifier_problems
from pipelines.datatrove_filters import check_options
from pipelines.errors import UserError
from pipelines.evaluation.config import Evaluate
from pipelines.executors.config import ExecutorSettings
from pipelines.recipe_file import RecipeText, override, read_recipe_text, validation_error
from pipelines.sources.config import SourceConfig
from pipelines.synthesis.config import SynthesisConfig
from tokenizer_tools.train import TokenizerTraining
from trainers.config import MODEL, Train, stage_before

STRICT = ConfigDict(frozen=True, extra="forbid")
NAME = r"^[a-z0-9][a-z0-9_]*$"
Name = Annotated[str, Field(pattern=NAME)]
Share = Annotated[float, BeforeValidator(lambda value: parse_share(value)), Field(ge=0, le=1)]
Problem = tuple[tuple[str | int, ...], str]
FIRST_STAGE = "stage1"
HELD_OUT = "held_out"


def parse_share(value: object) -> object:
    """A share as a number, or written as `2%`."""
    if isinstance(value, str) and value.endswith("%"):
        return float(value.removesuffix("%")) / 100
    return value


class Limits(BaseModel):
    """Which values of a signal pass."""

    model_config = STRICT

    min: float | None = Field(None, description="The smallest.")
    max: float | None = Field(None, description="The largest.")


class Rules(BaseModel):
    """Rule presets, limits of signals, or a filter of datatrove; for some sources or all."""

    model_config = STRICT

    use: list[str] = Field(default_factory=list, description="Presets: " + ", ".join(PRESETS) + ".")
    sources: list[Name] | None = Field(None, description="The sources they judge; all when left out.")
    thresholds: dict[str, float] = Field(
        default_factory=dict, description="Replaced thresholds, e.g. gopher_quality.min_words: 30."
    )
    signals: dict[str, Limits] = Field(
        default_factory=dict, description="Limits of any signal, e.g. second_script_share: {max: 0.2}."
    )
    words: dict[str, str] = Field(
        default_factory=dict,
        description="For the preset bad_words: by language a file with one word or phrase a line.",
    )
    datatrove: str | None = Field(None, description="In place of presets a filter of datatrove, by name.")
    options: dict[str, Any] = Field(default_factory=dict, description="The options of that filter.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if bool(self.use or self.signals) == bool(self.datatrove):
            raise ValueError(
                "name presets in `use`, limits of signals in `signals`, or one filter in `datatrove`"
            )
        if self.options and not self.datatrove:
            raise ValueError("`options` belong to a filter in `datatrove`; presets have `thresholds`")
        if ("bad_words" in self.use) != bool(self.words):
            raise ValueError(
                "the preset `bad_words` needs its lists, by language: `words: {en: words.txt}`"
                if "bad_words" in self.use
                else "`words` belong to the preset `bad_words`, which is not in `use`"
            )
        if self.datatrove:
            check_options(self.datatrove, self.options)
        self.rules()
        return self

    def rules(self) -> tuple[Rule, ...]:
        """The rules in the order in which they are applied.

        Raises ValueError for an unknown preset, threshold or signal.
        """
        for name in self.thresholds:
            if name.split(".")[0] not in self.use:
                raise ValueError(f"the threshold `{name}` belongs to no preset in `use`")
        presets = (rule for name in self.use for rule in preset(name, self._overrides(name)))
        own = (rule for name, given in self.signals.items() for rule in limits(name, given.min, given.max))
        return (*presets, *own)

    def _overrides(self, name: str) -> dict[str, float]:
        prefix = f"{name}."
        return {k.removeprefix(prefix): v for k, v in self.thresholds.items() if k.startswith(prefix)}


class Edits(BaseModel):
    """Text edits, with options of one's own, for some sources or all."""

    model_config = STRICT

    use: list[str] = Field(description="Edits, made in this order: " + ", ".join(EDITS) + ".")
    sources: list[Name] | None = Field(None, description="The sources they edit; all when left out.")
    options: dict[str, Any] = Field(
        default_factory=dict, description="Their options, e.g. c4_lines.terminal_punctuation: false."
    )

    @model_validator(mode="after")
    def _edits_exist(self) -> Self:
        self.edits()
        return self

    def edits(self) -> tuple[Edit, ...]:
        """The edits in the order in which they are made. Raises ValueError for an unknown edit or option."""
        return make_edits(self.use, self.options)


def name_alone(value: object) -> object:
    """An edit or a preset written as its name is one for all sources, as it is."""
    return {"use": [value]} if isinstance(value, str) else value


class Language(BaseModel):
    """Which languages documents may be in, as identified by a fastText model."""

    model_config = STRICT

    keep: tuple[str, ...] = Field(min_length=1, description="Codes of the languages that stay: ru, en.")
    min_score: Share = Field(
        LanguageRule.min_score, description="The smallest score with which a language is believed."
    )
    sources: list[Name] | None = Field(None, description="The sources it judges; all when left out.")
    model: str | None = Field(
        None,
        description="A fastText model of languages such as GlotLID's; lid.176, which is bundled, by default.",
    )

    @model_validator(mode="after")
    def _codes_exist(self) -> Self:
        if self.model is None:
            check_codes(self.keep, LID_176)
        return self


class Curate(BaseModel):
    """How documents are edited and judged."""

    model_config = STRICT

    edit: list[Annotated[Edits, BeforeValidator(name_alone, json_schema_input_type=str | Edits)]] = Field(
        default_factory=list,
        description="Text edits when documents come in, in order: names, or {use, sources, options}.",
    )
    language: Language | None = Field(
        None, description="Which languages stay; null keeps all. Languages are identified anyway."
    )
    words: WordDefinition = Field(
        "unicode",
        description="What a word is to signals: unicode (punctuation splits off) or whitespace (Gopher's).",
    )
    rules: list[Annotated[Rules, BeforeValidator(name_alone, json_schema_input_type=str | Rules)]] = Field(
        default_factory=list,
        description="Names of presets, or {use, signals, sources, ...}, in order; then datatrove's filters.",
    )
    classify: dict[Name, ClassifierConfig] = Field(
        default_factory=dict, description="Classifiers by name: quality, domain and ensembles of them."
    )


class RecurringLines(Boilerplate):
    """Lines or paragraphs that recur across the documents of a source; conversations keep theirs."""

    sources: list[Name] | None = Field(None, description="The sources that are cleaned; all when left out.")

    def without_sources(self) -> Boilerplate:
        """What counts as boilerplate, wherever that is."""
        return Boilerplate(**self.model_dump(exclude={"sources"}))


class Dedup(BaseModel):
    """What counts as a duplicate, and which of several is kept."""

    model_config = STRICT

    exact: bool = Field(True, description="Remove documents whose normalised text is the same.")
    minhash: MinHash | None = Field(
        default_factory=MinHash,
        description="Near duplicates by MinHash, each pair verified; null turns it off.",
    )
    keep: tuple[Literal["priority", "quality", "length"], ...] = Field(
        default=("priority", "length"),
        description="Which duplicate survives: of the highest priority, then the longest, then the first. "
        "`quality` is the percentile by the classifier or ensemble of that name.",
    )
    against: tuple[Name, ...] = Field(
        default=(),
        description="Sources that are only compared with, such as an older corpus: they always win, are not "
        "judged and never trained on.",
    )
    boilerplate: RecurringLines | None = Field(
        None, description="Removes lines or paragraphs that recur across documents; null leaves them."
    )


class HeldOut(BaseModel):
    """Documents set aside for evaluation, by duplicate cluster; nothing learns from them."""

    model_config = STRICT

    share: Annotated[Share, Field(lt=1)] = Field(
        0.01, description="The share of kept documents to hold out, such as 1%."
    )
    tokens_per_group: Quantity = Field(
        200_000, description="At most so many tokens of a group are evaluated."
    )


class Tokenizer(BaseModel):
    """The tokenizer: an existing one by `base`, or one trained on the selected text."""

    model_config = STRICT

    base: str | None = Field(
        None, description="A tokenizer.json, a model folder or a hub id; null trains one."
    )
    train: TokenizerTraining = Field(
        default_factory=TokenizerTraining, description="How a tokenizer is trained where there is no base."
    )


class QuarantineLimit(BaseModel):
    """How much bad input a run tolerates."""

    model_config = STRICT

    max_share: Share = Field(
        0.01, description="The run fails when more than this share of a source's records is bad."
    )


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
    held_out: HeldOut = HeldOut()
    synthesize: dict[Name, SynthesisConfig] = Field(
        default_factory=dict,
        description="New documents made from selected ones, by name; the name is their domain.",
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
    executor: ExecutorSettings = ExecutorSettings()

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

    def domain(self, source: str) -> str:
        """The group that the documents of `source` (or of a synthesis of that name) belong to."""
        return source if source in self.synthesize else (self.sources[source].domain or source)

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

    def rules_for(self, source: str) -> tuple[Rule, ...]:
        """The rules that judge `source`, in order.

        Those without `sources` judge everything that is not synthesised, and not only compared with.
        """
        return tuple(rule for rules in self._rules_of(source) for rule in rules.rules())

    def word_files_for(self, source: str) -> dict[str, list[str]]:
        """The files of unwanted words for `source`, by language."""
        files: dict[str, list[str]] = {}
        for rules in self._rules_of(source):
            for language, file in rules.words.items():
                files.setdefault(language, []).append(file)
        return files

    def datatrove_filters_for(self, source: str) -> list[tuple[str, dict[str, Any]]]:
        """Datatrove's filters that judge `source`, in order, with their options."""
        return [(rules.datatrove, rules.options) for rules in self._rules_of(source) if rules.datatrove]

    def _rules_of(self, source: str) -> list[Rules]:
        return [
            rules
            for rules in self.curate.rules
            if (source in rules.sources if rules.sources is not None else source in self.own_sources)
        ]

    def language_rule_for(self, source: str) -> LanguageRule:
        """What is asked of the language of documents; of synthesised ones only where `sources` names them."""
        language = self.curate.language
        if language is None:
            return LanguageRule()
        judged = source in (language.sources if language.sources is not None else self.own_sources)
        return LanguageRule(language.min_score, language.keep if judged else None)

    def edits_for(self, source: str) -> tuple[Edit, ...]:
        """The edits of the texts of `source`, in order."""
        return tuple(
            edit
            for edits in self.curate.edit
            if edits.sources is None or source in edits.sources
            for edit in edits.edits()
        )

    def boilerplate_for(self, source: str) -> Boilerplate | None:
        """What counts as boilerplate in `source`; None where it stays, as in sources only compared with."""
        config = self.dedup.boilerplate
        wanted = config and (self.own_sources if config.sources is None else config.sources)
        return config.without_sources() if config and wanted and source in wanted else None

    def problems(self) -> list[Problem]:
        """What no single model can see: places and messages of names that do not fit together."""
        return [
            *self._unknown_sources(),
            *self._reference_problems(),
            *self._unfed_groups(),
            *self._synthesis_problems(),
            *self._name_clashes(),
            *self._stage_problems(),
            *classifier_problems(self.curate.classify, tuple(self.sources), self.dedup.keep),
        ]

    def _unknown_sources(self) -> list[Problem]:
        synthesised = tuple(self.synthesize)
        named: list[tuple[tuple[str | int, ...], list[Name] | None, tuple[str, ...]]] = [
            *((("curate", "edit", i), edits.sources, ()) for i, edits in enumerate(self.curate.edit)),
            *((("dedup", "boilerplate"), b.sources, ()) for b in (self.dedup.boilerplate,) if b),
            *(
                (("curate", "language"), language.sources, synthesised)
                for language in (self.curate.language,)
                if language
            ),
            *(
                (("curate", "rules", i), rules.sources, synthesised)
                for i, rules in enumerate(self.curate.rules)
            ),
        ]
        return [
            (
                (*place, "sources"),
                f"there is no source `{source}` (there are: {', '.join(self.sources)})",
            )
            for place, sources, others in named
            for source in sources or ()
            if source not in self.sources and source not in others
        ]

    def _reference_problems(self) -> list[Problem]:
        against = self.dedup.against
        unknown = [
            (("dedup", "against", i), f"there is no source `{name}` (there are: {', '.join(self.sources)})")
            for i, name in enumerate(against)
            if name not in self.sources
        ]
        judged = [
            (
                ("curate", "rules", i, "sources"),
                f"`{name}` is only compared with (`dedup.against`), so rules do not judge it",
            )
            for i, rules in enumerate(self.curate.rules)
            for name in rules.sources or ()
            if name in against
        ]
        return [*unknown, *judged]

    def _unfed_groups(self) -> list[Problem]:
        fed = {self.domain(source) for source in self.own_sources} | self.relabelled
        synthetic = set(self.synthesize)
        compared_with = {self.domain(source) for source in self.dedup.against if source in self.sources}
        found: list[Problem] = []
        for stage, mixture in self.whole_mixtures.items():
            available = fed if stage == FIRST_STAGE else fed | synthetic
            for group in mixture.weights.keys() - mixture.groups.keys():
                if group not in available:
                    why = (
                        "synthesised documents enter after stage1"
                        if group in synthetic
                        else "the sources that feed it are only compared with (`dedup.against`)"
                        if group in compared_with
                        else "no source feeds it"
                    )
                    known = ", ".join(sorted(available))
                    message = f"the group `{group}` has a weight, but {why} (groups here: {known})"
                    found.append((("mixtures", stage, "weights", group), message))
        return found

    def _synthesis_problems(self) -> list[Problem]:
        known = {self.domain(source) for source in self.own_sources}
        return [
            (
                ("synthesize", name, "domains"),
                f"no source has the domain `{domain}` (there are: {', '.join(sorted(known))})",
            )
            for name, synthesis in self.synthesize.items()
            for domain in synthesis.domains
            if domain not in known
        ]

    def _name_clashes(self) -> list[Problem]:
        return [
            (("synthesize", name), f"`{name}` is the name of a source as well; choose another")
            for name in self.synthesize
            if name in self.sources
        ]

    def _stage_problems(self) -> list[Problem]:
        """Stages that `train` and `evaluate` name and that are none, or do not come before."""
        stages = list(self.mixtures)
        there_are = f"(there are: {', '.join(stages)})"
        found: list[Problem] = []
        for name, settings in self.train.stages.items() if self.train else ():
            place: tuple[str | int, ...] = ("train", name)
            if name not in stages:
                found.append((place, f"there is no mixture `{name}` to train on {there_are}"))
                continue
            try:
                stage_before(name, settings.start, stages)
            except ValueError as error:
                found.append(((*place, "from"), str(error)))
        for i, name in enumerate(self.evaluate.after or () if self.evaluate else ()):
            if name not in stages:
                found.append((("evaluate", "after", i), f"there is no mixture `{name}` {there_are}"))
        return found


def load_recipe(name_or_path: str, assignments: list[str] | None = None) -> Recipe:
    """Load a recipe by path, or by the name of a shipped one, with `--set` assignments applied.

    Raises UserError that names the file, the line, the key and the mend.
    """
    return validate_recipe(override(read_recipe_text(find_recipe(name_or_path)), assignments or []))


def validate_recipe(text: RecipeText) -> Recipe:
    """Check a parsed recipe. Raises UserError with every finding."""
    try:
        recipe = Recipe.model_validate(text.values)
    except ValidationError as error:
        raise validation_error(text, error, Recipe) from error
    if problems := recipe.problems():
        raise _problem_error(text, problems)
    return recipe


def _problem_error(text: RecipeText, problems: list[Problem]) -> UserError:
    lines = [(text.line(place), message) for place, message in problems]
    rest = [f"{text.file}:line {line}: {message}" for line, message in lines[1:]]
    return UserError(
        "\n".join([lines[0][1], *rest]),
        file=text.file,
        place=f"line {lines[0][0]}",
        mend="Correct the name, or add what it should refer to.",
    )


def shipped_recipes() -> dict[str, Path]:
    """The recipes that come with the program, by name."""
    import recipes

    return {path.stem: path for path in sorted(Path(recipes.__path__[0]).glob("*.yaml"))}


def find_recipe(name_or_path: str) -> Path:
    """The file of a recipe given by path or by the name of a shipped one.

    Raises UserError if there is none.
    """
    path = Path(name_or_path)
    if path.is_file():
        return path
    shipped = shipped_recipes()
    if name_or_path in shipped:
        return shipped[name_or_path]
    near = difflib.get_close_matches(name_or_path, [*shipped, *map(str, Path().glob("*.yaml"))], n=1)
    raise UserError(
        f"there is no recipe `{name_or_path}`, neither a file nor a shipped one",
        mend=(f"Did you mean `{near[0]}`? " if near else "")
        + f"Shipped recipes: {', '.join(shipped) or 'none'}.",
    )


def recipe_schema() -> dict[str, Any]:
    """The JSON Schema of recipes, for editors."""
    schema = Recipe.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Coupage recipe"} | schema
