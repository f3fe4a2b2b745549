"""The stages that make new documents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pipelines.execution.stage import Stage
from pipelines.graph.inputs import Inputs
from pipelines.recipe.recipe import Recipe
from pipelines.recipe.synthesize import Synthesize
from pipelines.stages.mix import MixStage
from pipelines.stages.parts import PartStage
from pipelines.stages.synthesis.asked_documents import AskedDocuments
from pipelines.stages.synthesis.docstrings import AskedDocstrings
from pipelines.stages.synthesis.made_documents import MadeDocuments
from pipelines.stages.tokenize import Tokenize
from pipelines.stages.tokenizer import Tokenizer
from pipelines.synthesis.questions.docstring_qa import DocstringQuestions
from pipelines.synthesis.serving.server import Serve


def syntheses_of(recipe: Recipe, about: str) -> Iterator[str]:
    """The names of what is made about documents of `sources`, or of `stage1`."""
    return (name for name, method in recipe.synthesize.methods.items() if method.about == about)


def synthesis(
    recipe: Recipe,
    name: str,
    tokenized: tuple[Tokenize, ...],
    stage1: MixStage | None,
    tokenizer: Tokenizer,
    inputs: Inputs,
) -> PartStage:
    """The stage that makes the documents called `name`.

    Args:
        recipe: What is to be built.
        name: The entry of `synthesize`.
        tokenized: The documents of the recipe's own sources.
        stage1: The plan whose documents are asked about; None: all that are not held out.
        tokenizer: What counts the tokens of new documents.
        inputs: Where prompts come from.
    """
    method, group = recipe.synthesize.methods[name], recipe.synthesize.domain_of(name)
    if isinstance(method, DocstringQuestions):
        assert stage1 is not None, "only documents of Stage 1 are asked about"
        about = tuple(each.parts for each in tokenized if each.parts.domain in method.domains)
        return AskedDocstrings(
            scope=name, config=method, about=stage1, parts=about, group=group, part_bytes=recipe.part_size
        )
    model = recipe.synthesize.model
    assert model is not None, "a recipe whose methods ask a model names one"
    # With predicates of its own, a group may hold documents of any source.
    asked = tuple(each for each in tokenized if method.groups or each.domains & method.asked.keys())
    return MadeDocuments(
        scope=name,
        asked=AskedDocuments(
            scope=name,
            tokenized=asked,
            about=stage1,
            weights=method.asked,
            predicates=method.predicates,
            seed=recipe.seed,
        ),
        parts=tuple(each.parts for each in asked),
        tokenizer=tokenizer,
        language_model=inputs.language_model(recipe.curate.language),
        method=method.located(inputs.path),
        model=inputs.served(name, model) if isinstance(model, Serve) else model,
        prompts=inputs.prompts(recipe.synthesize.prompts),
        group=group,
        part_bytes=recipe.part_size,
    )


def about_stage1(stages: Iterable[Stage]) -> Iterator[PartStage]:
    """Those stages that make documents about what Stage 1 contains."""
    for stage in stages:
        if isinstance(stage, AskedDocstrings) or (isinstance(stage, MadeDocuments) and stage.asked.about):
            yield stage


def decisive(config: Synthesize, names: Iterable[str]) -> dict[str, Any]:
    """What of the section decides the documents that are made under some names."""
    names = list(names)
    made = {name: config.methods[name].model_dump(mode="json", exclude={"glossary"}) for name in names}
    asking = any(name in config.asking for name in names)
    return {**made, "model": config.model.model} if asking and config.model else made
