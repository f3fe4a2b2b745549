import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.pipelines.command_line import ROOT, Finished, command, environment, run_here, run_process
from tests.pipelines.corpus import write_corpus, write_recipe

__all__ = ["ROOT", "command", "environment"]

Coupage = Callable[..., Finished]


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    """What is fetched is not kept among what the user's own runs have fetched."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COUPAGE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def coupage() -> Coupage:
    """Run the command line; the exit code must be the one expected.

    It runs in this process, or in one of its own when that is to have other environment variables.
    """

    def run(*arguments: object, code: int = 0, cwd: Path | None = None, **more: str) -> Finished:
        done = run_process(*arguments, cwd=cwd, **more) if more else run_here(*arguments, cwd=cwd)
        assert done.returncode == code, done.stdout + done.stderr
        return done

    return run


@pytest.fixture(scope="session")
def coupage_process() -> Coupage:
    """The same, always in a process of its own."""

    def run(*arguments: object, code: int = 0, cwd: Path | None = None, **more: str) -> Finished:
        done = run_process(*arguments, cwd=cwd, **more)
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
