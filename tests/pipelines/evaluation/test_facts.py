"""Facts: how they are read, sorted by what a model knows, asked, matched and scored."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.errors import UserError
from pipelines.evaluation.answer_matching import Outcome, gives, normalised, outcome
from pipelines.evaluation.facts import (
    Category,
    Knowledge,
    Reply,
    ask_facts,
    read_facts,
    score_facts,
    sort_facts,
)
from pipelines.evaluation.generation import PlainModel
from pipelines.recipe.facts import Facts
from pipelines.sources.fact_files import Fact
from tests.trainers.plain_models import write_llama

FACTS = [Fact(str(n), f"What is  the name\n\nof star {n}?", (f"Zeta{n}x", f"Z{n}")) for n in range(12)]
CONFIG = Facts(file="facts.jsonl", exemplar_sets=4, samples=3, shots=2, asked_shots=3)
PATTERNS = [re.compile(pattern, re.IGNORECASE) for pattern in CONFIG.abstentions]


class Scripted:
    """Answers by the number of the star that is asked last, and by how often it was asked."""

    def __init__(self, says) -> None:
        self.says, self.prompts, self.asked = says, [], {}

    def continue_texts(
        self, prompts: Sequence[str], new_tokens: int, batch_size: int, one_line: bool = False
    ) -> list[str]:
        assert one_line
        self.prompts += prompts
        return [self.answer("greedy", prompt) for prompt in prompts]

    def sample_texts(self, prompts, new_tokens, batch_size, temperature, top_k, seed, one_line=False):
        assert one_line
        return [self.answer("drawn", prompt) for prompt in prompts]

    def answer(self, how: str, prompt: str) -> str:
        star = int(re.findall(r"star (\d+)", prompt)[-1])
        times = self.asked[how, star] = self.asked.get((how, star), -1) + 1
        return self.says(how, star, times)


class Heard:
    """A model whose greedy answers are kept."""

    def __init__(self, model: PlainModel) -> None:
        self.said, self.sample_texts, self._model = [], model.sample_texts, model

    def continue_texts(self, *arguments, **named) -> list[str]:
        said = self._model.continue_texts(*arguments, **named)
        self.said += said
        return said


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        (" Paris.", "Paris"),
        ("It is the Eiffel Tower, in France", "eiffel tower"),
        ("Tower the of London", "Tower of London"),
        ("U.S.A.", "USA"),
        ("Jean–Luc Godard", "Jean-Luc Godard"),
        ("1939/1940", "1940"),
        ("1,000 km", "1000"),
        ("в Москве, конечно", "Москва"),
        ("Лев Николаевич Толстой", "Лев Николаевич Толстого"),
        ("Артем Королёв", "Артём Королев"),
        ("МОСКВА", "москва"),
        ("Beyonce", "Beyoncé"),
        ("答えは東京です", "東京"),
        ("ＡＢＣ", "abc"),
        ("+", "+"),
        ("The The", "The The"),
    ],
)
def test_an_answer_is_found_in_what_is_said(reply: str, answer: str) -> None:
    assert gives(reply, ["nothing", answer])
    assert outcome(reply, [answer], PATTERNS) == Outcome.CORRECT


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        ("Parisian", "Paris"),
        ("the tower of Big London", "Tower of London"),
        ("Иван", "Иванов"),
        ("Китай", "Кит"),
        ("Австралия", "Австрия"),
        ("11939", "1939"),
        ("the", "a"),
        ("!?", "+"),
    ],
)
def test_another_word_is_no_answer(reply: str, answer: str) -> None:
    assert not gives(reply, [answer])
    assert outcome(reply, [answer], PATTERNS) == Outcome.INVENTED


@pytest.mark.parametrize(
    "reply",
    [
        *("I don't know.", "Sorry, I do not really know that", "I’m not sure", "We cannot say.", "  "),
        *(
            "Unknown",
            "It is unknown.",
            "I have no idea",
            "Не знаю",
            "Я не помню точно",
            "Затрудняюсь ответить",
        ),
        *("У меня нет такой информации", "Неизвестно", "Ich weiß es nicht", "Je ne sais pas", "No lo sé"),
        *("Non lo so", "Não sei", "我不知道", "分かりません", "모르겠습니다"),
    ],
)
def test_who_does_not_know_abstains_in_many_languages(reply: str) -> None:
    assert outcome(reply, ["Paris"], PATTERNS) == Outcome.ABSTAINED


@pytest.mark.parametrize("reply", ["I know: Rome", "The Unknown Soldier", "Он знает", "Знаю: Рим", "Noso"])
def test_who_says_something_else_invents(reply: str) -> None:
    assert outcome(reply, ["Paris"], PATTERNS) == Outcome.INVENTED
    assert outcome(f"{reply}, or Paris", ["Paris"], PATTERNS) == Outcome.CORRECT


@settings(max_examples=50)
@given(st.text(), st.text())
def test_every_answer_is_found_in_itself_and_words_among_others(answer: str, other: str) -> None:
    assert gives(answer, [answer])
    if re.search(r"\w", normalised(answer)) and normalised(answer) not in ("a", "an", "the"):
        assert gives(f"{other} {answer} {other}", [answer])


def test_facts_are_read_from_records_and_what_is_none_is_told(tmp_path: Path, capsys) -> None:
    records = [
        {"id": "one", "q": {"text": " Who? "}, "right": ["He", "", "She"]},
        {"q": {"text": "How many?"}, "right": 7},
        {"q": {"text": ""}, "right": "x"},
        {"q": {"text": "What?"}, "right": []},
        {"q": {"text": "Where?"}, "right": "Here"},
    ]
    lines = tmp_path / "facts.jsonl"
    lines.write_text("".join(json.dumps(record) + "\n" for record in records) + "{\n")
    table = tmp_path / "facts.parquet"
    pq.write_table(pa.table({"q": ["When?", "Why?"], "right": [["Now"], None]}), table)
    config = Facts(file=str(lines), question="q.text", answers="right", shots=1, asked_shots=2)
    assert read_facts(config) == [
        Fact("one", "Who?", ("He", "She")),
        Fact("facts.jsonl:1", "How many?", ("7",)),
        Fact("facts.jsonl:4", "Where?", ("Here",)),
    ]
    told = capsys.readouterr().err
    assert "no question, or no answer to it (2)" in told and "invalid JSON (1)" in told
    few = {"file": str(table), "question": "q", "answers": "right"}
    with pytest.raises(UserError, match=r"4 facts stand before each question, and there are 1 in all"):
        read_facts(Facts(**few))
    with pytest.raises(UserError, match=r"no field `wright`; the records have"):
        read_facts(config.model_copy(update={"answers": "wright"}))
    with pytest.raises(UserError):
        read_facts(config.model_copy(update={"file": str(tmp_path / "gone.jsonl")}))
    drawn = read_facts(config.model_copy(update={"limit": 2, "shots": 1, "asked_shots": 0}))
    assert len(drawn) == 2 and set(drawn) < set(read_facts(config))


def test_facts_are_sorted_by_greedy_and_drawn_answers() -> None:
    def says(how: str, star: int, times: int) -> str:
        known = {
            "greedy": star < 3 or (star < 6 and times == 1),
            "drawn": star < 3 or (star < 9 and times == 5),
        }
        return f" Z{star}." if known[how] else " Alpha"

    found = sort_facts(Scripted(says), FACTS, CONFIG, 4)
    assert [each.category for each in found] == [
        *[Category.HIGHLY_KNOWN] * 3,
        *[Category.MAYBE_KNOWN] * 3,
        *[Category.WEAKLY_KNOWN] * 3,
        *[Category.UNKNOWN] * 3,
    ]
    assert found[3] == Knowledge(1 / 4, 1 / 12) and found[-1] == Knowledge(0, 0)


def test_exemplars_are_other_facts_and_the_same_for_every_model() -> None:
    model, again = Scripted(lambda *_: ""), Scripted(lambda *_: "")
    twin = [*FACTS, Fact("twin", FACTS[0].question.upper(), ("Other",))]
    for each in (model, again):
        sort_facts(each, twin, CONFIG, 4)
        ask_facts(each, twin, CONFIG, 4)
    assert model.prompts == again.prompts
    sets = np.array(model.prompts).reshape(5, len(twin))
    assert len(set(sets[:4, 3])) > 1
    assert not set(sets[4]) & set(sets[:4].ravel())
    for prompts, shots in [*((prompts, 2) for prompts in sets[:4]), (sets[4], 3)]:
        for fact, prompt in zip(twin, prompts, strict=True):
            *exemplars, asked = prompt.split("\n\n")
            assert asked == f"Question: {' '.join(fact.question.split())}\nAnswer:"
            assert len(set(exemplars)) == shots
            assert all(
                re.search(r"star (\d+)\?\nAnswer: Zeta\1x$", each) or "Other" in each for each in exemplars
            )
            assert not any(asked.casefold() in each.casefold() for each in exemplars)


def test_a_real_model_is_sorted_and_asked_through_the_same_door(tmp_path: Path) -> None:
    model = PlainModel.load(write_llama(tmp_path, seed=3), dtype="float32")
    config = CONFIG.model_copy(update={"new_tokens": 4, "exemplar_sets": 2, "shots": 1, "asked_shots": 1})
    replies = ask_facts(model, FACTS[:6], config, 4)
    assert {reply.outcome for reply in replies} == {Outcome.INVENTED} and all(reply.text for reply in replies)
    # What it says is accepted as a second answer, which changes no prompt.
    known = [
        replace(fact, answers=(*fact.answers, reply.text))
        for fact, reply in zip(FACTS[:6], replies, strict=True)
    ]
    assert {reply.outcome for reply in ask_facts(model, known, config, 4)} == {Outcome.CORRECT}
    heard = Heard(model)
    assert {each.category for each in sort_facts(heard, FACTS[:6], config, 4)} == {Category.UNKNOWN}
    known = [
        replace(fact, answers=(*fact.answers, text))
        for fact, text in zip(FACTS[:6], heard.said[:6], strict=True)
    ]
    found = sort_facts(model, known, config, 4)
    assert found == sort_facts(model, known, config, 4)
    assert all(each.greedy >= 1 / 2 for each in found)


def test_scores_are_shares_by_category_and_differences_are_paired() -> None:
    rng = np.random.default_rng(1)
    knowledge = [Knowledge(1, 1) if n < 60 else Knowledge(0, 0) for n in range(100)]

    def replies(right: float, abstained: float) -> list[Reply]:
        luck = rng.random(100)
        kinds = np.select([luck < right, luck < right + abstained], ["correct", "abstained"], "invented")
        return [Reply("", Outcome(kind)) for kind in kinds]

    base, tuned = replies(0.9, 0.05), replies(0.5, 0)
    found = score_facts(knowledge, {"base": base, "tuned": tuned, "same": base})
    assert set(found.models["base"]) == {"all", "HighlyKnown", "Unknown"}
    assert (found.models["base"]["all"].facts, found.models["base"]["Unknown"].facts) == (100, 40)
    for role, said in (("base", base), ("tuned", tuned)):
        scores = found.models[role]["HighlyKnown"]
        share = sum(reply.outcome == "correct" for reply in said[:60]) / 60
        assert scores.accuracy.value == pytest.approx(share)
        assert scores.accuracy.interval[0] < share < scores.accuracy.interval[1]
        total = scores.accuracy.value + scores.abstention.value + scores.invention.value
        assert total == pytest.approx(1)
    change = found.differences["tuned"]["HighlyKnown"].accuracy
    scores = [found.models[role]["HighlyKnown"].accuracy.value for role in ("tuned", "base")]
    assert change.value == pytest.approx(scores[0] - scores[1]) and change.interval[1] < 0
    assert found.differences["tuned"]["all"].invention.interval[0] > 0
    same = found.differences["same"]["all"].accuracy
    assert same.value == 0 and same.interval[0] < 0 < same.interval[1]
    assert json.loads(json.dumps(found.to_json()))["differences"]["same"]["all"]["facts"] == 100


def test_what_cannot_be_asked_is_refused() -> None:
    with pytest.raises(ValueError, match="no regular expression"):
        Facts(file="x", abstentions=("(",))
    with pytest.raises(ValueError, match=r"needs .question"):
        Facts(file="x", asked_as="Q:")
