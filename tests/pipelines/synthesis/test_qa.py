"""Questions about passages, with a stand-in for the model."""

import json
from collections import Counter
from importlib.resources import files
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from pipelines.synthesis.draft import Draft, Rejection
from pipelines.synthesis.prompt import Prompts
from pipelines.synthesis.qa import Questions
from pipelines.synthesis.questions.kinds import KINDS, KindName
from tests.pipelines.synthesis.asking import StandIn, made, passage

PROMPTS = Prompts()
SHIPPED = files("pipelines.synthesis") / "prompts" / "qa"
PROSE = "The canal of Brenn was dug in 1822. It carried slate, 40 barges a week, to the port of Ulm.\n\n" * 12
NUMBERS = "It is 14 m wide, 3.5 m deep and 92 km long. 40 barges pass in 6 days, each with 31 t.\n\n" * 12
CODE = "def area(width, height):\n    size = width * height\n    print(size)\n    return size\n\n\n" * 10
PAIR = {"question": "When was the canal of Brenn dug?", "answer": "The canal of Brenn was dug in 1822."}
GOOD: dict[str, dict[str, Any]] = {
    **dict.fromkeys(("factual", "why", "definition", "summary", "code_explanation", "unanswerable"), PAIR),
    "multi_hop": {"facts": ["It was dug in 1822.", "It carried slate."], **PAIR},
    "maths": {"question": "40 barges a week, 2 weeks?", "steps": ["40 * 2 = 80"], "result": "80 barges."},
    "code_exercise": {"task": "Write `area`.", "solution": "```python\ndef area(): ...\n```"},
    "dialogue": {"turns": [PAIR, {"question": "What for?", "answer": "For slate."}]},
}


def questions(**given: Any) -> Questions:
    return Questions(**{"domains": ["books"], **given})


def results(kind: KindName, answer: str, finish: str = "stop", text: str = PROSE + NUMBERS, **given: Any):
    text = CODE if kind.startswith("code") else text
    making = questions(kinds=[kind], per_passage=1, **given).build(PROMPTS)
    return made(making, passage(text), StandIn(lambda *_: (answer, finish)))


def answered(*items: Any) -> str:
    return json.dumps({"questions": items})


