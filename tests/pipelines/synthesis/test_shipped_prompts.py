"""The examples in the shipped prompts pass the checks that the model's answers must pass."""

import asyncio
from importlib.resources import files

import pytest
import yaml

from pipelines.sources.language_model import bundled_model, load_identifier
from pipelines.synthesis.ask import Answer
from pipelines.synthesis.augment import Augment
from pipelines.synthesis.checks.checked import checked
from pipelines.synthesis.draft import Draft
from pipelines.synthesis.passage import Passage
from pipelines.synthesis.prompt import Prompts
from pipelines.synthesis.qa import Questions
from pipelines.synthesis.rephrase import Rephrase

FOLDER = files("pipelines.synthesis") / "prompts"
METHODS = {
    "qa": lambda kind: Questions(domains=["d"], kinds=[kind], per_passage=1),
    "rephrase": lambda style: Rephrase(domains=["d"], styles=[style]),
    "augment": lambda how: Augment(domains=["d"], how=[how]),
}
EXAMPLES = [
    (method, *file.name.removesuffix(".yaml").rsplit(".", 1), number)
    for method, build in METHODS.items()
    for file in sorted((FOLDER / method).iterdir(), key=lambda file: file.name)
    for number in range(len(yaml.safe_load(file.read_text("utf-8")).get("examples") or ()))
    if file.name.split(".")[0] not in ("entities", "plan", "relations", "study", "walks")
]


@pytest.mark.parametrize(("method", "name", "language", "number"), EXAMPLES)
def test_an_example_passes_every_check(method, name, language, number):
    """The model answers as the example does, asked about the example's passage."""
    prompts = Prompts()
    example = prompts.get(f"{method}/{name}", language).file.examples[number]
    config = METHODS[method](name)
    text = "\n\n".join([example.values["passage"]] * 4)  # some kinds are only for long passages
    passage = Passage(id="e#0", parent_id="e", text=text, language=language, source="s", domain="d")

    async def ask(prompt, values, *, schema=None, draw=0):
        return Answer(example.answer, "stop")

    identifier = load_identifier(str(bundled_model()))
    results = asyncio.run(checked(config.build(prompts), config.checks, prompts, identifier)(passage, ask))
    assert results
    assert all(isinstance(result, Draft) for result in results), results
