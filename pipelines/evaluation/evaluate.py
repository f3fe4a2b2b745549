"""Runs all evaluations of a model and of its base, with the same texts for both."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from mixers.shards import Shards
from pipelines.errors import UserError
from pipelines.evaluation.compare import Comparison, compare
from pipelines.evaluation.held_out import text_pieces
from pipelines.evaluation.hit_questions import HitQuestions
from pipelines.evaluation.language_swap import (
    Prompt,
    SwapScore,
    choose_prompts,
    held_out_prompts,
    score_swaps,
)
from pipelines.evaluation.prompt_file import read_prompts
from pipelines.evaluation.reencode import recoder
from pipelines.evaluation.tables import COMPARISON
from pipelines.recipe.evaluate import Evaluate
from tokenizer_tools.load import TokenizerError, load_tokenizer
from trainers.scores import Described, Evaluation

if TYPE_CHECKING:
    from pipelines.evaluation.generation import PlainModel
    from pipelines.evaluation.harness import Harness, TaskScore
    from pipelines.evaluation.retrieval import Haystack, RetrievalScore
    from trainers.evaluate import Recode


@dataclass(frozen=True)
class Subjects:
    """What is evaluated, and on what."""

    models: Mapping[str, str]
    """Folders or hub ids by role: `model`, and `base` where there is one. The first one's tokenizer must be
    that of the shards; the texts are encoded anew for a base with another one."""
    shards: Path | None = None
    """Held-out shards; None where nothing asked for needs them."""
    described: Described = field(default_factory=Described)
    """Languages and clusters of the held-out documents."""
    hits: HitQuestions | None = None
    """Questions of benchmarks found in training data: all models are scored with and without them."""


@dataclass(frozen=True)
class ModelScores:
    """What one model got; None and nothing where it was not asked."""

    name: str
    shards_fingerprint: str | None = None
    """Of the held-out shards."""
    held_out: Evaluation | None = None
    """Of all documents that it could score; models compare by `Evaluated.comparison`."""
    harness: Mapping[str, TaskScore] | None = None
    language_swap: Mapping[str, SwapScore] | None = None
    retrieval: list[RetrievalScore] | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain types, for JSON; the scores on held-out documents stand at the top."""
        found: dict[str, Any] = {"name": self.name, "shards_fingerprint": self.shards_fingerprint}
        if self.held_out is not None:
            found |= self.held_out.to_json()
        if self.harness is not None:
            found["harness"] = {name: score.to_json() for name, score in self.harness.items()}
        if self.language_swap is not None:
            found["language_swap"] = {name: score.to_json() for name, score in self.language_swap.items()}
        if self.retrieval is not None:
            found["retrieval"] = [score.to_json() for score in self.retrieval]
        return found


@dataclass(frozen=True)
class Evaluated:
    """What all models got, by their roles."""

    models: dict[str, ModelScores]
    pieces: dict[str, pa.Table]
    """What each got on each piece of the held-out documents (`trainers.scores.PIECES`); empty without any."""

    @property
    def comparison(self) -> Comparison | None:
        """The models on the held-out documents that all of them could score."""
        return compare(self.pieces) if self.pieces else None

    def to_json(self) -> dict[str, Any]:
        """Plain types, for JSON: the scores of each model by its role, and `comparison`."""
        comparison = self.comparison
        return {role: scores.to_json() for role, scores in self.models.items()} | (
            {COMPARISON: comparison.to_json()} if comparison else {}
        )


@dataclass(frozen=True)
class Texts:
    """What all models are given: made once, with the first model's tokenizer."""

    prompts: list[Prompt]
    haystacks: list[Haystack]


