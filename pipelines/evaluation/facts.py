"""Hallucination: what models say of facts that the base model knows, half knows, or does not know.

Facts are sorted as SliCK does (Gekhman et al. 2024, "Does Fine-Tuning LLMs on New Knowledge Encourage
Hallucinations?", section 3): the base model is asked each several times, with other exemplars every time;
what counts is which share of its greedy answers is right, and which of those that are drawn. Then every model
is asked once, greedily, with one more set of exemplars: with one of those the base would be right by
definition where it knows, and every other model would seem to forget. Fine-tuning that teaches
inventing shows in facts that the base does not know; forgetting in those that it knew.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from pipelines.errors import UserError
from pipelines.evaluation.answer_matching import Outcome, gives, normalised, outcome
from pipelines.evaluation.generation import Answers, PlainModel
from pipelines.evaluation.intervals import Interval
from pipelines.evaluation.shares import difference_interval, share_interval
from pipelines.recipe.facts import Facts
from pipelines.sources.fact_files import Fact, read_fact_files

ALL = "all"
"""Stands for all categories together."""


class Category(StrEnum):
    """What the base model knows of a fact, as SliCK names it."""

    HIGHLY_KNOWN = "HighlyKnown"
    MAYBE_KNOWN = "MaybeKnown"
    WEAKLY_KNOWN = "WeaklyKnown"
    UNKNOWN = "Unknown"


@dataclass(frozen=True)
class Knowledge:
    """Which share of the base model's answers to a fact was right: of greedy ones, and of drawn ones."""

    greedy: float
    drawn: float

    @property
    def category(self) -> Category:
        """Highly known: greedily always right; maybe: sometimes; weakly: only when drawn; else unknown."""
        if self.greedy == 1:
            return Category.HIGHLY_KNOWN
        if self.greedy > 0:
            return Category.MAYBE_KNOWN
        return Category.WEAKLY_KNOWN if self.drawn > 0 else Category.UNKNOWN


@dataclass(frozen=True)
class Reply:
    """What a model said, and what that is."""

    text: str
    outcome: Outcome


@dataclass(frozen=True)
class Share:
    """A share of facts, or how much larger one is than that of the first model; with its 95 % interval."""

    value: float
    interval: Interval | None


@dataclass(frozen=True)
class Outcomes:
    """What became of the questions about `facts` facts."""

    facts: int
    accuracy: Share
    abstention: Share
    invention: Share


@dataclass(frozen=True)
class FactScores:
    """Of each model by its role, and of each category that has facts, with all of them under `all`."""

    models: dict[str, dict[str, Outcomes]]
    differences: dict[str, dict[str, Outcomes]]
    """Of all models but the first from it, paired by fact."""

    def to_json(self) -> dict[str, Any]:
        """Plain types, for JSON."""
        return asdict(self)


def read_facts(config: Facts) -> list[Fact]:
    """The facts that are asked. Raises UserError or WorkError where there are none, or too few."""
    found = read_fact_files(config.file, config.question, config.answers)
    if config.limit is not None and config.limit < len(found):
        rng = np.random.Generator(np.random.PCG64(config.seed))
        found = [found[place] for place in sorted(rng.choice(len(found), config.limit, replace=False))]
    _Exemplars(found, config, max(config.shots, config.asked_shots))
    return found


def sort_facts(base: PlainModel, facts: Sequence[Fact], config: Facts, batch_size: int) -> list[Knowledge]:
    """What the base model knows of each fact."""
    exemplars = _Exemplars(facts, config, config.shots)
    greedy, drawn = np.zeros(len(facts)), np.zeros(len(facts))
    sampling = (config.new_tokens, batch_size, config.temperature, config.top_k)
    for number in range(config.exemplar_sets):
        prompts = exemplars.prompts(number)
        said = base.continue_texts(prompts, config.new_tokens, batch_size, one_line=True)
        greedy += _right(facts, said)
        repeated = [prompt for prompt in prompts for _ in range(config.samples)]
        said = base.sample_texts(repeated, *sampling, seed=config.seed + number, one_line=True)
        for sample in range(config.samples):
            drawn += _right(facts, said[sample :: config.samples])
    greedy /= config.exemplar_sets
    drawn /= config.exemplar_sets * config.samples
    return [Knowledge(*shares) for shares in zip(greedy.tolist(), drawn.tolist(), strict=True)]


