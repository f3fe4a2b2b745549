"""Random steps on a run's folder: never other bytes with exit 0, never a `verify` that overlooks damage."""

import random

from tests.pipelines.world.world import World


def test_whatever_happens_to_a_folder_it_ends_with_the_bytes_of_a_run_from_scratch(tmp_path, base_tokenizer):
    world = World(tmp_path, base_tokenizer, random.Random(1))
    for _ in range(25):
        world.step()
