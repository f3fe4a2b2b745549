"""Hard negatives: documents that share much with an item and do not hold it with its answer.

Each mechanism makes its documents from real text; where there is none, from real sentences in templates.
A document that does hold an item of the index word by word, question and answer, is left out and counted.
"""

import difflib
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random

from benchmarks.contamination import edits, render
from benchmarks.contamination.data import (
    INTRODUCTION,
    Data,
    Item,
    code_file,
    functions,
    item,
    licences,
    marked,
    sentences,
    split_history,
    words,
)
from benchmarks.contamination.matching import Guard, Match, identity
from benchmarks.contamination.planting import is_short
from benchmarks.contamination.report import excerpt, show
from filters.contamination.items import KINDS

ALIKE = 0.8
"""Two questions with the same answer are the same item when so much of their words is the same, in order."""
LIMIT = 0.01
"""At most this share of each mechanism may be called answer-bearing."""


@dataclass
class Negatives:
    """Documents of one mechanism."""

    name: str
    texts: list[str]
    items: list[Item] | None = None
    """What to index; without, the shared index of all benchmarks."""
    own: list[Item] = field(default_factory=list)
    """Of each text the item that it does hold; a match with that or with a twin of it is no false alarm."""
    answered: bool = False
    """Whether the texts hold a question and, among other choices, its answer."""


Maker = Callable[[Data, int, Random], Iterator[Negatives]]

# Statutes and licences

CLAUSE_QUESTIONS = (
    'A firm distributes a program under a licence that says: "{}" What does this oblige the firm to do?',
    'Read this clause of a licence: "{}" Which of the following best describes its effect?',
    'A contract reads: "{}" The parties disagree about its scope. How will the court decide?',
)
CLAUSE_ANSWERS = (
    "It has to hand in a written report every quarter.",
    "For the licensee, as ambiguities count against the drafter.",
    "The clause is void, because nobody paid for it.",
    "It shifts the whole burden to whoever sells the goods.",
)


def clauses(data: Data, size: int, random: Random) -> Iterator[Negatives]:
    pairs = [(text, clause) for text in licences() for clause in sentences(re.sub(r"\s+", " ", text))]
    pairs = [pair for pair in pairs if 12 <= len(pair[1].split()) <= 60]
    different = {tuple(words(clause)): (text, clause) for text, clause in pairs}
    chosen = random.sample(list(different.values()), min(size, len(different)))
    for name, answer_of in (
        ("licences: a clause that an item quotes", lambda clause: random.choice(CLAUSE_ANSWERS)),
        (
            "licences: the same, the answer a word of the clause",
            lambda clause: max(re.findall("[A-Za-z]+", clause), key=len),
        ),
    ):
        items = [
            item(
                "clauses",
                str(at),
                question=random.choice(CLAUSE_QUESTIONS).format(clause),
                answer=answer_of(clause),
            )
            for at, (_, clause) in enumerate(chosen)
        ]
        yield Negatives(name, [window(text, clause, random) for text, clause in chosen], items)
    yield Negatives("statutes: a rule that an item of law quotes", list(statutes(data, size, random)))


def window(text: str, sentence: str, random: Random, size: int = 300) -> str:
    """Some `size` words of a text around a sentence, its lines as they are."""
    pattern = r"\s+".join(map(re.escape, sentence.split()))
    found = re.search(pattern, text)
    assert found, "the sentence is of this text"
    share = random.randrange(size)
    before = re.findall(r"\S+\s*", text[: found.start()])
    after = re.findall(r"\s*\S+", text[found.end() :])
    return "".join([*before[max(0, len(before) - share) :], found[0], *after[: size - share]])


def statutes(data: Data, size: int, random: Random) -> Iterator[str]:
    """Sections of a code: a rule out of an item of MMLU's law, between rules out of others."""
    rule = re.compile(r"\b(shall|statute|unlawful|guilty|liable|person who|may not|must)\b")
    subjects = ("professional_law/", "international_law/", "jurisprudence/")
    rules: list[str] = []
    for each in data.mmlu("test"):
        if each["item_id"].startswith(subjects):
            stem = sentences(each["question"])[:-1]
            rules += [one for one in stem if rule.search(one) and 12 <= len(one.split()) <= 80][:2]
    for number, one in enumerate(random.sample(rules, min(size, len(rules)))):
        others = random.sample(rules, 2)
        sections = random.sample([one, *others], 3)
        yield "\n".join(f"§ {number + at}. {section}" for at, section in enumerate(sections, 1))


