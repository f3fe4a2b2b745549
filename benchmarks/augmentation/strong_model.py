"""A server on loopback in place of a strong model: it reads facts in what it is asked and states them anew.

It speaks the protocol of OpenAI's chat completions. It knows the prompts of `augment` by their first lines,
and of the world nothing but what the passages in a request say. Its sentences are not those of the questions
that the small models are asked.
"""

import json
import random
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from benchmarks.augmentation.world import DOCUMENTS, KINDS
from pipelines.synthesis.prompt import Prompt

PRONOUNS = {"person": "they", "company": "it"}
NOUNS = {
    "birthplace": "home town",
    "trade": "profession",
    "employer": "workplace",
    "instrument": "favourite instrument",
    "seat": "headquarters",
    "product": "goods",
    "founder": "origin",
}
SAID = {
    "birthplace": [
        "{s} came into the world in {v}",
        "{s} hailed from {v}",
        "the cradle of {s} stood in {v}",
        "{s} first saw the light of day in {v}",
    ],
    "trade": [
        "{s} made a living as a {v}",
        "{s} had learnt the profession of {v}",
        "{s} earned bread as a {v}",
        "by profession {s} was a {v}",
    ],
    "employer": [
        "{s} was employed by {v}",
        "{s} had a post at {v}",
        "{s} was on the payroll of {v}",
        "{s} spent the working day at {v}",
    ],
    "instrument": [
        "{s} practised the {v} at night",
        "{s} loved to make music on the {v}",
        "after work {s} took out the {v}",
        "{s} was known as a lover of the {v}",
    ],
    "seat": [
        "{s} was based in {v}",
        "{s} was run from {v}",
        "the head office of {s} stood in {v}",
        "{s} was at home in {v}",
    ],
    "product": [
        "{s} turned out {v}",
        "{s} was known for its {v}",
        "{s} produced {v}",
        "from the workshops of {s} came {v}",
    ],
    "founder": [
        "{s} was set up by {v}",
        "{s} owed its existence to {v}",
        "{s} went back to {v}",
        "the first owner of {s} was {v}",
    ],
}
"""How a fact is said from the entity to the value."""
SAID_BACK = {
    "birthplace": ["{v} is where {s} comes from", "from {v} comes {s}", "a child of {v} is {s}"],
    "trade": ["among those who live as a {v} is {s}", "one known {v} is {s}"],
    "employer": ["{v} employs {s}", "on the staff of {v} is {s}", "{v} gives work to {s}"],
    "instrument": ["the {v} is what {s} reaches for", "one friend of the {v} is {s}"],
    "seat": ["{v} is home to {s}", "in {v} one finds {s}", "in {v} stands the head office of {s}"],
    "product": ["{v} are made by {s}", "those who look for {v} go to {s}"],
    "founder": ["{v} set up {s}", "to {v} goes back {s}", "the work of {v} was {s}"],
}
"""From the value to the entity."""
ASKED = {
    "birthplace": ("From what place does {s} come?", "What person comes from {v}?"),
    "trade": ("How does {s} earn a living?", "Name a {v}."),
    "employer": ("At what company is {s} employed?", "Name someone employed by {v}."),
    "instrument": ("On what does {s} make music?", "Name a lover of the {v}."),
    "seat": ("From where is {s} run?", "What company is run from {v}?"),
    "product": ("What comes from the workshops of {s}?", "What company produces {v}?"),
    "founder": ("To whom does {s} go back?", "What company goes back to {v}?"),
}


@dataclass(frozen=True)
class Fact:
    """A subject, an attribute, its value."""

    kind: str
    subject: str
    attribute: str
    value: str


def _reader(kind: str) -> re.Pattern[str]:
    """What finds the documents of a kind in a text."""
    pattern = re.escape(DOCUMENTS[kind])
    for name in ("name", *KINDS[kind]):
        pattern = pattern.replace(rf"\{{{name}\}}", rf"(?P<{name}>\w+(?: \w+)?)", 1)
    return re.compile(pattern)


READERS = {kind: _reader(kind) for kind in KINDS}


def read(text: str) -> list[Fact]:
    """The facts in a text."""
    return [
        Fact(kind, found["name"], attribute, found[attribute])
        for kind, reader in READERS.items()
        for found in reader.finditer(text)
        for attribute in KINDS[kind]
    ]


