"""What a model will be asked for new documents, and what that takes, before the run."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mixers.budget import asked_of_groups
from pipelines.execution.manifest import MANIFEST, Damaged, Manifest, read_manifest
from pipelines.graph.build import Graph
from pipelines.graph.source_estimate import SourceEstimate
from pipelines.graph.token_rate import TokenRate
from pipelines.recipe.recipe import FIRST_STAGE, Recipe
from pipelines.stages.synthesis.account import CALLS, INPUT_TOKENS, OUTPUT_TOKENS, TOKENS_MADE
from pipelines.stages.synthesis.made_documents import MadeDocuments
from pipelines.stages.synthesis.trial import read_trial
from pipelines.stages.tokenize import encoders_of
from pipelines.synthesis.asking.answers import busy_seconds, stored_answers
from pipelines.synthesis.method import JUDGE, Method
from pipelines.synthesis.prompt import FALLBACK, PromptFile, Prompts

CHARACTERS_A_TOKEN = 4
"""Where no tokenizer has encoded the text: what OpenAI's guide to tokens says of English."""
KEPT_SHARE = 0.7
"""Of what a model writes, what becomes new text: the rest is JSON, thoughts and drafts that are rejected. A
guess, until a trial measures it."""
JUDGEMENT_TOKENS = 100
"""Of a judge's answer: its reason has at most 400 characters."""
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
    """Of its questions, those whose answers the run's folder holds already."""
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
    tokens: int


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
            yield _estimate(stage, _asked(stage, graph.recipe, workdir, sources, rates), workdir)


def _estimate(stage: MadeDocuments, asked: _Asked | None, workdir: Path) -> SynthesisEstimate:
    rates = _by_earlier_run(stage, workdir) or _by_trial(stage, workdir) or _assumed(stage, asked)
    stored = _stored(stage, workdir)
    passages = _passages(stage.method.tokens, asked, rates)
    calls = None if passages is None else max(0, round(passages * rates.calls) - stored.answers)
    # Of a call that is left, what an average one takes.
    inputs = None if calls is None else round(calls * rates.input_tokens / rates.calls)
    outputs = None if calls is None else round(calls * rates.output_tokens / rates.calls)
    speed, price = stored.tokens_a_second or TOKENS_A_SECOND, stage.model.price
    return SynthesisEstimate(
        name=stage.scope,
        method=stage.method.method,
        model=stage.model.model,
        passages=passages,
        tokens=None if passages is None else round(passages * rates.made),
        wanted=stage.method.tokens,
        answered=stored.answers,
        calls=calls,
        input_tokens=inputs,
        output_tokens=outputs,
        rests_on=rates.rests_on,
        tokens_a_second=round(speed, 1),
        speed_measured=stored.tokens_a_second is not None,
        seconds=None if outputs is None else round(outputs / speed, 1),
        money=None if price is None or inputs is None or outputs is None else price.of(inputs, outputs),
    )


def _passages(wanted: int | None, asked: _Asked | None, rates: _Rates) -> int | None:
    """As many as the tokens that are wanted need, and at most those that there are."""
    needed = math.ceil(wanted / rates.made) if wanted is not None and rates.made else None
    if asked is None:
        return needed
    return asked.passages if needed is None else min(needed, asked.passages)


def _asked(
    stage: MadeDocuments,
    recipe: Recipe,
    workdir: Path,
    sources: Sequence[SourceEstimate],
    rates: Mapping[str, TokenRate],
) -> _Asked | None:
    """The documents of the groups: counted, or by what is known of the sources; None where nobody knows."""
    names = {parts.scope for parts in stage.parts}
    feeding = [each for each in sources if each.source in names]
    if stage.asked.is_finished(workdir):
        tokens = stage.asked.order(workdir).column("tokens").to_numpy()
        pieces = _cut(tokens * _characters_a_token(feeding, rates), stage.method)
        return _Asked(int(pieces.sum()), int(tokens.sum()))
    passages = total = 0.0
    for group in stage.method.asked:
        if group in stage.method.groups or group in recipe.relabelled:
            return None
        of_group = [each for each in feeding if each.group == group]
        share = _share_in_stage1(group, recipe, of_group) if stage.method.about == "stage1" else 1.0
        for each in of_group:
            if each.documents is None or each.tokens is None:
                return None
            size = each.tokens / max(1, each.documents) * _characters_a_token([each], rates)
            used = share * each.usable
            passages += used * each.documents * float(_cut(np.array([size]), stage.method)[0])
            total += used * each.tokens
    return _Asked(round(passages), round(total))


def _share_in_stage1(group: str, recipe: Recipe, feeding: Sequence[SourceEstimate]) -> float:
    """How much of a group Stage 1 can take at most; all where its predicates decide."""
    mixture = recipe.whole_mixtures[FIRST_STAGE]
    if mixture.groups:
        return 1.0
    amounts = [each.tokens if mixture.unit == "tokens" else each.loss_tokens for each in feeding]
    available = sum((amount or 0) * each.usable for amount, each in zip(amounts, feeding, strict=True))
    return min(1.0, asked_of_groups(mixture).get(group, 0) / available) if available else 1.0