# Templates with other numbers


def templates(data: Data, size: int, random: Random) -> Iterator[Negatives]:
    train = random.sample(data.gsm8k("train"), size)
    texts = [in_turn(each, at) for at, each in enumerate(train)]
    yield Negatives("templates: GSM8K train against test", texts, own=train)
    test = [each for each in data.gsm8k("test") if re.search(r"\d", each["question"])]
    test = random.sample(test, min(size, len(test)))
    changed = [edits.other_numbers(in_turn(each, at), random) for at, each in enumerate(test)]
    yield Negatives("templates: GSM8K test with other numbers", changed)
    renamed = [edits.other_names(text, random) for text in changed]
    yield Negatives("templates: GSM8K test with other numbers and names", renamed)


def in_turn(each: Item, number: int) -> str:
    """The item in one of its forms."""
    return render.forms(each)[number % len(render.forms(each))](each)


# Quotations and identities

AUTHORS = {
    "CrimeAndPunishment": "Фёдор Достоевский",
    "FathersAndSons": "Иван Тургенев",
    "GerojNashegoVremeni": "Михаил Лермонтов",
    "KapitanskayaDochka": "Александр Пушкин",
    "Oblomov": "Иван Гончаров",
}
IDENTITIES = (
    "sin^2(x) + cos^2(x) = 1",
    "(a + b)^2 = a^2 + 2ab + b^2",
    "(a - b)^2 = a^2 - 2ab + b^2",
    "a^2 - b^2 = (a + b)(a - b)",
    "a^3 + b^3 = (a + b)(a^2 - ab + b^2)",
    "sin(2x) = 2 sin(x) cos(x)",
    "cos(2x) = 2 cos^2(x) - 1",
    "log(ab) = log(a) + log(b)",
    "1 + tan^2(x) = 1 / cos^2(x)",
    "1 + 2 + ... + n = n(n + 1) / 2",
    "1 + r + r^2 + ... + r^n = (1 - r^(n + 1)) / (1 - r)",
    "the area of a circle of radius r is pi r^2",
    "the sum of the angles of a triangle is 180 degrees",
    "the derivative of a product is (fg)' = f'g + fg'",
    "integration by parts gives the integral of u dv as uv minus the integral of v du",
    "the roots of ax^2 + bx + c = 0 are (-b ± sqrt(b^2 - 4ac)) / (2a)",
    "P(A | B) = P(B | A) P(A) / P(B)",
    "the variance of X is E[X^2] - (E[X])^2",
    "e^(i pi) + 1 = 0",
    "a^(m + n) = a^m a^n",
)


def quotations(data: Data, size: int, random: Random) -> Iterator[Negatives]:
    sources = [(name, text) for name, texts in data.novels.items() for text in texts]
    sources += [("", text) for text in data.english]
    quotable = [
        (name, text, sentence)
        for name, text in sources
        for sentence in sentences(text)
        if 10 <= len(sentence.split()) <= 40
    ]
    chosen = random.sample(quotable, size)
    items, others = [], []
    for number, (name, _, quote) in enumerate(chosen):
        if name:
            question, answer = f"Кто автор этих строк: «{quote}»?", AUTHORS[name]
            others.append(
                f"Вопрос: Какое настроение передают слова «{quote}»?\nОтвет: Тревожное, болезненное."
            )
        else:
            question = f'In which kind of publication did these words appear first? "{quote}"'
            answer = "In a regional daily newspaper"
            others.append(
                f'Question: What tone does "{quote}" have?\nAnswer: It is matter-of-fact throughout.'
            )
        items.append(item("quotes", str(number), question=question, answer=answer))
    yield Negatives("quotations: the page that an item quotes", [text for _, text, _ in chosen], items)
    yield Negatives("quotations: another question about the same quote", others, items)
    yield identities(size, random)


