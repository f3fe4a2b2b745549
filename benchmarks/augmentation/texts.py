"""The documents of each arm: made by the methods of the product, with answers of the server over HTTP."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from benchmarks.augmentation.strong_model import StrongModel, served
from benchmarks.augmentation.world import World
from pipelines.synthesis.ask import Answer, Making
from pipelines.synthesis.augment import Augment
from pipelines.synthesis.draft import Draft
from pipelines.synthesis.passage import Passage
from pipelines.synthesis.prompt import Prompt, Prompts
from pipelines.synthesis.topics import related

PARAPHRASE = """\
system: You write what a text says in other words, sentence by sentence.
user: |
  Text:

  {{ passage }}

  Write this text in other words. Keep all facts and their order.
"""
HOW = ("relations", "walks", "study", "faq", "table", "tutorial")
SIDES = 3
CONCURRENCY = 16


class Server:
    """Asks the server, as much at the same time as it bears."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self._free = asyncio.Semaphore(CONCURRENCY)

    async def __call__(
        self,
        prompt: Prompt,
        values: Mapping[str, Any],
        *,
        schema: Mapping[str, Any] | None = None,
        draw: int = 0,
    ) -> Answer:
        body = {"model": "strong", "messages": prompt.messages(values), "seed": draw}
        async with self._free:
            answer = (await self._client.post("chat/completions", json=body)).json()
        [choice] = answer["choices"]
        return Answer(choice["message"]["content"], choice["finish_reason"])


def passages(world: World) -> list[Passage]:
    """The documents of a world, beside those that are related."""
    found = [
        Passage(
            id=f"{number}#0",
            parent_id=str(number),
            text=entity.document,
            language="en",
            source="world",
            domain="raw",
        )
        for number, entity in enumerate(world.entities)
    ]
    near = related([passage.text for passage in found], Augment.related)
    return [
        passage.with_related(tuple(found[other] for other in others))
        for passage, others in zip(found, near, strict=True)
    ]


def arms(world: World, folder: Path) -> dict[str, list[str]]:
    """The texts that are made of a world: by `augment`, and about as many characters of paraphrases."""
    (folder / "toy").mkdir(parents=True)
    (folder / "toy" / "paraphrase.en.yaml").write_text(PARAPHRASE)
    prompts = Prompts(folder)
    names = ["entities", "relations", "walks", "plan", "study", "faq", "table", "tutorial"]
    known = [(name, prompts.get(f"augment/{name}", "en")) for name in names]
    paraphrase = prompts.get("toy/paraphrase", "en")
    with served(StrongModel([*known, ("paraphrase", paraphrase)])) as address:
        make = Augment(domains=["raw"], how=HOW, sides=SIDES).build(prompts)
        augmented = asyncio.run(_made(make, passages(world), address))
        wanted = sum(map(len, augmented))
        draws = round(wanted / (1.1 * sum(len(entity.document) for entity in world.entities)))

        async def paraphrases(passage: Passage, ask: Server) -> list[Draft]:
            return [
                Draft(
                    kind="paraphrase",
                    language="en",
                    prompt=paraphrase.hash,
                    text=(await ask(paraphrase, {"passage": passage.text}, draw=draw)).text,
                )
                for draw in range(draws)
            ]

        paraphrased = asyncio.run(_made(paraphrases, passages(world), address))
    return {
        "raw": [entity.document for entity in world.entities],
        "paraphrased": paraphrased,
        "augmented": augmented,
    }


async def _made(make: Making, given: list[Passage], address: str) -> list[str]:
    async with httpx.AsyncClient(base_url=address, timeout=60) as client:
        server = Server(client)
        results = await asyncio.gather(*(make(passage, server) for passage in given))
    return [result.text for each in results for result in each if isinstance(result, Draft)]


def write_jsonl(path: Path, texts: list[str]) -> None:
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
