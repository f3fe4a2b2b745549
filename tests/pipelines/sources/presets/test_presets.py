"""Presets: each makes a source, its mistakes are named, editors and the documentation know it."""

import json

import pytest
import yaml

from filters.edits.edits import EDITS
from filters.quality.rules import PRESETS as RULES
from filters.quality.rules import preset as rules_of
from pipelines.errors import UserError
from pipelines.recipe.load import recipe_schema, validate_recipe
from pipelines.recipe.recipe import Recipe
from pipelines.recipe.yaml_text import parse_recipe_text
from pipelines.sources.hub import HubConfig
from pipelines.sources.presets.languages import UnknownLanguageError
from pipelines.sources.presets.preset import Preset
from pipelines.sources.presets.registry import PRESETS, gate_of
from tests.pipelines.conftest import Coupage

from .table import PAGE, with_table

RECIPE = {"name": "mine", "mixtures": {"stage1": {"tokens": "1M", "weights": {"group": 1}}}}


def recipe(**settings: object) -> Recipe:
    sources = {"mine": {"domain": "group", **settings}}
    return validate_recipe(parse_recipe_text(yaml.safe_dump(RECIPE | {"sources": sources}), "mine.yaml"))


def source(**settings: object) -> HubConfig:
    found = recipe(**settings).sources["mine"]
    assert isinstance(found, HubConfig)
    return found


def needed(preset: Preset) -> dict[str, str]:
    """The language that a preset cannot do without."""
    return {"language": preset.languages.codes[0]} if preset.languages and preset.languages.required else {}


@pytest.mark.parametrize("name", PRESETS)
def test_each_is_a_source_and_says_its_licence_in_spdx_names(name: str) -> None:
    preset = PRESETS[name]
    found = source(use=name, **needed(preset))
    assert found.dataset == preset.dataset and found.license == preset.license
    assert found.dataset.count("/") == 1 and preset.about
    assert "-" in preset.license or preset.license == "MIT"


@pytest.mark.parametrize("name", PRESETS)
def test_each_recommends_edits_and_rules_that_there_are(name: str) -> None:
    curate = PRESETS[name].curate
    assert curate.keys() <= {"edit", "rules"}
    for edit in curate.get("edit", []):
        assert set(edit["use"]) <= EDITS.keys()
    for rules in curate.get("rules", []):
        assert set(rules["use"]) <= RULES.keys()
        for threshold, value in rules.get("thresholds", {}).items():
            owner, _, key = threshold.partition(".")
            rules_of(owner, {key: value})
    settings = PRESETS[name].expand(name, needed(PRESETS[name]))
    text = yaml.safe_dump(
        RECIPE | {"sources": {"mine": settings | {"domain": "group"}}, "curate": dict(curate)}
    )
    validate_recipe(parse_recipe_text(text, "mine.yaml"))


@pytest.mark.parametrize("name", [name for name, preset in PRESETS.items() if preset.languages])
def test_every_language_leads_to_a_part_of_its_own(name: str) -> None:
    languages = PRESETS[name].languages
    assert languages is not None
    found = [languages.find(code) for code in languages.codes]
    assert len({choice.name for choice in found if choice}) == len(languages.codes)


@pytest.mark.parametrize(
    ("preset", "language", "key", "value", "label"),
    [
        ("fineweb_2", "ru", "subset", "rus_Cyrl", "ru"),
        ("fineweb_2", "rus", "subset", "rus_Cyrl", "ru"),
        ("fineweb_2", "kk", "subset", "kaz_Cyrl", "kk"),
        ("fineweb_2", "zh", "subset", "cmn_Hani", "zh"),
        ("fineweb_2", "sr-Latn", "subset", "srp_Latn", "sr-Latn"),
        ("fineweb_2", "tyv_Cyrl", "subset", "tyv_Cyrl", "tyv"),
        ("finepdfs", "en", "subset", "eng_Latn", "en"),
        ("mc4", "he", "subset", "iw", "he"),
        ("wikipedia", "ru", "subset", "20231101.ru", "ru"),
        ("wikisource", "ru", "subset", "20231201.ru", "ru"),
        ("the_stack_dedup", "Python", "data_dir", "data/python", None),
        ("the_stack", "cpp", "data_dir", "data/c++", None),
        ("starcoder", "C++", "data_dir", "cpp", None),
        ("the_stack_v2", "C#", "subset", "C-Sharp", None),
    ],
)
def test_languages_are_found_by_their_usual_names(preset, language, key, value, label) -> None:
    found = source(use=preset, language=language)
    assert (getattr(found, key), found.language) == (value, label)


