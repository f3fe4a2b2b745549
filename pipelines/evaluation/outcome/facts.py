"""Facts that the base knows or does not know: answered rightly, abstained from, or invented."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pipelines.evaluation.answer_matching import Outcome
from pipelines.evaluation.facts import (
    ALL,
    Category,
    FactScores,
    Knowledge,
    Reply,
    ask_facts,
    score_facts,
    sort_facts,
)
from pipelines.evaluation.outcome.measure import Loaded
from pipelines.evaluation.outcome.results import Result
from pipelines.evaluation.outcome.table import Estimate, References, Row, Table, reference_first
from pipelines.evaluation.variants import Variant
from pipelines.execution.fingerprint import fingerprint
from pipelines.recipe.facts import Facts
from pipelines.sources.fact_files import Fact

TITLES = {
    "accuracy": "Facts answered rightly",
    "abstention": "Facts abstained from",
    "invention": "Facts invented",
}


@dataclass(frozen=True, kw_only=True)
class KnownFacts:
    """The measure of facts, sorted by what the base knows."""

    facts: Sequence[Fact]
    config: Facts
    batch_size: int
    name: str = "facts"

    def settings(self, variant: Variant) -> Mapping[str, Any]:
        """What decides a result besides the model."""
        return {
            "facts": fingerprint([asdict(fact) for fact in self.facts]),
            "config": self.config.model_dump(exclude={"file"}),
            "sorts": variant.kind == "base",
        }

    def refuses(self, variant: Variant) -> str | None:
        """All can be asked."""
        return None

    def ask(self, variant: Variant, loaded: Loaded) -> Result:
        """The replies; of the base, also what it knows."""
        answers = loaded.answers(variant)
        replies = ask_facts(answers, self.facts, self.config, self.batch_size)
        found: dict[str, Any] = {"replies": [[reply.text, reply.outcome] for reply in replies]}
        if variant.kind == "base":
            knowledge = sort_facts(loaded.plain, self.facts, self.config, self.batch_size)
            found["knowledge"] = [[each.greedy, each.drawn] for each in knowledge]
        return found

    def tables(self, results: Mapping[str, Result], references: References) -> Iterator[tuple[str, Table]]:
        """What became of the questions, by what the base knows."""
        if references.base not in results:
            return
        knowledge = [Knowledge(*each) for each in dict(results[references.base])["knowledge"]]
        replies = {
            name: [Reply(text, Outcome(outcome)) for text, outcome in dict(result)["replies"]]
            for name, result in results.items()
        }
        scores = score_facts(knowledge, reference_first(replies, references.base))
        beside = (
            score_facts(knowledge, reference_first(replies, references.tuned))
            if references.tuned in replies
            else None
        )
        for kind, title in TITLES.items():
            yield (
                f"facts_{kind}",
                Table(
                    title=title,
                    unit="share",
                    counted="facts, by what the base knows of them",
                    less_is_better=kind == "invention",
                    rows=[
                        _row(category, kind, scores, beside)
                        for category in (ALL, *Category)
                        if category in scores.models[references.base]
                    ],
                ),
            )


def _row(category: str, kind: str, scores: FactScores, beside: FactScores | None) -> Row:
    def estimates(found: Mapping[str, Mapping[str, Any]]) -> dict[str, Estimate]:
        shares = {name: getattr(of_one[category], kind) for name, of_one in found.items()}
        return {name: Estimate(share.value, share.interval) for name, share in shares.items()}

    return Row(
        name=str(category),
        count=next(iter(scores.models.values()))[category].facts,
        scores=estimates(scores.models),
        differences=estimates(scores.differences),
        from_tuned=estimates(beside.differences) if beside else {},
    )