def _characters_a_token(sources: Sequence[SourceEstimate], rates: Mapping[str, TokenRate]) -> float:
    known = [(each.tokens or 0, rates[each.source]) for each in sources if each.source in rates]
    tokens = sum(number for number, _ in known)
    if not tokens:
        return CHARACTERS_A_TOKEN
    return sum(number * rate.characters / rate.tokens for number, rate in known) / tokens


def _cut(characters: npt.NDArray[np.float64], method: Method) -> npt.NDArray[np.float64]:
    """Passages of documents of so many characters."""
    if not method.pieces:
        return np.ones(len(characters))
    return np.maximum(1, np.ceil(characters / method.passage_characters))


def _by_earlier_run(stage: MadeDocuments, workdir: Path) -> _Rates | None:
    """By the last finished stage of this name and method, which had other settings or documents."""
    earlier = list(_earlier(stage, workdir))
    if not earlier:
        return None
    counts = max(earlier, key=lambda found: found[0])[1].counts
    flow = counts.flows.get("passages")
    return _measured(
        flow.entered if flow else 0,
        calls=counts.number(CALLS),
        input_tokens=counts.number(INPUT_TOKENS),
        output_tokens=counts.number(OUTPUT_TOKENS),
        made=counts.number(TOKENS_MADE),
        rests_on="an earlier run",
    )


def _earlier(stage: MadeDocuments, workdir: Path) -> Iterator[tuple[float, Manifest]]:
    """When they ended, and their manifests."""
    for folder in (workdir / "stages").glob(f"{stage.slug}-*"):
        try:
            manifest = read_manifest(folder)
        except Damaged:
            continue
        if manifest and manifest.settings.get("method", {}).get("method") == stage.method.method:
            yield (folder / MANIFEST).stat().st_mtime, manifest


def _by_trial(stage: MadeDocuments, workdir: Path) -> _Rates | None:
    """By what `coupage synthesize --sample` made last."""
    wanted = (stage.scope, stage.method.method, stage.model.model)
    found = (each for each in read_trial(workdir) if (each.name, each.method, each.model) == wanted)
    trial = next(found, None)
    if trial is None or not stage.tokenizer.is_finished(workdir):
        return None
    encoder = encoders_of(stage.tokenizer.whole_folder(workdir)).text
    return _measured(
        len(trial.passages),
        calls=trial.calls,
        input_tokens=trial.input_tokens,
        output_tokens=trial.output_tokens,
        made=len(encoder.encode(pa.array(trial.kept, pa.large_string())).ids),
        rests_on="a trial",
    )


def _measured(
    passages: int, *, calls: int, input_tokens: int, output_tokens: int, made: int, rests_on: str
) -> _Rates | None:
    """The rates of so many passages; None where nothing was counted, as by servers that count no tokens."""
    if not (passages and calls and output_tokens):
        return None
    return _Rates(
        calls / passages, input_tokens / passages, output_tokens / passages, made / passages, rests_on
    )


def _assumed(stage: MadeDocuments, asked: _Asked | None) -> _Rates:
    """By the length of the passages and of the prompts."""
    method = stage.method
    passage = method.passage_characters / CHARACTERS_A_TOKEN
    if asked and asked.passages:
        passage = asked.tokens / asked.passages
    calls = method.calls_a_passage
    sent, written = method.tokens_a_passage(passage)
    sent += calls * _prompt_tokens(stage.prompts, method.method)
    made = written * KEPT_SHARE
    if method.checks.judge:
        drafts = method.drafts_a_passage
        calls += drafts
        sent += drafts * (passage + _prompt_tokens(stage.prompts, JUDGE))
        written += drafts * JUDGEMENT_TOKENS
    return _Rates(calls, sent, written, made, rests_on="assumptions")


def _prompt_tokens(prompts: Prompts, method: str) -> float:
    """The average length of a method's English prompts; each of their examples is a turn."""
    ending = f".{FALLBACK}.yaml"
    names = [name.removesuffix(ending) for name in prompts.hashes(method) if name.endswith(ending)]
    lengths = [_characters(prompts.get(f"{method}/{name}", FALLBACK).file) for name in names]
    return sum(lengths) / len(lengths) / CHARACTERS_A_TOKEN if lengths else 0.0


def _characters(file: PromptFile) -> int:
    values = [str(value) for each in file.examples for value in (*each.values.values(), each.answer)]
    return len(file.system) + len(file.user) * (1 + len(file.examples)) + sum(map(len, values))


def _stored(stage: MadeDocuments, workdir: Path) -> _Stored:
    """What this model answered here before."""
    own, others = stage.answers_before(workdir)
    number = tokens = 0
    began, ended = array("d"), array("d")
    for path in (*own, *others):
        for answer in stored_answers(path):
            if answer.model == stage.model.model:
                number += path in own
                tokens += answer.output_tokens
                began.append(answer.began)
                ended.append(answer.ended)
    seconds = busy_seconds(np.array(began), np.array(ended))
    return _Stored(number, tokens / seconds if tokens and seconds else None)
