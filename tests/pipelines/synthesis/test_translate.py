import asyncio
import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pipelines.errors import UserError
from pipelines.sources.endpoint import EndpointClient, Patience
from pipelines.sources.language_model import bundled_model, load_identifier
from pipelines.synthesis.ask import Answer
from pipelines.synthesis.asking.answers import Answers
from pipelines.synthesis.asking.outcomes import outcomes
from pipelines.synthesis.checks.checked import checked
from pipelines.synthesis.draft import Draft, RejectedError, Rejection
from pipelines.synthesis.model import ModelEndpoint
from pipelines.synthesis.passage import Passage
from pipelines.synthesis.prompt import Prompts
from pipelines.synthesis.translate import Translate
from tests.pipelines.sources.model_server import ModelServer, Reply, Request, says
from tests.pipelines.synthesis.toy_translation import Written, asked_for, damaged, translated, written

DOCUMENTS = 300
ROLES = ("system", "user", "assistant", "user", "assistant")


@dataclass
class Toy:
    """Answers as the toy dictionary has it, or as a test says for texts with some words."""

    instead: dict[str, list[str]] = field(default_factory=dict)
    finish_reason: str = "stop"
    asked: list[str] = field(default_factory=list)
    prompts: list[str] = field(default_factory=list)
    draws: list[int] = field(default_factory=list)

    async def __call__(self, prompt, values, *, schema=None, draw=0) -> Answer:
        messages = prompt.messages(values)
        text = asked_for(messages)
        self.asked.append(text)
        self.prompts.append("\n".join(turn["content"] for turn in messages))
        self.draws.append(draw)
        said = next((answers for words, answers in self.instead.items() if words in text), None)
        return Answer(said[min(draw, len(said) - 1)] if said else translated(text), self.finish_reason)


def passage(text: str = "", language: str = "en", **more) -> Passage:
    about = {"id": "a#0", "parent_id": "a", "source": "s", "domain": "d"}
    return Passage(text=text, language=language, **(about | more))


def made(asked: Passage, toy: Toy | None = None, **options) -> Draft | Rejection:
    make = Translate(domains=["d"], to="ru", **options).build(Prompts())
    try:
        [result] = asyncio.run(make(asked, toy or Toy()))
    except RejectedError as error:
        return error.rejection
    return result


def test_a_text_is_translated_around_what_is_protected() -> None:
    draft = made(passage("# The old river\n\nUse `print(text)` when snow falls.\n\n```\nthe code\n```\n"))
    assert draft.text == "# Та старый река\n\nВзять `print(text)` когда снег падает.\n\n```\nthe code\n```\n"
    assert (draft.kind, draft.language, draft.messages) == ("translation", "ru", None)


def test_roles_and_turns_are_kept() -> None:
    turns = (
        {"role": "system", "content": "Use the small text."},
        {"role": "user", "content": "See the list.\n"},
        {"role": "assistant", "content": ""},
        {"role": "tool", "content": "print the value"},
        {"role": "assistant", "content": "The value costs `5`."},
        {"role": "user", "content": "42"},
    )
    draft = made(passage(messages=turns))
    assert [turn["role"] for turn in draft.messages] == [turn["role"] for turn in turns]
    assert [turn["content"] for turn in draft.messages] == [
        "Взять та малый текст.", "Смотри та список.\n", "", "print the value", "Та значение стоит `5`.", "42",
    ]  # fmt: skip


def test_reasoning_is_translated_and_calls_of_tools_are_kept() -> None:
    call = {
        "type": "function",
        "function": {"name": "print", "arguments": '{"text": "the  value", "n": 1.50}'},
    }
    fields = {
        "messages": [
            {},
            {
                "reasoning_content": "They write letters.",
                "thinking": "They write letters.",
                "tool_calls": [call],
            },
        ],
        "tools": [{"name": "print", "description": "print the text"}],
        "documents": [{"text": "the old mills"}],
    }
    turns = ({"role": "user", "content": "Print the value"}, {"role": "assistant", "content": ""})
    draft = made(passage(messages=turns, template_fields=json.dumps(fields)))
    reasoning = {"reasoning_content": "Они пишут письма.", "thinking": "Они пишут письма."}
    fields["messages"][1] |= reasoning
    assert json.loads(draft.template_fields) == fields


