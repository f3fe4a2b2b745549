"""Recipes: strict, and every mistake is told with its file, line, key and hint."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.errors import UserError
from pipelines.recipe.find import shipped_recipes
from pipelines.recipe.load import load_recipe, recipe_schema

GOOD = """\
name: mine
sources:
  web: {reader: files, path: web.jsonl}
  law: {reader: files, path: law.jsonl, domain: court}
mixtures:
  stage1:
    tokens: 1M
    weights: {web: 1, court: 2.5}
"""


def told(tmp_path, text: str, *assignments: str) -> str:
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    with pytest.raises(UserError) as raised:
        load_recipe(str(path), list(assignments))
    return str(raised.value).replace(str(path), "recipe.yaml")


def test_a_good_recipe_is_typed(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(GOOD)
    recipe = load_recipe(str(path), ["mixtures.stage1.tokens=2B", "held_out.share=2%"])
    assert recipe.mixtures["stage1"].tokens == 2_000_000_000
    assert recipe.held_out.share == 0.02
    assert recipe.for_source("law").domain == "court" and recipe.for_source("web").domain == "web"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("path: web.jsonl", "pth: web.jsonl", "line 3: unknown key `sources.web.pth`; did you mean `path`?"),
        (
            "reader: files, path: web",
            "reader: fils, path: web",
            "line 3: `sources.web`: there is no reader `fils`",
        ),
        ("tokens: 1M", "tokns: 1M", "line 7: unknown key `mixtures.stage1.tokns`; did you mean `tokens`?"),
        ("tokens: 1M", "tokens: many", "line 7: `mixtures.stage1.tokens`"),
        ("web: 1", "web: -1", "line 8: `mixtures.stage1.weights.web`"),
        ("court: 2.5", "curt: 2.5", "line 8: the group `curt` has a weight, but no source feeds it"),
        ("name: mine", "name: mine\nname: other", "line 2: the key `name` is given twice (first on line 1)"),
        ("name: mine", "nam: mine", "the key `name` is missing"),
        ("  stage1:", "  stage2:", "there is no `stage1`"),
        ("mixtures:", "curate: {rules: [{use: [gofer]}]}\nmixtures:", "gofer"),
        (
            "mixtures:",
            "curate: {rules: [{use: [c4], sources: [wed]}]}\nmixtures:",
            "line 5: there is no source `wed`",
        ),
        ("mixtures:", "curate: {rules: [gofer]}\nmixtures:", "gofer"),
        (
            "mixtures:",
            "curate: {rules: [{signals: {word: {min: 5}}}]}\nmixtures:",
            "line 5: `curate.rules.0`: Unknown signal 'word'. Did you mean 'words'?",
        ),
        ("mixtures:", "curate: {rules: [{signals: {words: {}}}]}\nmixtures:", "neither min nor max"),
        ("mixtures:", "mixtures: [", "not valid YAML"),
        ("name: mine", "name: !!python/object:os.system mine", "line 1"),
    ],
)
def test_mistakes_are_told(tmp_path, old, new, message):
    assert old in GOOD
    assert message in told(tmp_path, GOOD.replace(old, new, 1))


@pytest.mark.parametrize(
    "assignment", ["seed", "=3", "a..b=1", "mixtures.stage1.tokens.x=1", "sources.web=[", "sed=1"]
)
def test_wrong_assignments_are_told(tmp_path, assignment):
    assert "sed" in (said := told(tmp_path, GOOD, assignment)) or "--set" in said


def test_missing_recipes_are_told(coupage, tmp_path):
    failed = coupage("run", "quickstrt", code=2, cwd=tmp_path)
    assert "Did you mean `quickstart`?" in failed.stderr


def test_a_missing_input_file_is_told(coupage, tmp_path):
    (tmp_path / "recipe.yaml").write_text(GOOD)
    (tmp_path / "weB.jsonl").write_text("{}")
    failed = coupage("run", "recipe.yaml", code=2, cwd=tmp_path)
    assert "web.jsonl" in failed.stderr and "Traceback" not in failed.stderr


@settings(deadline=None)  # the first mistake has the schema made
@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=200))
def test_any_text_is_a_recipe_or_a_user_error(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(text.encode())
    with pytest.raises(UserError):
        load_recipe(str(path))


def test_shipped_recipes_can_be_listed_shown_copied_and_checked(coupage, tmp_path):
    listed = json.loads(coupage("recipe", "list", "--json").stdout)
    assert set(listed) == set(shipped_recipes()) >= {"quickstart", "russian", "code_math", "medicine"}
    for name in listed:
        assert coupage("recipe", "show", name).stdout == shipped_recipes()[name].read_text()
    coupage("recipe", "new", "mine.yaml", "--like", "russian", cwd=tmp_path)
    assert (tmp_path / "mine.yaml").read_text().splitlines()[1:] != []
    assert (
        json.loads(coupage("recipe", "validate", "mine.yaml", "--json", cwd=tmp_path).stdout)["name"]
        == "mine"
    )
    assert "exists already" in coupage("recipe", "new", "mine.yaml", cwd=tmp_path, code=2).stderr


def test_the_schema_names_every_key():
    schema = recipe_schema()
    assert {"sources", "mixtures", "train", "synthesize"} <= schema["properties"].keys()
    assert schema["additionalProperties"] is False


CODE = """\
name: mine
sources:
  web: {reader: files, path: web.jsonl}
  stack: {reader: files, path: stack.jsonl}
  modules: {reader: python_environment, content: code}
  manuals: {reader: python_environment, content: documentation}
  old: {reader: files, path: old.jsonl}
curate: {rules: [{use: [fineweb], sources: [web]}, {use: [code], sources: [stack]}]}
dedup: {against: [old], boilerplate: {}}
mixtures: {stage1: {tokens: 1M, weights: {web: 1, stack: 1, modules: 1, manuals: 1}}}
"""


@pytest.mark.parametrize(
    ("boilerplate", "cleaned"),
    [
        ("{}", {"web", "manuals"}),
        ("{sources: [stack, modules, web]}", {"stack", "modules", "web"}),
        ("{sources: [old]}", {"old"}),
        ("null", set()),
    ],
)
def test_code_keeps_lines_that_recur_unless_it_is_named(tmp_path, boilerplate, cleaned):
    path = tmp_path / "recipe.yaml"
    path.write_text(CODE.replace("boilerplate: {}", f"boilerplate: {boilerplate}"))
    recipe = load_recipe(str(path), [])
    assert {source for source in recipe.sources if recipe.for_source(source).boilerplate} == cleaned


def test_boilerplate_of_code_alone_is_asked_back(tmp_path):
    text = GOOD.replace("mixtures:", "curate: {rules: [code]}\ndedup: {boilerplate: {}}\nmixtures:")
    assert "line 6: no source would lose boilerplate: all are code" in told(tmp_path, text)