def identities(size: int, random: Random) -> Negatives:
    """Items that state an identity to be used, and pages of a textbook that state it, with an example."""
    items, texts = [], []
    for number in range(size):
        used, *others = random.sample(IDENTITIES, 4)
        asked, shown, answer, other = random.sample(range(11, 999), 4)
        question = f"Use the fact that {used} to find the value of the expression at {asked}, as an integer."
        items.append(item("identities", str(number), question=question, answer=str(answer)))
        listed = "\n".join(f"- {each}" for each in random.sample([used, *others], 4))
        example = f"We use the fact that {used}; at {shown} the value is {other}."
        texts.append(f"Useful facts\n\n{listed}\n\nExample. {example}")
    return Negatives("identities: a textbook that states what an item uses", texts, items)


# Exam forms

SHEET = (
    "Choose the correct answer.",
    "Which of the following is correct? Mark one letter only.",
    "For each question below, select the best answer and fill in the circle completely.",
    "Answer all questions. Each question is worth one point.",
)


def exams(data: Data, size: int, random: Random) -> Iterator[Negatives]:
    others = data.mmlu("dev", "validation")
    chosen = random.sample(others, min(size, len(others)))
    texts = [in_turn(each, at) for at, each in enumerate(chosen)]
    yield Negatives("exam forms: MMLU dev and validation against test", texts, own=chosen)
    sheets = []
    for _ in range(size):
        asked = [
            f"{at}. {render.unmarked(each)}" for at, each in enumerate(random.sample(data.openbookqa, 5), 1)
        ]
        head = f"Name: ____________  Date: ________\n{random.choice(SHEET)}"
        sheets.append("\n\n".join([head, *asked, "Answer: ____"]))
    yield Negatives("exam forms: blank sheets of other questions", sheets)
    questions_of: dict[tuple[str, ...], set[str]] = {}
    for each in data.mmlu("test"):
        questions_of.setdefault(tuple(each["choices"]), set()).add(each["question"])
    common = [list(choices) for choices, asked in questions_of.items() if len(asked) > 1]
    borrowed = []
    for _ in range(size):
        choices = random.choice(common)
        texts_of = {"question": random.choice(others)["question"], "choices": choices, "answer": choices[0]}
        borrowed.append(render.lettered(item("borrowed", "", **texts_of)))
    yield Negatives("exam forms: choices that several items share, another question", borrowed)


# Passages


def passages(data: Data, size: int, random: Random) -> Iterator[Negatives]:
    history = [split_history(each) for each in data.history()]
    sources = list(dict.fromkeys(each["passage"] for each in history))
    texts = [*sources, *(f"{INTRODUCTION}\n{source}" for source in sources)]
    yield Negatives("passages: MMLU history, the source within the question", texts)
    yield Negatives("passages: MMLU history, the source apart", texts, history)
    premises = list(dict.fromkeys(each["passage"] for each in data.koziev))
    told = [". ".join(random.sample(premises, 3)) + "." for _ in range(size)]
    yield Negatives("passages: premises of Russian questions", told)
    stems = [" ".join(sentences(each["question"])[:-1]) for each in data.gsm8k("test")]
    stems = [stem for stem in stems if len(stem.split()) >= 8]
    yield Negatives("passages: GSM8K without the question", random.sample(stems, min(size, len(stems))))


# Code


def code(data: Data, size: int, random: Random) -> Iterator[Negatives]:
    yield Negatives("code: functions of the standard library", functions("stdlib", size))
    yield Negatives("code: functions of installed packages", functions("purelib", size))
    for name, one, other in (
        ("code: MBPP against HumanEval", data.mbpp, data.humaneval),
        ("code: HumanEval against MBPP", data.humaneval, data.mbpp),
    ):
        yield Negatives(name, [code_file(each) for each in one], other, own=one)
    texts = [in_turn(each, at) for at, each in enumerate(data.mbpp)]
    yield Negatives("series: other tasks of MBPP", texts, own=data.mbpp)


# Other items of the same series


