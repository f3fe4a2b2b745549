"""The section `synthesize`: what is said of mistakes, and names that do not fit together."""

import pytest

from pipelines.errors import UserError
from pipelines.recipe.load import validate_recipe
from pipelines.recipe.yaml_text import parse_recipe_text
from pipelines.synthesis.qa import Questions

RECIPE = """\
name: asked
sources: {{web: {{reader: files, path: a.jsonl}}, law: {{reader: files, path: b.jsonl}}}}
synthesize:
  {model}
  {entry}
mixtures:
  stage1: {{tokens: 1k, weights: {{web: 1}}}}
  stage2: {{tokens: 1k, weights: {{q: 1}}}}
"""
MODEL = "endpoint: {base_url: 'http://localhost/v1', model: m}"


def validated(entry: str, model: str = MODEL):
    return validate_recipe(parse_recipe_text(RECIPE.format(entry=entry, model=model), "recipe.yaml"))


MISTAKES = {
    "q: {method: qaa, domains: [web]}": "`synthesize.q`: there is no method `qaa`; did you mean `qa`?",
    "q: {domains: [web]}": "a synthesis needs `method`: augment, docstrings, qa, rephrase or translate",
    "q: {method: qa, domains: [web], kindz: [why]}": "`synthesize.q.kindz`; did you mean `kinds`?",
    "q: {method: qa, domains: [web], kinds: [whi]}": "`synthesize.q.kinds.whi`: it should be 'factual'",
    "q: {method: translate, domains: [web]}": "the key `synthesize.q.to` is missing",
    "q: {method: qa, domains: [web], checks: {langage: true}}": "did you mean `language`?",
    "q: {method: qa, domains: [wib]}": "no source has the domain `wib` (there are: law, web)",
    "q: {method: qa, domains: [law]}": "stage1 contains no document of `law`: it has no weight for it",
    "q: {method: docstrings, domains: [law]}": "stage1 contains no document of `law`",
    "q: {method: qa}": "`synthesize.q`: give `domains`, or `weights` of groups",
    "q: {method: qa, weights: {a: 1}, groups: {b: x}}": "`synthesize.q`: the group `b` has no weight",
    "q: {method: qa, domains: [web], sampling: {model: x}}": "`model` is no setting of sampling",
    "Q: {method: qa, domains: [web]}": "`Q` is no name",
    "web: {method: qa, domains: [web]}": "`web` is the name of a source as well",
    "other: {method: qa, domains: [web]}": "has a weight for `other`, the group of what it makes",
}


@pytest.mark.parametrize("entry", MISTAKES)
def test_a_mistake_is_named_where_it_stands(entry):
    with pytest.raises(UserError) as caught:
        validated(entry)
    assert MISTAKES[entry] in str(caught.value)
    assert "recipe.yaml:line" in str(caught.value)


def test_one_model_is_asked():
    entry = "q: {method: qa, domains: [web]}"
    with pytest.raises(UserError, match="not both"):
        validated(entry, f"{MODEL}\n  serve: {{model: m}}")
    with pytest.raises(UserError, match="neither `synthesize"):
        validated(entry, "prompts: mine")


def test_a_recipe_survives_being_written_and_read():
    recipe = validated("q: {method: qa, domains: [law], from: sources, tokens: 2M, kinds: [why]}")
    again = type(recipe).model_validate_json(recipe.model_dump_json())
    assert again == recipe
    assert isinstance(again.synthesize.methods["q"], Questions)
