"""Asking MERA's questions: in the words of its own task files, and answered in words.

MERA asks each question after as many examples as its task says: the first with its instruction, all others
and the question itself without one; where there are no examples, the question has its instruction. Which
examples is a draw of this program's own, since MERA's depends on the state of its harness.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.errors import UserError
from pipelines.evaluation.mera.data import MeraData, MeraQuestion
from pipelines.evaluation.mera.tasks import DIALOGUES, EXAM_EXAMPLES, FALLBACK, MeraTask, Scoring
from pipelines.recipe.mera import Mera

if TYPE_CHECKING:
    from pipelines.evaluation.variants import Answers

BETWEEN = "\n\n"
CONTEXT = "{context}"
"""Where earlier questions of a dialogue go in an instruction."""
_FIELD = re.compile(r"\{(\w+)\}")


def ask_mera(
    model: Answers, data: Mapping[str, MeraData], config: Mera, batch_size: int
) -> dict[str, list[str]]:
    """The model's answer to each question of each task, as the archive and the scores take it."""
    answers = {}
    for name, of_task in data.items():
        if name == DIALOGUES:
            answers[name] = _ask_dialogues(model, of_task, config, batch_size)
        else:
            texts = model.continue_texts(prompts_of(of_task, config.seed), config.new_tokens, batch_size)
            answers[name] = [answer_of(of_task.task, text) for text in texts]
    return answers


def answer_of(task: MeraTask, text: str) -> str:
    """The answer in what a model said: its beginning up to a stop, or the first choice named there."""
    for stop in task.stops:
        text = text.split(stop)[0]
    if task.pattern is None:
        return text.strip() if task.scoring is Scoring.DETOXIFICATION else text.lstrip()
    found = re.search(task.pattern, text)
    return found.group() if found else FALLBACK


def prompts_of(data: MeraData, seed: int) -> list[str]:
    """What is asked for each question."""
    task = data.task
    if not task.shots:
        return [with_instruction(task, question) for question in data.questions]
    alike: dict[Any, list[MeraQuestion]] = defaultdict(list)
    for example in data.examples:
        alike[_kind(task, example)].append(example)
    prompts = []
    for number, question in enumerate(data.questions):
        of_them = alike[_kind(task, question)]
        rng = np.random.Generator(np.random.PCG64([seed, number]))
        places = rng.choice(len(of_them), min(task.shots + 1, len(of_them)), replace=False) if of_them else ()
        drawn = [each for place in places if (each := of_them[place]) is not question][: task.shots]
        if len(drawn) < task.shots:
            raise UserError(f"{task.name} has no {task.shots} examples for its question {question.number}")
        shown = [with_instruction(task, drawn[0]), *(without_instruction(task, each) for each in drawn[1:])]
        examples = [f"{text} {example.output}" for text, example in zip(shown, drawn, strict=True)]
        prompts.append(BETWEEN.join([*examples, without_instruction(task, question)]))
    return prompts


def _kind(task: MeraTask, question: MeraQuestion) -> Any:
    """What examples and their question have in common."""
    return question.meta.get(task.alike) if task.alike else None


def with_instruction(task: MeraTask, question: MeraQuestion) -> str:
    """A question as its instruction asks it."""
    return _filled(question.instruction, question).strip() + task.end


def without_instruction(task: MeraTask, question: MeraQuestion) -> str:
    """A question as it follows an example."""
    example = EXAM_EXAMPLES[question.meta["type"]] if task.scoring is Scoring.EXAM else task.example
    return _filled(example, question).strip()


def _filled(text: str, question: MeraQuestion) -> str:
    """Put the fields of a question into their places; nothing else in braces is looked at."""

    def value(place: re.Match[str]) -> str:
        if place[1] not in question.inputs:
            raise UserError(f"an instruction names `{place[1]}`, which question {question.number} has not")
        return question.inputs[place[1]]

    return _FIELD.sub(value, text)


def _ask_dialogues(model: Answers, data: MeraData, config: Mera, batch_size: int) -> list[str]:
    """All dialogues at once, turn by turn; a question stands after those before it and their answers."""
    numbers: dict[int, list[int]] = defaultdict(list)
    for number, question in enumerate(data.questions):
        numbers[question.id[0]].append(number)
    answers = [""] * len(data.questions)
    for turn in range(max(map(len, numbers.values()))):
        now = [of_dialogue[turn] for of_dialogue in numbers.values() if turn < len(of_dialogue)]
        first = 0 if config.dialogue is None else max(0, turn - config.dialogue)
        prompts = [
            _turn(data, numbers[data.questions[number].id[0]][first:turn], number, answers) for number in now
        ]
        texts = model.continue_texts(prompts, config.new_tokens, batch_size)
        for number, text in zip(now, texts, strict=True):
            answers[number] = answer_of(data.task, text)
    return answers


def _turn(data: MeraData, earlier: Sequence[int], number: int, answers: Sequence[str]) -> str:
    question = data.questions[number]
    before, _, after = question.instruction.partition(CONTEXT)
    if not earlier:
        return _filled(before + after, question).strip()
    own = _filled(after, question).strip()
    said = [f"{without_instruction(data.task, data.questions[each])} {answers[each]}" for each in earlier]
    return before + BETWEEN.join([*said, own])
