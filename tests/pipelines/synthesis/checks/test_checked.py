"""Methods whose drafts are checked, and the judge among the checks."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import pytest

from pipelines.synthesis.ask import Answer, Ask
from pipelines.synthesis.checks.checked import checked
from pipelines.synthesis.checks.checks import Checks
from pipelines.synthesis.draft import NO_ANSWER, Draft, RejectedError, Rejection, Result
from pipelines.synthesis.passage import Passage
from pipelines.synthesis.prompt import Prompt, Prompts
from tests.pipelines.synthesis.checks.samples import ENGLISH, IDENTIFIER, RUSSIAN


def passage_of(text: str, id: str) -> Passage:
    return Passage(id=f"{id}#0", parent_id=id, text=text, language="en", source="s", domain="d")


PASSAGE = passage_of(ENGLISH, "a")


class Judge:
    """Says what it is told to, and remembers what it was asked."""

    def __init__(self, says: str = "yes") -> None:
        self.says = says
        self.asked: list[list[dict[str, str]]] = []

    async def __call__(
        self,
        prompt: Prompt,
        values: Mapping[str, Any],
        *,
        schema: Mapping[str, Any] | None = None,
        draw: int = 0,
    ) -> Answer:
        self.asked.append(prompt.messages(values))
        if not self.says:
            raise RejectedError(Rejection(NO_ANSWER))
        return Answer(self.says, "stop")


def question(asked: str, answer: str, **changes: Any) -> Draft:
    turns = ({"role": "user", "content": asked}, {"role": "assistant", "content": answer})
    given = {
        "kind": "factual",
        "language": "en",
        "prompt": "p",
        "messages": turns,
        "question": asked,
        "claims": answer,
    }
    return Draft(**(given | changes))


def results(
    made: Sequence[Result], checks: Checks | None = None, passage: Passage = PASSAGE, ask: Ask | None = None
) -> list[Result]:
    async def make(passage: Passage, ask: Ask) -> Sequence[Result]:
        return made

    making = checked(make, checks or Checks(), Prompts(), IDENTIFIER)
    return list(asyncio.run(making(passage, ask or Judge())))


def reason(
    draft: Draft, checks: Checks | None = None, passage: Passage = PASSAGE, ask: Ask | None = None
) -> str | None:
    (result,) = results([draft], checks, passage, ask)
    return result.reason if isinstance(result, Rejection) else None


GOOD = question("When did the Vasa sink?", "The Vasa sank in 1628.")


def test_drafts_pass_or_are_rejected_in_order_and_rejections_go_through() -> None:
    earlier = Rejection("unparsed", "{")
    bad = question("When did the Vasa sink?", "In 1682.")
    passed, rejected, same = results([GOOD, bad, earlier])
    assert passed is GOOD
    assert isinstance(rejected, Rejection)
    assert rejected.reason == "ungrounded_numbers"
    assert "1682" in rejected.excerpt
    assert same is earlier


@pytest.mark.parametrize(
    ("draft", "expected"),
    [
        (question("When did the Vasa sink?", " "), "empty"),
        (question("When did the Vasa sink?", "I'm sorry, but I cannot answer that."), "refusal"),
        (question("When did the Vasa sink?", "Answer: in 1628."), "copied_prompt"),
        (question("According to the text, when did the Vasa sink?", "In 1628."), "refers_to_text"),
        (question("When did the Vasa sink?", "The Vasa sank. " * 20), "repetition"),
        (question("When did the Vasa sink?", "Корабль затонул в 1628 году."), "wrong_language"),
        (question("Когда затонул корабль?", "In 1628."), "wrong_language"),
        (question("How many people live in Brazil today?", "Thirty"), "ungrounded_question"),
    ],
)
def test_each_fault_has_its_reason(draft: Draft, expected: str) -> None:
    assert reason(draft) == expected


def test_every_turn_of_a_dialogue_is_an_answer() -> None:
    turns = (
        {"role": "user", "content": "When did the Vasa sink?"},
        {"role": "assistant", "content": "The Vasa sank in 1628."},
        {"role": "user", "content": "Why?"},
        {"role": "assistant", "content": "К сожалению, я не могу ответить."},
    )
    assert reason(question("When did the Vasa sink?", "1628", messages=turns)) == "refusal"


def test_texts_are_checked_as_conversations_are() -> None:
    text = "In 1628 the warship Vasa sank on her maiden voyage because she was unstable."
    draft = Draft(kind="textbook", language="en", prompt="p", text=text, claims=text)
    assert reason(draft) is None
    assert reason(draft, passage=passage_of(RUSSIAN, "b"))
    assert reason(Draft(kind="textbook", language="ru", prompt="p", text=text)) == "wrong_language"


def test_a_refusal_that_was_asked_for_passes() -> None:
    asked = f"{ENGLISH}\n\nAccording to the text, who designed the sails?"
    draft = question(
        asked,
        "The passage does not say who designed the sails.",
        question="Who designed the sails?",
        claims=None,
    )
    turns = (
        {"role": "user", "content": asked},
        {"role": "assistant", "content": draft.messages[1]["content"]},
    )
    shown = question("Who designed the sails?", "", messages=turns, claims=None, refuses=True)
    assert reason(shown) is None
    assert reason(question("Who designed the sails?", "", messages=turns, claims=None)) == "refusal"


def test_a_translation_left_in_the_language_of_its_source_is_wrong() -> None:
    turns = ({"role": "user", "content": RUSSIAN}, {"role": "assistant", "content": ENGLISH})
    assert reason(Draft(kind="translate", language="ru", prompt="p", messages=turns)) == "wrong_language"


def test_related_passages_count_where_a_draft_rests_on_them() -> None:
    other = Passage(
        id="b#0", parent_id="b", text="The Mary Rose sank in 1545.", language="en", source="s", domain="d"
    )
    draft = question("When did the Vasa and the Mary Rose sink?", "The Vasa in 1628, the Mary Rose in 1545.")
    both = PASSAGE.with_related((other,))
    assert reason(draft, passage=both) == "ungrounded_numbers"
    resting = question(draft.question, draft.claims, passages=("a#0", "b#0"))
    assert reason(resting, passage=both) is None


def test_checks_can_be_left_out() -> None:
    off = Checks(refusals=False, language=False, grounded_words=None)
    assert reason(question("When did it sink?", "Sorry, I can't say; спросите в музее."), off) is None


@pytest.mark.parametrize(
    ("says", "expected"),
    [
        ("yes", None),
        ("Да.", None),
        ('{"reason": "as said", "verdict": "yes"}', None),
        ('```json\n{"reason": "it is not", "verdict": "no"}\n```', "judged_bad"),
        ("no", "judged_bad"),
        ("Нет", "judged_bad"),
        ("The answer is right, yes, or no.", "judge_unreadable"),
        ('{"verdict": "maybe"}', "judge_unreadable"),
        ('{"verdict": true}', "judge_unreadable"),
        ('{"reason": "cut sho', "judge_unreadable"),
        ("[]", "judge_unreadable"),
        ("", NO_ANSWER),
    ],
)
def test_only_a_yes_of_the_judge_passes(says: str, expected: str | None) -> None:
    assert reason(GOOD, Checks(judge=True), ask=Judge(says)) == expected


@pytest.mark.parametrize("language", ["en", "ru", "de"])
@pytest.mark.parametrize("asked", ["When did the Vasa sink?", None])
def test_the_judge_sees_passage_question_and_answer(language: str, asked: str | None) -> None:
    judge = Judge()
    draft = question("?", "1628", question=asked, language=language)
    reason(draft, Checks(judge=True, language=False, copied_prompt=False), ask=judge)
    said = judge.asked[0][-1]["content"]
    assert ENGLISH in said
    assert "1628" in said
    assert asked is None or asked in said
    for turn in judge.asked[0]:
        if turn["role"] == "assistant":
            assert orjson.loads(turn["content"])["verdict"] in ("yes", "no")


def test_the_judge_is_not_asked_about_what_rules_reject() -> None:
    judge = Judge()
    reason(question("When did the Vasa sink?", "In 1682."), Checks(judge=True), ask=judge)
    assert not judge.asked
