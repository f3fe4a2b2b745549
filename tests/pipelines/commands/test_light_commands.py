"""Commands load what they use: what a light one must not import, and shell completion and version."""

import subprocess
import sys

import pytest

from tests.pipelines.conftest import ROOT, environment

ARRAYS = ("numpy", "pyarrow", "numba", "polars")
EXECUTORS = ("datatrove", "ray")
TRAINING = ("torch", "transformers", "datasets", "accelerate", "peft", "lm_eval")


def loaded(*arguments: object) -> set[str]:
    """The top-level modules that a command has imported when it ends."""
    code = (
        "import atexit, sys; from pipelines.cli import main; "
        "atexit.register(lambda: print(*{m.split('.')[0] for m in sys.modules}, file=sys.stderr)); "
        "main(sys.argv[1:])"
    )
    words = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, env=environment(), check=True)
    return set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize(
    ("arguments", "unwanted"),
    [
        (["--help"], ARRAYS + EXECUTORS + TRAINING),
        (["--version"], ARRAYS + EXECUTORS + TRAINING),
        (["recipe", "list"], ARRAYS + EXECUTORS + TRAINING),
        (["recipe", "show", "quickstart"], ARRAYS + EXECUTORS + TRAINING),
        (["recipe", "sources"], ARRAYS + EXECUTORS + TRAINING),
        (["recipe", "validate", "quickstart"], EXECUTORS + TRAINING),
    ],
)
def test_a_light_command_loads_nothing_heavy(arguments, unwanted):
    assert not loaded(*arguments) & set(unwanted)


def test_looking_into_shards_reads_no_row(shards):
    assert not loaded("shards", "info", shards) & set(ARRAYS + EXECUTORS + TRAINING)


def test_looking_into_a_run_starts_no_executor(finished):
    assert not loaded("inspect", finished, "-n", 1) & set(EXECUTORS + TRAINING)


def test_a_file_that_shards_lack_is_named(coupage, tmp_path, shards):
    import shutil

    folder = shutil.copytree(shards, tmp_path / "shards")
    (folder / "data-00000-of-00001.arrow").unlink()
    assert "data-00000-of-00001.arrow" in coupage("shards", "info", folder, code=2).stderr


def test_version_and_completion(coupage):
    assert coupage("--version").stdout.startswith("coupage 0.")
    assert "--install-completion" in coupage("--help").stdout
    code = "import sys; sys.argv = ['coupage']; from pipelines.cli import main; main()"
    asked = {"_COUPAGE_COMPLETE": "complete_bash", "COMP_WORDS": "coupage rec", "COMP_CWORD": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, env=environment(**asked)
    )
    assert "recipe" in done.stdout.split()
