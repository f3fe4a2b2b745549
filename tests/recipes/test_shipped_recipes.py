"""The shipped recipes are valid, mix what the documentation says, and can be planned without a network."""

import os
import re
import socket
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

import coupage
from pipelines.commands.recipe import new_recipe
from pipelines.errors import UserError
from pipelines.recipe.find import files_of, shipped_recipes
from pipelines.recipe.load import load_recipe, validate_recipe
from pipelines.recipe.recipe import Recipe
from pipelines.recipe.yaml_text import parse_recipe_text
from pipelines.sources.presets.registry import PRESETS

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
TEMPLATES = ("code_math", "medicine", "russian")

# The weights that the templates restate, and the groups in which they do so.
SEEDS = {
    "stage1": {
        "common crawl": 52.6,
        "code": 23.6,
        "books": 8.9,
        "domains": 5.9,
        "wiki": 5.9,
        "conversations": 5.7,
    },
    "stage2": {
        "conversations": 45.1,
        "common crawl": 14.2,
        "domains": 14.4,
        "code": 6.3,
        "maths": 8.0,
        "books": 6.0,
        "wiki": 2.5,
    },
}
KINDS = {
    "common_crawl": "common crawl",
    "english": "common crawl",
    "code": "code",
    "python": "code",
    "books": "books",
    "press": "domains",
    "stack_exchange": "domains",
    "medicine": "domains",
    "guidelines": "domains",
    "wiki": "wiki",
    "instruct": "conversations",
    "instruct_english": "conversations",
    "maths_qa": "conversations",
    "docstring_qa": "conversations",
    "medical_qa": "conversations",
    "questions": "conversations",
    "translated": "conversations",
    "maths": "maths",
    "science": "science",
    "parallel": "parallel",
}


def documented_weights(recipe: str) -> dict[str, dict[str, float]]:
    """The table that follows the recipe's name in the guide: stage to group to weight."""
    lines = GUIDE.partition(f"\n`{recipe}`. ")[2].splitlines()
    table = [line for line in lines if line.startswith("|")]
    weights: dict[str, dict[str, float]] = {"stage1": {}, "stage2": {}}
    for line in table[2:]:
        group, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        if group == "group":
            break
        for stage, cell in zip(weights, cells, strict=True):
            if re.fullmatch(r"[\d.]+", cell):
                weights[stage][group] = float(cell)
    return weights