def ask_facts(model: Answers, facts: Sequence[Fact], config: Facts, batch_size: int) -> list[Reply]:
    """What a model answers to each question, greedily, and what its answer is."""
    prompts = _Exemplars(facts, config, config.asked_shots).prompts(config.exemplar_sets)
    patterns = [re.compile(pattern, re.IGNORECASE) for pattern in config.abstentions]
    said = model.continue_texts(prompts, config.new_tokens, batch_size, one_line=True)
    return [
        Reply(text.strip(), outcome(text, fact.answers, patterns))
        for fact, text in zip(facts, said, strict=True)
    ]


def score_facts(knowledge: Sequence[Knowledge], replies_by_role: Mapping[str, Sequence[Reply]]) -> FactScores:
    """The scores of models that were asked the same facts; the first one is what others differ from."""
    categories = np.array([each.category for each in knowledge])
    chosen = {ALL: np.ones(len(knowledge), bool)}
    chosen |= {category: categories == category for category in Category if (categories == category).any()}
    outcomes = {
        role: np.array([reply.outcome for reply in replies]) for role, replies in replies_by_role.items()
    }
    first, *others = outcomes
    return FactScores(
        {
            role: {name: _outcomes(of_role[part]) for name, part in chosen.items()}
            for role, of_role in outcomes.items()
        },
        {
            role: {
                name: _outcomes(outcomes[role][part], outcomes[first][part]) for name, part in chosen.items()
            }
            for role in others
        },
    )


def _outcomes(found: Any, beside: Any = None) -> Outcomes:
    """Of some facts' outcomes, or of how they differ from those of another model."""
    shares = []
    for kind in (Outcome.CORRECT, Outcome.ABSTAINED, Outcome.INVENTED):
        hits = found == kind
        if beside is None:
            shares.append(Share(float(hits.mean()), share_interval(hits)))
        else:
            other = beside == kind
            shares.append(Share(float(hits.mean() - other.mean()), difference_interval(hits, other)))
    return Outcomes(len(found), *shares)


def _right(facts: Sequence[Fact], said: Sequence[str]) -> Any:
    return np.array([gives(text, fact.answers) for fact, text in zip(facts, said, strict=True)], float)


class _Exemplars:
    """Questions as models read them, each behind the same other facts with their answers."""

    def __init__(self, facts: Sequence[Fact], config: Facts, shots: int) -> None:
        questions = [normalised(fact.question) for fact in facts]
        if shots and len(set(questions)) <= shots:
            raise UserError(
                f"{shots} facts stand before each question, and there are {len(set(questions)):,} in all",
                file=config.file,
                hint="Give more facts, or set `shots` and `asked_shots` lower.",
            )
        self._facts, self._questions = facts, questions
        self._config, self._shots = config, shots

    def prompts(self, number: int) -> list[str]:
        """The prompt of each fact with the set of exemplars of this number."""
        rng = np.random.Generator(np.random.PCG64([self._config.seed, number]))
        chosen: dict[str, str] = {}
        for place in rng.permutation(len(self._facts)).tolist():
            if len(chosen) <= self._shots:
                chosen.setdefault(self._questions[place], self._answered(self._facts[place]))
        found = []
        for fact, question in zip(self._facts, self._questions, strict=True):
            others = [answered for other, answered in chosen.items() if other != question]
            found.append("\n\n".join([*others[: self._shots], self._asked(fact)]))
        return found

    def _asked(self, fact: Fact) -> str:
        return self._config.asked_as.replace("{question}", " ".join(fact.question.split()))

    def _answered(self, fact: Fact) -> str:
        return f"{self._asked(fact)} {' '.join(fact.answers[0].split())}"