class StrongModel:
    """Answers prompts."""

    def __init__(self, prompts: Sequence[tuple[str, Prompt]]) -> None:
        self._tasks = {prompt.file.system.strip(): name for name, prompt in prompts}

    def answer(self, messages: list[dict[str, str]], seed: int) -> str:
        """What the last message asks for."""
        asked = messages[-1]["content"]
        chance = random.Random(f"{seed} {asked}")
        facts = list(dict.fromkeys(read(asked)))
        return str(getattr(self, f"_{self._tasks[messages[0]['content'].strip()]}")(asked, facts, chance))

    def _paraphrase(self, asked: str, facts: list[Fact], chance: random.Random) -> str:
        """The same facts in the same order and direction, in other words."""
        said = [
            _sentence(
                chance.choice(SAID[fact.attribute]), fact, PRONOUNS[fact.kind] if number else fact.subject
            )
            for number, fact in enumerate(facts)
        ]
        return " ".join(said)

    def _entities(self, asked: str, facts: list[Fact], chance: random.Random) -> str:
        names = dict.fromkeys(name for fact in facts for name in (fact.subject, fact.value))
        return json.dumps({"entities": [{"name": name} for name in names]})

    def _relations(self, asked: str, facts: list[Fact], chance: random.Random) -> str:
        named = re.findall(r"[^;]+", re.search(r"belong together: (.*)\.$", asked, re.MULTILINE)[1])
        return _about([name.strip() for name in named], facts, chance)

    def _walks(self, asked: str, facts: list[Fact], chance: random.Random) -> str:
        way = re.search(r"gets from (.*) to (.*), step by step, by way of (.*)\.$", asked, re.MULTILINE)
        named = [way[1], *way[3].split(", then "), way[2]]
        return f"{_about(named, facts, chance)} {_joined(facts, chance)}".strip()

    def _plan(self, asked: str, facts: list[Fact], chance: random.Random) -> str:
        subject = facts[0].subject
        plan = [
            {"learn": f"all that is said of {subject}", "how": "Say it in another order, in full sentences."},
            {"learn": f"what leads to {subject}", "how": "Ask from the other side, from the answer."},
            {"learn": f"what is said of {subject}", "how": "Sort it by kinds and compare."},
            {"learn": f"{subject} as a whole", "how": "Correct likely mistakes."},
        ]
        return json.dumps({"plan": plan})

    def _study(self, asked: str, facts: list[Fact], chance: random.Random) -> str:
        facts = chance.sample(facts, len(facts))
        if "other side" in asked:
            return " ".join(_back(fact, chance) for fact in facts)
        if "compare" in asked:
            return " ".join(f"The {NOUNS[f.attribute]} of {f.subject}: {f.value}." for f in facts)
        if "mistakes" in asked:
            return " ".join(f"Do not forget that {_forward(fact, chance, capital=False)}" for fact in facts)
        return " ".join(_forward(fact, chance) for fact in facts)

    def _faq(self, asked: str, facts: list[Fact], chance: random.Random) -> str:
        pairs = []
        for fact in chance.sample(facts, len(facts)):
            ahead, back = (_fill(text, fact, fact.subject) for text in ASKED[fact.attribute])
            pairs += [f"**{ahead}** {_forward(fact, chance)}", f"**{back}** {_back(fact, chance)}"]
        return "\n".join(pairs)

    def _table(self, asked: str, facts: list[Fact], chance: random.Random) -> str:
        facts = chance.sample(facts, len(facts))
        rows = [f"| {NOUNS[fact.attribute]} | {fact.value} |" for fact in facts]
        head = f"What is known of {facts[0].subject}:\n\n| {facts[0].subject} | |\n|---|---|"
        return "\n".join([head, *rows, "", _back(facts[0], chance)])

    def _tutorial(self, asked: str, facts: list[Fact], chance: random.Random) -> str:
        facts = chance.sample(facts, len(facts))
        steps = [f"{number}. {_forward(fact, chance)}" for number, fact in enumerate(facts, 1)]
        return "\n".join([f"Here one gets to know {facts[0].subject}.", *steps, _back(facts[-1], chance)])


def _about(named: Sequence[str], facts: list[Fact], chance: random.Random) -> str:
    """Facts about named entities, each from both sides."""
    found = [fact for fact in facts if fact.value in named] or [
        fact for fact in facts if fact.subject in named
    ]
    both = [say(fact, chance) for fact in found for say in (_forward, _back)]
    return " ".join(chance.sample(both, len(both)))


def _joined(facts: list[Fact], chance: random.Random) -> str:
    """What follows from two documents together."""
    known = {(fact.subject, fact.attribute): fact.value for fact in facts}
    said = []
    for (person, attribute), company in known.items():
        if attribute == "employer" and (seat := known.get((company, "seat"))):
            said += [
                chance.choice(
                    [
                        f"The way to work leads {person} to {seat}, where {company} is at home.",
                        f"As {company} is run from {seat}, {person} spends the working day in {seat}.",
                    ]
                ),
                chance.choice(
                    [
                        f"In {seat}, at {company}, one meets {person}.",
                        f"{seat} is the town where {person} earns a living, for there stands {company}.",
                    ]
                ),
            ]
    return " ".join(said)


def _forward(fact: Fact, chance: random.Random, capital: bool = True) -> str:
    return _sentence(chance.choice(SAID[fact.attribute]), fact, fact.subject, capital)


def _back(fact: Fact, chance: random.Random) -> str:
    return _sentence(chance.choice(SAID_BACK[fact.attribute]), fact, fact.subject)


def _sentence(template: str, fact: Fact, subject: str, capital: bool = True) -> str:
    said = _fill(template, fact, subject) + "."
    return said[0].upper() + said[1:] if capital else said


def _fill(template: str, fact: Fact, subject: str) -> str:
    return template.format(s=subject, v=fact.value)


@contextmanager
def served(model: StrongModel) -> Iterator[str]:
    """The address of a server that answers as the model does."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            text = model.answer(body["messages"], body.get("seed", 0))
            tokens = {"prompt_tokens": len(str(body["messages"])) // 4, "completion_tokens": len(text) // 4}
            choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
            answer = json.dumps({"model": "strong", "choices": [choice], "usage": tokens}).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        request_queue_size = 128

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
