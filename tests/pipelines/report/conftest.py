from pathlib import Path

import pytest

from tests.pipelines.report.browser import chromium, page_file, page_report, visit
from tests.pipelines.report.synthesis_run import answer, write_recipe
from tests.pipelines.sources.model_server import ModelServer

__all__ = ["chromium", "page_file", "page_report", "visit"]


@pytest.fixture(scope="session")
def told_recipe(tmp_path_factory) -> Path:
    """A recipe that asks a model whose server is gone; `told` has its answers."""
    return tmp_path_factory.mktemp("told") / "told.yaml"


@pytest.fixture(scope="session")
def told(told_recipe, coupage) -> Path:
    """A run with a trial, new documents and three trained stages. Tests that change it take a copy."""
    workdir = told_recipe.parent / "run"
    with ModelServer(answer) as server:
        write_recipe(told_recipe, server.url)
        coupage("synthesize", told_recipe, "--workdir", workdir, "--sample", 2)
        printed = coupage("run", told_recipe, "--workdir", workdir).stdout
    (told_recipe.parent / "printed.txt").write_text(printed)
    for stage in ("stage1", "stage2", "more"):
        coupage("train", workdir, "--stage", stage)
    return workdir
