"""The documents of each arm: made by the product's methods and client, with the server's answers."""

import json
from pathlib import Path

from benchmarks.augmentation.strong_model import StrongModel, served
from benchmarks.augmentation.world import World
from pipelines.sources.endpoint import EndpointClient
from pipelines.synthesis.ask import Ask, Making
from pipelines.synthesis.asking.answers import Answers
from pipelines.synthesis.asking.outcomes import outcomes
from pipelines.synthesis.augment import Augment
from pipelines.synthesis.augmentation.topics import related
from pipelines.synthesis.draft import Draft
from pipelines.synthesis.model import ModelEndpoint
from pipelines.synthesis.passage import Passage
from pipelines.synthesis.prompt import Prompt, Prompts

PARAPHRASE = """\
system: You write what a text says in other words, sentence by sentence.
user: |
  Text:

  {{ passage }}

  Write this text in other words. Keep all facts and their order.
"""
HOW = ("relations", "walks", "study", "faq", "table", "tutorial")
PROMPTS = ("entities", "relations", "walks", "plan", "study", "faq", "table", "tutorial")
SIDES = 3
"""FAQ, tables and tutorials of a passage."""


def arms(world: World, folder: Path) -> dict[str, list[str]]:
    """The texts that are made of a world: by `augment`, and about as many characters of paraphrases."""
    (folder / "toy").mkdir(parents=True)
    (folder / "toy" / "paraphrase.en.yaml").write_text(PARAPHRASE)
    prompts = Prompts(folder)
    paraphrase = prompts.get("toy/paraphrase", "en")
    known = [(name, prompts.get(f"augment/{name}", "en")) for name in PROMPTS]
    with served(StrongModel([*known, ("paraphrase", paraphrase)])) as address:
        client = EndpointClient(ModelEndpoint(base_url=address, model="strong"))

        def made(make: Making, name: str) -> list[str]:
            found = outcomes(passages(world), make, client, Answers(folder, name), {})
            return [
                result.text or "" for each in found for result in each.results if isinstance(result, Draft)
            ]

        augmented = made(Augment(domains=["raw"], how=HOW, sides=SIDES).build(prompts), "augment")
        draws = round(
            sum(map(len, augmented)) / (1.2 * sum(len(entity.document) for entity in world.entities))
        )
        paraphrased = made(paraphrasing(paraphrase, draws), "paraphrase")
    documents = [entity.document for entity in world.entities]
    return {"raw": documents, "paraphrased": paraphrased, "augmented": augmented}


def paraphrasing(prompt: Prompt, draws: int) -> Making:
    """The same question to the model so many times: it answers in other words each time."""

    async def make(passage: Passage, ask: Ask) -> list[Draft]:
        texts = [(await ask(prompt, {"passage": passage.text}, draw=draw)).text for draw in range(draws)]
        return [Draft(kind="paraphrase", language="en", prompt=prompt.hash, text=text) for text in texts]

    return make


def passages(world: World) -> list[Passage]:
    """The documents of a world, beside those that are related."""
    documents = [entity.document for entity in world.entities]
    found = [
        Passage(id=f"{n}#0", parent_id=f"{n}", text=text, language="en", source="world", domain="raw")
        for n, text in enumerate(documents)
    ]
    near = related(documents, Augment.related)
    return [
        passage.with_related(tuple(found[other] for other in others))
        for passage, others in zip(found, near, strict=True)
    ]


def write_jsonl(path: Path, texts: list[str]) -> None:
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