def series(data: Data, size: int, random: Random) -> Iterator[Negatives]:
    history = data.history()
    apart = [split_history(each) for each in history]
    count = Counter(each["passage"] for each in apart)
    of_series = [at for at, each in enumerate(apart) if count[each["passage"]] > 1]
    whole, split = [history[at] for at in of_series], [apart[at] for at in of_series]
    texts = [in_turn(each, at) for at, each in enumerate(whole)]
    yield Negatives("series: history, the source within the question", texts, own=whole)
    yield Negatives("series: history, the source apart", texts, split, own=split)
    for name, items in (
        ("series: MMLU, other items of the subject", data.mmlu("test")),
        ("series: Russian questions on the same premise", data.koziev),
        ("series: GSM8K, other items", data.gsm8k("test")),
    ):
        chosen = random.sample(items, size)
        yield Negatives(name, [in_turn(each, at) for at, each in enumerate(chosen)], own=chosen)


# Questions without answers


def questions(data: Data, size: int, random: Random) -> Iterator[Negatives]:
    """Between paragraphs of real text, none of which holds the answer."""
    texts: dict[str, list[str]] = {"long": [], "short": []}
    for each in random.sample(data.indexed, 4 * size):
        place = texts["short" if is_short(each) else "long"]
        answers = [tuple(words(text)) for text in (each["answer"], each["label"]) if text]
        pages = data.russian if re.search("[а-я]", render.asked(each)) else data.english
        text = "\n\n".join([random.choice(pages), render.asked(each), random.choice(pages)])
        if len(place) < size and not any(holds(words(text), answer) for answer in answers):
            place.append(text)
    yield Negatives("questions alone, over 8 words", texts["long"])
    yield Negatives("questions alone, at most 8 words", texts["short"])
    prompts = [each["question"] for each in [*data.humaneval, *data.mbpp]]
    yield Negatives("questions alone: prompts of code", random.sample(prompts, min(size, len(prompts))))
    chosen = random.sample([*data.mmlu("test"), *data.arc], size)
    listed = [render.unmarked(each) for each in chosen]
    yield Negatives("questions with unmarked choices", listed, answered=True)


MAKERS: tuple[Maker, ...] = (clauses, templates, quotations, exams, passages, code, series, questions)


# Are they negative?


def holds(text: Sequence[str], piece: Sequence[str]) -> bool:
    """Whether a sequence of words stands in a text."""
    return bool(piece) and f" {' '.join(piece)} " in f" {' '.join(text)} "


class Contained:
    """Which items stand in a text word by word: the question and an answer, or the solution."""

    FIRST = 6

    def __init__(self, items: Sequence[Item]) -> None:
        self.items = items
        self.questions = [marked(each["question"]) for each in items]
        self.starts: dict[tuple[str, ...], list[int]] = {}
        for row, question in enumerate(self.questions):
            self.starts.setdefault(tuple(question[: self.FIRST]), []).append(row)

    def __call__(self, text: str) -> list[Item]:
        of_text = marked(text)
        pieces = (
            tuple(of_text[at : at + size])
            for size in range(1, self.FIRST + 1)
            for at in range(len(of_text) - size + 1)
        )
        rows = {row for piece in set(pieces) for row in self.starts.get(piece, ())}
        return [self.items[row] for row in sorted(rows) if self._whole(row, of_text)]

    def _whole(self, row: int, text: list[str]) -> bool:
        if not holds(text, self.questions[row]):
            return False
        answers = (self.items[row][name] for name in ("answer", "solution"))
        return any(holds(text, marked(answer)) for answer in answers if answer)


def twins(one: Item, other: Item) -> bool:
    """Whether two items are the same in all but a few words, with the same answer: benchmarks have such."""
    if one["solution"] and words(one["solution"]) == words(other["solution"] or ""):
        return True
    answers = [words((each["label"] if each["solution"] else each["answer"]) or "") for each in (one, other)]
    asked = (identity(one), identity(other))
    alike = difflib.SequenceMatcher(None, *asked, autojunk=False).ratio() >= ALIKE
    return asked[0] == asked[1] or (alike and answers[0] == answers[1] != [])


