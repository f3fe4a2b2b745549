"""Knowledge augmentation: what a small corpus says, said anew from many sides, so that a model learns it.

A model learns a fact from texts that state it in several ways, orders and directions, hardly from one text
that is repeated (Allen-Zhu & Li 2023, "Physics of language models: part 3.1", arXiv 2309.14316).
"""

from __future__ import annotations

from collections.abc import Coroutine, Iterator
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import BeforeValidator, Field
from typing_extensions import override

from pipelines.synthesis.ask import Ask, Making, each
from pipelines.synthesis.augmentation.entities import Entities, list_entities
from pipelines.synthesis.augmentation.formats import in_format
from pipelines.synthesis.augmentation.relations import relations
from pipelines.synthesis.augmentation.study import study
from pipelines.synthesis.augmentation.walks import walk_texts
from pipelines.synthesis.draft import RejectedError, Rejection, Result
from pipelines.synthesis.method import Method, as_weights
from pipelines.synthesis.passage import Passage
from pipelines.synthesis.prompt import Prompts
from pipelines.synthesis.writing import Writing, chance

How = Literal["relations", "walks", "study", "faq", "maths", "table", "tutorial"]
FORMATS: tuple[How, ...] = ("faq", "maths", "table", "tutorial")


class Augment(Method):
    """New texts about what passages say."""

    VERSION: ClassVar[int] = 1
    related: ClassVar[int] = 2

    method: Literal["augment"] = "augment"
    how: Annotated[
        dict[How, Annotated[float, Field(gt=0)]], BeforeValidator(as_weights), Field(min_length=1)
    ] = Field(
        default_factory=lambda: dict.fromkeys(get_args(How), 1.0),
        description="A list of ways, each used on every passage, or weights: the heaviest is used on every "
        "passage, another on its share of them. relations: how entities of a passage belong together; walks: "
        "how those of related documents do; study: a study plan of the model's own; faq, maths, table, "
        "tutorial: formats.",
    )
    pairs: int = Field(6, ge=1, description="relations: pairs of entities of a passage, at most.")
    triples: int = Field(2, ge=0, description="relations: triples of entities, at most.")
    walks: int = Field(2, ge=1, description="walks: texts of a passage, at most.")
    hops: int = Field(2, ge=1, le=2, description="walks: other documents that a text connects, at most.")
    steps: int = Field(4, ge=1, description="study: steps of a plan, at most.")
    sides: int = Field(
        1,
        ge=1,
        description="faq, maths, table, tutorial: texts of each, at most; the first is of the whole passage, "
        "each other of one of its entities.",
    )

    @override
    def build(self, prompts: Prompts) -> Making:
        async def make(passage: Passage, ask: Ask) -> list[Result]:
            return await _augmented(self, Writing("augment", passage, ask, prompts))

        return make

    @property
    @override
    def calls_a_passage(self) -> float:
        most = max(self.how.values())
        texts = {"relations": self.pairs + self.triples, "walks": self.walks, "study": 1 + self.steps}
        lists_entities = self.sides > 1 or {"relations", "walks"} & self.how.keys()
        return bool(lists_entities) + sum(
            weight / most * texts.get(name, self.sides) for name, weight in self.how.items()
        )

    def chosen(self, passage: Passage) -> list[How]:
        """The ways that are used on a passage, always the same."""
        most = max(self.how.values())
        return [name for name, weight in self.how.items() if chance(passage.id, name) < weight / most]


async def _augmented(config: Augment, writing: Writing) -> list[Result]:
    chosen = config.chosen(writing.passage)
    made: list[Result] = []
    entities = None
    if any(name in ("relations", "walks") or (name in FORMATS and config.sides > 1) for name in chosen):
        try:
            entities = await list_entities(writing)
        except RejectedError as error:
            made.append(error.rejection)
    for texts in await each(_ways(config, chosen, writing, entities)):
        made += [texts] if isinstance(texts, Rejection) else texts
    return made


def _ways(
    config: Augment, chosen: list[How], writing: Writing, entities: Entities | None
) -> Iterator[Coroutine[Any, Any, list[Result]]]:
    """What each chosen way writes; those that need entities write nothing without them."""
    names = entities.names if entities else ()
    for name in chosen:
        if name == "study":
            yield study(writing, config.steps)
        elif name in FORMATS:
            yield in_format(writing, name, ["", *names][: config.sides])
        elif entities and name == "relations":
            yield relations(writing, entities, config.pairs, config.triples)
        elif entities:
            yield walk_texts(writing, entities, config.walks, config.hops)
