"""Language confusion: whether a model answers in the language that it should, line by line and word by word.

As the Language Confusion Benchmark defines it (Marchisio et al. 2024, arXiv 2406.20052, section 3.3, and the
code beside it): the *line-level pass rate* (LPR) is the share of answers all of whose lines are in the right
language; the *word-level pass rate* (WPR) the share without an English word, among answers that pass by lines
and should be in a language with another script than the Latin; *LCPR* is their harmonic mean. Lines of fewer
than five words do not count, nor answers without a line that does. A rate of several sources in a language is
the mean of theirs, that of a task the mean of its languages'.

Other than there: lines are identified by the compressed lid.176 that is bundled. English words are told
without a list of them: any word of at least four small Latin letters is one, so a French word or a small
`python` counts too, and a capitalised one does not, as there. Rates of words are given for every language
that is not written in Latin script, not for six. Chinese, Japanese and other languages without spaces need no
segmenter: a word there is `LETTERS_A_WORD` letters. A rate without an answer to judge is none, not one.
"""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from filters.language.language_codes import language_code
from pipelines.evaluation.confusion_prompts import ConfusionPrompt
from pipelines.evaluation.language_id import languages
from pipelines.recipe.language_confusion import LanguageConfusion

if TYPE_CHECKING:
    from pipelines.evaluation.variants import Answers

MIN_SCORE = 0.3
"""A line that is identified less surely is in no language, as in the benchmark."""
FEWEST_WORDS = 5
UNSPACED = frozenset("zh yue wuu ja th lo km my bo dz".split())
LETTERS_A_WORD = 1.6
"""In languages without spaces, roughly; runs of ASCII characters are words as elsewhere."""
_MARKS = str.maketrans({**dict.fromkeys(string.punctuation), "—": " ", "،": None})
_AROUND_WORDS = string.punctuation + "«»„“”‘’…—–。，、？！：；（）「」『』،؟।"
_SMALL_LATIN = re.compile(r"[a-z]{4,}")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")


@dataclass(frozen=True, kw_only=True)
class ConfusionReply:
    """What a model said to a prompt, and how it was judged."""

    prompt: ConfusionPrompt
    text: str
    answered: bool
    """Whether it says anything: a letter or a digit."""
    lines: bool | None
    """Whether all lines are in the right language; None where no line is long enough to tell."""
    words: bool | None
    """Whether no word is English; None where lines do not pass, or the language is in Latin script."""


def ask_confusion(
    model: Answers, prompts: Sequence[ConfusionPrompt], config: LanguageConfusion, batch_size: int
) -> list[ConfusionReply]:
    """Let the model go on with each prompt, greedily, and judge what it says."""
    texts = model.continue_texts([prompt.text for prompt in prompts], config.new_tokens, batch_size)
    return judge(prompts, texts)


def judge(prompts: Sequence[ConfusionPrompt], texts: Sequence[str]) -> list[ConfusionReply]:
    """Judge answers to prompts."""
    answers = [text.split("\nQ:")[0].strip() for text in texts]  # a base model may ask itself the next one
    lines = [
        [line for line in answer.split("\n") if _is_long_enough(_bare(line), prompt.language)]
        for prompt, answer in zip(prompts, answers, strict=True)
    ]
    found = iter(languages([_bare(line) for of_answer in lines for line in of_answer], MIN_SCORE))
    replies = []
    for prompt, text, answer, of_answer in zip(prompts, texts, answers, lines, strict=True):
        pass_lines = [next(found) == prompt.language for _ in of_answer]
        passes = all(pass_lines) if pass_lines else None
        words = None
        if passes and not is_latin(prompt.language):
            words = not any(_has_english(line, prompt.language) for line in of_answer)
        answered = any(letter.isalnum() for letter in answer)
        replies.append(ConfusionReply(prompt=prompt, text=text, answered=answered, lines=passes, words=words))
    return replies


def is_latin(language: str) -> bool:
    """Whether a language is usually written in Latin script."""
    return language_code(f"{language}_Latn") == language


def _bare(line: str) -> str:
    return line.translate(_MARKS)


def _is_long_enough(line: str, language: str) -> bool:
    if language not in UNSPACED:
        return len(line.split()) >= FEWEST_WORDS
    letters = sum(letter.isalnum() for letter in line if not letter.isascii())
    return len(_NOT_ASCII.sub(" ", line).split()) + letters / LETTERS_A_WORD >= FEWEST_WORDS


def _has_english(line: str, language: str) -> bool:
    """Whether a word is small Latin letters alone; addresses, names of files and compounds are none."""
    if language in UNSPACED:
        line = _NOT_ASCII.sub(" ", line)
    return any(_SMALL_LATIN.fullmatch(word.strip(_AROUND_WORDS)) for word in line.split())
