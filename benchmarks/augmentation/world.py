"""A small world of invented people and companies: its documents, and questions about it."""

import random
from dataclasses import dataclass, field

TRADES = """
glassmaker surveyor botanist printer notary carpenter physician astronomer translator beekeeper engraver
ropemaker locksmith cartographer pharmacist bookbinder weaver stonemason brewer clockmaker
""".split()
INSTRUMENTS = (
    "cello oboe zither bassoon mandolin harp clarinet accordion viola trombone lute dulcimer".split()
)
PRODUCTS = """
kettles lanterns umbrellas barometers bricks candles saddles turbines compasses mirrors pianos ploughs gloves
anchors bells carpets typewriters microscopes kites spectacles
""".split()
ONSETS = "b br d dr f g gr h k kl l m n p pr r s st t tr v w z".split()
VOWELS = "a e i o u ai ei ou".split()
CODAS = "l n r s m rd nt lk st th".split()
KINDS = {
    "person": ("birthplace", "trade", "employer", "instrument"),
    "company": ("seat", "product", "founder"),
}
"""The attributes of each kind of entity, in the order in which its document states them."""
UNIQUE = ("birthplace", "seat", "founder")
"""Attributes whose value belongs to one entity alone: they can be asked about from the value."""
DOCUMENTS = {
    "person": "{name} was born in {birthplace}. They are a {trade} by trade. They work for {employer}. In "
    "the evenings they play the {instrument}.",
    "company": "{name} has its seat in {seat}. It makes {product}. It was founded by {founder}.",
}
FORWARD = {
    "birthplace": "Where was {name} born?",
    "trade": "What is the trade of {name}?",
    "employer": "Whom does {name} work for?",
    "instrument": "Which instrument does {name} play?",
    "seat": "Where is the seat of {name}?",
    "product": "What does {name} make?",
    "founder": "Who founded {name}?",
}
REVERSED = {
    "birthplace": "Who was born in {value}?",
    "seat": "Which company has its seat in {value}?",
    "founder": "Which company was founded by {value}?",
}
ACROSS = "In which town does {name} work?"
FORMS = ("forward", "reversed", "across")
CHOICES = 10


@dataclass(frozen=True)
class Entity:
    name: str
    kind: str
    facts: dict[str, str]

    @property
    def document(self) -> str:
        return DOCUMENTS[self.kind].format(name=self.name, **self.facts)


@dataclass(frozen=True)
class Question:
    form: str
    text: str
    answer: str
    choices: tuple[str, ...] = field(repr=False)
    """The answer among others of its kind."""

    @property
    def asked(self) -> str:
        return f"Question: {self.text}\nAnswer:"

    @property
    def document(self) -> str:
        return f"{self.asked} {self.answer}"


class World:
    """People and companies. About half of each the model is shown questions; about the others it is asked."""

    def __init__(self, people: int, seed: int) -> None:
        self._random = random.Random(seed)
        self._used: set[str] = set()
        companies = [
            Entity(
                f"{self._word()} {self._random.choice(('Works', 'Brothers', 'Company', 'Guild'))}",
                "company",
                {"seat": self._word(), "product": self._random.choice(PRODUCTS), "founder": self._person()},
            )
            for _ in range(people // 4)
        ]
        self.entities = companies + [
            Entity(
                self._person(),
                "person",
                {
                    "birthplace": self._word(),
                    "trade": self._random.choice(TRADES),
                    "employer": companies[number % len(companies)].name,
                    "instrument": self._random.choice(INSTRUMENTS),
                },
            )
            for number in range(people)
        ]
        self.companies = {company.name: company for company in companies}
        order = self._random.sample(self.entities, len(self.entities))
        self.shown, self.asked = (
            [question for entity in half for question in self._questions(entity, half)]
            for half in (order[::2], order[1::2])
        )

    def _questions(self, entity: Entity, half: list[Entity]) -> list[Question]:
        found = []
        for attribute, value in entity.facts.items():
            values = {other.facts[attribute] for other in half if attribute in other.facts}
            text = FORWARD[attribute].format(name=entity.name)
            found.append(self._question("forward", text, value, values))
            if attribute in UNIQUE:
                names = {other.name for other in half if other.kind == entity.kind}
                text = REVERSED[attribute].format(value=value)
                found.append(self._question("reversed", text, entity.name, names))
        if entity.kind == "person":
            seats = {company.facts["seat"] for company in self.companies.values()}
            seat = self.companies[entity.facts["employer"]].facts["seat"]
            found.append(self._question("across", ACROSS.format(name=entity.name), seat, seats))
        return found

    def _question(self, form: str, text: str, answer: str, values: set[str]) -> Question:
        others = sorted(values - {answer})
        drawn = self._random.sample(others, min(CHOICES - 1, len(others)))
        return Question(form, text, answer, (answer, *drawn))

    def _person(self) -> str:
        return f"{self._word()} {self._word()}"

    def _word(self) -> str:
        while True:
            pick = self._random.choice
            word = (pick(ONSETS) + pick(VOWELS) + pick(ONSETS) + pick(VOWELS) + pick(CODAS)).capitalize()
            if word not in self._used:
                self._used.add(word)
                return word
