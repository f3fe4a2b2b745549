import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.pipelines.corpus import write_corpus, write_recipe

ROOT = Path(__file__).parents[2]
Coupage = Callable[..., subprocess.CompletedProcess[str]]


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200", **more}


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "pipelines", *map(str, arguments)]


@pytest.fixture(scope="session")
def coupage() -> Coupage:
    """Run the command line; the exit code must be the one expected."""

    def run(*arguments: object, code: int = 0, cwd: Path | None = None, **more: str):
        done = subprocess.run(
            command(*arguments), capture_output=True, text=True, env=environment(**more), cwd=cwd, timeout=600
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done

    return run


@pytest.fixture(scope="session")
def corpus(tmp_path_factory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="session")
def base_tokenizer(tmp_path_factory, coupage, corpus) -> Path:
    """A tokenizer that is given, as a user's own is: trained once on the corpus."""
    folder = tmp_path_factory.mktemp("tokenizer")
    recipe = write_recipe(folder / "recipe.yaml", corpus)
    coupage("run", recipe, "--workdir", folder / "run", "--until", "tokenizer")
    (found,) = (folder / "run" / "stages").glob("tokenizer-*")
    return shutil.copytree(found / "tokenizer", folder / "tokenizer")


@pytest.fixture(scope="session")
def recipe(tmp_path_factory, corpus, base_tokenizer) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "small.yaml"
    return write_recipe(path, corpus, f"base: {base_tokenizer}")


@pytest.fixture(scope="session")
def finished(tmp_path_factory, coupage, recipe) -> Path:
    """A finished run. Tests that change anything in it take a copy."""
    workdir = tmp_path_factory.mktemp("finished") / "run"
    coupage("run", recipe, "--workdir", workdir, "--workers", 2)
    return workdir


@pytest.fixture
def run_copy(tmp_path, finished) -> Path:
    return shutil.copytree(finished, tmp_path / "run", symlinks=True)