def guide_blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("name", sorted(shipped_recipes()))
def test_is_valid_and_says_what_it_is_for(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe.description


def test_the_templates_and_the_demo_are_shipped() -> None:
    assert set(shipped_recipes()) >= {"quickstart", *TEMPLATES}


def test_the_files_of_a_recipe_are_packaged_and_copied_with_it(tmp_path: Path) -> None:
    found = {name: files for name, path in shipped_recipes().items() if (files := files_of(path))}
    assert {name: [file.name for file in files] for name, files in found.items()} == {
        "quickstart": ["exam.jsonl", "notes.jsonl"]
    }
    packaged = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    globbed = {path for pattern in packaged["recipes"] for path in (ROOT / "recipes").glob(pattern)}
    assert {file for files in found.values() for file in files} <= globbed
    new_recipe(tmp_path / "mine.yaml", "quickstart")
    new_recipe(tmp_path / "second.yaml", "quickstart")
    for file in found["quickstart"]:
        assert (tmp_path / "quickstart" / file.name).read_bytes() == file.read_bytes()
    planned = coupage.plan(tmp_path / "mine.yaml", workdir=tmp_path / "run")
    assert "matches notes" in {stage.label for stage in planned.stages}


def test_a_file_of_ones_own_is_not_written_over(tmp_path: Path) -> None:
    own = tmp_path / "quickstart" / "exam.jsonl"
    own.parent.mkdir()
    own.write_text("mine")
    with pytest.raises(UserError, match=r"exam\.jsonl.*exists already"):
        new_recipe(tmp_path / "mine.yaml", "quickstart")
    assert own.read_text() == "mine" and not (tmp_path / "mine.yaml").exists()
    own.unlink()
    new_recipe(tmp_path / "mine.yaml", "quickstart")
    with pytest.raises(UserError, match=r"mine\.yaml.*exists already"):
        new_recipe(tmp_path / "mine.yaml", "russian")


def test_the_demo_has_one_planted_item_and_finds_it(tmp_path: Path) -> None:
    folder, recipe = shipped_recipes()["quickstart"].parent, load_recipe("quickstart")
    assert recipe.decontaminate is not None
    (exam,) = recipe.decontaminate.against["exam"].path or ()
    notes = folder / recipe.sources["notes"].path  # type: ignore[union-attr]
    summary = coupage.decontaminate([notes], tmp_path / "out", against={"exam": folder / exam}, workers=1)
    assert 20 <= summary["benchmarks"]["exam"]["items"] <= 40
    assert (summary["documents"], summary["kept"]) == (6, 5)
    rows = pq.read_table(tmp_path / "out" / "matches.parquet").to_pylist()
    assert [(row["doc_id"], row["kind"]) for row in rows] == [("planted", "answer"), ("asked", "question")]


@pytest.mark.parametrize("name", TEMPLATES)
def test_mixes_what_the_guide_says(name: str) -> None:
    mixtures = load_recipe(name).mixtures
    assert {stage: dict(mixture.weights) for stage, mixture in mixtures.items()} == documented_weights(name)


@pytest.mark.parametrize("name", TEMPLATES)
@pytest.mark.parametrize("stage", ["stage1", "stage2"])
def test_keeps_the_weights_that_it_restates(name: str, stage: str) -> None:
    sums: Counter[str] = Counter()
    for group, weight in load_recipe(name).mixtures[stage].weights.items():  # type: ignore[index]
        sums[KINDS[group]] += weight  # type: ignore[assignment]
    assert {kind: sums[kind] for kind in SEEDS[stage]} == pytest.approx(SEEDS[stage])
    little = sum(weight for kind, weight in sums.items() if kind not in SEEDS[stage])
    assert 0 < little <= 5


@pytest.mark.parametrize("name", TEMPLATES)
def test_stage2_is_smaller_and_leaves_no_group_out(name: str) -> None:
    stage1, stage2 = load_recipe(name).mixtures.values()
    assert stage2.tokens < stage1.tokens
    assert set(stage1.weights) <= set(stage2.weights)
    assert max(stage1.max_epochs, stage2.max_epochs) <= 4


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_source_feeds_a_group_that_is_used(name: str) -> None:
    recipe = load_recipe(name)
    used = {group for mixture in recipe.mixtures.values() for group in mixture.weights}
    assert {recipe.for_source(source).domain for source in recipe.sources} <= used


@pytest.mark.parametrize("name", TEMPLATES)
def test_rules_judge_running_text_alone(name: str) -> None:
    recipe = load_recipe(name)
    for source, config in recipe.sources.items():
        unjudged = {"code", "maths", "conversations", "parallel"}
        if KINDS[recipe.for_source(source).domain] in unjudged or source == "stack_exchange":
            assert not recipe.for_source(source).rules, source
        else:
            assert recipe.for_source(source).rules, source
        russian = config.language == "ru"
        presets = {rule.name.split(".")[0] for rule in recipe.for_source(source).rules}
        wrong = {"gopher_quality", "fineweb", "c4"} if russian else {"gopher_quality_ru", "fineweb_ru"}
        assert not presets & wrong, source


@pytest.mark.parametrize("name", TEMPLATES)
def test_people_are_masked_on_the_web_and_keys_in_code(name: str) -> None:
    recipe = load_recipe(name)
    for source in recipe.sources:
        edits = {edit.name: edit for edit in recipe.for_source(source).edits}
        kind = KINDS[recipe.for_source(source).domain]
        assert {"fix_encoding", "mask_pii"} <= edits.keys() or kind != "common crawl", source
        assert kind != "code" or "phones" not in edits["mask_pii"].kinds, source
        assert kind not in ("conversations", "parallel", "maths") or edits.keys() == {"normalize_lines"}, (
            source
        )


@pytest.mark.parametrize("name", TEMPLATES)
def test_names_the_licence_of_every_source(name: str) -> None:
    assert all(config.license for config in load_recipe(name).sources.values())


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_source_is_a_preset_with_little_beside_it(name: str) -> None:
    written = yaml.safe_load(shipped_recipes()[name].read_text())["sources"]
    for source, settings in written.items():
        preset = PRESETS[settings["use"]]
        assert settings.keys() <= {"use", "language", "domain", "limit", "priority"}, source
        assert load_recipe(name).sources[source].dataset == preset.dataset  # type: ignore[union-attr]
        assert settings.get("domain") != preset.domain, "which goes without saying"


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_group_of_a_mixture_is_fed(name: str) -> None:
    recipe = load_recipe(name)
    domains = {recipe.for_source(source).domain for source in recipe.sources}
    made = {synthesis for synthesis in recipe.synthesize.methods}
    for mixture in recipe.mixtures.values():
        assert set(mixture.weights) <= domains | made
        assert set(mixture.synthetic) <= set(mixture.weights)


SIZES = {"code_math": (180, 8819), "medicine": (191, 9554), "russian": (224, 12075)}
"""Lines and bytes of the templates before there were presets."""


@pytest.mark.parametrize("name", TEMPLATES)
def test_is_a_third_as_long_as_without_presets(name: str) -> None:
    text = shipped_recipes()[name].read_bytes()
    lines, size = SIZES[name]
    assert (text.count(b"\n") * 3 <= lines, len(text) * 3 <= size) == (True, True)


@pytest.mark.parametrize("name", sorted(shipped_recipes()))
def test_is_planned_without_a_network(name: str, tmp_path: Path) -> None:
    with socket.socket() as closed:  # bound, but nobody listens: a connection is refused at once
        closed.bind(("127.0.0.1", 0))
        proxy = f"http://127.0.0.1:{closed.getsockname()[1]}"
        proxies = {key: proxy for key in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")}
        proxies |= {key.lower(): value for key, value in proxies.items()}
        home = {"HOME": str(tmp_path), "HF_HOME": str(tmp_path / "hub"), "NO_PROXY": "", "no_proxy": ""}
        result = subprocess.run(
            [sys.executable, "-m", "pipelines", "plan", name],
            cwd=tmp_path,
            env=os.environ | proxies | home | {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"},
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert result.returncode == 0, result.stderr
    for stage in load_recipe(name).mixtures:
        assert f"mix {stage}" in result.stdout
    assert not (tmp_path / "runs").exists()


def test_the_guide_explains_every_key() -> None:
    headings = re.findall(r"^### (\w+)$", GUIDE, re.MULTILINE)
    assert sorted(headings) == sorted(Recipe.model_fields)


def test_the_pieces_of_the_guide_make_a_recipe() -> None:
    recipe = validate_recipe(parse_recipe_text("\n".join(guide_blocks("yaml")), "docs/recipes.md"))
    assert [key for key in Recipe.model_fields if key not in recipe.model_fields_set] == []


MISTAKES = {
    "sources: {web: {reader: files, path: a, feilds: {text: body}}, law: {reader: files, paths: b}}": (
        "unknown key `sources.web.feilds`; did you mean `fields`?",
        "the key `sources.law.path` is missing",
    ),
    "curate: {rules: [{use: [gopher_quality], thresholds: {gopher_quality.min_word: 30}}]}": (
        "Unknown threshold 'min_word' of preset 'gopher_quality'. Did you mean 'min_words'?",
    ),
    "mixtures: {stage1: {tokens: 10 billion, weights: {common_crawl: 1}}}": (
        "'10 billion' is not a count; write a whole number, or one with k, M, B or T, such as 2.5M.",
    ),
    "mixtures: {stage1: {tokens: 10M, weights: {web: 3}}}": (
        "the group `web` has a weight, but no source feeds it (groups here: common_crawl)",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_reported_as_the_guide_shows(mistake: str) -> None:
    values = {
        "name": "mine",
        "sources": {"web": {"reader": "files", "path": "a", "domain": "common_crawl"}},
        "mixtures": {"stage1": {"tokens": "10M", "weights": {"common_crawl": 1}}},
    }
    text = yaml.safe_dump(values | yaml.safe_load(mistake))
    with pytest.raises(UserError) as caught:
        validate_recipe(parse_recipe_text(text, "mine.yaml"))
    shown = "".join(guide_blocks("text"))
    for message in MISTAKES[mistake]:
        assert message in str(caught.value)
        assert message in shown
