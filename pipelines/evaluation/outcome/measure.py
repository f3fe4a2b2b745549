"""Asks each variant what each measure asks, once: what is kept is not asked again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pipelines.evaluation.outcome.results import Result, Results, model_fingerprint
from pipelines.evaluation.outcome.table import References, Table
from pipelines.evaluation.variants import Variant

if TYPE_CHECKING:
    from pipelines.evaluation.generation import Answers, PlainModel

Tell = Callable[[str], None]


@dataclass
class Loaded:
    """A model that is loaded when it is first asked."""

    folder: Path

    @cached_property
    def plain(self) -> PlainModel:
        """The model with its tokenizer."""
        from pipelines.evaluation.generation import PlainModel
        from trainers.quiet import quiet_transformers

        with quiet_transformers():
            return PlainModel.load(self.folder)

    @cached_property
    def fingerprint(self) -> str:
        """Of its weights and its tokenizer."""
        return model_fingerprint(self.folder)

    def answers(self, variant: Variant) -> Answers:
        """Who answers for the variant."""
        from pipelines.evaluation.in_context import InContext, Placement

        if variant.context is None:
            return self.plain
        return InContext(Placement(self.plain, variant.context))


class Measure(Protocol):
    """Something that is asked of all variants alike."""

    @property
    def name(self) -> str:
        """As in files and in `outcome.json`."""
        ...

    def settings(self, variant: Variant) -> Mapping[str, Any]:
        """What decides a result besides the model and what is put before questions."""
        ...

    def refuses(self, variant: Variant) -> str | None:
        """Why it is not asked of a variant; None: it is."""
        ...

    def ask(self, variant: Variant, loaded: Loaded) -> Result:
        """What the variant gives. Raises ValueError where it cannot be asked."""
        ...

    def tables(self, results: Mapping[str, Result], references: References) -> Iterator[tuple[str, Table]]:
        """What those gave that were asked, by variant: tables by name."""
        ...


@dataclass(frozen=True)
class NotMeasured:
    """What a page must say, for nothing is left out silently."""

    measure: str
    variants: tuple[str, ...]
    """Empty: all of them."""
    why: str


@dataclass
class Measured:
    """What variants gave, by measure and variant, and what was not measured."""

    results: dict[str, dict[str, Result]] = field(default_factory=dict)
    not_measured: list[NotMeasured] = field(default_factory=list)
    refused: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """Why a measure cannot be asked of a variant, where that is known."""

    def _refuse(self, measure: str, variant: str, why: str) -> None:
        for place, other in enumerate(self.not_measured):
            if (other.measure, other.why) == (measure, why):
                self.not_measured[place] = NotMeasured(measure, (*other.variants, variant), why)
                return
        self.not_measured.append(NotMeasured(measure, (variant,), why))

    def ask(self, measure: Measure, variant: Variant, loaded: Loaded, kept: Results, tell: Tell) -> None:
        """Take a result that is kept, or ask for it."""
        if why := measure.refuses(variant) or self.refused.get((measure.name, variant.name)):
            self._refuse(measure.name, variant.name, why)
            return
        settings = {
            "settings": dict(measure.settings(variant)),
            "model": loaded.fingerprint,
            "context": variant.context_is,
        }
        found = kept.kept(measure.name, settings)
        tell(f"{variant.name}: {measure.name.replace('_', ' ')}{'' if found is None else ', kept'}")
        if found is None:
            try:
                found = kept.keep(measure.name, settings, measure.ask(variant, loaded))
            except ValueError as error:
                self._refuse(measure.name, variant.name, str(error))
                return
        self.results.setdefault(measure.name, {})[variant.name] = found


def measure_variants(
    measures: Sequence[Measure],
    variants: Sequence[Variant],
    folders: Mapping[str, Path],
    kept: Results,
    tell: Tell,
    refused: Sequence[NotMeasured] = (),
) -> Measured:
    """Ask all variants all measures; one model is in memory at a time.

    Args:
        measures: What is asked.
        variants: Those of one model stand together.
        folders: Of each model that a variant names.
        kept: Results of earlier times.
        tell: Is told what comes next.
        refused: What could not be asked an earlier time, and is not asked again.
    """
    known = {(each.measure, variant): each.why for each in refused for variant in each.variants}
    measured = Measured(refused=known)
    for model, of_model in groupby(variants, key=lambda variant: variant.model):
        loaded = Loaded(folders[model])
        for variant in of_model:
            for measure in measures:
                measured.ask(measure, variant, loaded, kept, tell)
    return measured


def all_tables(measures: Sequence[Measure], measured: Measured, references: References) -> dict[str, Table]:
    """The tables of all measures that any variant was asked."""
    return {
        name: table
        for measure in measures
        if (results := measured.results.get(measure.name))
        for name, table in measure.tables(results, references)
        if table.rows
    }