def test_a_language_is_a_condition_where_a_dataset_is_not_divided() -> None:
    whole, python = source(use="the_stack_v3"), source(use="the_stack_v3", language="python")
    assert dict(python.where) == {**whole.where, "language": "Python"}
    assert source(use="the_stack_v3", where={"license_type": None}).where == {"is_vendor": False}


def test_every_key_can_be_overridden() -> None:
    dated = source(use="wikipedia", subset="20250101.de", language="de", split="test", revision="v2")
    assert (dated.subset, dated.language, dated.split, dated.revision) == ("20250101.de", "de", "test", "v2")
    code = source(use="the_stack_dedup", data_dir="data/forth", fields={"id": None}, license="MIT")
    assert (code.data_dir, code.fields.text, code.fields.id, code.license) == (
        "data/forth",
        "content",
        None,
        "MIT",
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"use": "finweb_2"}, "there is no preset finweb_2; did you mean fineweb_2?"),
        ({"use": 7}, "`coupage recipe sources` lists them"),
        ({"use": "fineweb_2"}, "the preset fineweb_2 needs `language`, such as ru"),
        ({"use": "mc4", "language": "rru"}, "has no language rru; did you mean"),
        ({"use": "the_stack_dedup", "language": "pyhton"}, "did you mean python?"),
        ({"use": "fineweb", "lmit": "1GB"}, "unknown key `sources.mine.lmit`; did you mean `limit`?"),
        ({"use": "fineweb", "reader": "files"}, "leave out `reader`"),
        ({"use": "fineweb", "limit": "much"}, "a limit is written"),
        ({"usee": "fineweb"}, "a source needs `use` with the name of a preset, or `reader`"),
    ],
)
def test_mistakes_are_named(settings, message) -> None:
    with pytest.raises(UserError) as caught:
        recipe(**settings)
    assert message in str(caught.value) and "mine.yaml:line" in str(caught.value)


def test_editors_know_the_presets_and_the_keys_beside_them() -> None:
    schema = recipe_schema()
    (branches,) = schema["properties"]["sources"]["patternProperties"].values()
    (preset,) = (branch for branch in branches["anyOf"] if "use" in branch.get("properties", {}))
    assert preset["properties"]["use"]["enum"] == list(PRESETS)
    assert {"language", "limit", "fields", "where"} <= preset["properties"].keys()
    text = json.dumps(schema)
    assert all(f'"{name}"' in text for name in ("files", "hub", "python_environment"))


def test_a_language_that_is_none_says_which_there_are() -> None:
    languages = PRESETS["wikisource"].languages
    assert languages is not None
    with pytest.raises(UnknownLanguageError, match="it has en, ru"):
        languages.find("@@@")


def test_what_a_gated_dataset_asks_for_is_known_by_its_id() -> None:
    assert "terms of use" in str(gate_of("bigcode/the-stack")) and gate_of("HuggingFaceFW/fineweb") is None


def test_the_documentation_lists_the_presets_of_today() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert with_table(page) == page, "python -m tests.pipelines.sources.presets.table"
    assert all(f"| `{name}` |" in page for name in PRESETS)


def test_the_command_lists_them_and_says_what_one_stands_for(coupage: Coupage) -> None:
    listed = coupage("recipe", "sources").stdout
    assert all(f"{name} " in listed for name in PRESETS)
    shown = yaml.safe_load(coupage("recipe", "sources", "the_stack_v2").stdout)
    assert shown["page"].endswith("bigcode/the-stack-v2") and "Inria" in shown["accept"]
    assert shown["settings"]["contents"] == "software_heritage"
    assert set(json.loads(coupage("recipe", "sources", "--json").stdout)) == set(PRESETS)
    wrong = coupage("recipe", "sources", "finweb", code=2)
    assert "did you mean fineweb?" in wrong.stderr
