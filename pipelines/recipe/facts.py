"""Facts that a model is asked about, in `outcome:` of a recipe."""

from __future__ import annotations

import re
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

ABSTENTIONS = (
    r"\b(?:i|we) (?:do not|don't|dont) (?:really |actually |currently )?(?:know|remember|recall)\b",
    r"\b(?:i am|i'm|we are|we're) (?:not (?:sure|certain|able to)|unable to|unsure|sorry)\b",
    r"\b(?:i|we) (?:cannot|can't|could not|couldn't) (?:answer|say|find|tell|determine|provide|verify)\b",
    r"\b(?:i|we) (?:have|possess) no (?:information|idea|knowledge|data)\b",
    r"\b(?:i|we) (?:do not|don't) have (?:enough |any |the |this |such )*(?:information|knowledge|data)\b",
    r"^(?:it is |it's |this is |the answer is )?(?:not known|unknown|uncertain|unclear|n/a|no idea"
    r"|no information|no answer)\b",
    r"\bне (?:знаю|знаем|помню|уверена?|уверены|могу (?:ответить|сказать|вспомнить)"
    r"|имею (?:информации|данных))\b",
    r"\bзатрудня(?:юсь|емся) (?:ответить|сказать)\b",
    r"\bу (?:меня|нас) нет (?:такой |этой |достаточной |точной )*(?:информации|данных|сведений|ответа)\b",
    r"^(?:это |ответ )?(?:неизвестно|неизвестен|не известно|нет (?:информации|данных|ответа))\b",
    r"\b(?:das )?wei(?:ß|ss) (?:ich )?(?:es )?nicht\b|\bich (?:bin (?:mir )?nicht sicher|habe keine)\b",
    r"\bje (?:ne |n'en )?sais pas\b|\bje (?:ne suis pas|suis pas) sûre?\b",
    r"\bno (?:lo )?sé\b|\bno (?:estoy segur[oa]|tengo información)\b",
    r"\bnon (?:lo )?so\b|\bnão sei\b",
    r"不知道|不清楚|無法回答|无法回答|分かりません|わかりません|知りません|모르겠|모릅니다",
)
"""English, Russian, German, French, Spanish, Italian, Portuguese, Chinese, Japanese, Korean."""


def _pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"no regular expression: {error}") from None
    return value


class Facts(BaseModel):
    """Which facts are asked, and how they are sorted by what the base model knows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str = Field(
        min_length=1,
        description="Files, a folder, a glob or a URL: records with a question and its answers (.jsonl"
        " .parquet .csv ...); begins where the command is run.",
    )
    question: str = Field("question", min_length=1, description="The field with the question.")
    answers: str = Field(
        "answers", min_length=1, description="The field with the accepted answers: a text, or a list of them."
    )
    limit: int | None = Field(None, gt=0, description="Only so many facts, drawn by the seed; null: all.")
    asked_as: str = Field(
        "Question: {question}\nAnswer:",
        description="A question as the model reads it; exemplars go on with a space and their answer.",
    )
    shots: int = Field(
        4, gt=0, description="Other facts with their answers before a question while facts are sorted."
    )
    asked_shots: int = Field(
        4,
        ge=0,
        description="The same while models are asked. Answers in front keep a model from abstaining: 0 suits"
        " models that are tuned to answer.",
    )
    exemplar_sets: int = Field(
        10, gt=0, description="So often the base model is asked a fact, with other exemplars each time."
    )
    samples: int = Field(
        16, gt=0, description="Answers drawn with each set of exemplars, beside the greedy one."
    )
    temperature: float = Field(0.5, gt=0, description="Of the drawn answers.")
    top_k: int = Field(40, gt=0, description="They are drawn from so many of the likeliest tokens.")
    new_tokens: int = Field(32, gt=0, description="Tokens of an answer at most; it ends with its line.")
    abstentions: tuple[Annotated[str, AfterValidator(_pattern)], ...] = Field(
        ABSTENTIONS,
        description="Regular expressions, whatever the case; a wrong answer in which one is found is an"
        " abstention.",
    )
    seed: int = Field(17, ge=0, description="Of the draw of facts, exemplars and answers.")

    @model_validator(mode="after")
    def _asks(self) -> Self:
        if "{question}" not in self.asked_as:
            raise ValueError("`asked_as` needs {question}")
        return self
