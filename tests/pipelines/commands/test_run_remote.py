"""A recipe whose sources lie in an object store builds what it builds of the same files here."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.pipelines.command_line import command, environment
from tests.pipelines.corpus import write_recipe
from tests.pipelines.sources.remote.object_store import BadRoad, at, bucket, object_store


@pytest.fixture(scope="module")
def store(corpus):
    """The corpus lies in a bucket."""
    with object_store() as address:
        system = bucket("corpus")
        for path in corpus.iterdir():
            system.put_file(str(path), f"corpus/data/{path.name}")
        yield address


@pytest.fixture
def recipe_there(tmp_path, base_tokenizer, store) -> Path:
    return write_recipe(tmp_path / "small.yaml", "s3://corpus/data", f"base: {base_tokenizer}")


def shards_of(run: Path) -> dict[str, bytes]:
    files = (path for name in ("stage1", "stage2") for path in (run / "shards" / name).iterdir())
    return {f"{path.parent.name}/{path.name}": path.read_bytes() for path in files}


def test_the_same_bytes_through_broken_connections(coupage, finished, recipe_there, store, tmp_path):
    with BadRoad(store, cut=5) as road, at(road.address):
        done = coupage("run", recipe_there, "--workdir", tmp_path / "run")
    assert road.cut
    assert shards_of(tmp_path / "run") == shards_of(finished)
    written = [path for path in (tmp_path / "run").rglob("*") if path.is_file()]
    secret = os.environ["AWS_SECRET_ACCESS_KEY"]
    assert not [path for path in written if secret.encode() in path.read_bytes()]
    assert secret not in done.stdout + done.stderr


def test_killed_while_it_reads_it_goes_on_to_the_same_bytes(coupage, finished, recipe_there, store, tmp_path):
    run = tmp_path / "run"
    with BadRoad(store, wait=0.5) as road:
        process = subprocess.Popen(
            command("run", recipe_there, "--workdir", run, "--workers", 1),
            env=environment(AWS_ENDPOINT_URL=road.address),
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        before = None
        while before is None or road.large == before:  # until a task asks for content
            assert process.poll() is None
            if before is None and (run / "attempt.json").exists():
                before = road.large
            time.sleep(0.005)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert not (run / "run.json").exists()
    coupage("run", recipe_there, "--workdir", run)
    assert shards_of(run) == shards_of(finished)
    assert "every hash" in coupage("verify", run).stdout
