"""The `curate:` section of a recipe."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    field_validator,
    model_validator,
)

from filters.edits.edits import EDITS, Edit, make_edits, with_normal_lines
from filters.language.identify import LanguageRule
from filters.language.language_codes import LID_176, check_codes
from filters.quality.datatrove import check_options
from filters.quality.rules import PRESETS, Rule, limits, preset
from filters.quality.signals import SIGNALS
from filters.text.words import WordDefinition
from pipelines.recipe.classify import ClassifierConfig
from pipelines.settings import STRICT, Name, Share


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

    use: list[str] = Field(
        default_factory=list, description="Edits, made in this order: " + ", ".join(EDITS) + "."
    )
    sources: list[Name] | None = Field(None, description="The sources they edit; all when left out.")
    options: dict[str, Any] = Field(
        default_factory=dict, description="Their options, e.g. c4_lines.terminal_punctuation: false."
    )
    normalize_lines: bool = Field(
        True, description="`false` leaves line ends as they are read; else they are normalised first of all."
    )

    @model_validator(mode="after")
    def _edits_exist(self) -> Self:
        self.edits()
        return self

    def edits(self) -> tuple[Edit, ...]:
        """Those of `use`, in the order in which they are made.

        Raises ValueError for an unknown edit or option.
        """
        return make_edits(self.use, self.options)


def edits_of(entries: Iterable[Edits]) -> tuple[Edit, ...]:
    """All edits of a source by the entries that hold for it, in the order in which they are made."""
    entries = tuple(entries)
    edits = tuple(edit for entry in entries for edit in entry.edits())
    return with_normal_lines(edits) if all(entry.normalize_lines for entry in entries) else edits


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


ALL_SIGNALS = "all"


class Curate(BaseModel):
    """How documents are edited and judged."""

    model_config = STRICT

    edit: list[Annotated[Edits, BeforeValidator(name_alone, json_schema_input_type=str | Edits)]] = Field(
        default_factory=list,
        description="Text edits when documents come in, in order: names, or {use, sources, options}. "
        "normalize_lines comes first by itself; {normalize_lines: false, sources} turns it off.",
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
    signals: tuple[str, ...] = Field(
        (),
        description="Signals to compute though no rule asks for them, for `coupage inspect`; `all` of them.",
    )
    classify: dict[Name, ClassifierConfig] = Field(
        default_factory=dict, description="Classifiers by name: quality, domain and ensembles of them."
    )

    @field_validator("signals")
    @classmethod
    def _signals_exist(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name != ALL_SIGNALS and name not in SIGNALS:
                near = difflib.get_close_matches(name, SIGNALS, n=1, cutoff=0.0)[0]
                raise ValueError(f"there is no signal `{name}`; did you mean `{near}`?")
        return names

    @property
    def wanted_signals(self) -> tuple[str, ...]:
        """The names of `signals`, `all` spelled out."""
        return tuple(SIGNALS) if ALL_SIGNALS in self.signals else self.signals
