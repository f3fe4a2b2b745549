"""How much is held out: bounds in tokens, written as a pair or as the upper one alone; weights of nothing."""

import json

import pytest

from pipelines.errors import UserError
from pipelines.recipe.load import load_recipe

RECIPE = """\
name: small
sources: {web: {reader: files, path: web.jsonl}, law: {reader: files, path: law.jsonl}}
mixtures: {stage1: {tokens: 1M, weights: {web: 1, law: 1}}}
"""


@pytest.fixture
def path(tmp_path):
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    return str(tmp_path / "recipe.yaml")


@pytest.mark.parametrize(
    ("written", "least", "most"),
    [
        ("{share: 1%}", 5_000, 200_000),
        ("{tokens_per_group: {min: 5k, max: 20k}}", 5_000, 20_000),
        ("{tokens_per_group: {min: 1k}}", 1_000, 200_000),
        ("{tokens_per_group: 300k}", 5_000, 300_000),
        ("{tokens_per_group: 2k}", 2_000, 2_000),
        ("{tokens_per_group: {min: 0, max: 9}}", 0, 9),
    ],
)
def test_bounds_are_read_in_both_forms(path, written, least, most):
    bounds = load_recipe(path, [f"held_out={written}"]).held_out.tokens_per_group
    assert (bounds.min, bounds.max) == (least, most)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("{min: 30k, max: 20k}", "`min` (30,000) is more than `max` (20,000)"),
        ("{max: 0}", "greater than 0"),
        ("0", "greater than 0"),
        ("many", "not a count"),
        ("{least: 5k}", "unknown key"),
    ],
)
def test_bounds_that_cannot_be_are_refused(path, written, message):
    with pytest.raises(UserError) as refused:
        load_recipe(path, [f"held_out.tokens_per_group={written}"])
    assert message in str(refused.value)


def test_a_weight_that_asks_for_nothing_is_refused_with_its_place(coupage, path):
    weights = "mixtures.stage1.weights={web: 1000000, law: 0.001}"
    for command in ("plan", "run"):
        refused = coupage(command, path, "--set", weights, code=2).stderr
        assert "group 'law'" in refused and "rounds to none" in refused and "Raise the weight" in refused


def test_the_schema_for_editors_takes_both_forms(coupage):
    schema = json.loads(coupage("recipe", "schema").stdout)
    forms = schema["$defs"]["HeldOut"]["properties"]["tokens_per_group"]["anyOf"]
    assert {form.get("type", "object") for form in forms} >= {"integer", "string", "object"}