def test_fields_without_reasoning_are_kept_as_they_are_written() -> None:
    fields = '{ "tools":[ {"n":1e400} ] }'
    draft = made(passage(messages=({"role": "user", "content": "The river"},), template_fields=fields))
    assert draft.template_fields == fields


@settings(deadline=None)
@given(st.randoms(use_true_random=False), st.sampled_from([200, 300, 1000]))
def test_pieces_are_joined_without_seams(r: random.Random, longest: int) -> None:
    document = "\n \n\n".join(written(r, unclosed=False).text for _ in range(3)) + "  \n"
    toy = Toy()
    in_pieces = made(passage(document), toy, piece_characters=longest)
    assert in_pieces.text == made(passage(document), piece_characters=10**6).text
    assert all(len(text) <= longest for text in toy.asked)


def test_a_piece_sees_how_the_one_before_ends() -> None:
    toy = Toy()
    made(
        passage("\n\n".join(f"The river {'carries grain and ' * 20}falls past {n}." for n in "xyz")),
        toy,
        piece_characters=500,
    )
    assert len(toy.asked) == 3
    assert "falls past x." not in toy.prompts[0].replace(toy.asked[0], "")
    assert "falls past x." in toy.prompts[1]
    assert "падает мимо x." in toy.prompts[1]
    assert "падает мимо x." not in toy.prompts[2]


def test_what_has_no_prose_is_not_sent() -> None:
    toy = Toy()
    blocks = [
        "The river.",
        "```\n" + "code\n" * 60 + "```",
        "1 + 2 = 3 " * 25,
        "$$" + "x + " * 70 + "1$$",
        "Old mills.",
    ]
    draft = made(passage("\n\n".join(blocks)), toy, piece_characters=200)
    assert draft.text == "\n\n".join(["Та река.", *blocks[1:-1], "Старый мельницы."])
    assert all(re.search("[a-z]", text) for text in toy.asked)


def test_a_document_of_code_alone_is_untranslated() -> None:
    toy = Toy()
    assert made(passage("```\nthe river\n"), toy).reason == "untranslated"
    assert toy.asked == []


LONG = "The small river carries grain and salt past old mills when snow falls."
GOOD = translated(LONG)


@pytest.mark.parametrize(
    ("text", "answer", "reason"),
    [
        ("Use `a` and `b`.", "Взять ⟦1⟧ и.", "protected_changed"),
        ("Use `a` and `b`.", "Взять ⟦1⟧ и ⟦2⟧ `c`.", "protected_changed"),
        ("Use `a`.\n\nSee `b`.", "Взять ⟦2⟧.\n\nСмотри ⟦1⟧.", "protected_changed"),
        ("Use this:\n\n```\na\n```\n\nThen text.", "Взять это: ⟦1⟧\n\nЗатем текст.", "protected_changed"),
        ("It costs 1,250 in 1994.", "Стоит 1 350 в 1994.", "numbers_changed"),
        ("It costs 1.5 more.", "Стоит 15 больше.", "numbers_changed"),
        ("It is -5 or (-7).", "Это 5 или (-7).", "numbers_changed"),
        ("It costs more.", "Стоит 3 больше.", "numbers_changed"),
        ("- The river\n- The mills", "- Река, мельницы", "structure_changed"),
        ("# The river\n\nFalls.", "Река\n\nПадает.", "structure_changed"),
        ("|a|the river|\n|-|-|\n|b|mills|", "|а|река|\n|-|-|\n|б|", "structure_changed"),
        ("Q: the river\nA: the mills", "В: река О: мельницы", "structure_changed"),
        ("The river falls.", "Вот перевод:\n\nРека падает.", "structure_changed"),
        (LONG, LONG, "untranslated"),
        (f"{LONG} They write.", f"{LONG} Они пишут.", "untranslated"),
        (LONG, GOOD * 4, "length_ratio"),
        (LONG * 2, "Река.", "length_ratio"),
        (f"- {LONG}\n- {LONG}", f"- {GOOD}\n- Река.", "length_ratio"),
        ("When do mills write?", "Они пишут, когда падает снег.", "answered"),
    ],
)
def test_unfaithful_answers_are_rejected_after_two_tries(text: str, answer: str, reason: str) -> None:
    toy = Toy({text.split("`")[0].split("\n")[0]: [answer]})
    assert made(passage(text), toy).reason == reason
    assert toy.draws == [0, 1]


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("It costs 1,250.5 more.", "Стоит на 1250,5 больше."),
        ("It costs 1,250.5 more.", "Стоит на 1\u00a0250,5 больше."),
        ("It costs 12,000,000 more.", "Стоит на 12 000 000 больше."),
        ("In the 19th century of 1,234 mills.", "В XIX веке из 1234 мельниц."),
        ("It is -5 in 1994-1996.", "Это −5 в 1994–1996 годах."),
        ("On 3/4 of 2 lists, 10% more.", "На 10 % больше из 3/4 2 списков."),
        ("Use `a` then `b`.", "После ⟦1⟧ взять ⟦2⟧."),
        ("Use `a` then `b`.", "<text>\nВзять ⟦1⟧ затем ⟦2⟧.\n</text>"),
        ("Albert Einstein, Marie Curie, Isaac Newton", "Albert Einstein, Marie Curie, Isaac Newton и другие"),
    ],
)
def test_faithful_answers_are_kept(text: str, answer: str) -> None:
    assert isinstance(made(passage(text), Toy({text.split("`")[0]: [answer]})), Draft)


