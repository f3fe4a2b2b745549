"""A method whose drafts have passed the checks, from the cheap ones to the dear ones."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from filters.language.identify import LanguageIdentifier
from pipelines.synthesis.ask import Ask, Making, each
from pipelines.synthesis.checks.checks import Checks
from pipelines.synthesis.checks.copied import copied_fault
from pipelines.synthesis.checks.grounding import Grounding, grounding_fault
from pipelines.synthesis.checks.judge import judged_fault
from pipelines.synthesis.checks.language import WRONG, language_fault
from pipelines.synthesis.checks.length import length_fault
from pipelines.synthesis.checks.meaning import embedding_fault, nli_fault
from pipelines.synthesis.checks.references import is_shown, reference_fault
from pipelines.synthesis.checks.refusal import refusal_fault
from pipelines.synthesis.checks.repetition import repetition_fault
from pipelines.synthesis.draft import Draft, Rejection, Result
from pipelines.synthesis.passage import Passage
from pipelines.synthesis.prompt import Prompts
from pipelines.synthesis.translation.masking import unprotected


def checked(make: Making, checks: Checks, prompts: Prompts, identifier: LanguageIdentifier) -> Making:
    """The method with its drafts checked: one that fails becomes the rejection of its first fault.

    Args:
        make: A method at work.
        checks: What its drafts must pass.
        prompts: Where the judge's prompts are.
        identifier: Tells languages.
    """

    async def make_checked(passage: Passage, ask: Ask) -> Sequence[Result]:
        made = await make(passage, ask)
        return await each(_verdict(result, passage, ask, checks, prompts, identifier) for result in made)

    return make_checked


async def _verdict(
    result: Result,
    passage: Passage,
    ask: Ask,
    checks: Checks,
    prompts: Prompts,
    identifier: LanguageIdentifier,
) -> Result:
    if isinstance(result, Rejection):
        return result
    seen = _Seen.of(result, passage)
    fault = first_fault(result, seen, checks, identifier) or await _meaning_fault(result, seen, checks)
    if fault is None and checks.judge and result.claims is not None:
        question = result.question or ""
        fault = await judged_fault(result.claims, question, seen.passage, result.language, prompts, ask)
    return fault or result


@dataclass(frozen=True)
class _Seen:
    """A draft as checks see it."""

    answers: tuple[str, ...]
    """Its text, or what the assistant says."""
    asked: tuple[str, ...]
    """What the user says."""
    passage: str
    """All that it rests on."""
    same_language: bool
    """Whether that is in the draft's language."""
    shown: bool
    """Whether the reader sees it."""

    @classmethod
    def of(cls, draft: Draft, passage: Passage) -> _Seen:
        turns = draft.messages or ()
        rests_on = [passage, *(other for other in passage.related if other.id in draft.passages)]
        said = tuple(turn["content"] for turn in turns if turn["role"] == "assistant")
        return cls(
            answers=said if draft.text is None else (draft.text,),
            asked=tuple(turn["content"] for turn in turns if turn["role"] == "user"),
            passage="\n\n".join(other.text for other in rests_on),
            same_language=draft.language in {other.language for other in rests_on},
            shown=is_shown(passage.text, turns),
        )


def first_fault(
    draft: Draft, seen: _Seen, checks: Checks, identifier: LanguageIdentifier
) -> Rejection | None:
    """The first fault that rules find in a draft, None where there is none."""
    if not any(answer.strip() for answer in seen.answers):
        return Rejection.of("empty", draft.question or "")
    return next((fault for fault in _found(draft, seen, checks, identifier) if fault), None)


def _found(
    draft: Draft, seen: _Seen, checks: Checks, identifier: LanguageIdentifier
) -> Iterator[Rejection | None]:
    """What each check finds, the quickest first; each looks when it is asked for."""
    whole = draft.text is not None
    about = draft.claims is not None or draft.question is not None
    yield from (length_fault(answer, checks.min_words, checks.max_words) for answer in seen.answers)
    if checks.refusals and not draft.refuses:
        yield from map(refusal_fault, seen.answers)
    if checks.copied_prompt:
        for answer in seen.answers:
            yield copied_fault(answer, draft.instructions, seen.passage, turn=not whole, about=about)
    if checks.stands_alone and not seen.shown and about:
        yield from (reference_fault(text, of_itself=whole) for text in (*seen.asked, *seen.answers))
    if checks.repetition:
        yield from map(repetition_fault, seen.answers)
    if checks.language:
        yield _language_fault(draft, seen, identifier)
    if checks.grounded_words is not None and draft.claims is not None:
        bounds = Grounding(checks.grounded_words, checks.grounded_names, checks.grounded_question)
        yield grounding_fault(draft.claims, draft.question or "", seen.passage, draft.language, bounds)


def _language_fault(draft: Draft, seen: _Seen, identifier: LanguageIdentifier) -> Rejection | None:
    """Answers and the question must be in the language throughout, other turns of the user on the whole."""
    said = unprotected if draft.keeps_protected else str
    known = seen.passage if seen.same_language else ""
    for text in (*seen.answers, draft.question or ""):
        if fault := language_fault(said(text), draft.language, identifier, known):
            return fault
    for text in seen.asked:
        if text == draft.question:
            continue
        fault = language_fault(said(text), draft.language, identifier, known)
        if fault is not None and fault.reason == WRONG:
            return fault
    return None


async def _meaning_fault(draft: Draft, seen: _Seen, checks: Checks) -> Rejection | None:
    if draft.claims is None:
        return None
    claims = f"{draft.question or ''}\n{draft.claims}".strip()
    if checks.embedding is not None and (
        fault := await asyncio.to_thread(embedding_fault, claims, seen.passage, checks.embedding)
    ):
        return fault
    if checks.nli is not None:
        return await asyncio.to_thread(nli_fault, claims, seen.passage, checks.nli)
    return None
