"""What may be imported from Python: it is there, it is light, and it does what the commands do."""

import re
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import coupage as public
from tests.pipelines.commands.conftest import write_lines
from tests.pipelines.corpus import write_recipe

ROOT = Path(__file__).parents[3]
HEAVY = ("torch", "transformers", "datatrove", "datasets", "numba", "polars", "pyarrow", "numpy", "ray")


def test_every_name_is_there():
    assert set(public.__all__) <= set(dir(public))
    for name in public.__all__:
        assert getattr(public, name) is not None
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", public.__version__)
    with pytest.raises(AttributeError, match="no attribute 'rum'"):
        public.rum  # noqa: B018


@pytest.mark.parametrize(
    "package", ["coupage", "filters", "mixers", "tokenizer_tools", "trainers", "pipelines"]
)
def test_packages_load_nothing_and_name_what_they_hold(package):
    done = subprocess.run(
        [sys.executable, "-c", f"import sys, {package}; print(*sys.modules); print(*{package}.__all__)"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    loaded, names = (set(line.split()) for line in done.stdout.splitlines())
    assert not loaded & set(HEAVY)
    if package != "coupage":
        there = {path.stem for path in (ROOT / package).iterdir()}
        assert names <= there


def test_a_run_planned_built_and_opened(corpus, base_tokenizer, tmp_path):
    recipe = write_recipe(tmp_path / "small.yaml", corpus, f"base: {base_tokenizer}")
    planned = public.plan(recipe, workdir=tmp_path / "run")
    assert {stage.state for stage in planned.stages} == {"run"}
    assert {source.source for source in planned.estimate.sources} == {"web", "law"}
    built = public.run(recipe, workdir=tmp_path / "run", workers=1)
    opened = public.open_run(tmp_path / "run")
    assert opened.recipe == built.recipe
    assert isinstance(opened.recipe, public.Recipe)
    shards = opened.shards("stage1")
    assert isinstance(shards, public.Shards)
    assert len(shards) == opened.report()["mixtures"]["stage1"]["rows"]
    assert opened.documents(kept=True, number=3)[2]["verdict"] in ("kept", "held out")
    assert {stage.state for stage in public.plan(recipe, workdir=tmp_path / "run").stages} == {"cached"}


def test_files_annotated_and_deduplicated(texts, tmp_path, capfd):
    file = write_lines(tmp_path / "web.jsonl", [{"text": text} for text in (*texts, texts[0], "Too short.")])
    summary = public.annotate([file], tmp_path / "signals", rules=["gopher_quality"], workers=1)
    assert summary["dropped"] == {"gopher_quality.min_words": 1}
    signals = pq.read_table(tmp_path / "signals" / "signals.parquet")
    assert "non_symbol_words" in signals.column_names and "pii_emails" not in signals.column_names
    assert public.dedup([file], tmp_path / "kept", workers=1)["duplicates"] == {"exact": 1, "minhash": 0}
    assert capfd.readouterr() == ("", "")


def test_what_is_wrong_is_raised(tmp_path):
    with pytest.raises(public.UserError, match="there is no recipe"):
        public.run(tmp_path / "none.yaml")
    with pytest.raises(public.UserError, match="neither the folder of a finished run"):
        public.train(tmp_path)
    with pytest.raises(public.CoupageError, match="not the folder of a finished run"):
        public.open_run(tmp_path)
