"""What a source's folder holds beside the documents is said by `plan` and recorded by ingest."""

import lzma
import os
from pathlib import Path

import pytest

from pipelines.graph.build import build_graph
from pipelines.graph.inputs import LiveInputs
from pipelines.recipe.load import load_recipe
from pipelines.sources.passed_over import PassedOver
from pipelines.stages.ingest import passed_over

LINE = b'{"text": "a document"}\n'
RECIPE = """\
name: shelf
sources:
  web: {reader: files, path: data}
tokenizer: {train: {vocabulary_size: 600}}
mixtures:
  stage1: {tokens: 2k, sequence_length: 64, weights: {web: 1}}
"""


@pytest.fixture
def recipe(tmp_path) -> Path:
    folder = tmp_path / "shelf [1]"
    (folder / "data").mkdir(parents=True)
    for name in ("a.jsonl", "x.bin", "y.bin", "README.md"):
        (folder / "data" / name).write_bytes(LINE)
    (folder / "data/b.jsonl.xz").write_bytes(lzma.compress(LINE))
    (folder / "recipe.yaml").write_text(RECIPE)
    return folder / "recipe.yaml"


def test_it_is_said_and_recorded(coupage, recipe, tmp_path):
    plan = coupage("plan", recipe, "--workdir", tmp_path / "run").stdout
    assert "web: 3 files passed over: .bin (2, e.g. x.bin), README (1, e.g. README.md)\n" in plan
    coupage("run", recipe, "--workdir", tmp_path / "run", "--until", "ingest")
    (ingest,) = build_graph(load_recipe(str(recipe), []), LiveInputs(recipe.parent)).ingests
    assert ingest.manifest(tmp_path / "run").counts.flows["records"].left == 2
    assert passed_over(ingest, tmp_path / "run") == [
        PassedOver(".bin", 2, "x.bin"),
        PassedOver("README", 1, "README.md"),
    ]


def test_a_source_that_is_read_whole_says_nothing(coupage, recipe, tmp_path):
    for name in ("x.bin", "y.bin", "README.md"):
        (recipe.parent / "data" / name).unlink()
    assert "passed over" not in coupage("plan", recipe, "--workdir", tmp_path / "run").stdout


@pytest.mark.parametrize("command", ["plan", "run"])
@pytest.mark.parametrize("path", ["data", "data/*"])
def test_what_cannot_be_read_as_it_is_ends_the_command(coupage, recipe, tmp_path, command, path):
    recipe.write_text(RECIPE.replace("path: data", f"path: '{path}'"))
    (recipe.parent / "data/annexed.jsonl").symlink_to("../.git/annex/objects/missing")
    done = coupage(command, recipe, "--workdir", tmp_path / "run", code=2)
    assert "annexed.jsonl:" in done.stderr and "this link leads to" in done.stderr
    assert "annex/objects/missing" in done.stderr
    (recipe.parent / "data/annexed.jsonl").unlink()
    Path(os.fsdecode(os.fsencode(recipe.parent) + b"/data/\xff.jsonl")).write_bytes(LINE)
    done = coupage(command, recipe, "--workdir", tmp_path / "run", code=2)
    assert r"\xff.jsonl'" in done.stderr and "the file's name is not UTF-8" in done.stderr
