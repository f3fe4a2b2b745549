"""What a model will be asked for new documents, and what that takes, before the run."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from mixers.budget import Mixture, asked_of_groups
from pipelines.execution.manifest import Damaged, Manifest, read_manifest
from pipelines.graph.build import Graph
from pipelines.graph.source_estimate import SourceEstimate
from pipelines.graph.token_rate import TOKENS_A_BYTE, TokenRate
from pipelines.recipe.recipe import FIRST_STAGE, Recipe
from pipelines.stages.synthesis.account import CALLS, INPUT_TOKENS, OUTPUT_TOKENS, TOKENS_MADE
from pipelines.stages.synthesis.made_documents import ANSWERS, TRIAL, MadeDocuments
from pipelines.stages.tokenize import encoders_of
from pipelines.synthesis.answers import stored_answers
from pipelines.synthesis.method import Method
from pipelines.synthesis.prompt import FALLBACK, Prompts

CHARACTERS_A_TOKEN = 4
"""Of a prompt: what OpenAI's guide to tokens says of English text."""
ANSWER_TOKENS = 400
"""Of an answer: a few questions with their answers, or a few paragraphs. A guess, until a trial measures it."""
KEPT_SHARE = 0.7
"""Of what a model writes, what becomes new text: the rest is JSON, thoughts and drafts that are rejected. A
guess too."""
TOKENS_A_SECOND = 1_000
"""By which seconds are told where no speed was measured: as a unit, not as what any server does."""


@dataclass(frozen=True)
class SynthesisEstimate:
    """What is left to be asked for the documents of one entry of `synthesize`.

    Numbers are None where nobody knows before the run.
    """

    name: str
    method: str
    model: str
    passages: int | None
    """That are asked about in all."""
    tokens: int | None
    """Of new text in all."""
    wanted: int | None
    """Tokens of new text that the recipe asks for."""
    answered: int
    """Answers of this model to these prompts that the run's folder holds."""
    calls: int | None
    input_tokens: int | None
    output_tokens: int | None
    rests_on: str
    """What a passage takes and gives: `an earlier run`, `a trial` or `assumptions`."""
    tokens_a_second: float
    """That the model writes."""
    speed_measured: bool
    """By the answers in the run's folder."""
    seconds: float | None
    money: float | None
    """By the recipe's prices."""

    @property
    def is_short(self) -> bool:
        """Whether the passages that there are will not give the tokens that are wanted."""
        return self.wanted is not None and self.tokens is not None and self.tokens < self.wanted


@dataclass(frozen=True)
class _Asked:
    """The documents that may be asked about."""

    passages: int
    tokens: float


@dataclass(frozen=True)
class _Rates:
    """What a passage takes and gives."""

    calls: float
    input_tokens: float
    output_tokens: float
    made: float
    """Tokens of new text."""
    rests_on: str


@dataclass(frozen=True)
class _Stored:
    """The answers of a run's folder that a synthesis can use, and how fast they came."""

    answers: int
    tokens_a_second: float | None


def synthesis_estimates(
    graph: Graph, workdir: Path, sources: Sequence[SourceEstimate], rates: Mapping[str, TokenRate]
) -> Iterator[SynthesisEstimate]:
    """Every synthesis that asks a model and is not finished.

    Args:
        graph: The stages.
        workdir: The folder of the run.
        sources: What is known of the sources.
        rates: Tokens and characters of their text, by name.
    """
    for stage in graph.stages():
        if isinstance(stage, MadeDocuments) and not stage.is_finished(workdir):
            yield _estimate(stage, _asked(stage, graph, workdir, sources, rates), workdir)


def _estimate(stage: MadeDocuments, asked: _Asked | None, workdir: Path) -> SynthesisEstimate:
    wanted = stage.method.tokens
    rates = _by_earlier_run(stage, workdir) or _by_trial(stage, workdir) or _assumed(stage, asked)
    passages = asked.passages if asked else None
    if wanted is not None and rates is not None:
        needed = math.ceil(wanted / rates.made) if rates.made else math.inf
        ...
