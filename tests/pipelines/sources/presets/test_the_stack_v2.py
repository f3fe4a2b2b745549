"""A recipe of The Stack v2: ids from the hub, contents from a store, killed while it fetches them."""

import gzip
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.pipelines.command_line import command
from tests.pipelines.command_line import environment as of_a_process
from tests.pipelines.sources.hub_server import HubServer
from tests.pipelines.sources.remote.object_store import BadRoad, at, bucket, object_store
from tests.pipelines.sources.test_software_heritage import blob_id, record

from . import datasets_of_the_hub as real
from .test_recipes_from_the_hub import COMMIT, documents, environment, parts, write_recipe

TEXTS = [f"# {number}\n" + random.Random(number).randbytes(4500).hex() + "\n" for number in range(300)]


@pytest.fixture(scope="module")
def store():
    """The blobs, at the names that Software Heritage gives them."""
    with object_store() as address:
        system = bucket("softwareheritage")
        system.pipe(
            {f"softwareheritage/content/{blob_id(text)}": gzip.compress(text.encode()) for text in TEXTS}
        )
        yield address


@pytest.fixture
def hub():
    with HubServer("bigcode/the-stack-v2", COMMIT, real.the_stack_v2([*map(record, TEXTS)])) as server:
        yield server


def blobs_in_cache(folder: Path) -> int:
    return sum(path.is_file() for path in (folder / "cache" / "software_heritage").glob("??/[0-9a-f]*"))


def test_killed_while_it_fetches_contents_it_goes_on_to_the_same_bytes(coupage, store, hub, tmp_path):
    def run(folder: Path) -> list[object]:
        recipe = write_recipe(folder, {"code": {"use": "the_stack_v2", "language": "python"}})
        return ["run", recipe, "--workdir", folder / "run", "--until", "ingest", "--workers", 1]

    whole, broken = tmp_path / "whole", tmp_path / "broken"
    coupage(*run(whole), **environment(hub, whole))
    assert [row["text"] for row in documents(whole)["code"]] == TEXTS
    with BadRoad(store, wait=0.3) as road, at(road.address):
        process = subprocess.Popen(
            command(*run(broken)),
            env=of_a_process(**environment(hub, broken)),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        while blobs_in_cache(broken) < 100:  # the preflight fetches fewer
            assert process.poll() is None
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    kept = blobs_in_cache(broken)
    assert kept < len(TEXTS) and not parts(broken)
    with BadRoad(store) as road, at(road.address):
        coupage(*run(broken), **environment(hub, broken))
        fetched = [path for path in road.asked if path.startswith("GET") and "/content/" in path]
        assert len(fetched) == len(TEXTS) - kept
        assert max(road.asked[path] for path in fetched) == 1
    assert list(parts(broken).values()) == list(parts(whole).values())
