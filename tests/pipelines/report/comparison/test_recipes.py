"""What differs between two recipes, in the words of a person."""

from pipelines.recipe.recipe import Recipe
from pipelines.report.comparison.recipes import recipe_differences

FILES = {"reader": "files", "path": "a.jsonl"}
BASE = {
    "name": "r",
    "sources": {name: FILES for name in ("web", "law", "code")},
    "curate": {"rules": [{"use": ["gopher_quality"]}, {"use": ["fineweb"], "sources": ["web"]}]},
    "mixtures": {"stage1": {"tokens": 1000, "sequence_length": 64, "weights": {"web": 1, "law": 1}}},
}


def differences(changes, base=BASE):
    old, new = (Recipe.model_validate(content).model_dump_json() for content in (base, base | changes))
    return [change["in_words"] for change in recipe_differences(old, new)]


def test_a_default_made_explicit_is_no_difference():
    thresholds = {"gopher_quality.min_words": 50.0}
    rules = [{"use": ["gopher_quality"], "thresholds": thresholds}, {"use": ["fineweb"], "sources": ["web"]}]
    assert differences({"curate": {"rules": rules}, "seed": 0}) == []


def test_sources_with_the_same_change_are_told_together():
    rule = {"use": ["gopher_quality"], "thresholds": {"gopher_quality.min_words": 60.0}}
    rest = {"use": ["fineweb"], "sources": ["web"]}
    assert differences({"curate": {"rules": [rule, rest]}}) == [
        "rule gopher_quality.min_words of all sources: 50 → 60"
    ]
    some = [rule | {"sources": ["web", "law"]}, {"use": ["gopher_quality"], "sources": ["code"]}, rest]
    assert differences({"curate": {"rules": some}}) == [
        "rule gopher_quality.min_words of sources web, law: 50 → 60"
    ]


def test_the_order_of_rules_and_of_sources_counts():
    rules = [{"use": ["fineweb"], "sources": ["web"]}, {"use": ["gopher_quality"]}]
    (words,) = differences({"curate": {"rules": rules}})
    assert words.startswith("order of edits and rules of source web: rule gopher_quality.min_words")
    sources = {name: FILES for name in ("law", "web", "code")}
    assert differences({"sources": sources}) == ["order of sources: web, law, code → law, web, code"]


def test_a_rule_that_goes_and_one_that_comes():
    rules = [{"use": ["gopher_quality"]}, {"signals": {"words": {"min": 7.0}}, "sources": ["law"]}]
    words = differences({"curate": {"rules": rules}})
    assert "rule words.min of source law: nothing → 7" in words
    assert "rule fineweb.min_punctuated_lines of source web: 0.12 → nothing" in words
    assert len(words) == 5


def test_weights_have_their_shares_and_other_keys_their_place():
    stage = BASE["mixtures"]["stage1"] | {"weights": {"web": 3, "law": 1}, "tokens": 2000}
    assert differences({"mixtures": {"stage1": stage}}) == [
        "mixtures.stage1.tokens: 1,000 → 2,000",
        "weight of web in stage1: 1 → 3 (50.0% → 75.0% of the stage)",
    ]


def test_recipes_of_another_version_are_compared_as_they_are_written():
    old = '{"name": "r", "gone_since": {"x": 1}}'
    assert recipe_differences(old, old) == []
    (change,) = recipe_differences(old, '{"name": "r", "gone_since": {"x": 2}}')
    assert (change["place"], change["old"], change["new"]) == ("gone_since.x", 1, 2)
