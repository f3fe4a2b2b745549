"""Length, repetition, refusals, copied prompts and references to a text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.synthesis.checks.copied import copied_fault
from pipelines.synthesis.checks.length import length_fault
from pipelines.synthesis.checks.references import is_shown, reference_fault
from pipelines.synthesis.checks.refusal import refusal_fault
from pipelines.synthesis.checks.repetition import repetition_fault
from tests.pipelines.synthesis.checks.samples import ARABIC, CHINESE, ENGLISH, GERMAN, RUSSIAN

TEXTS = (ENGLISH, RUSSIAN, GERMAN, CHINESE, ARABIC)


@pytest.mark.parametrize("text", TEXTS)
def test_ordinary_texts_have_no_fault(text: str) -> None:
    assert length_fault(text, 3, 400) is None
    assert repetition_fault(text) is None
    assert refusal_fault(text) is None
    assert copied_fault(text, (), "", turn=True, about=True) is None
    assert reference_fault(text) is None


def test_length_counts_words_also_where_there_are_no_spaces() -> None:
    assert length_fault("two words", 3, 10).reason == "too_short"
    assert length_fault("长江是中国最长的河流", 5, 10) is None
    assert length_fault(CHINESE, 1, 10).reason == "too_long"
    assert length_fault("", 0, 10) is None


@given(st.sampled_from(TEXTS), st.integers(4, 30), st.sampled_from((" ", "\n", "\n\n")))
def test_a_text_that_is_said_again_and_again_is_a_loop(text: str, times: int, between: str) -> None:
    assert repetition_fault(between.join([text] * times)).reason == "repetition"


@pytest.mark.parametrize(
    "text",
    ["no no no no no no no", "of the end of the end of the end of the end of the end of the end", "а" * 100],
)
def test_short_loops_are_loops(text: str) -> None:
    assert repetition_fault(f"He said: {text}")


@pytest.mark.parametrize(
    "text",
    [
        "1 1 1 1 1 1 1 1 1 1 1",
        "| a | b |\n|---|---|\n| 1 | 0 |\n| 1 | 0 |\n| 1 | 0 |\n| 1 | 0 |",
        "--------------------------------------------------",
        "```\n" + "x = f(x)\n" * 30 + "```",
        "That is what he said, very very very quietly.",
    ],
)
def test_tables_rules_and_code_are_no_loops(text: str) -> None:
    assert repetition_fault(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but as an AI language model I cannot answer that.",
        "Sorry, I can't help with that.",
        "I cannot provide information on this topic.",
        "I don't have enough information to answer the question.",
        "Unfortunately, I am unable to access the document.",
        "As a large language model, I have no opinions about rivers.",
        "Good question. I'm not able to determine the year.",
        "There is not enough information in the passage to say.",
        "Я не могу помочь с этим вопросом.",
        "К сожалению, я не могу предоставить эту информацию.",
        "Извините, но у меня нет доступа к документу.",
        "Как языковая модель, я не имею мнения.",
        "В тексте не указано, когда это произошло.",
        "Недостаточно информации для ответа.",
        "Es tut mir leid, aber ich kann diese Frage nicht beantworten.",
        "Je suis désolé, mais je ne peux pas répondre.",
        "Lo siento, no puedo ayudar con eso.",
        "抱歉，我无法回答这个问题。",
        "**I'm sorry**, but I can't do that.",
    ],
)
def test_refusals_are_found(text: str) -> None:
    assert refusal_fault(text).reason == "refusal"


@pytest.mark.parametrize(
    "text",
    [
        "Refusals such as “I cannot help with that” are a part of how models are trained.",
        "Отказы вида «Я не могу помочь» модели выучивают на отдельном шаге обучения.",
        "She could not help laughing, and nobody was sorry about it.",
        "Машинное обучение: как искусственный интеллект меняет мир",
        "The committee refused to provide funds; the minister said that he was sorry.",
        "I can help you: add two cups of flour.",
        "Enzymes cannot act at low temperatures.",
    ],
)
def test_what_speaks_of_refusals_is_none(text: str) -> None:
    assert refusal_fault(text) is None


INSTRUCTIONS = (
    "Write four questions about the passage that can be answered without seeing the passage itself.",
    "Be brief.",
)


@pytest.mark.parametrize(
    "text",
    [
        "Write four questions about the passage that can be answered without seeing the passage itself. Why?",
        "<|im_start|>assistant\nThe Vasa sank.",
        "[INST] Tell me more [/INST]",
        "The ship {{ name }} sank.",
        "Assistant: The ship sank.",
        "The ship sank.\nUser: And then?",
        "The capital is Beirut.assistant\n\nThat's correct!",
        "Answer: the ship sank.",
        "Ответ: корабль затонул.",
        "Here is the question: when did it sink?",
        "Sure! Here's the rewritten passage:\n\nThe ship sank.",
        "Вот перевод текста:\n\nКорабль затонул.",
        "### Response:\nThe ship sank.",
        "</passage> The ship sank.",
    ],
)
def test_copied_prompts_are_found(text: str) -> None:
    assert copied_fault(text, INSTRUCTIONS, "", turn=True, about=True).reason == "copied_prompt"


def test_what_the_passage_has_is_not_copied_from_the_prompt() -> None:
    passage = f"In Jinja, {{{{ name }}}} is a place. A prompt may say: {INSTRUCTIONS[0]}"
    assert copied_fault("Write {{ name }} there.", INSTRUCTIONS, passage, turn=True, about=True) is None
    assert copied_fault(INSTRUCTIONS[0], INSTRUCTIONS, passage, turn=True, about=True) is None
    assert copied_fault("Use `{{ name }}` there. Be brief.", INSTRUCTIONS, "", turn=True, about=True) is None


def test_a_translation_may_begin_as_its_source() -> None:
    text = "Вот исправленный вариант текста:\n\nКорабль затонул."
    assert copied_fault(text, (), "", turn=True, about=False) is None
    assert copied_fault(text, (), "", turn=True, about=True) is not None
    assert copied_fault("Here is the translation:\n\nA ship.", (), "", turn=True, about=False) is not None


@pytest.mark.parametrize(
    "text",
    [
        "According to the passage, when did the ship sink?",
        "What does the author mean by unstable?",
        "Based on the given text, who built the ship?",
        "Why, as mentioned in the article, did it sink?",
        "What is the main idea of the text above?",
        "Which ship is described in the document?",
        "The passage states that the ship sank.",
        "In this article the author argues that ships sink.",
        "As mentioned above, the ship sank.",
        "О чём говорится в тексте?",
        "Согласно отрывку, когда затонул корабль?",
        "Какой корабль упоминается в данной статье?",
        "Как указано выше, корабль затонул.",
        "Что утверждает автор отрывка?",
        "Исходя из приведённого текста, назовите год.",
        "Текст описывает гибель корабля.",
        "Was steht im Text über das Schiff?",
        "根据文章，船是什么时候沉没的？",
    ],
)
def test_references_to_a_text_are_found(text: str) -> None:
    assert reference_fault(text).reason == "refers_to_text"


@pytest.mark.parametrize(
    "text",
    [
        "How did the passage of time change the ship?",
        "Who wrote the text of the national anthem?",
        "What does Article 5 of the NATO treaty say?",
        "Who is the author of Faust?",
        "What follows from the articles of war?",
        "Что говорится в статье 51 Конституции РФ?",
        "Кто автор романа «Идиот»?",
        "Какие слова есть в тексте закона о языке?",
        "Как выше в горах меняется погода?",
        "How do you edit a text document in Linux?",
    ],
)
def test_questions_that_stand_alone_pass(text: str) -> None:
    assert reference_fault(text) is None


def test_a_text_may_speak_of_itself_but_not_of_its_source() -> None:
    assert reference_fault("In this article, ships are explained.", of_itself=True) is None
    assert reference_fault("The original text explains ships.", of_itself=True) is not None


def test_a_passage_is_shown_where_the_user_says_it() -> None:
    turns = (
        {"role": "user", "content": f"Read this.\n\n{ENGLISH}\n\nWhen?"},
        {"role": "assistant", "content": "1628"},
    )
    assert is_shown(ENGLISH, turns)
    assert not is_shown(RUSSIAN, turns)
    assert not is_shown(ENGLISH, turns[1:])


HOSTILE = (
    "a",
    "A ",
    ".",
    "(",
    "[",
    "<",
    "{",
    "$",
    "`",
    '"',
    "\\[",
    "\\(",
    "1,",
    "a@",
    "the text ",
    "\n",
    "中",
    "```\n",
    "я ",
)


@pytest.mark.parametrize("piece", HOSTILE)
def test_long_runs_are_read_to_their_end(piece: str) -> None:
    text = piece * (200_000 // len(piece))
    for find in (repetition_fault, refusal_fault, reference_fault):
        find(text)
    copied_fault(text, INSTRUCTIONS, text, turn=True, about=True)
    assert length_fault(text, 0, 1_000_000) is None
