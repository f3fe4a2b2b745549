"""No rule fires for a text's being Cyrillic: neither the Russian presets nor those that know no language."""

from __future__ import annotations

import pyarrow as pa
import pytest

from filters.edits.c4_lines import edit_lines
from filters.quality.rules import PRESETS, first_failed, preset
from filters.quality.signals import compute_signals


def paragraphs(text: str) -> str:
    """A line for each paragraph."""
    return "\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


NEWS = paragraphs("""
Библиотека на Садовой улице открылась после ремонта

В понедельник в городе снова открыла двери библиотека на Садовой улице, которую не видели читатели почти
два года. За это время в здании заменили крышу, провели отопление и поставили лифт для тех, кому трудно
подниматься по лестнице. «Мы боялись, что за два года нас забудут, — рассказала заведующая Анна Ершова. —
Но уже в первый день пришли сто двадцать человек, и очередь стояла до самого угла…»

На первом этаже теперь детский зал с низкими столами, на втором — читальня и небольшой музей
книгопечатания, а в подвале, где раньше хранили уголь, устроили мастерскую переплётчиков. Работает она по
субботам, вход свободный. Деньги на ремонт собирали и город, и жители: около 3,5 % суммы дали
пожертвования, остальное — бюджет (№ 214 в списке объектов). Как сообщили в мэрии, следующей весной
начнут чинить соседний дом, после чего двор сделают общим.
""")

DIALOGUE = paragraphs("""
— Ты опять забыл закрыть калитку, — сказала бабушка, не отрываясь от вязания.

— Я не забыл, её открыл ветер, — ответил Костя и сел на крыльцо.

— Ветер, значит… А яблоки с нижней ветки тоже ветер унёс?

— Яблоки унёс ёж, — уверенно сказал мальчик. — Я видел его следы у колодца и около сарая.

— И сколько же унёс твой ёж?

— Штук пять, не больше! Он ведь маленький, ему на зиму много не надо.

— Ну что ж, — вздохнула бабушка, — если это был ёж, то пусть. А если мальчик, то пусть завтра поможет
соседке собрать те яблоки, которые остались на верхних ветках, до которых ежам никак не достать.

— А лестницу ты мне дашь? — спросил он после долгого молчания.

— Дам и лестницу, и корзину, и пирога на дорогу. Только калитку закрой.
""")

OFFICIAL = paragraphs("""
Порядок записи детей в кружки на новый учебный год

Заявление подаёт один из родителей лично или по почте до 15 сентября. К заявлению прилагают копию
свидетельства о рождении, справку от врача и согласие на обработку данных.

Если желающих больше, чем мест, сначала принимают тех, кто занимался в кружке в прошлом году, а также
детей из многодетных семей; остальных записывают в порядке очереди:

младшая группа занимается по вторникам и четвергам, начало в 16 часов;

средняя группа занимается по средам и пятницам, начало в 17 часов;

старшая группа занимается по субботам, начало в 11 часов.

Ответ о зачислении руководитель даёт не позднее чем через десять дней. Отказать можно только из-за
отсутствия мест или по заключению врача, и причину отказа указывают письменно.
""")

TEXTS = {"news": NEWS, "dialogue": DIALOGUE, "official": OFFICIAL}
RUSSIAN = ("gopher_quality_ru", "gopher_repetition_ru", "fineweb_ru", "c4", "gopher_repetition")

CODE = '''\
# Считает слова в файле и печатает самые частые из них.
import sys


def частые(строки, сколько=10):
    """Возвращает самые частые слова: список пар из слова и числа."""
    счёт = {}
    for строка in строки:
        for слово in строка.lower().split():
            счёт[слово] = счёт.get(слово, 0) + 1
    return sorted(счёт.items(), key=lambda пара: -пара[1])[:сколько]


for слово, число in частые(sys.stdin):
    print(f"{слово}: {число} раз")
'''

MATHS = paragraphs("""
Теорема. Пусть последовательность $a_n$ возрастает и ограничена сверху. Тогда она имеет предел.

Доказательство. Обозначим через $s$ точную верхнюю грань множества её членов. По определению для всякого
$\\varepsilon > 0$ найдётся номер $N$, для которого $a_N > s - \\varepsilon$. Так как последовательность
возрастает, при всех $n \\ge N$ верно неравенство $s - \\varepsilon < a_n \\le s$, то есть $|a_n - s| <
\\varepsilon$. Значит, $\\lim a_n = s$.
""")


def verdict(text: str, name: str) -> str | None:
    texts = (
        edit_lines(pa.array([text]), terminal_punctuation=False).texts if name == "c4" else pa.array([text])
    )
    return first_failed(compute_signals(texts), preset(name)).to_pylist()[0]


@pytest.mark.parametrize("name", RUSSIAN)
@pytest.mark.parametrize("text", TEXTS)
def test_good_russian_prose_passes(text: str, name: str) -> None:
    assert verdict(TEXTS[text], name) is None


def test_russian_code_and_mathematics_pass() -> None:
    assert verdict(CODE, "code") is None
    assert verdict(MATHS, "math") is None


def test_dialogue_with_hyphens_is_no_list() -> None:
    spoken = DIALOGUE.replace("—", "-")
    listed = "".join(f"- яблоки сорта номер {number} и груши из сада у дома\n" for number in range(20))
    signals = compute_signals(pa.array([spoken, listed])).select(
        ["bullet_line_fraction", "bullet_line_fraction_ru"]
    )
    assert signals.to_pylist()[0] == {"bullet_line_fraction": 1, "bullet_line_fraction_ru": 0}
    assert signals.to_pylist()[1] == {"bullet_line_fraction": 1, "bullet_line_fraction_ru": 1}
    assert verdict(spoken, "gopher_quality") == "gopher_quality.max_bullet_lines"
    assert verdict(spoken, "gopher_quality_ru") is None


@pytest.mark.parametrize("text", [*TEXTS.values(), CODE, MATHS])
def test_cyrillic_letters_are_judged_as_latin_ones(text: str) -> None:
    lower = "абвгдеёжзийклмнопрстуфхцчшщъыьэюя"
    latin = {ord(letter): 0x1E01 + 2 * i for i, letter in enumerate(lower)}
    latin |= {ord(letter.upper()): 0x1E00 + 2 * i for i, letter in enumerate(lower)}
    both = compute_signals(pa.array([text, text.translate(latin)]))
    rules = [rule for name, rules in PRESETS.items() if name != "bad_words" for rule in rules]
    rules = [rule for rule in rules if not rule.signal.startswith("stop_words")]
    for name in {rule.signal for rule in rules}:
        cyrillic, other = both.column(name).to_pylist()
        assert cyrillic == pytest.approx(other), name
