"""The account of what was asked and what came back: every passage and every draft ends somewhere."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from mixers.printable import storable
from pipelines.execution.counts import Count
from pipelines.execution.output import TaskOutput
from pipelines.synthesis.asking.outcomes import Outcome
from pipelines.synthesis.draft import NO_ANSWER, Draft, Rejection, Result

FOLDER = "rejected"
REJECTIONS = pa.schema(
    [
        ("passage", pa.string()),
        ("parent_id", pa.string()),
        ("reason", pa.string()),
        ("excerpt", pa.string()),
    ]
)
UNANSWERED, TOKENS_MADE, CALLS = "unanswered", "tokens_made", "calls"
INPUT_TOKENS, OUTPUT_TOKENS, WANTED = "input_tokens", "output_tokens", "tokens_wanted"
PASSAGE_CHARACTERS, PASSAGE_TOKENS = "passage_characters", "passage_tokens"
SECONDS_BETWEEN_LINES = 30


@dataclass
class Account:
    """Sums over outcomes."""

    tokens: int = 0
    """Of the new documents."""
    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    characters: int = 0
    """Of the passages."""
    passage_tokens: int = 0
    kept: Counter[str] = field(default_factory=Counter)
    """Drafts that became documents, by kind."""
    rejected: Counter[str] = field(default_factory=Counter)
    """What came back and became none, by reason."""
    fruitful: int = 0
    """Passages that gave a document."""
    fruitless: Counter[str] = field(default_factory=Counter)
    """Passages that gave none, by the reason that most of their drafts were rejected for."""

    def add(self, outcome: Outcome, tokens: int, passage_tokens: int) -> None:
        """Take in an outcome, whose drafts have so many tokens, and its passage too."""
        reasons = Counter(each.reason for each in rejections_of(outcome.results))
        kinds = Counter(draft.kind for draft in drafts_of(outcome.results))
        self.kept += kinds
        self.rejected += reasons
        if kinds:
            self.fruitful += 1
        else:
            self.fruitless[
                min(reasons, key=lambda reason: (-reasons[reason], reason), default="nothing")
            ] += 1
        self.tokens += tokens
        self.calls += outcome.calls
        self.input_tokens += outcome.input_tokens
        self.output_tokens += outcome.output_tokens
        self.characters += len(outcome.passage.text)
        self.passage_tokens += passage_tokens

    def count(self, output: TaskOutput, wanted: int | None) -> None:
        """Write the sums to a task's counts; `wanted` are the tokens that it was to make."""
        counts, documents = output.counts, self.kept.total()
        counts.flow(
            "passages",
            entered=self.fruitful + self.fruitless.total(),
            left=self.fruitful,
            dropped={Count("no_document", reason=reason): n for reason, n in self.fruitless.items()},
        )
        counts.flow(
            "drafts",
            entered=documents + self.rejected.total(),
            left=documents,
            dropped={Count("rejected", reason=reason): n for reason, n in self.rejected.items()},
        )
        for kind, number in self.kept.items():
            counts.add("documents_made", number, scope=kind)
        for what, number in (
            (TOKENS_MADE, self.tokens),
            (CALLS, self.calls),
            (INPUT_TOKENS, self.input_tokens),
            (OUTPUT_TOKENS, self.output_tokens),
            (PASSAGE_CHARACTERS, self.characters),
            (PASSAGE_TOKENS, self.passage_tokens),
            (UNANSWERED, self.rejected[NO_ANSWER]),
            (WANTED, wanted or 0),
        ):
            counts.add(what, number)


class Pace:
    """Says now and then how far the work has come."""

    def __init__(self, account: Account, wanted: int | None, tell: Callable[[str], None]) -> None:
        self._account, self._wanted, self._tell = account, wanted, tell
        self._told, self._tokens = time.monotonic(), 0

    def tell(self) -> None:
        """Say it, if it was not said just now."""
        seconds = time.monotonic() - self._told
        if seconds < SECONDS_BETWEEN_LINES:
            return
        account = self._account
        rate = (account.tokens - self._tokens) / seconds
        passages = account.fruitful + account.fruitless.total()
        of = f" of {self._wanted:,}" if self._wanted else ""
        left = (self._wanted - account.tokens) / rate if self._wanted and rate else 0
        self._tell(
            f"{passages:,} passages, {account.kept.total():,} documents, {account.tokens:,}{of} tokens, "
            f"{rate:,.0f} tokens/s{f', about {left / 60:,.0f} min left' if left > 0 else ''}"
        )
        self._told, self._tokens = time.monotonic(), account.tokens


def rejections_table(some: Sequence[Outcome]) -> pa.Table:
    """The rejections of outcomes (REJECTIONS)."""
    rows = [
        (each.passage.id, each.passage.parent_id, rejection.reason, storable(rejection.excerpt))
        for each in some
        for rejection in rejections_of(each.results)
    ]
    columns = zip(*rows, strict=True) if rows else [()] * len(REJECTIONS)
    return pa.table([pa.array(column, pa.string()) for column in columns], schema=REJECTIONS)


def drafts_of(results: Sequence[Result]) -> list[Draft]:
    """Those that may become documents."""
    return [each for each in results if isinstance(each, Draft)]


def rejections_of(results: Sequence[Result]) -> list[Rejection]:
    """Those that may not."""
    return [each for each in results if isinstance(each, Rejection)]
