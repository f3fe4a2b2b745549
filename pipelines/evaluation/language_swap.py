"""How often a model that goes on with a text changes its language.

Continual pre-training on one language can make a model answer in it whatever it is asked in (Marchisio et al.
2024, "Understanding and mitigating language confusion in LLMs"). Here the model goes on greedily with the
beginnings of texts; the languages of both parts are identified by fastText's lid.176.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pipelines.evaluation.generation import PlainModel
from pipelines.evaluation.language_id import languages
from pipelines.recipe.evaluate import LanguageSwap
from pipelines.recipe.language_confusion import LanguageConfusion


@dataclass(frozen=True)
class Prompt:
    """A text to go on with."""

    text: str
    language: str


@dataclass(frozen=True)
class SwapScore:
    """Of prompts in one language.

    `judged` is the number of continuations whose language is sure, `swapped` of those in another language,
    which `into` counts by language; `rate` is swapped / judged.
    """

    prompts: int
    judged: int
    swapped: int
    rate: float | None
    into: dict[str, int]

    def to_json(self) -> dict[str, Any]:
        """The score in plain types, for JSON."""
        return asdict(self)


def held_out_prompts(
    pieces: Iterable[Sequence[int]], config: LanguageSwap | LanguageConfusion, model: PlainModel
) -> list[Prompt]:
    """The beginnings of texts that are longer than a prompt, as this model's tokenizer decodes them."""
    texts = [
        model.decode(piece[: config.prompt_tokens]) for piece in pieces if len(piece) > config.prompt_tokens
    ]
    np.random.Generator(np.random.PCG64(config.seed)).shuffle(texts)
    return choose_prompts(texts, config)


def choose_prompts(texts: Sequence[str], config: LanguageSwap | LanguageConfusion) -> list[Prompt]:
    """The first prompts of each language, among those whose language is sure."""
    seen: Counter[str] = Counter()
    chosen = []
    for text, language in zip(texts, languages(texts, config.min_score), strict=True):
        if language is not None and seen[language] < config.prompts:
            seen[language] += 1
            chosen.append(Prompt(text, language))
    return chosen


def score_swaps(
    model: PlainModel, prompts: Sequence[Prompt], config: LanguageSwap, batch_size: int
) -> dict[str, SwapScore]:
    """Let the model go on with each prompt; the scores of each language."""
    continuations = model.continue_texts([prompt.text for prompt in prompts], config.new_tokens, batch_size)
    found: dict[str, list[str | None]] = defaultdict(list)
    for prompt, language in zip(prompts, languages(continuations, config.min_score), strict=True):
        found[prompt.language].append(language)
    return {language: _score(language, found[language]) for language in sorted(found)}


def _score(language: str, continuations: list[str | None]) -> SwapScore:
    judged = [other for other in continuations if other is not None]
    into = Counter(other for other in judged if other != language)
    rate = into.total() / len(judged) if judged else None
    return SwapScore(len(continuations), len(judged), into.total(), rate, dict(sorted(into.items())))
