"""Answers in the wrong language, and answers that change it on the way."""

import pytest

from pipelines.synthesis.checks.language import language_fault
from tests.pipelines.synthesis.checks.samples import ARABIC, CHINESE, ENGLISH, GERMAN, IDENTIFIER, RUSSIAN

TEXTS = {"en": ENGLISH, "ru": RUSSIAN, "de": GERMAN, "zh": CHINESE, "ar": ARABIC}


def fault(text: str, language: str, passage: str = "") -> str | None:
    found = language_fault(text, language, IDENTIFIER, passage)
    return found.reason if found else None


@pytest.mark.parametrize("language", TEXTS)
def test_a_text_in_its_language_passes_and_in_another_is_wrong(language: str) -> None:
    assert fault(TEXTS[language], language) is None
    for other in TEXTS.keys() - {language}:
        assert fault(TEXTS[language], other) == "wrong_language"


@pytest.mark.parametrize(
    "text", ["1066", "Albert Einstein", "3,5 %", "DNA", "42 km", "", "—", "$x^2 + 1$", "12.05.1999"]
)
@pytest.mark.parametrize("language", ["en", "ru", "de", "zh"])
def test_what_has_no_language_passes(text: str, language: str) -> None:
    assert fault(text, language) is None


def test_one_word_in_letters_of_another_language_is_wrong() -> None:
    assert fault("Норвегия", "en") == "wrong_language"
    assert fault("挪威", "ru") == "wrong_language"
    assert fault("Норвегия", "ru") is None


@pytest.mark.parametrize(
    "text",
    [
        "Компания Google выпустила браузер Chrome в 2008 году.",
        "Сначала установите пакет numpy, затем вызовите функцию `np.zeros` и метод append.",
        "Машинное обучение (machine learning) изучает алгоритмы, которые учатся на данных.",
        "Роман «The Old Man and the Sea» Хемингуэй написал на Кубе.",
        "Файл лежит в /etc/nginx/nginx.conf, а USB-разъём подписан как HDMI.",
        "Код:\n```python\nfor item in the_list:\n    print(item)  # all of them\n```\nОн печатает список.",
        "Число $\\pi \\approx 3.14$ и формула \\[ area = \\pi r^2 \\] известны давно.",
        "Подробнее: https://example.org/how-to-read-this-page",
        "Столица Китая — Пекин (北京), а слово «кофе» пришло из арабского (قهوة).",
        "Скорость равна 5 м/с, угол α равен 30°.",
    ],
)
def test_names_terms_quotations_and_code_are_at_home_in_russian(text: str) -> None:
    assert fault(text, "ru") is None


@pytest.mark.parametrize(
    "text",
    [
        "В один ordinary день Джон проснулся и ничего не узнал.",
        "Начался процесс建立 социалистического общества.",
        "Это cтрaна с древней историей, где живут миллионы людей.",
        "Пластиковые пакеты вредят природе. They can accumulate in the oceans for hundreds of years.",
        "Вот ответ на вопрос о погоде в горах.\nHere is the summary of the article in Russian:\nВ горах.",
        "Он помогает получить personalized access to relevant information о товарах.",
        "Это дуже гарне місто, яке ми відвідали минулого року разом із друзями з університету.",
    ],
)
def test_words_and_lines_of_other_languages_in_russian_are_found(text: str) -> None:
    assert fault(text, "ru") in ("language_swap", "wrong_language")


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The museum is open daily, and это очень удобно for visitors.", "en"),
        ("Music is a 语言 that all people share in every country of the world.", "en"),
        ("This chapter explains how rain forms. Дождь образуется, когда капли становятся тяжёлыми.", "en"),
        (
            "Die Zahl der Bienen sinkt. However, their populations have been declining for years.",
            "de",
        ),
        ("于是 him 想出一个办法，把家里的砖瓦拆下来。", "zh"),
        ("在不远的将来，一个计算机病毒在网络上悄然 انتشار。", "zh"),
        ("يمكن أن يكون التزلج ممتعا وهذه بعض النصائح التي قد helpك في التعلم.", "ar"),
    ],
)
def test_swaps_in_other_languages_are_found(text: str, language: str) -> None:
    assert fault(text, language) in ("language_swap", "wrong_language")


def test_what_the_passage_says_may_be_said() -> None:
    answer = "В журнале это называют stabbing, а в словаре стоит 建立 и слово Cтрана."
    assert fault(answer, "ru") == "language_swap"
    assert fault(answer, "ru", passage="Слова stabbing, 建立 и Cтрана.") is None


def test_the_strings_of_json_are_prose_and_its_keys_are_not() -> None:
    assert fault('{"first_summary": "Озеро Байкал — самое глубокое озеро на планете."}', "ru") is None
    english = "The article explores how rivers change their beds over many hundreds of years."
    assert fault(f'```json\n{{"ответ": "{english}"}}\n```', "ru") == "wrong_language"


def test_of_a_language_that_is_not_known_nothing_is_said() -> None:
    assert fault(RUSSIAN, "und") is None
