"""Language confusion: answers whose lines, or words, are in the language that they should be in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pipelines.evaluation.confusion_prompts import ConfusionPrompt
from pipelines.evaluation.confusion_scores import Confusion, ConfusionScores, score_confusion
from pipelines.evaluation.estimates import Score
from pipelines.evaluation.language_confusion import ask_confusion, judge
from pipelines.evaluation.outcome.measure import Loaded
from pipelines.evaluation.outcome.results import Result
from pipelines.evaluation.outcome.table import Estimate, References, Row, Table, reference_first
from pipelines.evaluation.variants import Variant
from pipelines.execution.fingerprint import fingerprint
from pipelines.recipe.language_confusion import LanguageConfusion

TITLES = {
    "answered": ("confusion_answers", "Answers that say anything"),
    "lpr": ("confusion_lines", "Answers with every line in the right language"),
    "wpr": ("confusion_words", "Answers without an English word, where lines pass"),
}


@dataclass(frozen=True, kw_only=True)
class AnswerLanguages:
    """The measure of prompts that are to be answered in some language."""

    prompts: Sequence[ConfusionPrompt]
    config: LanguageConfusion
    batch_size: int
    name: str = "language_confusion"

    def settings(self, variant: Variant) -> Mapping[str, Any]:
        """What decides a result besides the model."""
        prompts = [asdict(prompt) for prompt in self.prompts]
        return {"prompts": fingerprint(prompts), "new_tokens": self.config.new_tokens}

    def refuses(self, variant: Variant) -> str | None:
        """What is put before would be in a language of its own."""
        return None if variant.context is None else "what is put before a prompt has a language of its own"

    def ask(self, variant: Variant, loaded: Loaded) -> Result:
        """What it says to each prompt."""
        replies = ask_confusion(loaded.plain, self.prompts, self.config, self.batch_size)
        return {"texts": [reply.text for reply in replies]}

    def tables(self, results: Mapping[str, Result], references: References) -> Iterator[tuple[str, Table]]:
        """The pass rates of each task and language."""
        if references.base not in results:
            return
        replies = {name: judge(self.prompts, dict(result)["texts"]) for name, result in results.items()}
        scores = score_confusion(reference_first(replies, references.base))
        for rate, (name, title) in TITLES.items():
            yield name, Table(title=title, unit="share", counted="prompts", rows=list(_rows(scores, rate)))


def _rows(scores: ConfusionScores, rate: str) -> Iterator[Row]:
    for task, of_task in scores.tasks.items():
        yield from _row(task, of_task.all, rate)
        for language, of_language in of_task.languages.items():
            yield from _row(f"{task}, {language}", of_language, rate)


def _row(name: str, found: Confusion, rate: str) -> Iterator[Row]:
    """None where no answer tells the rate."""
    scores = {variant: getattr(of_one, rate) for variant, of_one in found.scores.items()}
    row = Row(
        name=name,
        count=found.prompts,
        scores=_estimates(scores),
        differences=_estimates({variant: of_one[rate] for variant, of_one in found.differences.items()}),
    )
    if row.scores:
        yield row


def _estimates(scores: Mapping[str, Score | None]) -> dict[str, Estimate]:
    return {name: Estimate(score.value, score.interval) for name, score in scores.items() if score}
