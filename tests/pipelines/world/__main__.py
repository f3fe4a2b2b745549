"""Many random steps: `python -m tests.pipelines.world STEPS [SEED]`. A failure names its seed and steps."""

import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.pipelines.command_line import run_here
from tests.pipelines.corpus import write_corpus, write_recipe
from tests.pipelines.world.world import World

STEPS_A_WORLD = 40


def main(steps: int, seed: int) -> None:
    """Worlds of some steps each, until there were as many as asked for."""
    folder = Path(tempfile.mkdtemp(prefix="world-"))
    tokenizer = base_tokenizer(folder)
    done, started, oracle = 0, time.monotonic(), {}
    while done < steps:
        place = folder / f"{seed}"
        place.mkdir()
        world = World(place, tokenizer, random.Random(seed), oracle=oracle)
        for _ in range(min(STEPS_A_WORLD, steps - done)):
            try:
                world.step()
            except BaseException:
                print(f"seed {seed} in {place}:", *world.log, sep="\n  ", flush=True)
                raise
            done += 1
        print(f"seed {seed}: {done} steps in {time.monotonic() - started:.0f} s", flush=True)
        shutil.rmtree(place)
        seed += 1
    shutil.rmtree(folder)


def base_tokenizer(folder: Path) -> Path:
    """A tokenizer as a user brings one."""
    corpus = write_corpus(folder / "corpus", documents=60)
    recipe = write_recipe(folder / "recipe.yaml", corpus)
    done = run_here("run", recipe, "--workdir", folder / "run", "--until", "tokenizer", cwd=folder)
    assert done.returncode == 0, done.stderr
    (found,) = (folder / "run" / "stages").glob("tokenizer-*")
    return shutil.copytree(found / "tokenizer", folder / "tokenizer")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1)
