"""What must stand in the passage."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.synthesis.checks.grounding import Grounding, grounding_fault
from tests.pipelines.synthesis.checks.samples import CHINESE, ENGLISH, RUSSIAN

BOUNDS = Grounding(words=0.5, names=0.8, question=0.2)
PASSAGES = {"en": ENGLISH, "ru": RUSSIAN, "zh": CHINESE}


def fault(claims: str, passage: str, question: str = "", language: str = "en") -> str | None:
    found = grounding_fault(claims, question, passage, language, BOUNDS)
    return found.reason if found else None


@pytest.mark.parametrize(
    ("answer", "question"),
    [
        ("1628", "When did the Vasa sink?"),
        ("She sank on August 10, 1628.", "When did the warship sink?"),
        ("30 members of the crew", "How many of the crew died?"),
        ("The ship was unstable: it sailed only 1300 m.", "Why did the Vasa sink?"),
        ("98%", "How much of the oak was intact?"),
        ("1. The ship was built for a king.\n2. The ship sank in 1628.", "What happened to the Vasa?"),
        ("King Gustavus Adolphus", "For whom was the Vasa built?"),
    ],
)
def test_grounded_english_answers_pass(answer: str, question: str) -> None:
    assert fault(answer, ENGLISH, question) is None


@pytest.mark.parametrize(
    ("answer", "question"),
    [
        ("1642 метра", "Какова наибольшая глубина Байкала?"),
        ("Глубина озера — 1 642 м, а площадь поверхности 31722 км².", "Насколько велико озеро?"),
        ("Из озера вытекает Ангара.", "Какая река вытекает из Байкала?"),
        ("около 300 рек", "Сколько рек впадает в озеро?"),
        ("Его внесли в список ЮНЕСКО в 1996-м.", "Когда Байкал стал объектом наследия?"),
        ("С Бельгией", "С какой страной сравнивают площадь озера?"),
    ],
)
def test_grounded_russian_answers_pass(answer: str, question: str) -> None:
    assert fault(answer, RUSSIAN, question, "ru") is None


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ("The Vasa sank in 1682.", "ungrounded_numbers"),
        ("The warship sailed 13,000 metres.", "ungrounded_numbers"),
        ("The warship was built for Christina of Sweden.", "ungrounded_names"),
        ("It carried NATO cannons.", "ungrounded_names"),
        ("Heavy bronze cannons caused a catastrophic capsizing.", "ungrounded_words"),
    ],
)
def test_what_the_passage_does_not_say_is_named(claims: str, reason: str) -> None:
    assert fault(claims, ENGLISH) == reason


def test_an_answer_of_a_common_word_needs_its_question() -> None:
    assert fault("одна", RUSSIAN, "Сколько рек вытекает из озера?", "ru") is None
    assert (
        fault("одна", RUSSIAN, "Сколько луковиц кладут в борщ по рецепту бабушки?", "ru")
        == "ungrounded_question"
    )


@pytest.mark.parametrize(
    ("said", "claimed"),
    [
        ("about 2 million people", "2,000,000 people"),
        ("около 2 млн жителей", "2 000 000 жителей"),
        ("a share of 3,5 per cent", "a share of 3.5 per cent"),
        ("in the nineteenth century", "in the 19th century"),
        ("в девятнадцатом веке", "в 19 веке"),
        ("в XIX веке", "в 19 веке"),
        ("twenty-one ships", "21 ships"),
        ("born on 5 May 1999", "born on 05.05.1999"),
        ("from 1914-18", "until 1918"),
        ("пятьдесят два корабля", "52 корабля"),
        ("half of the harvest", "50% of the harvest"),
    ],
)
def test_numbers_are_the_same_however_they_are_written(said: str, claimed: str) -> None:
    assert fault(claimed, said) is None


@pytest.mark.parametrize("claimed", ["7 ships", "1.5 ships", "2,100 ships", "1999 ships"])
def test_other_numbers_are_not(claimed: str) -> None:
    assert fault(claimed, "In 1990, 21 ships sailed 15 miles; 1,999.5 was said.") == "ungrounded_numbers"


@given(st.data())
def test_whatever_is_cut_from_a_passage_is_grounded(data: st.DataObject) -> None:
    language = data.draw(st.sampled_from(sorted(PASSAGES)))
    passage = PASSAGES[language]
    words = passage.split(" ")
    first = data.draw(st.integers(0, len(words) - 1))
    last = data.draw(st.integers(first + 1, len(words)))
    assert fault(" ".join(words[first:last]), passage, language=language) is None


@given(st.text(max_size=300), st.text(max_size=300), st.text(max_size=100))
def test_any_text_is_judged(claims: str, passage: str, question: str) -> None:
    fault(claims, passage, question)


def test_scripts_without_spaces_are_looked_up_too() -> None:
    assert fault("东海", CHINESE, "长江最后注入哪里？", "zh") is None
    assert fault("亚马孙雨林", CHINESE, "长江最后注入哪里？", "zh") == "ungrounded_words"


LIGHTHOUSE = (
    "Маяк на мысе Крачек зажгли в 1874 году. Его строительница Ада Морозова просила гранит, но "
    "каменоломню затопило предыдущей зимой, поэтому башню сложили из кирпича и обшили железными листами. "
    "Через десять лет под листы проникла соль."
)


@pytest.mark.parametrize(
    ("question", "answer", "stands"),
    [
        (
            "Почему маяк пришлось отделывать заново?",
            "Потому что под железную обшивку проникала соль, и её пришлось снять.",
            True,
        ),
        (
            "Почему башню сложили из кирпича?",
            "Гранит достать не удалось: карьер был залит водой после зимы, и строители обошлись кирпичом.",
            True,
        ),
        (
            "Почему башню сложили из кирпича?",
            "Кирпич дешевле, лучше держит тепло и привычнее местным мастерам, которые раньше строили печи.",
            False,
        ),
        (
            "Почему маяк пришлось отделывать заново?",
            "Новый смотритель любил белый цвет и покрасил стены перед праздником.",
            False,
        ),
    ],
)
def test_a_sentence_may_use_other_words_and_not_say_other_things(question, answer, stands):
    fault = grounding_fault(answer, question, LIGHTHOUSE, "ru", Grounding(0.5, 0.8, 0.2))
    assert (fault is None) == stands
