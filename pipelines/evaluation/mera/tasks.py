"""The tasks of MERA 1.2: how each is asked, which answers it takes, and how they are scored.

Numbers of examples, the words around a question without its instruction, and the patterns of answers are
those of MERA's own task files (`benchmark_tasks/*/*_gen.yaml`, MIT licence; Fenogenova et al. 2024, arXiv
2401.04531), for models that answer in words rather than by the likelihood of choices; the instruction comes
with each question. Tasks, metrics and names of files are those of the site's scoring (`modules/scoring`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

FALLBACK = "-1"
"""The answer where a model names no choice."""

_DIGIT, _LETTER, _YES_NO = r"\b[0-9]\b", r"\b[ABCD]\b", r"\b(?:Да|Нет)\b"
_OPTIONS = "\nA) {option_a}\nB) {option_b}\nC) {option_c}\nD) {option_d}\nОтвет:"


class Scoring(Enum):
    """How answers are compared with the right ones, by the metrics that the site names."""

    ACCURACY = "acc"
    ACCURACY_AND_F1 = "acc, f1_macro"
    EXACT = "em"
    SPAN = "f1, em"
    EXAM = "grade_norm"
    ETHICS = "mcc"
    DETOXIFICATION = "j"
    """By three classifiers, which the site has."""
    CODE = "pass@k"
    """By running what the model writes, which this program never does."""


@dataclass(frozen=True, kw_only=True)
class MeraTask:
    """A task; its data lie in the folder of its name in small letters."""

    name: str
    """Of its file in the archive, without `.json`."""
    scoring: Scoring
    example: str = ""
    """A question without its instruction."""
    pattern: str | None = None
    """A regular expression: the first match in a line is the answer; None: the line itself."""
    shots: int = 1
    examples: str = "train"
    """The split that examples come from, and that has open answers."""
    alike: str | None = None
    """Examples have the same value of this in `meta`."""
    end: str = ""
    """What follows an instruction."""
    stops: tuple[str, ...] = ("\n",)
    """What ends an answer."""
    part: tuple[str, str] | None = None
    """The field of a question that tells in which part of the scores it counts too."""

    @property
    def folder(self) -> str:
        """The name of its data's folder."""
        return self.name.lower()

    @property
    def is_asked(self) -> bool:
        """Whether it is asked here."""
        return self.scoring is not Scoring.CODE


def _domains(name: str) -> MeraTask:
    return MeraTask(
        name=name,
        scoring=Scoring.ACCURACY,
        pattern=_LETTER,
        example="{text}" + _OPTIONS,
        alike="domain",
        part=("meta", "domain"),
    )


_TASKS = (
    MeraTask(
        name="BPS", scoring=Scoring.ACCURACY, pattern=_DIGIT, example="Последовательность: {inputs}\nОтвет:"
    ),
    MeraTask(name="CheGeKa", scoring=Scoring.SPAN, example='Категория "{topic}"\nВопрос: {text}\nОтвет:'),
    MeraTask(
        name="LCS",
        scoring=Scoring.ACCURACY,
        pattern=_DIGIT,
        example="Строки: {inputs}\nОтвет:",
        examples="public_test",
    ),
    _domains("MaMuRAMu"),
    MeraTask(name="MathLogicQA", scoring=Scoring.ACCURACY, pattern=_LETTER, example="{text}" + _OPTIONS),
    MeraTask(name="MultiQ", scoring=Scoring.SPAN, shots=0),
    MeraTask(
        name="PARus",
        scoring=Scoring.ACCURACY,
        pattern=_DIGIT,
        example="Ситуация: {premise}\nФрагмент 1: {choice1}\nФрагмент 2: {choice2}\nОтвет:",
        end="\nОтвет:",
    ),
    MeraTask(
        name="RCB",
        scoring=Scoring.ACCURACY_AND_F1,
        pattern=_DIGIT,
        example="Ситуация: {premise}\nГипотеза: {hypothesis}\nОтвет:",
        end="\nОтвет:",
    ),
    MeraTask(name="ruCodeEval", scoring=Scoring.CODE),
    MeraTask(
        name="ruDetox",
        scoring=Scoring.DETOXIFICATION,
        example="Токсичный текст: {toxic_comment}\nНетоксичный текст:",
    ),
    MeraTask(name="ruEthics", scoring=Scoring.ETHICS, pattern=_DIGIT, shots=0, examples="test"),
    MeraTask(
        name="ruHateSpeech",
        scoring=Scoring.ACCURACY,
        pattern=_DIGIT,
        example=(
            "Реплика: {replica}\nОтвет 1: {reply_1}\nОтвет 2: {reply_2}\n"
            "Целевая группа: {target_group}\nОтвет:"
        ),
        examples="test",
        part=("inputs", "target_group"),
    ),
    MeraTask(
        name="ruHHH",
        scoring=Scoring.ACCURACY,
        pattern=_DIGIT,
        shots=0,
        examples="test",
        part=("meta", "criteria"),
    ),
    MeraTask(name="ruHumanEval", scoring=Scoring.CODE),
    _domains("ruMMLU"),
    MeraTask(name="ruModAr", scoring=Scoring.EXACT, shots=0, examples="public_test"),
    MeraTask(name="ruMultiAr", scoring=Scoring.EXACT, example="{inputs}"),
    MeraTask(
        name="ruOpenBookQA",
        scoring=Scoring.ACCURACY_AND_F1,
        pattern=_LETTER,
        example="{question}" + _OPTIONS,
    ),
    MeraTask(
        name="ruTiE",
        scoring=Scoring.ACCURACY,
        pattern=_DIGIT,
        example="{question}\n1. {choice1}\n2. {choice2}\nОтвет:",
        shots=0,
    ),
    MeraTask(
        name="ruWorldTree",
        scoring=Scoring.ACCURACY_AND_F1,
        pattern=_LETTER,
        example="{question}" + _OPTIONS,
    ),
    MeraTask(
        name="RWSD",
        scoring=Scoring.ACCURACY,
        pattern=_YES_NO,
        example="Текст: {text}\nФрагмент 1: {span1_text}\nФрагмент 2: {span2_text}\nОтвет:",
        end="\nОтвет:",
    ),
    MeraTask(name="SimpleAr", scoring=Scoring.EXACT, example="{inputs}", shots=2),
    MeraTask(name="USE", scoring=Scoring.EXAM, alike="id_task", stops=("\n", ".")),
)
TASKS = {task.name: task for task in _TASKS}
"""The 23 tasks, all of which an archive has."""
DIALOGUES = "ruTiE"
"""Questions of a dialogue, each asked after the model's answers to those before."""

_WITH_TEXT = "Задание: {task}\n{text}\nОтвет:"
EXAM_EXAMPLES = {
    "text": _WITH_TEXT,
    "multiple_choice_options_within_text": _WITH_TEXT,
    "matching": (
        "Задание: {task}\nТекст: {text}\nРецензии: {additional_text}\nСписок терминов:\n{choices}\nОтвет:"
    ),
    "multiple_choice_based_on_text": "Задание: {task}\nТекст: {text}\nВарианты ответа:\n{choices}\nОтвет:",
    "multiple_choice_independent_options": "Задание: {task}\nВарианты ответа:\n{choices}\nОтвет:",
}
"""USE's questions without their instruction, by their `type`."""