def honest(negatives: Negatives, contained: Contained) -> list[int]:
    """The texts that hold no item of the index but their own."""
    if negatives.answered:
        return list(range(len(negatives.texts)))
    rows = []
    for row, text in enumerate(negatives.texts):
        own = identity(negatives.own[row]) if negatives.own else ()
        if all(identity(each) == own for each in contained(text)):
            rows.append(row)
    return rows


def check(data: Data, seed: int) -> None:
    """Prints how many documents each mechanism has, how many it had to leave out, and how long they are."""
    shared = Contained(data.indexed)
    rows = []
    for maker in MAKERS:
        for made in maker(data, 600, Random(seed)):
            kept = honest(made, Contained(made.items) if made.items else shared)
            length = sorted(len(made.texts[row].split()) for row in kept)[len(kept) // 2]
            rows.append([made.name, len(kept), len(made.texts) - len(kept), length])
    show("Hard negatives", ["mechanism", "texts", "left out", "median words"], rows)


# What is called what


def false_alarms(guard: Guard, made: Negatives, kept: Sequence[int]) -> list[list[Match]]:
    """Of each text that is kept the matches with items that it does not hold."""
    found = guard.matches([made.texts[row] for row in kept])
    if not made.own:
        return found
    return [
        [match for match in matches if not twins(made.own[row], guard.items[match["item"]])]
        for row, matches in zip(kept, found, strict=True)
    ]


def measure(data: Data, guard: Guard, size: int, random: Random) -> None:
    shared = Contained(guard.items)
    rows, examples = [], []
    for maker in MAKERS:
        for made in maker(data, size, random):
            own_guard = Guard(made.items) if made.items else guard
            kept = honest(made, Contained(made.items) if made.items else shared)
            alarms = false_alarms(own_guard, made, kept)
            of_texts = [[match["kind"] for match in of_text] for of_text in alarms if of_text]
            worst = Counter(min(kinds, key=KINDS.index) for kinds in of_texts)
            share = worst["answer"] / len(kept)
            note = "" if share <= LIMIT else "over the limit"
            figures = [f"{worst[kind]} ({worst[kind] / len(kept):.1%})" for kind in KINDS]
            rows.append([made.name, len(kept), len(made.texts) - len(kept), *figures, note])
            for row, of_text in zip(kept, alarms, strict=True):
                answers = [match for match in of_text if match["kind"] == "answer"][:1]
                examples += [(made.name, own_guard, made.texts[row], match) for match in answers]
    show(
        "False alarms by mechanism, each text by its worst",
        ["mechanism", "texts", "left out", *KINDS, ""],
        rows,
    )
    print("\nCalled answer-bearing, up to five of each mechanism:")
    shown: Counter[str] = Counter()
    for name, own_guard, text, match in examples:
        shown[name] += 1
        if shown[name] <= 5:
            print(f"{name}:")
            print_match(own_guard, text, match)


def print_match(guard: Guard, text: str, match: Match) -> None:
    each = guard.items[match["item"]]
    coverages = ", ".join(
        f"{part} {match[part]:.2f}"
        for part in ("score", "question", "answer", "passage", "solution")
        if match[part] is not None
    )
    print(f"  {match['kind']} of {each['benchmark']} {each['item_id']} by {match['mechanism']}: {coverages}")
    answer = each["answer"] or each["label"] or ""
    print(f"    item: {' '.join(render.asked(each).split())[:200]} -> {answer[:60]!r}")
    print(f"    text: {excerpt(text, match['start'], match['end'])}")


def alarms(data: Data, guard: Guard) -> None:
    """Every match in real text, for a person to look at."""
    rows, lines = [], []
    for source, texts in data.pages.items():
        found = guard.matches(texts)
        kinds = Counter(match["kind"] for of_text in found for match in of_text)
        size = sum(len(text.encode()) for text in texts)
        touched = sum(map(bool, found))
        rows.append([source, len(texts), f"{size / 1e3:.0f}", touched, *(kinds[kind] for kind in KINDS)])
        for at, of_text in enumerate(found):
            lines += [(source, at, texts[at], match) for match in of_text]
    show("Alarms on real text", ["source", "texts", "kB", "with alarms", *KINDS], rows)
    for source, at, text, match in lines:
        print(f"\n{source}, text {at}:")
        print_match(guard, text, match)