def open_harness(asked: Evaluate, hits: HitQuestions | None = None) -> Harness | None:
    """The harness, if tasks are asked for.

    Raises UserError where it is not installed, or a folder, a task or that of a hit question is not there.
    """
    if not asked.harness:
        return None
    try:
        from pipelines.evaluation.harness import Harness

        harness = Harness([Path(folder) for folder in asked.include])
        for task in asked.harness:
            harness.require(task.task)
    except ImportError as error:
        raise UserError(
            f"benchmarks need more packages: {error}", hint="Install them: pip install 'coupage[evaluate]'"
        ) from error
    except ValueError as error:
        raise UserError(str(error)) from error
    for name, file in hits.files.items() if hits is not None else ():
        try:
            harness.require(name)
        except ValueError as error:
            raise UserError(f"its matches are with another task: {error}", file=file) from error
    return harness


def evaluate_models(subjects: Subjects, asked: Evaluate) -> Evaluated:
    """The scores of each model: on held-out shards where there are any, and what is asked.

    Raises UserError where a model, the shards or a task cannot be used as asked.
    """
    harness = open_harness(asked, subjects.hits)
    texts: Texts | None = None
    fingerprint = Shards.open(subjects.shards).fingerprint if subjects.shards else None
    found, pieces = {}, {}
    for role, name in subjects.models.items():
        with _user_errors(name):
            scores = ModelScores(name, fingerprint)
            if subjects.shards is not None:
                started = time.monotonic()
                pieces[role] = _pieces(name, subjects.shards, subjects)
                held_out = Evaluation.of(pieces[role], 0, time.monotonic() - started)
                scores = replace(scores, held_out=held_out)
            if asked.needs_generation:
                from pipelines.evaluation.generation import PlainModel

                model = PlainModel.load(name)
                texts = texts or _texts(model, subjects.shards, asked)
                scores = _asked_scores(scores, model, harness, texts, asked, subjects.hits)
        found[role] = scores
    return Evaluated(found, pieces)


@contextmanager
def _user_errors(model: str) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise UserError(
            f"evaluation needs more packages: {error}", hint="Install them: pip install 'coupage[train]'"
        ) from error
    except (OSError, ValueError) as error:
        raise UserError(str(error), file=model) from error


def _pieces(name: str, shards: Path, subjects: Subjects) -> pa.Table:
    from trainers.evaluate import evaluate_pieces

    return evaluate_pieces(name, shards, described=subjects.described, recode=_recode(name, subjects))


def _recode(name: str, subjects: Subjects) -> Recode | None:
    """For a model with another tokenizer than the first one's; None where one does not say which it has."""
    try:
        made, wanted = load_tokenizer(next(iter(subjects.models.values()))), load_tokenizer(name)
    except TokenizerError:
        return None
    return None if made.hash == wanted.hash else recoder(made, wanted)


def _asked_scores(
    scores: ModelScores,
    model: PlainModel,
    harness: Harness | None,
    texts: Texts,
    asked: Evaluate,
    hits: HitQuestions | None,
) -> ModelScores:
    from pipelines.evaluation.retrieval import score_retrieval

    if harness is not None:
        found = {task.task: harness.run(model, task, asked.batch_size, hits) for task in asked.harness}
        scores = replace(scores, harness=found)
    if asked.language_swap is not None:
        swaps = score_swaps(model, texts.prompts, asked.language_swap, asked.batch_size)
        scores = replace(scores, language_swap=swaps)
    if asked.retrieval is not None:
        scores = replace(scores, retrieval=score_retrieval(model, texts.haystacks))
    return scores


def _texts(model: PlainModel, shards: Path | None, asked: Evaluate) -> Texts:
    from pipelines.evaluation.retrieval import make_haystacks

    pieces = list(text_pieces(Shards.open(shards))) if shards else []
    prompts: list[Prompt] = []
    if (swap := asked.language_swap) is not None:
        chosen = choose_prompts(read_prompts(swap.file), swap) if swap.file else None
        prompts = held_out_prompts(pieces, swap, model) if chosen is None else chosen
        if not prompts:
            raise ValueError(
                "There are no prompts whose language is sure. Give a file of prompts, or set"
                " evaluate.language_swap.prompt_tokens or min_score lower."
            )
    haystacks: list[Haystack] = []
    if asked.retrieval is not None:
        haystacks = make_haystacks([model.decode(piece) for piece in pieces], asked.retrieval, model)
    return Texts(prompts, haystacks)