@pytest.mark.parametrize("kind", get_args(KindName))
def test_each_question_of_an_answer_becomes_a_conversation(kind):
    found = results(kind, answered(GOOD[kind], GOOD[kind]))
    assert len(found) == 2
    for draft in found:
        assert isinstance(draft, Draft)
        assert draft.kind == kind
        assert draft.text is None
        roles = [turn["role"] for turn in draft.messages]
        assert roles == ["user", "assistant"] * (len(roles) // 2)
        assert draft.prompt == PROMPTS.get(f"qa/{kind}", "en").hash
        assert draft.instructions


def test_a_conversation_has_the_question_and_the_answer():
    (draft,) = results("factual", answered(PAIR))
    assert [turn["content"] for turn in draft.messages] == [PAIR["question"], PAIR["answer"]]
    assert draft.question == PAIR["question"]
    assert draft.claims == PAIR["answer"]


def test_facts_that_are_joined_must_be_grounded_too():
    (draft,) = results("multi_hop", answered(GOOD["multi_hop"]))
    assert draft.claims == "It was dug in 1822.\nIt carried slate.\n" + PAIR["answer"]


def test_of_a_problem_only_what_is_given_must_be_grounded():
    (draft,) = results("maths", answered(GOOD["maths"]))
    assert draft.messages[1]["content"] == "40 * 2 = 80\n80 barges."
    assert draft.claims == GOOD["maths"]["question"]


def test_a_solution_with_a_wrong_calculation_is_none():
    (rejection,) = results("maths", answered({**GOOD["maths"], "steps": ["40 * 2 = 90"]}))
    assert rejection.reason == "wrong_arithmetic"


def test_new_code_needs_no_ground():
    (draft,) = results("code_exercise", answered(GOOD["code_exercise"]))
    assert draft.claims is None


def about_code(question: str) -> str:
    return answered({"question": question, "answer": "It multiplies."})


def test_code_that_is_asked_about_must_be_that_of_the_passage():
    quoted = "```\ndef area(width, height):\n    ...\n    return size\n```\n\nWhat does `area` return?"
    (draft,) = results("code_explanation", about_code(quoted))
    assert draft.messages[0]["content"] == draft.question == quoted
    assert draft.claims is None
    (rejection,) = results("code_explanation", about_code(quoted.replace("size", "width")))
    assert rejection.reason == "ungrounded_code"


def test_a_question_about_code_that_it_does_not_quote_shows_the_passage():
    (draft,) = results("code_explanation", about_code("What does `area` return?"))
    assert draft.messages[0]["content"] == f"{CODE.strip()}\n\nWhat does `area` return?"


def test_all_turns_of_a_dialogue_count():
    (draft,) = results("dialogue", answered(GOOD["dialogue"]))
    assert draft.question == PAIR["question"] + "\nWhat for?"
    assert draft.claims == PAIR["answer"] + "\nFor slate."
    assert len(draft.messages) == 4


def test_an_unanswerable_question_shows_the_passage_and_is_refused():
    (draft,) = results("unanswerable", answered(PAIR))
    assert draft.refuses
    assert draft.claims is None
    assert draft.messages[0]["content"] == f"{(PROSE + NUMBERS).strip()}\n\n{PAIR['question']}"


def test_a_share_of_questions_shows_the_passage():
    many = [{"question": f"What is number {n}?", "answer": "A number."} for n in range(400)]
    shown = {share: set() for share in (0, 0.25, 1)}
    for share, found in shown.items():
        for draft in results("factual", answered(*many), with_passage=share):
            assert draft.messages[0]["content"].endswith(draft.question)
            if draft.messages[0]["content"] != draft.question:
                found.add(draft.question)
    assert not shown[0]
    assert 60 < len(shown[0.25]) < 140
    assert len(shown[1]) == 400


@pytest.mark.parametrize(
    "answer",
    [
        f"Sure! Here they are:\n```json\n{answered(PAIR)}\n```\nDo you want more {{questions}}?",
        json.dumps([PAIR]),
        json.dumps(PAIR),
        json.dumps({"questions": PAIR}),
        "1. " + json.dumps(PAIR) + "\n",
        json.dumps({"questions": [{**PAIR, "difficulty": "easy"}], "notes": []}, indent=2),
    ],
)
def test_what_stands_around_a_question_does_not_matter(answer):
    (draft,) = results("factual", answer)
    assert draft.question == PAIR["question"]


@pytest.mark.parametrize(
    "kind, item, reason",
    [
        ("factual", {"question": "When?"}, "missing_field"),
        ("factual", {"question": "When?", "answer": None}, "missing_field"),
        ("factual", {"question": "When?", "answer": True}, "missing_field"),
        ("factual", {"question": "When?", "answer": ["1822"]}, "missing_field"),
        ("factual", {"q": "When?", "a": "1822"}, "missing_field"),
        ("factual", {"question": "  ", "answer": "1822"}, "empty"),
        ("factual", {"question": "When?", "answer": ""}, "empty"),
        ("factual", "When? 1822", "unparsed"),
        ("multi_hop", PAIR, "missing_field"),
        ("multi_hop", {"facts": ["One."], **PAIR}, "missing_field"),
        ("multi_hop", {"facts": ["One.", " "], **PAIR}, "empty"),
        ("maths", {"question": "How many?", "steps": "40 * 2", "result": "80"}, "missing_field"),
        ("maths", {"question": "How many?", "steps": [], "result": "80"}, "missing_field"),
        ("dialogue", {"turns": [PAIR]}, "missing_field"),
        ("dialogue", {"turns": ["When?", "1822"]}, "missing_field"),
        ("dialogue", {"turns": [PAIR, {"question": "Why?"}]}, "missing_field"),
        ("code_exercise", PAIR, "missing_field"),
    ],
)
def test_a_question_that_lacks_something_is_rejected_and_the_rest_kept(kind, item, reason):
    rejection, draft = results(kind, answered(item, GOOD[kind]))
    assert rejection.reason == reason
    assert rejection.excerpt
    assert isinstance(draft, Draft)


@pytest.mark.parametrize(
    "answer, reason",
    [
        ("I cannot help with that.", "unparsed"),
        ('{"questions": [{"question": "When?"', "unparsed"),
        ("```json\n```", "unparsed"),
        ('{"questions": []}', "empty"),
        ("  ", "empty"),
    ],
)
def test_an_answer_without_a_question_is_rejected_once(answer, reason):
    assert results("factual", answer) == [Rejection(reason, answer)]


def test_numbers_are_answers_too():
    (draft,) = results("factual", answered({"question": "How many?", "answer": 40}))
    assert draft.claims == "40"


@pytest.mark.parametrize("kind", get_args(KindName))
def test_of_an_answer_that_is_cut_short_the_whole_questions_are_kept(kind):
    whole = answered(GOOD[kind], GOOD[kind], GOOD[kind])
    first = len('{"questions": [' + json.dumps(GOOD[kind]))
    for end in range(first, len(whole)):
        *drafts, last = results(kind, whole[:end], "length")
        assert 1 <= len(drafts) <= 3
        assert all(isinstance(draft, Draft) for draft in drafts)
        assert last.reason == "cut_short"


def test_blanks_after_a_whole_answer_up_to_the_limit_lose_nothing():
    (draft,) = results("factual", answered(PAIR) + "\n" * 100, "length")
    assert isinstance(draft, Draft)


def test_commands_of_latex_survive_a_single_backslash():
    (draft,) = results(
        "factual", '{"question": "What is $\\\\alpha$?", "answer": "$\\frac{1}{2} \\times \\sum x$"}'
    )
    assert draft.claims == r"$\frac{1}{2} \times \sum x$"
    assert draft.question == r"What is $\alpha$?"


def test_a_call_without_an_answer_leaves_the_others():
    making = questions(kinds=["factual", "why"], per_passage=2).build(PROMPTS)
    ask = StandIn(lambda kind, _: Rejection("no_answer") if kind == "why" else answered(PAIR))
    found = made(making, passage(PROSE), ask)
    assert {type(result) for result in found} == {Draft, Rejection}
    assert Rejection("no_answer") in found


def test_a_passage_is_asked_for_what_it_can_give():
    def kinds(text: str) -> set[str]:
        return {kind for kind, _ in questions(per_passage=len(KINDS)).calls(passage(text))}

    short = {"factual", "why", "definition", "unanswerable"}
    assert kinds("The canal of Brenn was dug in 1822.") == short
    assert kinds(PROSE) == short | {"multi_hop", "summary", "dialogue"}
    assert kinds(NUMBERS) == kinds(PROSE) | {"maths"}
    assert kinds(f"{PROSE}\n```python\nx = 1\ny = 2\n```\n") == kinds(PROSE) | {
        "code_explanation",
        "code_exercise",
    }
    assert kinds(CODE) == {"why", "dialogue", "code_explanation", "code_exercise"}


LAW = (
    "1) собственники помещений в многоквартирном доме;\n2) органы местного самоуправления (далее — органы);\n"
)


@pytest.mark.parametrize(
    "text", [LAW * 20, "- First: milk,\n- Second: bread (two);\n" * 20, "I. Why?\nWell: no.\n" * 20]
)
def test_lists_of_prose_are_not_code(text):
    assert not {"code_explanation", "code_exercise"} & {
        kind for kind, _ in questions(per_passage=len(KINDS)).calls(passage(text))
    }


@pytest.mark.parametrize(
    "code",
    [
        '#include <stdio.h>\nint main(void) {\n  int n = 3;\n  printf("%d", n);\n  return 0;\n}\n',
        "import { a } from 'b';\nconst x = (y) => {\n  return y + 1;\n};\nexport default x;\n",
        "package main\nfunc add(a int, b int) int {\n\treturn a + b\n}\nvar x = add(1, 2)\n",
        'fn main() {\n    let x = 5;\n    println!("{}", x);\n}\n',
        "class Box:\n    def __init__(self):\n        self.n = 0\n\n    def go(self):\n        self.n += 1\n",
    ],
)
def test_code_of_many_languages_is_code(code):
    kinds = {kind for kind, _ in questions(per_passage=len(KINDS)).calls(passage(code))}
    assert kinds == {"why", "code_explanation", "code_exercise"}


@pytest.mark.parametrize(
    "piece", ["a", "(", "a ", "if ", "a = ", "import a from ", "def a(", "1 ", "{", "\n"]
)
def test_hostile_passages_are_looked_at_in_linear_time(piece):
    text = piece * (1_000_000 // len(piece))
    assert len(questions(per_passage=3).calls(passage(text))) == 3


def test_a_passage_that_can_give_nothing_of_what_is_wanted_is_told():
    making = questions(kinds=["code_exercise"]).build(PROMPTS)
    ask = StandIn(lambda *_: answered(PAIR))
    assert [result.reason for result in made(making, passage(PROSE), ask)] == ["no_kind_fits"]
    assert not ask.asked


def test_kinds_are_drawn_by_weight_and_always_the_same():
    method = questions(kinds={"factual": 3, "why": 1}, per_passage=1)
    drawn = [method.calls(passage(PROSE, id=f"d#{n}")) for n in range(2_000)]
    assert drawn == [method.calls(passage(PROSE, id=f"d#{n}")) for n in range(2_000)]
    counts = Counter(kind for ((kind, _),) in drawn)
    assert 0.7 < counts["factual"] / 2_000 < 0.8


def test_more_calls_than_kinds_ask_again_for_other_answers():
    calls = questions(kinds=["factual", "why"], per_passage=5).calls(passage(PROSE))
    assert len(set(calls)) == 5
    assert Counter(draw for _, draw in calls) == {0: 2, 1: 2, 2: 1}


def test_the_model_is_given_the_number_the_passage_and_a_schema():
    ask = StandIn(lambda *_: answered(PAIR))
    made(questions(kinds=["factual"], per_passage=1, per_call=3).build(PROMPTS), passage(PROSE), ask)
    ((_, messages, schema, draw),) = ask.asked
    assert PROSE.strip() in messages[-1]["content"]
    assert "Number of questions: 3" in messages[-1]["content"]
    assert schema["properties"]["questions"]["maxItems"] == 3
    assert draw == 0


def test_a_passage_is_no_template():
    hostile = "{{ 7 * 7 }} {% for x in y %} {# note #} {{ passage }} ${count} %(count)s"
    ask = StandIn(lambda *_: answered({"question": "{{ 7 * 7 }}?", "answer": "{% raw %}"}))
    (draft,) = made(questions(kinds=["unanswerable"], per_passage=1).build(PROMPTS), passage(hostile), ask)
    assert hostile in ask.asked[0][1][-1]["content"]
    assert draft.messages[0]["content"] == f"{hostile}\n\n{{{{ 7 * 7 }}}}?"


@pytest.mark.parametrize("code, name", [("de", "German"), ("ru", None), ("en", None)])
def test_questions_are_in_the_language_of_the_passage(code, name):
    ask = StandIn(lambda *_: answered(PAIR))
    (draft,) = made(questions(kinds=["factual"], per_passage=1).build(PROMPTS), passage(PROSE, code), ask)
    asked = ask.asked[0][1][-1]["content"]
    assert draft.language == code
    assert (f"in {name}." in asked) == bool(name)
    assert ("отрывка" in asked) == (code == "ru")


@pytest.mark.parametrize("language", ["en", "ru"])
@pytest.mark.parametrize("kind", get_args(KindName))
def test_shipped_examples_are_what_is_asked_for(kind, language):
    """Each can be read as a model's answer can, and holds as many questions as it was asked for."""
    prompt = PROMPTS.get(f"qa/{kind}", language)
    assert prompt.language == language
    assert prompt.file.examples
    for example in prompt.file.examples:
        about = passage(example.values["passage"], language)
        items = json.loads(example.answer)["questions"]
        assert len(items) == example.values["count"] <= KINDS[kind].most
        shape = KINDS[kind].schema(len(items))["properties"]["questions"]["items"]
        for item in items:
            assert list(item) == shape["required"]
            assert KINDS[kind].written(item).turns
        if kind not in ("multi_hop", "summary", "dialogue", "code_exercise", "code_explanation"):
            assert KINDS[kind].fits(about)


def test_both_languages_have_a_prompt_for_each_kind():
    names = {file.name for file in SHIPPED.iterdir()}
    assert names == {f"{kind}.{language}.yaml" for kind in KINDS for language in ("en", "ru")}


@pytest.mark.parametrize(
    "given",
    [{"kinds": []}, {"kinds": ["riddle"]}, {"kinds": {"why": 0}}, {"per_call": 0}, {"with_passage": 1.5}],
)
def test_settings_that_make_no_sense_are_refused(given):
    with pytest.raises(ValidationError):
        questions(**given)