def test_a_second_answer_mends_the_first() -> None:
    toy = Toy({"Use": ["Взять.", "Взять ⟦1⟧."]})
    assert made(passage("Use `a`."), toy).text == "Взять `a`."


def test_an_answer_that_was_cut_short_is_rejected() -> None:
    assert made(passage(LONG), Toy(finish_reason="length")).reason == "cut_short"


def test_one_bad_piece_rejects_the_document() -> None:
    text = "\n\n".join([f"{LONG} Then {name}." for name in ("Ann", "Bob", "Cid")])
    assert made(passage(text), Toy({"Cid": ["Нет."]}), piece_characters=200).reason == "length_ratio"


def test_a_server_that_gives_no_answer_is_not_asked_again() -> None:
    asked = []

    async def silent(prompt, values, *, schema=None, draw=0) -> Answer:
        asked.append(draw)
        raise RejectedError(Rejection("no_answer"))

    assert made(passage(LONG), silent).reason == "no_answer"
    assert asked == [0]


def test_documents_in_other_languages_are_not_translated() -> None:
    toy = Toy()
    assert made(passage(LONG, language="de"), toy, only=["en"]).reason == "other_language"
    assert made(passage("Река падает", language="ru"), toy).reason == "other_language"
    assert toy.asked == []


@pytest.mark.parametrize("name", ["terms.yaml", "terms.tsv"])
def test_terms_of_the_glossary_are_told_and_checked(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text(
        "old mills\tводяная мельница\nlist\tперечень\n".replace("\t", "\t" if name[-1] == "v" else ": ")
    )
    toy = Toy({"Past": ["Мимо водяных мельниц."]})
    assert isinstance(made(passage("Past old mills."), toy, glossary=path), Draft)
    assert "old mills = водяная мельница" in toy.prompts[0]
    assert "перечень" not in toy.prompts[0]
    assert made(passage("See the old mills."), glossary=path).reason == "glossary"
    assert isinstance(made(passage("See `old mills`."), glossary=path), Draft)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.yaml", "- a"),
        ("a.yaml", "a: ["),
        ("a.yaml", "a: [b]"),
        ("a.yaml", "1: b"),
        ("a.tsv", "a"),
        ("a.tsv", "a\tb\tc"),
    ],
)
def test_a_bad_glossary_is_named(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(UserError) as error:
        made(passage(LONG), glossary=path)
    assert error.value.file == str(path)


def test_a_translation_back_must_be_like_the_original() -> None:
    same = Toy({"Та": [LONG]})
    assert isinstance(made(passage(LONG), same, round_trip=0.5), Draft)
    assert "into English" in same.prompts[1]
    other = Toy({"Та": ["Somebody else wrote about things that nobody knows, and quite other ones at that."]})
    assert made(passage(LONG), other, round_trip=0.5).reason == "round_trip"


def test_a_good_translation_passes_the_checks() -> None:
    code = "    # then write the letters to the old people\n    and print the list of the first friends"
    data = '{"text": "the small river carries grain and salt past the old mills"}'
    asked = "How do I write a letter to every friend on my list when it snows?"
    answered = (
        f"Read the list first, and then write to everybody:\n\n{code}\n\nIt prints {data} for each friend."
    )
    turns = (
        {"role": "user", "content": asked},
        {"role": "assistant", "content": ""},
        {"role": "tool", "content": "The weather is cold, and snow falls on all the mills."},
        {"role": "assistant", "content": answered},
    )
    toy = Toy(
        {
            asked: ["Как написать письмо каждому другу из моего списка, когда идёт снег?"],
            "Read": [
                "Сначала прочитайте список, а затем напишите всем:\n\n⟦1⟧\n\nДля каждого друга выводится ⟦2⟧."
            ],
        }
    )
    method = Translate(domains=["d"], to="ru")
    identifier = load_identifier(str(bundled_model()))
    make = checked(method.build(Prompts()), method.checks, Prompts(), identifier)
    [draft] = asyncio.run(make(passage("\n\n".join([asked, answered]), messages=turns), toy))
    assert isinstance(draft, Draft), draft
    assert code in draft.messages[-1]["content"]
    assert data in draft.messages[-1]["content"]


def test_the_prompt_shows_the_question_as_a_text() -> None:
    toy = Toy()
    made(passage("What is the name of the river?"), toy)
    assert "вопрос переводится, а не получает ответ" in toy.prompts[0]
    assert toy.asked == ["What is the name of the river?"]


@pytest.mark.parametrize("to", ["Russian", "", "ru_RU"])
def test_the_language_is_a_code(to: str) -> None:
    with pytest.raises(ValidationError):
        Translate(domains=["d"], to=to)


class Translating:
    """A server that translates by the toy dictionary, and damages an item of documents with some names."""

    def __init__(self, damaging: set[str]) -> None:
        self.damaging = damaging
        self.damaged: set[str] = set()

    def __call__(self, request: Request) -> Reply:
        text = asked_for(request.body["messages"])
        translation = translated(text)
        names = {name for name in re.findall(r"\bZq[a-z]+", text) if name in self.damaging}
        new = damaged(translation, random.Random(text)) if names else None
        self.damaged |= names if new else set()
        return says(new or translation)


@dataclass
class Document:
    name: str
    texts: list[Written]
    is_conversation: bool

    @property
    def passage(self) -> Passage:
        texts = [text.text for text in self.texts]
        about = {"id": f"{self.name}#0", "parent_id": self.name}
        if not self.is_conversation:
            return passage("\n\n".join(texts), **about)
        turns = tuple({"role": role, "content": text} for role, text in zip(ROLES, texts, strict=False))
        return passage("\n\n".join(texts), messages=turns, **about)

    def is_said_by(self, draft: Draft) -> bool:
        """Whether a draft is the translation of the document, with its roles and turns."""
        said = [text.translation for text in self.texts]
        if not self.is_conversation:
            return draft.text == "\n\n".join(said)
        return [dict(turn) for turn in draft.messages] == [
            {"role": role, "content": text} for role, text in zip(ROLES, said, strict=False)
        ]


def documents() -> Iterator[Document]:
    for number in range(DOCUMENTS):
        r = random.Random(number)
        name = "Zq" + "".join(chr(ord("a") + int(digit)) for digit in f"{number:03}")
        is_conversation = number % 2 == 0
        count = r.randint(2, 5) if is_conversation else r.choice([1, 1, 6])
        last = None if is_conversation else False
        texts = [written(r, name=name, unclosed=last) for _ in range(count - 1)] + [written(r, name=name)]
        yield Document(name, texts, is_conversation)


def test_every_damage_is_found_and_no_undamaged_document_rejected(tmp_path: Path) -> None:
    known = {document.name: document for document in documents()}
    with_items = [document.name for document in known.values() if any(text.items for text in document.texts)]
    translating = Translating(set(with_items[::10]))
    make = Translate(domains=["d"], to="ru", piece_characters=600).build(Prompts())
    with ModelServer(translating) as server, Answers(tmp_path, "a") as answers:
        endpoint = ModelEndpoint(base_url=server.url, model="toy", concurrency=8)
        client = EndpointClient(endpoint, Patience(tries=2, first_wait=0.01, longest_wait=0.02))
        asked = (document.passage for document in known.values())
        done = list(outcomes(asked, make, client, answers, {}))
    assert len(done) == DOCUMENTS
    assert translating.damaged == set(with_items[::10])
    for outcome in done:
        document = known[outcome.passage.parent_id]
        [result] = outcome.results
        if document.name in translating.damaged:
            assert isinstance(result, Rejection)
            assert result.reason in ("protected_changed", "structure_changed", "numbers_changed")
        else:
            assert isinstance(result, Draft), (result, outcome.passage.text)
            assert document.is_said_by(result)
