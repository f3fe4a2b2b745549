"""What is found of items in documents, through `build_index` and `find_matches` alone."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.filters.contamination.items import ADD_UP, EGGS, index_of, kinds, matches, rare_text
from tests.filters.strategies import documents

ENOUGH = "She sells 12 eggs a day for two dollars each, so in seven days she earns 168 dollars."
RIVER = {
    "question": "Which river flows through Budapest, Vienna and Belgrade before it reaches the Black Sea?",
    "choices": ["The Rhine", "The Elbe in Saxony", "The Danube", "The Volga delta"],
    "answer": "The Danube",
    "label": "C",
}
LAKE = {
    "question": "Какое озеро в Сибири считается самым глубоким пресноводным озером на нашей планете?",
    "choices": ["Ладожское озеро", "Онежское озеро", "Озеро Байкал", "Телецкое озеро"],
    "answer": "Озеро Байкал",
    "label": "В",
}
READING = {
    "passage": "The lighthouse of Skerryvore was built by Alan Stevenson between 1838 and 1844 from granite "
    "that barges brought from the quarries of Mull, and its lamp was lit by his daughter in a storm.",
    "question": "Where did the granite come from that Stevenson used for the tower?",
    "answer": "Mull",
}
BEFORE = "Some notes that I wrote down yesterday on the train.\n\n"
BEHIND = "\n\nThat was all for today; more will follow when there is time."


def span(document: str, match: dict[str, object]) -> str:
    return document[match["start"] : match["end"]]


RENDERINGS = {
    "plain": (RIVER, "{q}\n{a}"),
    "marked": (RIVER, "Question: {q}\nAnswer: {a}"),
    "listed": (RIVER, "Question: {q}\nA. {0}\nB. {1}\nC. {2}\nD. {3}\nAnswer: C"),
    "in brackets": (RIVER, "{q} (A) {0} (B) {1} (C) {2} (D) {3}. Correct answer: (C)"),
    "with text": (RIVER, "Q: {q}\nA) {0}\nB) {1}\nC) {2}\nD) {3}\nThe answer is {a}"),
    "shuffled": (RIVER, "{q}\n- {3}\n- {2}\n- {0}\n- {1}\nAnswer: {a}"),
    "chat": (RIVER, '{{"user": "{q}", "assistant": "{a}"}}'),
    "upper": (RIVER, "{Q}\n\n{A}"),
    "russian": (LAKE, "Вопрос: {q}\nА) {0}\nБ) {1}\nВ) {2}\nГ) {3}\nОтвет: В"),
    "russian text": (LAKE, "{q} Правильный ответ: {a}"),
}


@pytest.mark.parametrize("name", RENDERINGS)
def test_an_untouched_item_in_any_rendering(name):
    item, form = RENDERINGS[name]
    question, answer = item["question"], item["answer"]
    rendered = form.format(*item["choices"], q=question, a=answer, Q=question.upper(), A=answer.upper())
    document = BEFORE + rendered + BEHIND
    (match,) = matches(index_of(item, RIVER, LAKE), document)[:1]
    assert match["kind"] == "answer"
    assert match["question"] == pytest.approx(1)
    first = document.lower().index(question.lower())
    assert abs(match["start"] - first) <= 12
    assert len(BEFORE + rendered) - 12 <= match["end"] <= len(BEFORE + rendered)


@pytest.mark.parametrize("middle", ["", "\n", " is what they ask. "])
def test_a_question_alone(middle):
    document = BEFORE + EGGS + middle + BEHIND
    (match,) = matches(index_of({"question": EGGS, "answer": ENOUGH, "label": "168"}), document)
    assert match["kind"] == "question"
    assert span(document, match) == EGGS.rstrip("?")
    assert match["answer"] == 0


def test_a_final_number_is_the_answer():
    index = index_of({"question": EGGS, "answer": ENOUGH, "label": "168"})
    document = f"{BEFORE}{EGGS} The answer is 168.{BEHIND}"
    (match,) = matches(index, document)
    assert match["kind"] == "answer"
    assert span(document, match) == f"{EGGS} The answer is 168"
    assert kinds(index, f"{EGGS} The answer is 170.") == [(0, "question")]


def test_a_passage_alone_and_with_its_question():
    index = index_of(READING)
    assert kinds(index, BEFORE + READING["passage"] + BEHIND) == [(0, "passage")]
    document = "{passage}\n{question}\nAnswer: {answer}".format(**READING)
    (match,) = matches(index, document)
    assert (match["kind"], match["start"], match["end"]) == ("answer", 0, len(document))


@pytest.mark.parametrize("words", [300, 1000, 2500, 10_000, 100_000])
def test_a_passage_of_any_length(words):
    text = rare_text(words, seed=1)
    document = f"{rare_text(50, seed=2)}\n{text}\n{rare_text(50, seed=3)}"
    (match,) = matches(index_of({"passage": text}), document)
    assert match["kind"] == "passage"
    assert match["passage"] > 0.99
    assert abs(match["start"] - document.index(text)) <= 40
    assert abs(match["end"] - document.index(text) - len(text)) <= 40


@pytest.mark.parametrize("field", ["answer", "solution"])
@pytest.mark.parametrize("words", [40, 400, 2000])
def test_a_long_answer_behind_its_question(field, words):
    text = rare_text(words, seed=5)
    document = f"{BEFORE}{EGGS}\n{text}{BEHIND}"
    (match,) = matches(index_of({"question": EGGS, field: text}), document)
    assert match["kind"] == "answer"
    assert match[field] > 0.99
    assert abs(match["end"] - (document.index(text) + len(text))) <= 20


def test_other_numbers_are_a_template():
    other = EGGS.replace("16", "23").replace(" 4 ", " 9 ")
    assert kinds(index_of({"question": EGGS, "label": "168"}), other + " 98") == [(0, "template")]


def test_another_item_of_a_series_is_not_the_answer():
    series = [
        {"question": EGGS.replace("16", str(20 + number)), "label": str(300 + number)} for number in range(50)
    ]
    index = index_of(*series)
    document = f"{series[7]['question']} The answer is 307."
    assert (7, "answer") in kinds(index, document)
    assert {item for item, kind in kinds(index, document) if kind == "answer"} == {7}
    assert "answer" not in {kind for _, kind in kinds(index, EGGS.replace("16", "99") + " Answer: 12")}


@pytest.mark.parametrize(
    ("document", "found"),
    [
        ("What is opium?", True),
        ("Q: What is opium?\nA: a drug", True),
        ("He asked what is opium doing in this house.", False),
        ("What is opera?", False),
    ],
)
def test_short_questions_stand_word_by_word(document, found):
    index = index_of({"question": "What is opium?", "answer": "a drug"})
    assert bool(kinds(index, document)) == found


def test_two_items_in_one_document():
    index = index_of({"question": EGGS}, RIVER, LAKE)
    document = f"{RIVER['question']} The Danube.{BEHIND} {rare_text(100, 8)} {EGGS}"
    assert sorted(kinds(index, document)) == [(0, "question"), (1, "answer")]


@pytest.mark.parametrize("copies", [2, 3, 20])
@pytest.mark.parametrize("between", [" ", BEHIND + BEFORE, " " + rare_text(300, 9) + " "])
def test_each_copy_is_a_match(copies, between):
    document = between.join([EGGS] * copies)
    found = matches(index_of({"question": EGGS}), document)
    assert [span(document, match) for match in found] == [EGGS.rstrip("?")] * copies
    assert len({match["start"] for match in found}) == copies


def test_each_copy_of_an_item_that_repeats_itself():
    question = "The cat saw the dog and the cat saw the bird and the cat saw the fish in the old garden."
    document = " ".join([question] * 4)
    found = matches(index_of({"question": question}), document)
    assert [span(document, match) for match in found] == [question.rstrip(".")] * 4


def test_copies_with_their_answers():
    document = f"{EGGS} Answer: 168\n\n" * 3
    found = matches(index_of({"question": EGGS, "label": "168"}), document)
    assert [span(document, match) for match in found] == [f"{EGGS} Answer: 168"] * 3
    assert {match["kind"] for match in found} == {"answer"}


def test_in_the_middle_of_a_megabyte():
    filler = rare_text(80_000, seed=4)
    document = f"{filler} {EGGS} {filler}"
    (match,) = matches(index_of({"question": EGGS}), document)
    assert span(document, match) == EGGS.rstrip("?")


@pytest.mark.parametrize(
    "text",
    [
        "ประเทศไทยมีเมืองหลวงชื่อกรุงเทพมหานครและมีประชากรมากกว่าหกสิบล้านคนในปัจจุบัน",
        "小明有十六个鸡蛋每天卖掉四个请问他一个星期之后还剩下多少个鸡蛋",
        "باع التاجر ستة عشر تفاحة في السوق صباح اليوم فكم تفاحة بقيت عنده بعد أن أكل أولاده أربعا منها",
        "사과를 열여섯 개 가진 상인이 매일 네 개씩 팔면 일주일 뒤에 남은 사과는 모두 몇 개인지 구하시오",
        "संगीता हर दिन बाजार में सोलह अंडे बेचती है तो वह एक सप्ताह में कितने रुपये कमाती है",
    ],
)
def test_other_scripts(text):
    document = f"😀 é {text}. 😀"
    (match,) = matches(index_of({"question": text}), document)
    assert span(document, match) == text


def test_look_alike_letters_and_hidden_characters():
    hidden = EGGS.replace("e", "е").replace("o", "о").replace("a", "a\u200b")
    document = f"{BEFORE}{hidden}{BEHIND}"
    (match,) = matches(index_of({"question": EGGS}), document)
    assert match["question"] > 0.9
    assert span(document, match) in hidden


@pytest.mark.parametrize(
    "form",
    ["{}", "Try this:\n\n```python\n{}```\n", "Don't peek:\n{}", "See src/*.py\n\n{}\nThat's it.", "```\n{}"],
)
def test_code_in_other_surroundings(form):
    document = form.format(ADD_UP.replace("total", "result").replace("value", "step"))
    (match,) = matches(index_of({"question": "Add up.", "solution": ADD_UP}), document)
    assert (match["kind"], match["mechanism"]) == ("answer", "code")
    assert match["solution"] > 0.95
    assert span(document, match).startswith("def add_up")
    assert span(document, match).endswith("** 2")


def test_each_question_has_the_solution_next_to_it():
    task = "Write a function that adds up two numbers and doubles whatever a third of the steps gives."
    copy = f"{task}\n\n```python\n{ADD_UP}```\n\n"
    document = copy + rare_text(400, 6) + "\n\n" + copy
    found = matches(index_of({"question": task, "solution": ADD_UP}), document)
    assert [match["kind"] for match in found] == ["answer", "answer"]
    assert found[0]["end"] < len(copy) and found[1]["start"] > document.rindex(task) - 1


POOL = [{"question": EGGS, "answer": ENOUGH, "label": "168"}, RIVER, LAKE, READING, {"solution": ADD_UP}]


@given(
    item=st.sampled_from(POOL), before=documents, behind=documents, gap=st.sampled_from([" ", "\n", "\n\n. "])
)
@settings(max_examples=200)
def test_an_untouched_item_is_found_between_any_texts(item, before, behind, gap):
    text = item.get("passage") or item.get("question") or item["solution"]
    # A quotation mark or a comment that is open hides what follows in code.
    before = "" if "solution" in item else before
    document = before + gap + text + gap + behind
    start = len(before + gap)
    number = POOL.index(item)
    found = [match for match in matches(index_of(*POOL), document) if match["item"] == number]
    assert any(
        abs(match["start"] - start) <= 8 and match["end"] >= start + len(text.rstrip("?.\n"))
        for match in found
    )
    for match in found:
        assert 0 <= match["start"] < match["end"] <= len(document)
        assert 0 < match["score"] <= 1


@given(st.lists(st.sampled_from([EGGS, RIVER["question"], ADD_UP, READING["passage"], "", "\n"]), max_size=6))
def test_a_document_has_the_same_matches_in_any_company(parts):
    index = index_of(*POOL)
    document = " ".join(parts)
    alone = matches(index, document)
    together = matches(index, rare_text(20, 1), document, EGGS, document)
    assert [match for match in together if match["row"] == 1] == [match | {"row": 1} for match in alone]
    assert [match for match in together if match["row"] == 3] == [match | {"row": 3} for match in alone]
    assert together == matches(index, rare_text(20, 1), document, EGGS, document)


def test_matches_stand_in_order():
    index = index_of(*POOL)
    document = f"{LAKE['question']} {EGGS} {ADD_UP} {RIVER['question']} {EGGS}"
    found = matches(index, "", document, document)
    keys = [(match["row"], match["item"], match["start"]) for match in found]
    assert keys == sorted(keys)
    assert len(keys) == 10
